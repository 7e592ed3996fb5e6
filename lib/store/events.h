/* Events and transactions, read: in ledger order, by user, with the recipient. For any
 * thread that has a store. */
#ifndef PAYBELL_STORE_EVENTS_H
#define PAYBELL_STORE_EVENTS_H

#include "store/store.h"
#include "wire/event.h"
#include "wire/transaction.h"
#include "wire/user.h"

struct events;

int events_new(struct events **out, struct store *s, struct err *e);
void events_free(struct events *ev);

/* The newest sequence, 0 when there is none; -1 failed. */
int64_t events_head(struct events *ev, struct err *e);

/* Events after `after`, in order, at most `limit`; fn is called for each. The number, or
 * -1. */
typedef void events_fn(void *arg, const struct event *event);
int events_after(struct events *ev, int64_t after, int limit, events_fn *fn, void *arg,
		 struct err *e);

/* A user's events after `after`, in order, at most `limit` (1 to EVENTS_PAGE_MAX). The
 * number, or -1. */
#define EVENTS_PAGE_MAX 1000
int events_of_user(struct events *ev, const char *user_id, int64_t after, int limit,
		   events_fn *fn, void *arg, struct err *e);

/* A user's transactions, newest first, those below `before` (an event sequence; INT64_MAX
 * for the newest); each with the sequence of the user's event in it, which is the next
 * `before`. The number, or -1. */
typedef void transactions_fn(void *arg, const struct transaction *t, int64_t sequence);
int events_transactions(struct events *ev, const char *user_id, int64_t before, int limit,
			transactions_fn *fn, void *arg, struct err *e);

/* 1 found, 0 not, -1 failed. */
int events_transaction(struct events *ev, const char *id, struct transaction *out,
		       struct err *e);
int events_one(struct events *ev, int64_t sequence, struct event *out, struct err *e);

/* What a worker must know before it sends: the event, to whom, and whether this event has
 * ended for its channel already. */
struct recipient {
	struct event event;
	struct user user; /* id alone when it was deleted */
	bool deleted;
	bool ended;   /* nothing is to be sent any more */
	int attempts; /* what the ledger knows of earlier attempts on this channel, since
			 the last replay */
	int64_t replayed_us; /* UTC: when an operator last reopened it; 0: never */
	int device_count;    /* filled when devices were asked for */
	struct device devices[DEVICES_MAX];
};
/* One statement (and one for the devices). 1 found, 0 no such event (yet), -1 failed. */
int events_recipient(struct events *ev, int64_t sequence, const char *channel,
		     bool with_devices, struct recipient *out, struct err *e);

#endif
