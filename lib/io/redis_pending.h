/* The commands of one connection that wait for their reply, oldest first.
 *
 * For redis.c, on its loop's thread; nobody else. The caller's storage, a plain value:
 * zeroed it is empty. Grows with what is in flight (which the link's output bounds) and
 * keeps what it has grown to. now_us is the loop's clock. The promise that each accepted
 * command gets one callback is kept here: what was pushed leaves by its callback only. */
#ifndef PAYBELL_IO_REDIS_PENDING_H
#define PAYBELL_IO_REDIS_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/redis.h"

struct redis_command;

struct redis_pending {
	struct redis_command *ring; /* capacity is a power of two */
	size_t capacity, first, count;
	bool doubted; /* a look found the oldest late, and nothing was heard since */
};

void redis_pending_release(struct redis_pending *p); /* nothing may wait any more */
void redis_pending_push(struct redis_pending *p, redis_reply_fn *fn, void *arg,
			int64_t now_us);
/* Takes the oldest out and calls it; there has to be one. The callback may push. */
void redis_pending_answer(struct redis_pending *p, const struct redisReply *reply,
			  const struct err *e);
/* Is the oldest late? The milliseconds until that is to be asked again, 0 when nothing
 * waits, -1 when the connection is to be given up: late at a look, and still so at the
 * next one, an eighth of the limit later, with redis_pending_heard() not called between.
 */
int64_t redis_pending_judge(struct redis_pending *p, int limit_ms, int64_t now_us);
/* Bytes came. */
void redis_pending_heard(struct redis_pending *p);

#endif
