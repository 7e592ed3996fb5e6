/* One setting by itself: its two names, what its text means, and how its limits are said.
 * The parts that config_load and config_help share; nobody else needs them. Pure. */
#ifndef PAYBELL_BASE_SETTING_H
#define PAYBELL_BASE_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"

#define SETTING_PREFIX "PAYBELL_"
#define SETTING_NAME_SIZE                                                                \
	80 /* the longest flag or variable, NUL included; longer is cut */

/* "QUEUE_MAX" as "--queue-max" and as "PAYBELL_QUEUE_MAX". They return out. */
const char *setting_flag(char out[SETTING_NAME_SIZE], const char *name);
const char *setting_variable(char out[SETTING_NAME_SIZE], const char *name);

/* The inverse, for the flag without its "--" and its value; false when it cannot be a
 * name. */
bool setting_name(char out[SETTING_NAME_SIZE], const char *flag, size_t len);

/* Reads a text in the setting's kind; *number gets INT, BOOL (0 or 1), DURATION and SIZE.
 * False: `why` gets what is wrong and how to put it right, to be said right behind the
 * setting's name. It never holds what TEXT or SECRET were. */
bool setting_read(const struct setting *s, const char *text, int64_t *number,
		  struct buf *why);

/* true false yes no 1 0 on off, in any case; false when it is none of them. */
bool setting_bool(const char *text, bool *value);

/* Its limits for people: "1 to 100", "retry|fail", "true or false". */
void setting_limits(struct buf *out, const struct setting *s);

#endif
