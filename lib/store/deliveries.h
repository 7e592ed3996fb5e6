/* Deliveries and attempts: how each channel stands with each event. */
#ifndef PAYBELL_STORE_DELIVERIES_H
#define PAYBELL_STORE_DELIVERIES_H

#include "store/store.h"
#include "wire/attempt.h"

struct deliveries;

int deliveries_new(struct deliveries **out, struct store *s, struct err *e);
void deliveries_free(struct deliveries *d);

/* Takes one record in; again is harmless (1 taken, 0 was there or came after the end, -1
 * failed). Committer's thread, inside of its batch. */
int deliveries_record(struct deliveries *d, const struct attempt *a, struct err *e);

/* All attempts of one event, by channel and time; the number, or -1. */
typedef void deliveries_fn(void *arg, const struct attempt *a);
int deliveries_attempts(struct deliveries *d, int64_t sequence, deliveries_fn *fn,
			void *arg, struct err *e);

/* When the batch with this event was committed and its bell rung, UTC; 0: not known
 * (yet). */
int deliveries_times(struct deliveries *d, int64_t sequence, int64_t *committed_us,
		     int64_t *published_us, struct err *e);
/* Inside of a batch. */
int deliveries_committed(struct deliveries *d, int64_t last_event, int64_t committed_us,
			 struct err *e);
int deliveries_published(struct deliveries *d, int64_t last_event, int64_t published_us,
			 struct err *e);

/* Channels. Makes sure that each of the NULL-ended names has its row: a new one starts at
 * `head`. Inside of a batch. */
int deliveries_declare(struct deliveries *d, const char *const *channels, int64_t head,
		       struct err *e);
/* Channels that have a row and are not among the NULL-ended names: fn is called for each.
 * The number, or -1. */
typedef void deliveries_channel_fn(void *arg, const char *channel);
int deliveries_undeclared(struct deliveries *d, const char *const *channels,
			  deliveries_channel_fn *fn, void *arg, struct err *e);
/* Ends all that is open for this channel as failed: channel_removed, and forgets the
 * channel. Inside of a batch. */
int deliveries_remove_channel(struct deliveries *d, const char *channel, int64_t now_us,
			      struct err *e);
/* The next sequences after `after` that are open for this channel and not waiting in the
 * ledger, at most `limit`. *scanned_to: up to where it looked (events of one call: at
 * most DELIVERIES_SCAN_MAX). The number, or -1. */
#define DELIVERIES_SCAN_MAX 10000
int deliveries_open_after(struct deliveries *d, const char *channel, int64_t after,
			  int64_t *out, int limit, int64_t *scanned_to, struct err *e);
/* Below this sequence nothing is open for the channel: where feeding starts after a wiped
 * Redis. -1 failed or unknown channel. */
int64_t deliveries_floor(struct deliveries *d, const char *channel, struct err *e);
/* Where the floor could be: below the lowest open event above `floor`, looking at no more
 * than DELIVERIES_SCAN_MAX rows. -1 failed. */
int64_t deliveries_scan_floor(struct deliveries *d, const char *channel, int64_t floor,
			      struct err *e);
/* Inside of a batch. */
int deliveries_set_floor(struct deliveries *d, const char *channel, int64_t floor,
			 struct err *e);

/* Deliveries whose time in the ledger has come: up to limit sequences of this channel
 * with next_at_us <= now_us. The number, or -1. */
int deliveries_due(struct deliveries *d, const char *channel, int64_t now_us,
		   int64_t *out, int limit, struct err *e);
/* They are in the stream again: clears next_at_us. Inside of a batch. */
int deliveries_handed_out(struct deliveries *d, const char *channel, int64_t sequence,
			  struct err *e);

#endif
