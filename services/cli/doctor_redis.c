/* What Redis shows, and the audit.
 *
 * A name that is missing for a moment is no finding: the backend sets a cursor that was
 * lost within a second, and a worker makes its group anew as fast. So what is found here
 * is looked at again, until it is gone or SETTLE_MS are over. */
#include <stdio.h>
#include <string.h>

#include "app/audit.h"
#include "app/cursor.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/ask.h"
#include "cli/doctor.h"

#define SETTLE_MS       3000
#define LOOK_AGAIN_MS   200
#define AUDITS_MAX      3
#define AUDIT_AGAIN_MS  1000
#define CONSUMERS_MAX   64
#define NAME_SIZE       80
#define BACKEND_IDLE_MS 10000 /* it asks once a second */
/* Ten times PAYBELL_CLAIM_IDLE's default: what is held is renewed three times in one. */
#define PENDING_TEXT "300000"
#define PENDING_MAX  10000
#define ID_SIZE_MAX  48

struct look {
	struct doctor *doctor;
	struct ask ask;
	struct audit *audit;
	struct doctor_channel *channel; /* the one in turn */
	bool audited;
	enum err_code why; /* the audit gave up; ERR_NONE: it did not */
	bool answered;
	int64_t number;
	char text[DOCTOR_LINE];
	char names[CONSUMERS_MAX][NAME_SIZE];
	int64_t idle_ms[CONSUMERS_MAX];
	int count;
};

/* ---- answers ---- */

static void take_number(void *arg, const struct redisReply *reply)
{
	struct look *l = arg;

	l->answered = redis_kind(reply) == REDIS_KIND_INT;
	l->number = redis_int(reply);
}

static void take_text(void *arg, const struct redisReply *reply)
{
	struct look *l = arg;

	l->answered = redis_kind(reply) != REDIS_KIND_ERROR;
	mem_copy_text(l->text, sizeof l->text, redis_text(reply, NULL));
}

/* [name, value, name, value, …] */
static const struct redisReply *member(const struct redisReply *map, const char *name)
{
	for (size_t i = 0; i + 1 < redis_count(map); i += 2) {
		if (strcmp(redis_text(redis_at(map, i), NULL), name) == 0)
			return redis_at(map, i + 1);
	}
	return NULL;
}

/* Without the group this is an error, and nothing was answered. */
static void take_consumers(void *arg, const struct redisReply *reply)
{
	struct look *l = arg;

	l->answered = redis_kind(reply) == REDIS_KIND_ARRAY;
	l->count = 0;
	for (size_t i = 0; i < redis_count(reply) && l->count < CONSUMERS_MAX; i++) {
		const struct redisReply *consumer = redis_at(reply, i);

		mem_copy_text(l->names[l->count], NAME_SIZE,
			      redis_text(member(consumer, "name"), NULL));
		l->idle_ms[l->count++] = redis_int(member(consumer, "idle"));
	}
}

static int ask_length(struct look *l, const char *stream, struct err *e)
{
	ask_words(&l->ask, "XLEN", stream, NULL);
	return ask_it(&l->ask, take_number, l, e);
}

static int ask_consumers(struct look *l, const char *stream, const char *group,
			 struct err *e)
{
	ask_words(&l->ask, "XINFO", "CONSUMERS", stream, group, NULL);
	return ask_it(&l->ask, take_consumers, l, e);
}

/* ---- placed ---- */

static void on_audited(void *arg, const struct audit_result *r, const struct err *e)
{
	struct look *l = arg;
	struct doctor *d = l->doctor;

	l->audited = true;
	ask_end(&l->ask);
	l->why = r == NULL ? e->code : ERR_NONE;
	if (r == NULL) {
		doctor_failed(d, DOCTOR_PLACED, e);
		return;
	}
	l->channel->entries = (int64_t)r->entries;
	for (size_t i = 0; i < r->found_count; i++)
		doctor_found(d, DOCTOR_PLACED,
			     "event %lld, %s: open, and neither in the stream nor ahead "
			     "of the cursor nor waiting",
			     (long long)r->found[i], l->channel->name);
}

static void on_lost(void *arg)
{
	struct look *l = arg;

	audit_lost(l->audit);
}

static int open_audit(struct look *l, struct err *e)
{
	struct audit_settings settings = {
		.loop = l->doctor->cli->loop,
		.redis = l->ask.redis,
		.bus = &l->doctor->bus,
		.store = &l->doctor->store,
		/* Where nobody takes the records in there is nothing to wait for. */
		.log_wait_ms = l->doctor->checks[DOCTOR_LOG].count > 0
				       ? LOOK_AGAIN_MS
				       : AUDIT_LOG_WAIT_MS,
		.fn = on_audited,
		.arg = l,
	};

	if (audit_new(&l->audit, &settings, e) < 0)
		return -1;
	l->ask.on_lost = on_lost;
	l->ask.on_lost_arg = l;
	return 0;
}

static void audit_once(struct look *l)
{
	l->audited = false;
	progress_show(&l->doctor->progress, "%s: what is open is looked for in Redis",
		      l->channel->name);
	audit_start(l->audit, l->channel->name);
	while (!l->audited)
		ask_wait(&l->ask);
}

/* After a wipe the backend is back within a second. */
static void audit_channel(struct look *l)
{
	bool good = l->doctor->checks[DOCTOR_CURSORS].count == 0;

	audit_once(l);
	for (int i = 1; good && i < AUDITS_MAX &&
			(l->why == ERR_CONFLICT || l->why == ERR_NOT_FOUND);
	     i++) {
		ask_pause(&l->ask, AUDIT_AGAIN_MS);
		l->doctor->checks[DOCTOR_PLACED].failed[0] = '\0';
		audit_once(l);
	}
}

static void check_placed(struct look *l)
{
	struct doctor *d = l->doctor;
	struct err e = ERR_INIT;

	if (open_audit(l, &e) < 0) {
		doctor_failed(d, DOCTOR_PLACED, &e);
		return;
	}
	for (int i = 0; i < d->channel_count && l->why != ERR_TIMEOUT; i++) {
		l->channel = &d->channels[i];
		audit_channel(l);
	}
	doctor_summary(d, DOCTOR_PLACED,
		       "what is open is in its stream, ahead of the cursor or waiting");
}

/* ---- cursors ---- */

static void ignore_world(void *arg, const char *currency, int64_t balance_minor)
{
	(void)arg;
	(void)currency;
	(void)balance_minor;
}

/* The cursor first, then the head, which only rises. */
static int check_cursor(struct look *l, const char *channel, struct err *e)
{
	struct doctor *d = l->doctor;
	struct bus_name name;
	int64_t at, head;

	ask_words(&l->ask, "GET", bus_cursor(&name, &d->bus, channel), NULL);
	if (ask_it(&l->ask, take_text, l, e) < 0)
		return -1;
	head = proof_head(d->proof, ignore_world, NULL, e);
	if (head < 0)
		return -1;
	at = cursor_read(l->text, d->store.ledger_id);
	if (at == CURSOR_MISSING)
		doctor_found(d, DOCTOR_CURSORS,
			     "%s: there is no cursor: is the backend "
			     "running?",
			     channel);
	else if (at == CURSOR_FOREIGN)
		doctor_found(d, DOCTOR_CURSORS,
			     "%s: the cursor is another ledger's, %s: see paybell ledger "
			     "adopt",
			     channel, l->text);
	else if (at > head)
		doctor_found(
			d, DOCTOR_CURSORS,
			"%s: the cursor is at %lld, and the ledger ends at %lld: see "
			"paybell ledger adopt",
			channel, (long long)at, (long long)head);
	return 0;
}

static int check_cursors(struct look *l, struct err *e)
{
	struct doctor *d = l->doctor;

	for (int i = 0; i < d->channel_count; i++) {
		if (check_cursor(l, d->channels[i].name, e) < 0)
			return -1;
	}
	doctor_summary(d, DOCTOR_CURSORS, "all are this ledger's, and not ahead of it");
	return check_cursor(l, BUS_LIVE, e);
}

/* ---- workers ---- */

/* 1 one of the consumers lives, 0 none, -1. */
static int has_live_worker(struct look *l, const char *channel, struct err *e)
{
	struct bus_name name;

	for (int i = 0; i < l->count; i++) {
		ask_words(&l->ask, "EXISTS",
			  bus_instance(&name, &l->doctor->bus, channel, l->names[i]),
			  NULL);
		if (ask_it(&l->ask, take_number, l, e) < 0)
			return -1;
		if (l->number > 0)
			return 1;
	}
	return 0;
}

static int check_worker(struct look *l, const struct doctor_channel *c, struct err *e)
{
	struct doctor *d = l->doctor;
	struct bus_name queue;
	int64_t entries;
	int live;

	if (ask_length(l, bus_queue(&queue, &d->bus, c->name), e) < 0)
		return -1;
	entries = l->number;
	if (entries == 0)
		return 0;
	if (ask_consumers(l, queue.text, c->name, e) < 0)
		return -1;
	if (!l->answered) {
		doctor_found(d, DOCTOR_WORKERS,
			     "%s: %lld entries in the stream, and no group", c->name,
			     (long long)entries);
		return 0;
	}
	live = has_live_worker(l, c->name, e);
	if (live == 0)
		doctor_found(d, DOCTOR_WORKERS,
			     "%s: %lld entries in the stream, and no worker lives",
			     c->name, (long long)entries);
	return live < 0 ? -1 : 0;
}

static int check_workers(struct look *l, struct err *e)
{
	struct doctor *d = l->doctor;

	for (int i = 0; i < d->channel_count; i++) {
		if (check_worker(l, &d->channels[i], e) < 0)
			return -1;
	}
	doctor_summary(d, DOCTOR_WORKERS, "every stream with entries has one");
	return 0;
}

/* ---- attempts:log ---- */

static int check_log(struct look *l, struct err *e)
{
	struct doctor *d = l->doctor;
	const char *log = d->bus.attempts_log.text;
	int64_t entries, idle_ms = INT64_MAX;

	if (ask_length(l, log, e) < 0)
		return -1;
	entries = l->number;
	doctor_summary(d, DOCTOR_LOG, "attempt records are taken in");
	if (entries == 0)
		return 0;
	if (ask_consumers(l, log, BUS_GROUP_BACKEND, e) < 0)
		return -1;
	for (int i = 0; i < l->count; i++)
		idle_ms = l->idle_ms[i] < idle_ms ? l->idle_ms[i] : idle_ms;
	if (l->count == 0)
		doctor_found(d, DOCTOR_LOG,
			     "%lld entries with attempt records, and no backend has "
			     "asked for them",
			     (long long)entries);
	else if (idle_ms > BACKEND_IDLE_MS)
		doctor_found(
			d, DOCTOR_LOG,
			"%lld entries with attempt records, and no backend for %lld s",
			(long long)entries, (long long)idle_ms / 1000);
	return 0;
}

/* ---- pending ---- */

struct pending {
	char id[ID_SIZE_MAX], consumer[NAME_SIZE];
	int64_t idle_ms;
};

struct pendings {
	int64_t count;
	struct pending first[DOCTOR_LISTED];
};

/* [[id, consumer, idle, deliveries], …]; an error: there is no group. */
static void take_pending(void *arg, const struct redisReply *reply)
{
	struct pendings *p = arg;

	p->count = (int64_t)redis_count(reply);
	for (int64_t i = 0; i < p->count && i < DOCTOR_LISTED; i++) {
		const struct redisReply *row = redis_at(reply, (size_t)i);

		mem_copy_text(p->first[i].id, ID_SIZE_MAX,
			      redis_text(redis_at(row, 0), NULL));
		mem_copy_text(p->first[i].consumer, NAME_SIZE,
			      redis_text(redis_at(row, 1), NULL));
		p->first[i].idle_ms = redis_int(redis_at(row, 2));
	}
}

/* [[id, [field, value, …]]] */
static void take_sequence(void *arg, const struct redisReply *reply)
{
	struct look *l = arg;
	const struct redisReply *fields = redis_at(redis_at(reply, 0), 1);

	mem_copy_text(l->text, sizeof l->text,
		      redis_text(member(fields, BUS_FIELD_SEQUENCE), NULL));
}

static int name_pending(struct look *l, const struct doctor_channel *c,
			const struct pending *p, struct err *e)
{
	struct bus_name queue;

	ask_words(&l->ask, "XRANGE", bus_queue(&queue, &l->doctor->bus, c->name), p->id,
		  p->id, NULL);
	if (ask_it(&l->ask, take_sequence, l, e) < 0)
		return -1;
	doctor_found(l->doctor, DOCTOR_PENDING,
		     "event %s, %s: pending with %s, not renewed for %lld s", l->text,
		     c->name, p->consumer, (long long)p->idle_ms / 1000);
	return 0;
}

static int check_channel_pending(struct look *l, const struct doctor_channel *c,
				 struct err *e)
{
	struct pendings p = {.count = 0};
	struct bus_name queue;

	ask_words(&l->ask, "XPENDING", bus_queue(&queue, &l->doctor->bus, c->name),
		  c->name, "IDLE", PENDING_TEXT, "-", "+", NULL);
	redis_args_int(l->ask.args, PENDING_MAX);
	if (ask_it(&l->ask, take_pending, &p, e) < 0)
		return -1;
	for (int64_t i = 0; i < p.count && i < DOCTOR_LISTED; i++) {
		if (name_pending(l, c, &p.first[i], e) < 0)
			return -1;
	}
	if (p.count > DOCTOR_LISTED)
		l->doctor->checks[DOCTOR_PENDING].count += p.count - DOCTOR_LISTED;
	return 0;
}

static int check_pending(struct look *l, struct err *e)
{
	struct doctor *d = l->doctor;

	for (int i = 0; i < d->channel_count; i++) {
		if (check_channel_pending(l, &d->channels[i], e) < 0)
			return -1;
	}
	doctor_summary(d, DOCTOR_PENDING, "what a worker holds it renews");
	return 0;
}

/* ---- all of it ---- */

typedef int check_fn(struct look *l, struct err *e);

/* Until it finds nothing, or its time is over. */
static void settle(struct look *l, enum doctor_check check, check_fn *fn)
{
	int64_t until_us = clock_mono_us() + SETTLE_MS * US_PER_MS;
	struct doctor *d = l->doctor;
	struct err e = ERR_INIT;

	for (;;) {
		doctor_forget(d, check);
		if (fn(l, &e) < 0) {
			doctor_failed(d, check, &e);
			return;
		}
		if (d->checks[check].count == 0 || clock_mono_us() >= until_us)
			return;
		ask_pause(&l->ask, LOOK_AGAIN_MS);
	}
}

static void check_all(struct look *l)
{
	settle(l, DOCTOR_CURSORS, check_cursors);
	settle(l, DOCTOR_LOG, check_log);
	check_placed(l);
	settle(l, DOCTOR_WORKERS, check_workers);
	settle(l, DOCTOR_PENDING, check_pending);
}

void doctor_redis(struct doctor *d)
{
	struct look *l = mem_alloc(sizeof *l);
	struct err e = ERR_INIT;

	l->doctor = d;
	if (ask_open(&l->ask, d->cli, "paybell-doctor", &e) == 0) {
		check_all(l);
	} else {
		for (int i = DOCTOR_PLACED; i < DOCTOR_CHECKS; i++)
			doctor_failed(d, (enum doctor_check)i, &e);
	}
	ask_close(&l->ask);
	audit_free(l->audit);
	mem_free(l);
}
