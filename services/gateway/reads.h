/* Read marks: what a client says that its user has seen, on its way to the stream
 * reads:log.
 *
 * Marks are gathered, the newest one of each user, and go out at most every 100 ms, the
 * oldest first. One that Redis has not confirmed is sent again after a reconnect. At
 * READS_WAITING_MAX users waiting (Redis is away, or slower than they come) no more are
 * taken, and their clients are told so. A mark only moves forward, so one that comes
 * twice is harmless. */
#ifndef PAYBELL_GATEWAY_READS_H
#define PAYBELL_GATEWAY_READS_H

#include "app/bus.h"
#include "gateway/room.h"
#include "io/loop.h"
#include "io/redis.h"

#define READS_WAITING_MAX 10000 /* marks: waiting, on their way to us, or unconfirmed */

struct read_marks;

/* commands: its connection, which is the caller's; as are both until reads_stop(). Loop
 * thread. */
void reads_start(struct read_marks **out, struct loop *loop, struct redis *commands,
		 const struct bus *bus);
/* After the engine and the connection; NULL does nothing. Loop thread. */
void reads_stop(struct read_marks *r);
/* Nothing is under way, or Redis is away. Loop thread. */
bool reads_idle(const struct read_marks *r);

/* The session's user has seen everything up to there. ERR_INVALID: it is not a user's, or
 * was not told that yet; ERR_FULL: say it again later. On the session's thread. */
int reads_seen(struct read_marks *r, struct session *s, int64_t sequence, struct err *e);

#endif
