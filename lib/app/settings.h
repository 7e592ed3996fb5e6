/* The settings that programs share, and the names of all of them.
 *
 * One environment file serves the whole suite, so every program has to know every name:
 * its own it reads, the others' it passes over, and anything else is refused as
 * misspelt. A new setting's name is therefore added to the list in settings.c too;
 * service_main() refuses to run with a table that holds a name that the list does not. */
#ifndef PAYBELL_APP_SETTINGS_H
#define PAYBELL_APP_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"

/* Where Redis and the database are: backend, workers, gateway and CLI. */
struct common_settings {
	const char *redis;        /* PAYBELL_REDIS: an URL (io/redis_url.h) */
	const char *redis_prefix; /* PAYBELL_REDIS_PREFIX: in front of every name there */
	int64_t redis_timeout_ms; /* PAYBELL_REDIS_TIMEOUT: a command without an answer */
	const char *database;     /* PAYBELL_DATABASE: the file's path */
};

/* Offsets are of struct common_settings: {common_setting_rows, &settings.common}. */
extern const struct setting common_setting_rows[];

/* Every PAYBELL_* name of the suite, without the prefix, NULL-ended: for
 * config_set_foreign(). Static storage. */
const char *const *settings_suite(void);

/* Whether each name in the tables is in that list; *missing gets the first that is not.
 */
bool settings_all_known(const struct setting_table *tables, const char **missing);

#endif
