/* The checker: after an unclean stop, is the database sound?
 *
 * A thread with a connection of its own. checker_start() lets it look at all of the
 * database for first_ms; what is not finished by then it reads on in the
 * background, a table at a time, so that no snapshot is held for longer than one table
 * takes, and gives way when the write-ahead log needs to start over. */
#ifndef PAYBELL_BACKEND_CHECKER_H
#define PAYBELL_BACKEND_CHECKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct checker;

struct checker_settings {
	const char *database;
	int64_t first_ms;
	/* Found in the background. On the checker's thread, once. */
	void (*damaged)(void *arg, const struct err *e);
	void *arg;
};

/* Returns when everything was read, or after first_ms. ERR_CORRUPT: it is not sound, the
 * text says which database and what to do. */
int checker_start(struct checker **out, const struct checker_settings *settings,
		  struct err *e);
/* NULL does nothing. */
void checker_stop(struct checker *c);

/* Any thread, c may be NULL (no check was needed): */

/* Lets go of the snapshot, if one is held in the background. */
void checker_give_way(struct checker *c);
/* Everything was read and is sound. */
bool checker_passed(struct checker *c);
/* False, and why, when it has found damage. */
bool checker_ready(struct checker *c, char *reason, size_t size);

#endif
