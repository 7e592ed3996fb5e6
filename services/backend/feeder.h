/* The feeder: brings what is committed to Redis, a stream a channel and then the bell.
 *
 * It keeps the feeds (feed.h), says the newest sequence once a second, hands out again
 * what waited in the ledger, and notes when the bell rang. While Redis is away nothing is
 * queued: the ledger is the queue. Loop thread only, but for feeder_head(). */
#ifndef PAYBELL_BACKEND_FEEDER_H
#define PAYBELL_BACKEND_FEEDER_H

#include <stdbool.h>

#include "app/bus.h"
#include "app/settings.h"
#include "backend/committer.h"
#include "io/loop.h"
#include "wire/event.h"

struct feeder;

struct feeder_settings {
	struct loop *loop;
	const struct common_settings *common;
	const struct bus *bus;
	const struct bus_channels *channels;
	const struct bus_channels *removed; /* their streams are deleted */
	const struct event_naming *naming;
	struct committer *committer;
	int64_t queue_max;
};

int feeder_start(struct feeder **out, const struct feeder_settings *settings,
		 struct err *e);
void feeder_stop(struct feeder *f); /* after the committer; NULL does nothing */

/* The newest sequence on disk: any thread; wakes the loop once however often it is called
 * meanwhile. */
void feeder_head(struct feeder *f, int64_t head);

/* Something in the ledger is due now: any thread; it is handed out without waiting for
 * the next second. */
void feeder_due(struct feeder *f);

/* Connected, and no channel's cursor is refused. */
bool feeder_ready(const struct feeder *f, const char **why);

#endif
