/* What stands between the deliveries and the provider: the breaker, the rate, the retry
 * budget.
 *
 * The breaker must not take a sick message for a sick provider, nor burn the attempts of
 * messages that met an outage. So failures are told apart. Some say it plainly: no
 * connection, a timeout, a connection that broke, credentials that are refused, "service
 * unavailable"; each of them counts. Any other passing refusal (a 500, an SMTP 450) may
 * be the message's own, and counts once for each message in a run. And what a message
 * failed with is remembered as long as the run lasts: when the run turns out to be an
 * outage those attempts are taken back, and while it lasts none is counted. What is left
 * is PAYBELL_EXPIRES.
 *
 * The retry budget keeps retries from making a sick provider sicker: a share of the first
 * attempts and a few a second, so that they go on when nothing else does. A delivery that
 * waits for it waits outside of the window. */
#include "base/clock.h"
#include "base/log.h"
#include "worker/core.h"

#define BUDGET_BURST_S 10 /* of PAYBELL_RETRY_RATE */

static void on_timer(void *arg)
{
	struct worker *w = arg;

	loop_task_want(w->loop, &w->pump_task);
}

void gate_init(struct worker *w)
{
	const struct worker_settings *s = &w->settings;
	struct gate *g = &w->gate;
	int64_t now_us = loop_now_us(w->loop);

	breaker_init(&g->breaker, s->probe_min_ms, s->probe_max_ms, (int)s->connections);
	bucket_init(&g->rate, s->rate, s->rate_burst, now_us);
	bucket_init(&g->retries, s->retry_rate, s->retry_rate * BUDGET_BURST_S, now_us);
	g->timer = loop_timer_new(w->loop, on_timer, w);
}

void gate_release(struct worker *w)
{
	loop_timer_free(w->gate.timer);
}

static bool rate_allows(struct worker *w, int64_t now_us)
{
	return w->settings.rate == 0 || bucket_has(&w->gate.rate, now_us);
}

bool gate_is_open(struct worker *w)
{
	int64_t now_us = loop_now_us(w->loop);

	return breaker_may_start(&w->gate.breaker, (int)w->transfers, now_us) &&
	       rate_allows(w, now_us);
}

bool gate_allows_retry(struct worker *w)
{
	return bucket_has(&w->gate.retries, loop_now_us(w->loop));
}

/* -1: not by time. Each wait is looked at again when it is over. */
static int64_t wait_us(struct worker *w)
{
	struct gate *g = &w->gate;
	int64_t now_us = loop_now_us(w->loop);

	if (g->breaker.open)
		return breaker_wait_us(&g->breaker, now_us);
	if (!rate_allows(w, now_us))
		return bucket_wait_us(&g->rate, now_us);
	if (!list_empty(&w->ready) || gate_allows_retry(w))
		return -1; /* for a connection */
	return bucket_wait_us(&g->retries, now_us);
}

void gate_arm(struct worker *w)
{
	int64_t us;

	if (list_empty(&w->ready) && list_empty(&w->retries))
		return;
	us = wait_us(w);
	if (us >= 0)
		loop_timer_start(w->gate.timer, (us + US_PER_MS - 1) / US_PER_MS, 0);
}

bool gate_start(struct worker *w, const struct delivery *d)
{
	struct gate *g = &w->gate;

	if (d->attempt > 0)
		bucket_take(&g->retries, loop_now_us(w->loop));
	else
		bucket_add(&g->retries, w->settings.retry_share * BUCKET_TOKEN / 100);
	return breaker_start(&g->breaker);
}

void gate_sent(struct worker *w)
{
	if (w->settings.rate > 0)
		bucket_take(&w->gate.rate, loop_now_us(w->loop));
}

/* ---- what came of it ---- */

/* A word about this message, or "slower", is a sign of life. */
static bool is_failure(const struct verdict *v)
{
	switch (v->status) {
	case ATTEMPT_RETRYING:
	case ATTEMPT_AMBIGUOUS:
		return v->reason != REASON_RATE_LIMITED;
	case ATTEMPT_FAILED: /* an ambiguous one that is not to be repeated */
		return v->reason == REASON_TIMEOUT || v->reason == REASON_CONNECTION_LOST;
	case ATTEMPT_DELIVERED:
	case ATTEMPT_SUPPRESSED:
		break;
	}
	return false;
}

/* Does it say plainly that the provider cannot? 502, 503 and 504: RFC 9110 section 15.6;
 * 421: RFC 5321 section 4.2.3. */
static bool is_plain(const struct transfer_result *result, const struct verdict *v)
{
	return result->outcome != TRANSFER_ANSWERED || v->reason == REASON_UNAUTHORIZED ||
	       (result->status >= 502 && result->status <= 504) || result->status == 421;
}

static void close_it(struct worker *w)
{
	metric_set(&w->tally.breaker_open, 0);
	log_info("breaker.closed", "held=%zu", map_count(w->held));
	loop_task_want(w->loop, &w->pump_task);
}

/* An outage: nobody's attempts in this run count. */
static void open_it(struct worker *w, const struct verdict *v)
{
	const struct breaker *b = &w->gate.breaker;
	size_t cursor = 0, len;
	const char *key;
	void *value;

	metric_set(&w->tally.breaker_open, 1);
	metric_add(&w->tally.outages, 1);
	log_warn("breaker.open", "reason=%s code=%d failures=%d held=%zu",
		 attempt_reason_name(v->reason), v->code, b->failures,
		 map_count(w->held));
	while (map_next(w->held, &cursor, &key, &len, &value)) {
		struct delivery *d = value;

		if (d->run != b->run || d->state == DELIVERY_SETTLING)
			continue;
		d->attempt -= d->run_failures;
		d->run_failures = 0;
		delivery_excused(w, d);
	}
}

enum blame gate_judge(struct worker *w, struct delivery *d, bool probe,
		      const struct transfer_result *result, const struct verdict *v)
{
	struct breaker *b = &w->gate.breaker;
	bool again = d->run == b->run;

	if (!is_failure(v)) {
		if (breaker_worked(b, probe))
			close_it(w);
		return BLAME_MESSAGE;
	}
	if (!again) {
		d->run = b->run;
		d->run_failures = 0;
	}
	if ((probe || !again || is_plain(result, v)) &&
	    breaker_failed(b, probe, v->retry_after_s, loop_now_us(w->loop)))
		open_it(w, v);
	return b->open ? BLAME_PROVIDER : BLAME_SUSPECT;
}

void gate_count(struct worker *w, struct delivery *d, enum blame blame)
{
	if (blame == BLAME_PROVIDER)
		d->attempt--;
	else if (blame == BLAME_SUSPECT && d->run == w->gate.breaker.run)
		d->run_failures++;
}
