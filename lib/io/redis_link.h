/* One socket to Redis, from connect to its end: commands out, replies in, no policy.
 *
 * For redis.c, on its loop's thread; nobody else. Never waits, but for a name that is
 * resolved in redis_link_open(). An error ends the link: only redis_link_free() is left
 * (and the replies that redis_link_next() still has). The reply accessors of redis.h live
 * in this .c file too, the one that includes hiredis. */
#ifndef PAYBELL_IO_REDIS_LINK_H
#define PAYBELL_IO_REDIS_LINK_H

#include "base/buf.h"
#include "base/err.h"
#include "io/redis_url.h"

struct redis_link;
struct redisReply;

/* Begins to connect; the descriptor is writable when it is decided. */
struct redis_link *redis_link_open(const struct redis_url *url, size_t out_max_bytes,
				   struct err *e);
void redis_link_free(struct redis_link *l); /* closes; NULL does nothing */
int redis_link_fd(const struct redis_link *l);
/* At the first writability: connected (0) or refused (-1). */
int redis_link_connected(struct redis_link *l, struct err *e);

/* Where commands are encoded to. Borrowed. */
struct buf *redis_link_out(struct redis_link *l);
/* Writes what was encoded: 1 all is out, 0 the rest waits for writability, -1 broken. */
int redis_link_flush(struct redis_link *l, struct err *e);

/* Reads once: 1 bytes came, 0 none are there, -1 closed or broken. */
int redis_link_read(struct redis_link *l, struct err *e);
/* The next whole reply of what was read: 1, 0 there is none, -1 not Redis's protocol. It
 * is the caller's and outlives the link; redis_link_drop() frees it. */
int redis_link_next(struct redis_link *l, struct redisReply **reply, struct err *e);
void redis_link_drop(struct redisReply *reply);

#endif
