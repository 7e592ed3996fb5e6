/* The hub: what comes over Redis, in order and without a gap, to all threads.
 *
 * The channel `transactions` carries every event in commit order. The hub knows up to
 * where it has told (`position`); a step of more than one, or a new connection, means
 * that something was missed, and it is read from the database and told before anything
 * newer. Repeats are dropped. While Redis is away the database is asked once a second.
 * Attempt records come over `deliveries` and are passed on as
 * they come. What one turn of the loop brings goes out as one batch. Loop thread. */
#ifndef PAYBELL_GATEWAY_HUB_H
#define PAYBELL_GATEWAY_HUB_H

#include "app/bus.h"
#include "app/settings.h"
#include "gateway/batch.h"
#include "io/loop.h"
#include "wire/event.h"

struct hub;

struct hub_settings {
	struct loop *loop;
	const struct common_settings *common;
	const struct bus *bus;
	const struct event_naming *naming;
	/* One reference is the receiver's. */
	void (*tell)(void *arg, struct batch *b);
	/* Its first position is known: what is committed from now on will be told, so who
	 * reads the past may begin. Once. */
	void (*known)(void *arg);
	/* Which dialects are spoken at all. */
	void (*speaks)(void *arg, bool speaks[DIALECT_COUNT]);
	void *arg;
};

int hub_start(struct hub **out, const struct hub_settings *settings, struct err *e);
void hub_stop(struct hub *h); /* NULL does nothing */
bool hub_ready(const struct hub *h, const char **why);

#endif
