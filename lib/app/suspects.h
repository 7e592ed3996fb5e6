/* An audit's suspects: deliveries that are open in the ledger and had no entry when the
 * channel's stream was read. The ledger's side of audit.h, which says what they prove.
 *
 * First suspects_walk() gathers them, then suspects_mark() notes how each stands and lets
 * go of those that are open no more; the stream is read once more, and suspects_prove()
 * keeps those that are still not in it and about which nothing was recorded meanwhile.
 * Each call is a slice of some milliseconds and says whether there are more. One thread.
 */
#ifndef PAYBELL_APP_SUSPECTS_H
#define PAYBELL_APP_SUSPECTS_H

#include <stdbool.h>

#include "app/sequences.h"
#include "store/store.h"

#define SUSPECTS_MAX 10000

struct suspects;

/* s is a reader, borrowed. */
int suspects_new(struct suspects **out, struct store *s, struct err *e);
void suspects_free(
	struct suspects *s); /* before the store is closed; NULL does nothing */

/* Forgets all. Events up to `through` are looked at. */
void suspects_begin(struct suspects *s, const char *channel, int64_t through);

/* 1: once more, 0: that was the last slice, -1. `placed`: what the stream has. */
int suspects_walk(struct suspects *s, const struct sequences *placed, struct err *e);
int suspects_mark(struct suspects *s, struct err *e);
int suspects_prove(struct suspects *s, const struct sequences *placed, struct err *e);

/* Those that are left, rising; borrowed. */
const int64_t *suspects_left(const struct suspects *s, size_t *count);
/* All that was open. */
int64_t suspects_open(const struct suspects *s);
/* There were more than SUSPECTS_MAX. */
bool suspects_are_cut(const struct suspects *s);

#endif
