#include "io/redis_subscription.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/redis_args.h"

enum {
	GRACE_PART = 8, /* of silence_ms, that a PING has for its answer at least */
};

int redis_subscription_fill(struct redis_subscription *s, const char *const *channels,
			    redis_message_fn *fn, void *arg, int silence_ms)
{
	int count = 0;

	while (channels[count] != NULL)
		count++;
	if (count == 0 || count > REDIS_CHANNELS_MAX || s->count > 0)
		return -1;
	for (int i = 0; i < count; i++)
		s->channels[i] = mem_strdup(channels[i]);
	s->count = count;
	s->fn = fn;
	s->arg = arg;
	s->silence_ms = silence_ms;
	return 0;
}

void redis_subscription_release(struct redis_subscription *s)
{
	for (int i = 0; i < s->count; i++)
		mem_free(s->channels[i]);
	*s = (struct redis_subscription){0};
}

/* ---- confirmations and messages ---- */

void redis_subscription_ask(struct redis_subscription *s, struct redis_args *words,
			    struct buf *out)
{
	s->confirmed = 0;
	redis_args_clear(words);
	redis_args_text(words, "SUBSCRIBE");
	for (int i = 0; i < s->count; i++)
		redis_args_text(words, s->channels[i]);
	redis_args_encode(words, out);
}

/* subscribe, message, pong; an error is the answer to SUBSCRIBE. */
int redis_subscription_take(struct redis_subscription *s, const struct redisReply *reply,
			    struct err *e)
{
	const char *what = redis_text(redis_at(reply, 0), NULL);
	const char *bytes;
	size_t len;

	if (redis_is_error(reply, ""))
		return err_set(e, ERR_IO, "SUBSCRIBE: %s", redis_text(reply, NULL));
	if (strcmp(what, "subscribe") == 0)
		return ++s->confirmed == s->count;
	if (strcmp(what, "message") != 0)
		return 0;
	bytes = redis_text(redis_at(reply, 2), &len);
	s->fn(s->arg, redis_text(redis_at(reply, 1), NULL), bytes, len);
	return 0;
}

/* ---- silence ---- */

/* The first look that finds half of the time gone asks whether anybody is there, and the
 * answer gets time even when it is this process that was stopped meanwhile. */
int64_t redis_subscription_judge(struct redis_subscription *s, int64_t now_us, bool *ping)
{
	int64_t limit_us = s->silence_ms * US_PER_MS;
	int64_t left_us = s->heard_us + limit_us - now_us;

	assert(limit_us > 0);
	*ping = false;
	if (left_us <= 0 && s->doubted)
		return -1;
	if (left_us > limit_us / 2) {
		left_us -= limit_us / 2;
	} else if (!s->doubted) {
		s->doubted = true;
		*ping = true;
		if (left_us < limit_us / GRACE_PART)
			left_us = limit_us / GRACE_PART;
	}
	return (left_us + US_PER_MS - 1) / US_PER_MS;
}

void redis_subscription_heard(struct redis_subscription *s, int64_t now_us)
{
	s->heard_us = now_us;
	s->doubted = false;
}
