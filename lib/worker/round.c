/* One try: a request to the address, or one to each of the devices that have not ended.
 *
 * What ended is recorded at once, so that a crash repeats as little as possible; those
 * that are to be tried again share one next time, which is known when the last answer is
 * there. */
#include "worker/core.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/digest.h"

#define FRESH_US 1000000 /* a recipient */

struct round;

struct target {
	struct round *round;
	char device_id[ID_SIZE]; /* "" for an address */
	int64_t started_us, took_us;
	struct verdict verdict;
	enum blame blame;
};

struct round {
	struct worker *worker;
	struct delivery *delivery;
	int64_t started_us, started_mono_us;
	int waiting; /* for this many answers, and the starter */
	int count;
	bool probe, judged; /* the breaker's probe; its answer came */
	struct target targets[];
};

static void finish(struct round *r);

/* ---- records ---- */

/* Not before the event, or the replay that asked for it, whatever the clock does: what
 * began before a replay says nothing about it. */
static int64_t starts_at_us(const struct delivery *d)
{
	int64_t now_us = clock_utc_us();

	return now_us > d->born_us ? now_us : d->born_us;
}

void round_describe(const struct worker *w, const struct delivery *d, struct attempt *a)
{
	*a = (struct attempt){.sequence = d->sequence,
			      .attempt = d->attempt,
			      .late = d->late,
			      .started_us = starts_at_us(d)};
	mem_copy_text(a->event_id, sizeof(a->event_id), d->event_id);
	mem_copy_text(a->user_id, sizeof(a->user_id), d->user_id);
	mem_copy_text(a->channel, sizeof(a->channel), w->transport->channel);
	mem_copy_text(a->provider, sizeof(a->provider), w->transport->provider);
	mem_copy_text(a->worker, sizeof(a->worker), w->consumer);
}

static void describe_target(const struct target *t, struct attempt *a)
{
	const struct round *r = t->round;

	round_describe(r->worker, r->delivery, a);
	memcpy(a->device_id, t->device_id, sizeof(a->device_id));
	a->started_us = t->started_us;
	a->took_us = t->took_us;
	a->status = t->verdict.status;
	a->reason = t->verdict.reason;
	a->code = t->verdict.code;
	memcpy(a->provider_id, t->verdict.provider_id, sizeof(a->provider_id));
}

/* Ends the delivery before anything was sent. */
static void end_unsent(struct worker *w, struct delivery *d, enum attempt_status status,
		       enum attempt_reason reason)
{
	struct attempt a;

	round_describe(w, d, &a);
	if (status == ATTEMPT_SUPPRESSED)
		a.attempt = 0;
	a.status = status;
	a.reason = reason;
	a.final = true;
	delivery_end(w, d, &a);
}

/* ---- what came of it ---- */

static bool is_open(const struct target *t)
{
	return t->verdict.status == ATTEMPT_RETRYING ||
	       t->verdict.status == ATTEMPT_AMBIGUOUS;
}

static void judge_ambiguous(const struct worker *w, const struct transfer_result *result,
			    struct verdict *v)
{
	v->status = ATTEMPT_AMBIGUOUS;
	v->reason = result->took_us >= w->settings.send_timeout_ms * US_PER_MS
			    ? REASON_TIMEOUT
			    : REASON_CONNECTION_LOST;
	if (w->transport->retry_ambiguous && !w->transport->retry_ambiguous(w->state))
		v->status = ATTEMPT_FAILED;
}

static void judge(const struct worker *w, const struct transfer_result *result,
		  struct verdict *v)
{
	*v = (struct verdict){.status = ATTEMPT_RETRYING,
			      .code = result->status,
			      .retry_after_s = result->retry_after_s};
	switch (result->outcome) {
	case TRANSFER_ANSWERED:
		w->transport->judge(w->state, result, v);
		break;
	case TRANSFER_NO_CONNECT:
		v->reason = REASON_CONNECT;
		if (result->status != 0)
			w->transport->judge(w->state, result, v);
		break;
	case TRANSFER_TIMEOUT:
		v->reason = REASON_TIMEOUT;
		break;
	case TRANSFER_LOST:
		v->reason = REASON_CONNECTION_LOST;
		break;
	case TRANSFER_BAD_ANSWER: /* somebody took all of it, whoever that is */
	case TRANSFER_AMBIGUOUS:
		judge_ambiguous(w, result, v);
		break;
	}
	if (v->code < 0 || v->code > 999)
		v->code = 0;
}

static void mark_device(struct target *t)
{
	struct device_marks *marks = t->round->delivery->marks;

	if (t->verdict.status == ATTEMPT_FAILED)
		marks->reason = t->verdict.reason;
	if (marks->count == DEVICES_MAX)
		return;
	memcpy(marks->ended[marks->count].id, t->device_id, ID_SIZE);
	marks->ended[marks->count++].delivered = t->verdict.status == ATTEMPT_DELIVERED;
}

static void target_done(struct target *t)
{
	struct round *r = t->round;
	struct worker *w = r->worker;
	struct delivery *d = r->delivery;
	struct attempt a;

	if (is_open(t) && t->blame != BLAME_PROVIDER &&
	    retry_exhausted(&w->retry, d->attempt)) {
		t->verdict.status = ATTEMPT_FAILED;
		t->verdict.reason = REASON_ATTEMPTS_EXHAUSTED;
	}
	if (t->verdict.status == ATTEMPT_DELIVERED)
		metric_observe_us(&w->tally.latency, clock_utc_us() - d->event_us);
	if (t->device_id[0] != '\0' && !is_open(t)) {
		mark_device(t);
		describe_target(t, &a);
		a.final = true;
		settle_record(w, &a);
	}
	if (--r->waiting == 0)
		finish(r);
}

static void on_answer(void *arg, const struct transfer_result *result)
{
	struct target *t = arg;
	struct worker *w = t->round->worker;

	w->transfers--;
	t->took_us = result->took_us;
	judge(w, result, &t->verdict);
	t->round->judged = true;
	t->blame =
		gate_judge(w, t->round->delivery, t->round->probe, result, &t->verdict);
	if (t->verdict.status != ATTEMPT_DELIVERED)
		log_debug("deliver.attempt",
			  "event=%s attempt=%d status=%s reason=%s code=%d",
			  t->round->delivery->event_id, t->round->delivery->attempt,
			  attempt_status_name(t->verdict.status),
			  attempt_reason_name(t->verdict.reason), t->verdict.code);
	target_done(t);
	delivery_pump(w);
}

/* ---- the end of a round ---- */

/* The longest of the waits of those that are open; -1 when nothing is. */
static int64_t common_wait_ms(const struct round *r)
{
	const struct worker *w = r->worker;
	int64_t most = -1;

	for (int i = 0; i < r->count; i++) {
		const struct target *t = &r->targets[i];
		int64_t wait;

		if (!is_open(t))
			continue;
		wait = retry_wait_ms(&w->retry, r->delivery->attempt,
				     t->verdict.retry_after_s);
		if (wait > most)
			most = wait;
	}
	return most;
}

/* An attempt counts when any of those that are open is to blame for itself. */
static enum blame common_blame(const struct round *r)
{
	enum blame least = BLAME_PROVIDER;

	for (int i = 0; i < r->count; i++) {
		if (is_open(&r->targets[i]) && r->targets[i].blame < least)
			least = r->targets[i].blame;
	}
	return least;
}

/* About the channel as a whole, for deliveries to devices. */
static void describe_whole(const struct round *r, struct attempt *a)
{
	round_describe(r->worker, r->delivery, a);
	a->started_us = r->started_us;
	a->took_us = clock_mono_us() - r->started_mono_us;
}

/* Records the open ones with their next time, and parks, or leaves it to the ledger. An
 * ambiguous one cannot wait there (its record says something else), so it waits here at
 * most. */
static void try_again(struct round *r, int64_t wait_ms)
{
	struct worker *w = r->worker;
	struct delivery *d = r->delivery;
	bool devices = d->marks != NULL;
	int64_t end_us = clock_utc_us();
	struct attempt a;

	if (!devices && r->targets[0].verdict.status == ATTEMPT_AMBIGUOUS &&
	    wait_ms > ATTEMPT_LEDGER_WAIT_US / US_PER_MS)
		wait_ms = ATTEMPT_LEDGER_WAIT_US / US_PER_MS;
	for (int i = 0; i < r->count; i++) {
		if (!is_open(&r->targets[i]))
			continue;
		describe_target(&r->targets[i], &a);
		a.next_at_us = end_us + wait_ms * US_PER_MS;
		if (devices || !attempt_waits_in_ledger(&a))
			settle_record(w, &a);
	}
	if (devices) {
		enum attempt_reason reason = a.reason; /* the last open device's */

		describe_whole(r, &a);
		a.status = ATTEMPT_RETRYING;
		a.reason = reason;
		a.next_at_us = end_us + wait_ms * US_PER_MS;
	}
	gate_count(w, d, common_blame(r));
	if (attempt_waits_in_ledger(&a))
		delivery_end(w, d, &a);
	else
		delivery_park(w, d, wait_ms);
}

static void end_devices(struct round *r)
{
	struct delivery *d = r->delivery;
	struct attempt a;

	describe_whole(r, &a);
	a.final = true;
	a.status = ATTEMPT_FAILED;
	a.reason = d->marks->reason;
	for (int i = 0; i < d->marks->count; i++) {
		if (d->marks->ended[i].delivered) {
			a.status = ATTEMPT_DELIVERED;
			a.reason = REASON_NONE;
		}
	}
	delivery_end(r->worker, d, &a);
}

static void finish(struct round *r)
{
	int64_t wait_ms = common_wait_ms(r);
	struct attempt a;

	if (r->probe && !r->judged)
		breaker_unsent(&r->worker->gate.breaker);
	if (wait_ms >= 0) {
		try_again(r, wait_ms);
	} else if (r->delivery->marks) {
		end_devices(r);
	} else {
		describe_target(&r->targets[0], &a);
		a.final = true;
		delivery_end(r->worker, r->delivery, &a);
	}
	mem_free(r);
}

/* ---- the start ---- */

/* "<event id>.<channel>", or for a device 32 characters of a hash: apns-collapse-id takes
 * 64 bytes, Web Push's Topic 32 of this alphabet. */
static void make_key(const struct worker *w, struct message *m)
{
	const char *event_id = m->recipient->event.id, *channel = w->transport->channel;
	uint8_t digest[SHA256_BYTES];
	struct buf text;

	if (!m->device) {
		snprintf(m->key, sizeof(m->key), "%s.%s", event_id, channel);
		return;
	}
	digest_sha256(digest,
		      (const struct digest_part[]){{event_id, strlen(event_id)},
						   {".", 1},
						   {channel, strlen(channel)},
						   {".", 1},
						   {m->device->id, strlen(m->device->id)},
						   {NULL, 0}});
	buf_init(&text, MESSAGE_KEY_SIZE);
	digest_base64url(&text, digest, 24);
	mem_copy_text(m->key, sizeof(m->key), buf_text(&text));
	buf_release(&text);
}

static void send_target(struct target *t, struct message *m)
{
	struct worker *w = t->round->worker;
	struct transfer_request request = {
		.connect_timeout_ms = (int)w->settings.connect_timeout_ms,
		.timeout_ms = (int)w->settings.send_timeout_ms};
	struct err e = ERR_INIT;
	struct log_quote q;

	t->started_us = starts_at_us(t->round->delivery);
	make_key(w, m);
	buf_clear(&w->scratch);
	if (w->transport->build(w->state, m, &request, &w->scratch, &e) == 0 &&
	    transfer_start(w->engine, &request, on_answer, t, &e)) {
		w->transfers++;
		gate_sent(w);
		return;
	}
	log_warn("deliver.unsendable", "event=%s error=%s", m->recipient->event.id,
		 log_quote(&q, err_code_name(e.code)));
	t->verdict.status = ATTEMPT_FAILED;
	t->verdict.reason = e.code == ERR_INVALID ? REASON_BAD_ADDRESS : REASON_TEMPLATE;
	target_done(t);
}

static bool has_ended(const struct device_marks *marks, const char *device_id)
{
	for (int i = 0; i < marks->count; i++) {
		if (strcmp(marks->ended[i].id, device_id) == 0)
			return true;
	}
	return false;
}

static void send_all(struct round *r, const struct recipient *to, struct message *m)
{
	struct delivery *d = r->delivery;

	r->waiting = 1;
	if (!d->marks) {
		r->count = 1;
		r->waiting++;
		r->targets[0].round = r;
		send_target(&r->targets[0], m);
	}
	for (int i = 0; d->marks && i < to->device_count; i++) {
		struct target *t = &r->targets[r->count];

		if (has_ended(d->marks, to->devices[i].id))
			continue;
		r->count++;
		r->waiting++;
		t->round = r;
		mem_copy_text(t->device_id, sizeof(t->device_id), to->devices[i].id);
		m->device = &to->devices[i];
		send_target(t, m);
	}
	if (--r->waiting == 0)
		finish(r);
}

/* What has ended on devices before: by earlier rounds, or as the ledger knows it. */
static int load_marks(struct worker *w, struct delivery *d)
{
	if (w->transport->target != TARGET_DEVICES || d->marks)
		return 0;
	d->marks = mem_alloc(sizeof(*d->marks));
	return d->attempt > 0 ? recipient_marks(w, d->sequence, d->marks) : 0;
}

static bool is_expired(const struct worker *w, const struct delivery *d)
{
	return clock_utc_us() - d->born_us > w->settings.expires_ms * US_PER_MS;
}

/* What was read with the entry, when it is still fresh: meanwhile the user may have gone,
 * or want no such messages any more. */
static struct recipient *take_recipient(struct worker *w, struct delivery *d)
{
	struct recipient *r = d->recipient;

	d->recipient = NULL;
	if (r && clock_mono_us() - d->read_us < FRESH_US)
		return r;
	recipient_free(w, r);
	return NULL;
}

/* Reads what is not known, or not known freshly enough, about the delivery. False: it is
 * over. Once a device has ended there is nothing to suppress any more: what is open then
 * ends as the others did. */
static bool prepare(struct worker *w, struct delivery *d, struct recipient **out)
{
	enum attempt_reason reason;

	*out = take_recipient(w, d);
	if ((!*out && recipient_read(w, d->sequence, out) != 1) || load_marks(w, d) < 0) {
		delivery_forget(w, d); /* it stays pending, and is found again */
		return false;
	}
	if ((*out)->ended) {
		delivery_end(w, d, NULL);
		return false;
	}
	reason = recipient_suppressed(w->transport, *out);
	if (reason == REASON_NONE && is_expired(w, d))
		reason = REASON_EXPIRED;
	if (reason == REASON_NONE)
		return true;
	if (!d->marks || d->marks->count == 0) {
		end_unsent(w, d,
			   reason == REASON_EXPIRED ? ATTEMPT_FAILED : ATTEMPT_SUPPRESSED,
			   reason);
		return false;
	}
	(*out)->device_count = 0;
	return true;
}

void round_start(struct worker *w, struct delivery *d)
{
	struct recipient *to = NULL;
	struct message m = {0};
	struct err e = ERR_INIT;
	struct log_quote q;
	struct round *r;
	bool probe;

	if (!prepare(w, d, &to)) {
		recipient_free(w, to);
		return;
	}
	probe = gate_start(w, d);
	d->attempt++;
	if (d->lane_until_us == 0)
		d->lane_until_us = loop_now_us(w->loop) + ATTEMPT_LEDGER_WAIT_US;
	delivery_set_state(w, d, DELIVERY_FLYING);
	m.recipient = to;
	m.attempt = d->attempt;
	if (texts_render(w->texts, &m, &e) < 0) {
		log_error("deliver.template", "event=%s error=%s", d->event_id,
			  log_quote(&q, e.text));
		if (probe)
			breaker_unsent(&w->gate.breaker);
		end_unsent(w, d, ATTEMPT_FAILED, REASON_TEMPLATE);
	} else {
		size_t most = d->marks ? (size_t)to->device_count : 1;

		r = mem_alloc(sizeof(*r) + most * sizeof(struct target));
		r->worker = w;
		r->delivery = d;
		r->probe = probe;
		r->started_us = starts_at_us(d);
		r->started_mono_us = clock_mono_us();
		send_all(r, to, &m);
	}
	recipient_free(w, to);
}
