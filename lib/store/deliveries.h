/* Deliveries and attempts: how each channel stands with each event. For any thread that
 * has a store; what writes, inside of the committer's batch. */
#ifndef PAYBELL_STORE_DELIVERIES_H
#define PAYBELL_STORE_DELIVERIES_H

#include "store/store.h"
#include "wire/attempt.h"
#include "wire/event.h"

struct deliveries;

int deliveries_new(struct deliveries **out, struct store *s, struct err *e);
void deliveries_free(struct deliveries *d);

/* Takes one record in; again is harmless. 1 taken (after the end, or from before a
 * replay, it changes nothing), 0 not: it was there, or (*foreign) no event of this ledger
 * has that sequence and that id. -1 failed. */
int deliveries_record(struct deliveries *d, const struct attempt *a, bool *foreign,
		      struct err *e);

/* Opens again what has ended as failed or suppressed: attempts count from 1, and it is
 * due at once. 1 done, 0 it has not ended so, -1 failed. */
int deliveries_reopen(struct deliveries *d, int64_t sequence, const char *channel,
		      int64_t now_us, struct err *e);

/* How one channel stands with one event. */
struct standing {
	struct event event;
	char channel[CHANNEL_NAME_MAX + 1];
	int status; /* enum attempt_status; -1: nothing was reported yet */
	enum attempt_reason reason;
	int attempts;                              /* since the last replay */
	int64_t ended_us, next_at_us, replayed_us; /* UTC; 0: not */
};
/* 1 found, 0 no such event, -1 failed. */
int deliveries_standing(struct deliveries *d, int64_t sequence, const char *channel,
			struct standing *out, struct err *e);

/* All attempts of one event, by channel and time; the number, or -1. */
typedef void deliveries_fn(void *arg, const struct attempt *a);
int deliveries_attempts(struct deliveries *d, int64_t sequence, deliveries_fn *fn,
			void *arg, struct err *e);
/* The records of devices that need nothing more of this event: delivered ones, and those
 * that failed since the last replay. The number, or -1. */
int deliveries_devices(struct deliveries *d, int64_t sequence, const char *channel,
		       deliveries_fn *fn, void *arg, struct err *e);

/* When the batch with this event was committed and its bell rung, UTC; 0: not known
 * (yet). */
int deliveries_times(struct deliveries *d, int64_t sequence, int64_t *committed_us,
		     int64_t *published_us, struct err *e);
int deliveries_committed(struct deliveries *d, int64_t last_event, int64_t committed_us,
			 struct err *e);
int deliveries_published(struct deliveries *d, int64_t last_event, int64_t published_us,
			 struct err *e);

/* One that waits in the ledger. */
struct due {
	int64_t sequence, next_at_us;
	bool replay; /* an operator reopened it, and it was not tried since */
};
/* Those of this channel whose time has come (next_at_us <= now_us), of events up to
 * `through`, the longest overdue first. The number, at most limit, or -1. */
int deliveries_due(struct deliveries *d, const char *channel, int64_t now_us,
		   int64_t through, struct due *out, int limit, struct err *e);
/* It is in the stream again, and does not wait any more; unless it waits for another time
 * by now. */
int deliveries_handed_out(struct deliveries *d, const char *channel,
			  const struct due *due, struct err *e);

#endif
