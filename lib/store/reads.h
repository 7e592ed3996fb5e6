/* Read marks: up to where a user has seen its events, and how many it has not. For any
 * thread that has a store; only the backend's committer moves a mark. */
#ifndef PAYBELL_STORE_READS_H
#define PAYBELL_STORE_READS_H

#include "store/store.h"

struct reads;

int reads_new(struct reads **out, struct store *s, struct err *e);
void reads_free(struct reads *r); /* NULL does nothing */

/* Moves the user's mark: forward only, and not beyond the newest event. 1 moved, 0 it
 * stays where it is, -1 failed. Inside of a batch. */
int reads_move(struct reads *r, const char *user_id, int64_t sequence, int64_t now_us,
	       struct err *e);

/* The user's events above its mark (all of them when there is none), exact in the
 * snapshot that it is asked in: one step for each 64 of them. -1 failed. */
int64_t reads_unread(struct reads *r, const char *user_id, struct err *e);

#endif
