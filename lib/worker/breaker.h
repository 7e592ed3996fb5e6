/* A circuit breaker for one provider: an outage is the provider's, not the messages'.
 *
 * Closed: everything goes. After a run of failures without a single sign of life it
 * opens: nothing goes but one probe at a time, at first a second apart, then twice as
 * long each time up to a maximum. The first sign of life closes it again, and the
 * requests that may run at once grow from two, one more with each good answer, so that
 * a provider that has just come back is not run over.
 *
 * A run that opens it: BREAKER_RUN failures, or BREAKER_RUN_SLOW of them spread over
 * BREAKER_SPAN_US. One success in between starts over: a provider that fails every
 * second request is not out (20 in a row: once in a million there).
 *
 * Pure; the caller gives the monotonic time. Source: M. Nygard, "Release It!", the
 * stability patterns. */
#ifndef PAYBELL_WORKER_BREAKER_H
#define PAYBELL_WORKER_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_RUN      20
#define BREAKER_RUN_SLOW 5
#define BREAKER_SPAN_US  3000000

/* The longest a Retry-After may put the next probe off. */
#define BREAKER_TOLD_MAX_S 300

struct breaker {
	int64_t probe_min_ms, probe_max_ms;
	int requests_max;      /* at once, when all is well */
	int allowance;         /* at once, now */
	bool open, probing;    /* a probe is under way */
	unsigned run;          /* number of the current run of failures */
	int failures;          /* in this run */
	int64_t run_began_us;  /* its first failure */
	int64_t next_probe_us; /* while open */
	int probes;            /* that failed, in this outage */
};

void breaker_init(struct breaker *b, int64_t probe_min_ms, int64_t probe_max_ms,
		  int requests_max);

/* May one more request go, with `running` under way? */
bool breaker_may_start(const struct breaker *b, int running, int64_t now_us);
/* It goes; true: as the probe. */
bool breaker_start(struct breaker *b);
/* The probe was not sent after all. */
void breaker_unsent(struct breaker *b);
/* Until the next probe: 0 now, -1 when only an answer changes anything. */
int64_t breaker_wait_us(const struct breaker *b, int64_t now_us);

/* The provider lives. True: this closed it. */
bool breaker_worked(struct breaker *b, bool probe);
/* It does not. retry_after_s: -1 when nothing was said. True: this opened it. */
bool breaker_failed(struct breaker *b, bool probe, int64_t retry_after_s, int64_t now_us);

#endif
