#include "worker/breaker.h"

#include "base/clock.h"

#define FIRST_REQUESTS 2 /* at once after an outage */

void breaker_init(struct breaker *b, int64_t probe_min_ms, int64_t probe_max_ms,
		  int requests_max)
{
	*b = (struct breaker){.probe_min_ms = probe_min_ms,
			      .probe_max_ms = probe_max_ms,
			      .requests_max = requests_max,
			      .allowance = requests_max,
			      .run = 1};
}

bool breaker_may_start(const struct breaker *b, int running, int64_t now_us)
{
	if (b->open)
		return !b->probing && now_us >= b->next_probe_us;
	return running < b->allowance;
}

bool breaker_start(struct breaker *b)
{
	if (!b->open)
		return false;
	b->probing = true;
	return true;
}

void breaker_unsent(struct breaker *b)
{
	b->probing = false;
}

int64_t breaker_wait_us(const struct breaker *b, int64_t now_us)
{
	if (!b->open || b->probing)
		return -1;
	return b->next_probe_us > now_us ? b->next_probe_us - now_us : 0;
}

static void begin_run(struct breaker *b)
{
	b->run++;
	b->failures = 0;
}

bool breaker_worked(struct breaker *b, bool probe)
{
	bool was_open = b->open;

	if (b->failures > 0)
		begin_run(b);
	if (probe)
		b->probing = false;
	if (was_open) {
		b->open = false;
		b->probes = 0;
		b->allowance = FIRST_REQUESTS < b->requests_max ? FIRST_REQUESTS
								: b->requests_max;
	} else if (b->allowance < b->requests_max) {
		b->allowance++;
	}
	return was_open;
}

static void schedule(struct breaker *b, int64_t retry_after_s, int64_t now_us)
{
	int64_t wait_ms = b->probe_min_ms;

	for (int i = 0; i < b->probes && wait_ms < b->probe_max_ms; i++)
		wait_ms *= 2;
	if (wait_ms > b->probe_max_ms)
		wait_ms = b->probe_max_ms;
	if (retry_after_s > BREAKER_TOLD_MAX_S)
		retry_after_s = BREAKER_TOLD_MAX_S;
	b->next_probe_us = now_us + wait_ms * US_PER_MS;
	if (b->next_probe_us < now_us + retry_after_s * US_PER_S)
		b->next_probe_us = now_us + retry_after_s * US_PER_S;
}

static bool run_is_an_outage(const struct breaker *b, int64_t now_us)
{
	return b->failures >= BREAKER_RUN ||
	       (b->failures >= BREAKER_RUN_SLOW &&
		now_us - b->run_began_us >= BREAKER_SPAN_US);
}

bool breaker_failed(struct breaker *b, bool probe, int64_t retry_after_s, int64_t now_us)
{
	if (b->failures++ == 0)
		b->run_began_us = now_us;
	if (!b->open && run_is_an_outage(b, now_us)) {
		b->open = true;
		schedule(b, retry_after_s, now_us);
		return true;
	}
	/* What was under way when it opened says nothing new. */
	if (probe && b->open && b->probing) {
		b->probing = false;
		b->probes++;
		schedule(b, retry_after_s, now_us);
	}
	return false;
}
