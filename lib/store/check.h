/* Is the database sound? SQLite's quick_check, whole or a table at a time, with a
 * connection of its own.
 *
 * The whole check also finds pages that two tables claim, and those of the free list; a
 * table with its indexes is what one step holds a snapshot for. One thread, but for
 * check_stop(). ERR_CORRUPT: it is not sound, and the text says what is wrong; ERR_CLOSED
 * stopped; ERR_IO. Source: sqlite.org/pragma.html#pragma_quick_check. */
#ifndef PAYBELL_STORE_CHECK_H
#define PAYBELL_STORE_CHECK_H

#include "base/err.h"

struct check;

int check_new(struct check **out, const char *database, struct err *e);
void check_free(struct check *c); /* NULL does nothing */

/* All of it at once. */
int check_all(struct check *c, struct err *e);
/* The next table: 1 there is more, 0 that was the last, -1. After a failure the same
 * table is the next one again. */
int check_step(struct check *c, struct err *e);
const char *check_table(const struct check *c); /* the next one; borrowed */

/* Any thread: what runs ends with ERR_CLOSED. */
void check_stop(struct check *c);

#endif
