/* The commands between connected and up: AUTH, SELECT, CLIENT SETNAME, PING.
 *
 * For redis.c, on its loop's thread; nobody else. They go out at once, pipelined, and
 * their answers come back in order; an error to any of them is a failed try. No socket:
 * bytes for the link out, replies in. A plain value, begun anew on each connect. */
#ifndef PAYBELL_IO_REDIS_SETUP_H
#define PAYBELL_IO_REDIS_SETUP_H

#include <stdbool.h>

#include "base/buf.h"
#include "io/redis.h"
#include "io/redis_url.h"

#define REDIS_SETUP_MAX 4

struct redis_setup {
	const char *steps[REDIS_SETUP_MAX]; /* what was sent, for the error */
	int count, done;
};

/* Encodes what this URL and name ask for. `words` is room to encode in. */
void redis_setup_begin(struct redis_setup *s, const struct redis_url *url,
		       const char *client_name, struct redis_args *words,
		       struct buf *out);
bool redis_setup_done(const struct redis_setup *s);
/* The answer to the oldest step: 1 it was the last, 0 more to come, -1 refused. */
int redis_setup_take(struct redis_setup *s, const struct redisReply *reply,
		     struct err *e);

#endif
