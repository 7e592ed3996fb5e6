/* Design
 *
 * A ring that doubles: a command costs no allocation of its own, as a node of hiredis's
 * list would, and an entry also carries the time that the command timeout needs.
 *
 * A timer looks at the oldest entry only. A connection is condemned at the second look,
 * and only if not a byte came between: it may be this process that was stopped, with the
 * answers waiting or the commands not even written; and a long reply is progress. */
#include "io/redis_pending.h"

#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
	RING_FIRST = 64,
	GRACE_PART = 8, /* of the limit, before it is believed */
};

struct redis_command {
	redis_reply_fn *fn;
	void *arg;
	int64_t sent_us;
};

static void grow(struct redis_pending *p);

void redis_pending_release(struct redis_pending *p)
{
	assert(p->count == 0);
	mem_free(p->ring);
	*p = (struct redis_pending){0};
}

void redis_pending_push(struct redis_pending *p, redis_reply_fn *fn, void *arg,
			int64_t now_us)
{
	if (p->count == p->capacity)
		grow(p);
	p->ring[(p->first + p->count++) & (p->capacity - 1)] =
		(struct redis_command){fn, arg, now_us};
}

void redis_pending_answer(struct redis_pending *p, const struct redisReply *reply,
			  const struct err *e)
{
	struct redis_command c;

	assert(p->count > 0);
	c = p->ring[p->first];
	p->first = (p->first + 1) & (p->capacity - 1);
	p->count--;
	if (c.fn != NULL)
		c.fn(c.arg, reply, e);
}

int64_t redis_pending_judge(struct redis_pending *p, int limit_ms, int64_t now_us)
{
	int64_t limit_us = limit_ms * US_PER_MS;
	int64_t left_us;

	if (p->count == 0)
		return 0;
	left_us = p->ring[p->first].sent_us + limit_us - now_us;
	if (left_us <= 0 && p->doubted)
		return -1;
	if (left_us <= 0) {
		p->doubted = true;
		left_us = limit_us / GRACE_PART;
	}
	return (left_us + US_PER_MS - 1) / US_PER_MS;
}

void redis_pending_heard(struct redis_pending *p)
{
	p->doubted = false;
}

static void grow(struct redis_pending *p)
{
	size_t capacity = p->capacity > 0 ? p->capacity * 2 : RING_FIRST;
	struct redis_command *ring = mem_array(capacity, sizeof(*ring));

	for (size_t i = 0; i < p->count; i++)
		ring[i] = p->ring[(p->first + i) & (p->capacity - 1)];
	mem_free(p->ring);
	p->ring = ring;
	p->capacity = capacity;
	p->first = 0;
}
