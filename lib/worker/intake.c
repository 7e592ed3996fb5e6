/* From the stream to deliveries.
 *
 * After each connect the worker first goes through the entries that are its own already
 * (XREADGROUP from an id, a page at a time): an earlier self's, which it takes up, and
 * those it holds. What it holds and did not find there is another's by now, or was wiped
 * and will be fed again: it is forgotten. From then on it reads what is new, whenever the
 * bell rings and once a second, one command at a time and never more than there is room
 * for.
 *
 * An entry of an event that is held already replaces the older one, which is
 * acknowledged: so one entry stands for the event at any time, whichever of the two a
 * wiped Redis still had. */
#include "worker/core.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"

enum {
	READ_MAX = 256, /* entries of one command: they are looked up in one go */
	CLAIM_MAX = 64,
	LOG_EVERY_MS = 10000,
};

static void on_task(void *arg);

void intake_init(struct worker *w)
{
	loop_task_init(&w->intake.task, on_task, w);
}

void intake_begin(struct worker *w)
{
	struct intake *in = &w->intake;

	in->mode = INTAKE_SCAN;
	in->scan++;
	mem_copy_text(in->scan_after, sizeof(in->scan_after), "0");
	mem_copy_text(in->claim_from, sizeof(in->claim_from), "0-0");
	intake_want(w);
}

void intake_stop(struct worker *w)
{
	w->intake.mode = INTAKE_OFF;
	loop_task_cancel(&w->intake.task);
}

void intake_want(struct worker *w)
{
	w->intake.wanted = true;
	if (w->intake.mode != INTAKE_OFF && !w->intake.reading && !w->intake.creating)
		loop_task_want(w->loop, &w->intake.task);
}

/* ---- one entry ---- */

struct entry {
	char id[ENTRY_ID_SIZE];
	int64_t sequence; /* -1: it says none */
	bool replay, claimed;
};

/* [id, [field, value, …]], or [id, nil] when it was deleted while it was pending. */
static void read_entry(struct entry *en, const struct redisReply *reply, bool claimed)
{
	const struct redisReply *fields = redis_at(reply, 1);

	*en = (struct entry){.sequence = -1, .claimed = claimed};
	mem_copy_text(en->id, sizeof(en->id), redis_text(redis_at(reply, 0), NULL));
	for (size_t i = 0; i + 1 < redis_count(fields); i += 2) {
		const char *name = redis_text(redis_at(fields, i), NULL);

		if (strcmp(name, BUS_FIELD_SEQUENCE) == 0)
			en->sequence =
				sequence_parse(redis_text(redis_at(fields, i + 1), NULL));
		else if (strcmp(name, BUS_FIELD_REPLAY) == 0)
			en->replay = true;
	}
}

/* The event is held already. */
static void take_again(struct worker *w, struct delivery *d, const struct entry *en)
{
	d->seen = w->intake.scan;
	if (strcmp(d->entry_id, en->id) == 0)
		return;
	/* A replay of what is about to end is not to be swallowed: it stays pending until
	 * it is claimed. */
	if (d->state == DELIVERY_SETTLING && en->replay)
		return;
	metric_add(&w->tally.duplicates, 1);
	if (d->state == DELIVERY_SETTLING) {
		settle_entry(w, en->id, NULL);
		return;
	}
	settle_entry(w, d->entry_id, NULL);
	mem_copy_text(d->entry_id, sizeof(d->entry_id), en->id);
}

static void suppress(struct worker *w, const struct entry *en, const struct recipient *r,
		     enum attempt_reason reason)
{
	struct delivery d = {.sequence = en->sequence,
			     .born_us = delivery_born_us(r),
			     .late = en->claimed || en->replay};
	struct attempt a;

	mem_copy_text(d.event_id, sizeof(d.event_id), r->event.id);
	mem_copy_text(d.user_id, sizeof(d.user_id), r->event.user_id);
	round_describe(w, &d, &a);
	a.status = ATTEMPT_SUPPRESSED;
	a.reason = reason;
	a.final = true;
	settle_entry(w, en->id, &a);
}

static int hold(struct worker *w, const struct entry *en, struct recipient *r)
{
	struct delivery *d = delivery_new(w, en->sequence, en->id);

	d->late = en->claimed || en->replay;
	d->seen = w->intake.scan;
	/* What a scan found has been idle for nobody knows how long. */
	d->renewed_us = w->intake.mode == INTAKE_SCAN ? 0 : loop_now_us(w->loop);
	if (d->renewed_us == 0)
		list_prepend(&w->renewals, &d->renewal);
	else
		list_append(&w->renewals, &d->renewal);
	delivery_describe(d, r);
	lanes_join(w->lanes, d->user_id, &d->lane);
	lease_ask(w, d);
	return 0;
}

/* -1: the database failed, and the rest of the page stays pending. */
static int take(struct worker *w, const struct entry *en)
{
	struct delivery *d;
	struct recipient *r;
	enum attempt_reason reason;
	unsigned swallowed;
	int rc;

	if (en->sequence < 0) {
		settle_entry(w, en->id, NULL);
		return 0;
	}
	d = delivery_find(w, en->sequence);
	if (d) {
		take_again(w, d, en);
		return 0;
	}
	rc = recipient_read(w, en->sequence, &r);
	if (rc == 0 && log_limit_pass(&w->intake.missing_log, LOG_EVERY_MS, &swallowed))
		log_error("intake.no_event", "sequence=%lld swallowed=%u",
			  (long long)en->sequence, swallowed);
	if (rc <= 0)
		return rc;
	reason = recipient_suppressed(w->transport, r);
	if (r->ended)
		settle_entry(w, en->id, NULL);
	else if (reason != REASON_NONE && r->attempts == 0)
		suppress(w, en, r, reason);
	else
		return hold(w, en, r); /* r is the delivery's */
	recipient_free(w, r);
	return 0;
}

static void take_all(struct worker *w, const struct redisReply *entries, bool claimed)
{
	for (size_t i = 0; i < redis_count(entries) && w->database_open; i++) {
		struct entry en;

		/* A deleted one that XAUTOCLAIM of an older server hands out. */
		if (redis_kind(redis_at(entries, i)) != REDIS_KIND_ARRAY)
			continue;
		read_entry(&en, redis_at(entries, i), claimed);
		if (take(w, &en) < 0)
			break;
	}
	recipient_end(w);
}

/* ---- reading ---- */

static void on_created(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct worker *w = arg;
	struct log_quote q;

	w->intake.creating = false;
	if (!reply)
		return;
	if (redis_is_error(reply, "") && !redis_is_error(reply, "BUSYGROUP"))
		log_warn("intake.no_group", "error=%s",
			 log_quote(&q, redis_text(reply, NULL)));
	else
		intake_want(w);
}

/* The stream is new, or was wiped: then so was all that is held, and the scan that starts
 * over finds that out. */
static void create_group(struct worker *w)
{
	if (w->intake.mode == INTAKE_NEW)
		intake_begin(w);
	w->intake.creating =
		redis_sendl(w->redis, on_created, w, "XGROUP", "CREATE", w->queue.text,
			    w->transport->channel, "0", "MKSTREAM", NULL) == 0;
}

static void end_scan(struct worker *w)
{
	delivery_forget_idle(w, true);
	w->intake.mode = INTAKE_NEW;
	w->trusted = true;
	w->unrenewed_us = 0; /* what is ours was seen just now, and is renewed next */
	log_info("intake.ready", "held=%zu", map_count(w->held));
	loop_task_want(w->loop, &w->pump_task);
	admin_refresh(service_admin(w->run));
	intake_want(w);
}

static void take_page(struct worker *w, const struct redisReply *entries)
{
	struct intake *in = &w->intake;
	size_t count = redis_count(entries);
	bool scanning = in->mode == INTAKE_SCAN;

	if (scanning && count == 0) {
		end_scan(w);
		return;
	}
	if (scanning)
		mem_copy_text(
			in->scan_after, sizeof(in->scan_after),
			redis_text(redis_at(redis_at(entries, count - 1), 0), NULL));
	take_all(w, entries, scanning);
	if (scanning || count == (size_t)in->asked || in->wanted)
		intake_want(w);
}

/* [[stream, [entry, …]]], or nil: nothing new. */
static void on_read(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct worker *w = arg;
	struct log_quote q;

	w->intake.reading = false;
	if (!reply || w->intake.mode == INTAKE_OFF)
		return;
	if (redis_is_error(reply, "NOGROUP"))
		create_group(w);
	else if (redis_is_error(reply, ""))
		log_warn("intake.refused", "error=%s",
			 log_quote(&q, redis_text(reply, NULL)));
	else
		take_page(w, redis_at(redis_at(reply, 0), 1));
}

static void on_task(void *arg)
{
	struct worker *w = arg;
	struct intake *in = &w->intake;
	/* A scan takes up what is ours already, however much: nothing is sent before it
	 * has ended, so to wait for room would be to wait for ever. */
	size_t room = in->mode == INTAKE_SCAN ? READ_MAX : delivery_room(w);

	if (in->mode == INTAKE_OFF || in->reading || in->creating || w->draining ||
	    w->log_full || room == 0)
		return;
	in->asked = room < READ_MAX ? (int)room : READ_MAX;
	redis_args_clear(w->args);
	redis_args_text(w->args, "XREADGROUP");
	redis_args_text(w->args, "GROUP");
	redis_args_text(w->args, w->transport->channel);
	redis_args_text(w->args, w->consumer);
	redis_args_text(w->args, "COUNT");
	redis_args_int(w->args, in->asked);
	redis_args_text(w->args, "STREAMS");
	redis_args_text(w->args, w->queue.text);
	redis_args_text(w->args, in->mode == INTAKE_SCAN ? in->scan_after : ">");
	in->reading = redis_send(w->redis, w->args, on_read, w) == 0;
	in->wanted = false;
}

/* ---- what the dead have left ---- */

/* [next, [entry, …], [deleted id, …]] */
static void on_claimed(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct worker *w = arg;
	struct intake *in = &w->intake;
	const struct redisReply *entries = redis_at(reply, 1);

	in->claiming = false;
	if (!reply || in->mode != INTAKE_NEW || redis_is_error(reply, ""))
		return;
	mem_copy_text(in->claim_from, sizeof(in->claim_from),
		      redis_text(redis_at(reply, 0), NULL));
	if (redis_count(entries) > 0) {
		metric_add(&w->tally.claimed, (int64_t)redis_count(entries));
		log_info("intake.claimed", "entries=%zu", redis_count(entries));
		take_all(w, entries, true);
	}
	/* The rest of the list at once, as far as there is room: who died may have held
	 * thousands. */
	if (strcmp(in->claim_from, "0-0") != 0)
		intake_claim(w);
}

void intake_claim(struct worker *w)
{
	struct intake *in = &w->intake;
	size_t room = delivery_claim_room(w);

	if (in->mode != INTAKE_NEW || in->claiming || w->draining || w->log_full ||
	    room == 0)
		return;
	redis_args_clear(w->args);
	redis_args_text(w->args, "XAUTOCLAIM");
	redis_args_text(w->args, w->queue.text);
	redis_args_text(w->args, w->transport->channel);
	redis_args_text(w->args, w->consumer);
	redis_args_int(w->args, w->settings.claim_idle_ms);
	redis_args_text(w->args, in->claim_from);
	redis_args_text(w->args, "COUNT");
	redis_args_int(w->args, room < CLAIM_MAX ? (int)room : CLAIM_MAX);
	in->claiming = redis_send(w->redis, w->args, on_claimed, w) == 0;
}
