/* What a subscriber listens to: its channels, their confirmations, and its patience.
 *
 * For redis.c, on its loop's thread; nobody else. No socket and no clock: commands are
 * encoded for the link, replies and the loop's time are handed in. The caller's storage;
 * zeroed it is a connection that subscribes to nothing. */
#ifndef PAYBELL_IO_REDIS_SUBSCRIPTION_H
#define PAYBELL_IO_REDIS_SUBSCRIPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "io/redis.h"

struct redis_subscription {
	char *channels[REDIS_CHANNELS_MAX];
	int count; /* 0: not a subscriber */
	int confirmed;
	redis_message_fn *fn;
	void *arg;
	int silence_ms; /* 0: any silence is borne */
	int64_t heard_us;
	bool doubted; /* a look found it silent, and nothing was heard since */
};

/* The names are copied; they end with NULL. -1: too many, none, or it has some already.
 */
int redis_subscription_fill(struct redis_subscription *s, const char *const *channels,
			    redis_message_fn *fn, void *arg, int silence_ms);
void redis_subscription_release(struct redis_subscription *s);

/* Adds SUBSCRIBE to out; its confirmations are counted from here. */
void redis_subscription_ask(struct redis_subscription *s, struct redis_args *words,
			    struct buf *out);
/* One reply; a message is given to fn. 1 it was the last confirmation, 0 anything else,
 * -1 refused (NOPERM). */
int redis_subscription_take(struct redis_subscription *s, const struct redisReply *reply,
			    struct err *e);

/* Is it silent for too long? The milliseconds until that is to be asked again, -1 when
 * the connection is to be given up. *ping: a PING is to be sent now. Only with
 * silence_ms > 0. */
int64_t redis_subscription_judge(struct redis_subscription *s, int64_t now_us,
				 bool *ping);
void redis_subscription_heard(struct redis_subscription *s, int64_t now_us);

#endif
