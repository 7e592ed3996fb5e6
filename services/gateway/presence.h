/* Presence: which users are connected here, told to everybody in Redis.
 *
 * presence:<user> is a sorted set of the gateway processes that have a connection of the
 * user's, with the time (UTC ms) until which that holds as score. It is renewed three
 * times as often as it ends; a process that dies leaves it to its end, one that stops
 * takes it away, and so does the end of the user's last connection here. The clocks of
 * the hosts must agree to within a part of that time.
 *
 * Redis is asked for a hundred users at a time, by a script. Bounded: at most
 * PRESENCE_FLUSH_MAX users every 100 ms, those that came first, then those that went,
 * then those whose renewal is due longest. With 30 s that keeps up to 100,000 users of a
 * process fresh at its own pace, and up to 300,000 at all. */
#ifndef PAYBELL_GATEWAY_PRESENCE_H
#define PAYBELL_GATEWAY_PRESENCE_H

#include "app/bus.h"
#include "gateway/room.h"
#include "io/loop.h"
#include "io/redis.h"

#define PRESENCE_FLUSH_MAX 1000

struct presence;

struct presence_settings {
	struct loop *loop;
	struct redis *commands; /* the caller's, until presence_stop() */
	const struct bus *bus;
	const char *instance; /* of this process; copied */
	int64_t ttl_ms;
};

void presence_start(struct presence **out, const struct presence_settings *settings);
/* After the engine and the connection; NULL does nothing. */
void presence_stop(struct presence *p);
/* The connection is (again) there: everybody is told anew. */
void presence_up(struct presence *p);
/* Nobody is here, and Redis knows, or is away. */
bool presence_idle(const struct presence *p);

/* The user's first session of one of the engine's threads begins, or its last one there
 * has ended: for room_watch(); arg is the presence. Any thread. */
void presence_note(void *arg, const char *user_id, bool here);

#endif
