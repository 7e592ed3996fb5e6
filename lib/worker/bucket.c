#include "worker/bucket.h"

void bucket_init(struct bucket *b, int64_t rate_per_s, int64_t burst, int64_t now_us)
{
	*b = (struct bucket){.rate_per_s = rate_per_s,
			     .burst = burst,
			     .level_millionths = burst * BUCKET_TOKEN,
			     .filled_us = now_us};
}

void bucket_add(struct bucket *b, int64_t millionths)
{
	int64_t most = b->burst * BUCKET_TOKEN;

	b->level_millionths += millionths;
	if (b->level_millionths > most)
		b->level_millionths = most;
}

/* A microsecond at one token a second is a millionth of a token: no rounding. */
static void fill(struct bucket *b, int64_t now_us)
{
	int64_t passed_us = now_us - b->filled_us;
	int64_t missing = b->burst * BUCKET_TOKEN - b->level_millionths;

	if (passed_us <= 0)
		return;
	b->filled_us = now_us;
	/* Judged before it is multiplied: a year's sleep must not overflow. */
	if (b->rate_per_s > 0 && passed_us > missing / b->rate_per_s)
		bucket_add(b, missing);
	else
		bucket_add(b, passed_us * b->rate_per_s);
}

bool bucket_has(struct bucket *b, int64_t now_us)
{
	fill(b, now_us);
	return b->level_millionths >= BUCKET_TOKEN;
}

void bucket_take(struct bucket *b, int64_t now_us)
{
	fill(b, now_us);
	b->level_millionths -= BUCKET_TOKEN;
}

int64_t bucket_wait_us(struct bucket *b, int64_t now_us)
{
	if (bucket_has(b, now_us))
		return 0;
	if (b->rate_per_s == 0)
		return -1;
	return (BUCKET_TOKEN - b->level_millionths + b->rate_per_s - 1) / b->rate_per_s;
}
