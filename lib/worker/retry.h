/* When to try again: exponential backoff with jitter, a provider's Retry-After, and an
 * end. Pure but for the dice. Source: "Exponential Backoff And Jitter" (AWS
 * Architecture Blog, 2015), RFC 9110 section 10.2.3. */
#ifndef PAYBELL_WORKER_RETRY_H
#define PAYBELL_WORKER_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct retry_policy {
	int64_t min_ms, max_ms; /* the ceiling of the first wait, and of all */
	int attempts_max;
};

/* Was this attempt (from 1) the last one? */
bool retry_exhausted(const struct retry_policy *p, int attempt);

/* The most that is waited after this attempt: min doubled for each, at most max. */
int64_t retry_ceiling_ms(const struct retry_policy *p, int attempt);

/* What is waited: half of the ceiling and anything up to the other half, so that what
 * failed together does not come back together and nothing comes back at once; but at
 * least retry_after_s (-1: nothing was said), with up to a tenth of it more. */
int64_t retry_wait_ms(const struct retry_policy *p, int attempt, int64_t retry_after_s);

#endif
