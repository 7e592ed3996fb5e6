/* What proves that nothing was lost and that the money is right: counted and added up
 * from the rows, a slice at a time.
 *
 * Every call is one statement, so one snapshot, and looks at no more than its limits say:
 * with PROOF_SLICE events it is held for some 10 ms. What is proven while the database
 * grows is true of the events up to a head that was read first: their rows only ever go
 * from open to ended. A reader's; any thread that has a store. */
#ifndef PAYBELL_STORE_PROOF_H
#define PAYBELL_STORE_PROOF_H

#include "base/id.h"
#include "base/money.h"
#include "store/store.h"
#include "wire/event.h"
#include "wire/user.h"

#define PROOF_SLICE 4096

struct proof;

int proof_new(struct proof **out, struct store *s, struct err *e);
void proof_free(struct proof *p);

/* ---- deliveries ---- */

/* How one delivery stands, so that it shows whether anything was recorded about it
 * between two looks: each attempt adds a record, and each replay has its own time. */
struct proof_mark {
	bool open; /* has neither ended nor waits in the ledger */
	int64_t records, replayed_us;
};
/* 1, 0 no such event, -1 failed. */
int proof_mark(struct proof *p, int64_t sequence, const char *channel,
	       struct proof_mark *out, struct err *e);

typedef void proof_channel_fn(void *arg, const char *channel, int64_t first_event);
/* The number, or -1. */
int proof_channels(struct proof *p, proof_channel_fn *fn, void *arg, struct err *e);

/* Events by how a channel stands with them. What contradicts itself is in none. */
struct proof_counts {
	int64_t events, delivered, suppressed, failed, open;
	int64_t waiting; /* of the open ones: in the ledger, for their time */
};
/* Adds those of the events above `after` up to `through` to *counts. */
int proof_count(struct proof *p, const char *channel, int64_t after, int64_t through,
		struct proof_counts *counts, struct err *e);

/* A delivery that is not as it should be. */
struct proof_odd {
	int64_t sequence;
	const char *status; /* as the row says; borrowed */
	int64_t finals;     /* proof_unfinal(): final records of the channel that agree */
};
typedef void proof_odd_fn(void *arg, const struct proof_odd *odd);
/* Rows that say neither that it is open nor how it ended. The number, or -1. */
int proof_contradictions(struct proof *p, const char *channel, int64_t after,
			 int64_t through, proof_odd_fn *fn, void *arg, struct err *e);
/* Those that ended, and have not exactly one final record (since the last replay) that
 * ended them so; removed channels' have none and are not among them. */
int proof_unfinal(struct proof *p, const char *channel, int64_t after, int64_t through,
		  proof_odd_fn *fn, void *arg, struct err *e);

/* ---- money ---- */

/* The newest sequence, and what the outside world had in each currency at that moment. -1
 * failed. */
typedef void proof_world_fn(void *arg, const char *currency, int64_t balance_minor);
int64_t proof_head(struct proof *p, proof_world_fn *fn, void *arg, struct err *e);

/* An event with the transaction that it belongs to. */
struct proof_event {
	int64_t sequence;
	char user_id[USER_ID_MAX + 1];
	enum direction direction;
	int64_t balance_minor, number, previous, stride;
	bool paid; /* its transaction is there */
	char from[USER_ID_MAX + 1], to[USER_ID_MAX + 1], currency[MONEY_CODE_SIZE];
	int64_t amount_minor, first_event, event_count;
};
typedef void proof_event_fn(void *arg, const struct proof_event *ev);
/* Those above `after` up to `through`, in order, at most `limit`. The number, or -1. */
int proof_events(struct proof *p, int64_t after, int64_t through, int limit,
		 proof_event_fn *fn, void *arg, struct err *e);

/* An account with its newest event. */
struct proof_account {
	char user_id[USER_ID_MAX + 1], currency[MONEY_CODE_SIZE];
	int64_t balance_minor, event_count, last_event, last_stride;
	bool has_event; /* that event is there, and this user's */
	int64_t event_balance_minor, event_number;
};
typedef void proof_account_fn(void *arg, const struct proof_account *a);
/* Users' accounts behind (user_id, currency), in that order, at most `limit`: begin with
 * ("", ""). The outside world is not among them. The number, or -1. */
int proof_accounts(struct proof *p, const char *user_id, const char *currency, int limit,
		   proof_account_fn *fn, void *arg, struct err *e);

#endif
