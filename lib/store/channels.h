/* Channels: which there are, how far each has come, and what is to be fed to it.
 *
 * The floor of a channel is the sequence up to which every event that concerns it has a
 * row in deliveries. What is open at or below it is found by its row's index, whatever
 * its age; above it the events are gone through. So one delivery that waits for a day,
 * or is replayed after a year, makes nobody go through that time again. For any thread
 * that has a store; what writes, inside of a batch. */
#ifndef PAYBELL_STORE_CHANNELS_H
#define PAYBELL_STORE_CHANNELS_H

#include "store/store.h"

struct channels;

int channels_new(struct channels **out, struct store *s, struct err *e);
void channels_free(struct channels *c);

/* Makes sure that each of the NULL-ended names has its row: a new one starts at `head`.
 */
int channels_declare(struct channels *c, const char *const *names, int64_t head,
		     struct err *e);
/* Those that have a row and are not among the NULL-ended names: fn is called for each.
 * The number, or -1. */
typedef void channels_fn(void *arg, const char *channel);
int channels_undeclared(struct channels *c, const char *const *names, channels_fn *fn,
			void *arg, struct err *e);
/* Ends all that is open for it as failed: channel_removed, and forgets the channel. */
int channels_remove(struct channels *c, const char *channel, int64_t now_us,
		    struct err *e);

/* The newest event from before the channel, which does not concern it. -1 failed;
 * ERR_NOT_FOUND: no such channel. */
int64_t channels_first_event(struct channels *c, const char *channel, struct err *e);
int64_t channels_floor(struct channels *c, const char *channel, struct err *e);
/* Where the floor could be: below the lowest event above `floor` that has no row, looking
 * at no more than CHANNELS_SCAN_MAX. -1 failed. */
int64_t channels_scan_floor(struct channels *c, const char *channel, int64_t floor,
			    struct err *e);
int channels_set_floor(struct channels *c, const char *channel, int64_t floor,
		       struct err *e);

/* Where feeding starts when nothing is known to be in Redis: nothing at or below this is
 * open. -1 failed. */
int64_t channels_start(struct channels *c, const char *channel, struct err *e);
/* The next sequences after `after` that are open for this channel and not waiting in the
 * ledger, at most `limit`. *scanned_to: up to where that is all. It looks at no more than
 * CHANNELS_SCAN_MAX rows a call, so that no snapshot is held for long: go on from there.
 * The number, or -1. */
#define CHANNELS_SCAN_MAX 10000
int channels_open_after(struct channels *c, const char *channel, int64_t after,
			int64_t *out, int limit, int64_t *scanned_to, struct err *e);

#endif
