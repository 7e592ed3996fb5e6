/* Deliveries by how they stand, a page at a time, the newest first.
 *
 * The order is by event, then channel, both downwards, so a page goes on exactly where
 * the one before it ended, whatever was added meanwhile. The keys of a page are gathered
 * first, by index where there is one, else by looking at a bounded number of rows; then
 * each is read by itself. So no snapshot is held for long, and a page may be short though
 * more follow. For any thread that has a store. */
#ifndef PAYBELL_STORE_LISTING_H
#define PAYBELL_STORE_LISTING_H

#include "store/channels.h"
#include "store/deliveries.h"

struct listing;

/* Borrows the two. */
int listing_new(struct listing **out, struct store *s, struct channels *channels,
		struct deliveries *deliveries, struct err *e);
void listing_free(struct listing *l);

enum listing_status {
	LISTING_DELIVERED, /* as enum attempt_status has them */
	LISTING_RETRYING,
	LISTING_AMBIGUOUS,
	LISTING_SUPPRESSED,
	LISTING_FAILED,
	LISTING_OPEN, /* retrying, ambiguous, or nothing was reported yet */
};
int listing_status_parse(const char *name); /* -1 unknown */

/* A place in the order: what comes after it is below it. */
struct listing_place {
	int64_t sequence;
	char channel[CHANNEL_NAME_MAX + 1];
};
#define LISTING_START                                                                    \
	(struct listing_place)                                                           \
	{                                                                                \
		INT64_MAX, ""                                                            \
	}

#define LISTING_PAGE_MAX 1000
struct listing_query {
	const char *const *channels; /* NULL-ended, each known to the ledger */
	enum listing_status status;
	struct listing_place after;
	int limit; /* 1 to LISTING_PAGE_MAX */
};

/* fn is called for each; *next is where to go on, with sequence 0 at the end. The number,
 * or -1. */
typedef void listing_fn(void *arg, const struct standing *s);
int listing_page(struct listing *l, const struct listing_query *q,
		 struct listing_place *next, listing_fn *fn, void *arg, struct err *e);

#endif
