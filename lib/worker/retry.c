#include "worker/retry.h"

#include "base/random.h"

bool retry_exhausted(const struct retry_policy *p, int attempt)
{
	return attempt >= p->attempts_max;
}

int64_t retry_ceiling_ms(const struct retry_policy *p, int attempt)
{
	int64_t ms = p->min_ms;

	for (int i = 1; i < attempt && ms < p->max_ms; i++)
		ms *= 2;
	return ms < p->max_ms ? ms : p->max_ms;
}

int64_t retry_wait_ms(const struct retry_policy *p, int attempt, int64_t retry_after_s)
{
	int64_t half = retry_ceiling_ms(p, attempt) / 2;
	int64_t wait = retry_ceiling_ms(p, attempt) - half +
		       (int64_t)random_below((uint64_t)half + 1);
	int64_t told = retry_after_s * 1000;

	if (retry_after_s < 0 || wait >= told)
		return wait;
	return told + (int64_t)random_below((uint64_t)told / 10 + 1);
}
