#include "backend/intake.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "io/redis.h"
#include "wire/attempt.h"

#define INTAKE_ENTRIES 64  /* of one read */
#define INTAKE_BATCH   128 /* records a job: about 2 ms of the committer's time */
#define INTAKE_RECORDS (INTAKE_BATCH + BUS_ATTEMPTS_MAX - 1)
#define INTAKE_JOBS    3 /* with the committer, at which nothing more is read */
#define BLOCK_MS       1000
#define GATHER_MS                                                                        \
	5 /* after a read that was not full: let some more come, a commit each would be  \
	     waste */
#define TRY_AGAIN_MS  200
#define ENTRY_ID_SIZE 48
#define CONSUMER      "backend" /* one: the database has one writer */

struct intake_job {
	struct job job;
	struct list link; /* waiting to be tried again */
	struct intake *intake;
	enum job_outcome outcome;
	int entry_count, record_count;
	int foreign_count; /* records of another ledger */
	char ids[INTAKE_ENTRIES][ENTRY_ID_SIZE];
	struct attempt records[INTAKE_RECORDS];
};

struct intake {
	struct intake_settings settings;
	struct redis *reader; /* its XREADGROUP blocks */
	struct redis *commands;
	struct redis_args *args;
	struct loop_timer *gather, *again;
	struct list refused; /* jobs that the committer did not take or could not write */
	struct list spare;   /* finished jobs, used again: they are large */
	int jobs;
	bool reading, draining;
	bool rescan; /* begin with the pending ones again, once nothing is being read */
	char from[ENTRY_ID_SIZE]; /* ">" new ones, else pending ones after this id */
};

static struct metric records_total, invalid_total;

static void read_more(struct intake *in);

/* ---- on the committer's thread ---- */

/* A device that the provider does not know any more is of no use to anybody. */
static int forget_device(struct books *b, const struct attempt *a, struct err *e)
{
	if (a->device_id[0] == '\0' || a->status != ATTEMPT_FAILED ||
	    a->reason != REASON_BAD_ADDRESS)
		return 0;
	return users_remove_device(b->users, a->user_id, a->device_id, e);
}

static int job_apply(struct job *j, struct books *b, int64_t now_us, struct err *e)
{
	struct intake_job *w = container_of(j, struct intake_job, job);

	(void)now_us;
	w->foreign_count = 0;
	for (int i = 0; i < w->record_count; i++) {
		const struct attempt *a = &w->records[i];
		bool foreign;

		if (deliveries_record(b->deliveries, a, &foreign, e) < 0)
			return -1;
		w->foreign_count += foreign;
		if (!foreign && forget_device(b, a, e) < 0)
			return -1;
	}
	return 0;
}

static void on_job_done(void *arg);

static void job_finish(struct job *j, enum job_outcome outcome)
{
	struct intake_job *w = container_of(j, struct intake_job, job);

	w->outcome = outcome;
	loop_post(w->intake->settings.loop, on_job_done, w);
}

/* ---- on the loop ---- */

static void add_ids(struct redis_args *a, const struct intake_job *w)
{
	for (int i = 0; i < w->entry_count; i++)
		redis_args_text(a, w->ids[i]);
}

static void acknowledge(struct intake *in, const struct intake_job *w)
{
	const char *log = in->settings.bus->attempts_log.text;

	redis_args_clear(in->args);
	redis_args_text(in->args, "XACK");
	redis_args_text(in->args, log);
	redis_args_text(in->args, BUS_GROUP_BACKEND);
	add_ids(in->args, w);
	redis_send(in->commands, in->args, NULL, NULL);
	redis_args_clear(in->args);
	redis_args_text(in->args, "XDEL");
	redis_args_text(in->args, log);
	add_ids(in->args, w);
	redis_send(in->commands, in->args, NULL, NULL);
}

static void try_again_later(struct intake *in, struct intake_job *w)
{
	list_append(&in->refused, &w->link);
	loop_timer_start(in->again, TRY_AGAIN_MS, 0);
}

static void hand_over(struct intake *in, struct intake_job *w)
{
	if (!committer_put(in->settings.committer, COMMITTER_BACK, &w->job))
		try_again_later(in, w);
}

static void on_again(void *arg)
{
	struct intake *in = arg;
	struct list refused = in->refused, *node;

	if (list_empty(&in->refused))
		return;
	refused.next->prev = refused.prev->next = &refused;
	list_init(&in->refused);
	while ((node = list_pop(&refused)) != NULL)
		hand_over(in, container_of(node, struct intake_job, link));
}

static void on_job_done(void *arg)
{
	struct intake_job *w = arg;
	struct intake *in = w->intake;

	/* Not written, or nobody knows: once more. It is the same as being read again. */
	if (w->outcome != JOB_DONE) {
		try_again_later(in, w);
		return;
	}
	metric_add(&records_total, w->record_count - w->foreign_count);
	metric_add(&invalid_total, w->foreign_count);
	if (w->foreign_count > 0)
		log_warn("intake.foreign", "records=%d", w->foreign_count);
	acknowledge(in, w);
	list_append(&in->spare, &w->link);
	in->jobs--;
	read_more(in);
}

/* Our workers put at most BUS_ATTEMPTS_MAX records into an entry, and there is room for
 * them; what else somebody wrote there is not taken. */
static void take_record(struct intake *in, struct intake_job *w, const char *bytes,
			size_t len)
{
	struct attempt *a = &w->records[w->record_count];
	struct err e = ERR_INIT;

	if (w->record_count == INTAKE_RECORDS)
		err_set(&e, ERR_FULL, "an entry has more than %d records",
			BUS_ATTEMPTS_MAX);
	else if (attempt_decode(a, bytes, len, &e) == 0 &&
		 id_key(a->event_id, "evt") == a->sequence &&
		 a->sequence <= committer_head(in->settings.committer)) {
		w->record_count++;
		return;
	}
	metric_add(&invalid_total, 1);
	log_warn("intake.invalid", "error=\"%s\"",
		 e.code == ERR_NONE ? "it names an event that is not there" : e.text);
}

static void take_entry(struct intake *in, struct intake_job *w,
		       const struct redisReply *entry)
{
	const struct redisReply *fields = redis_at(entry, 1);
	size_t len;

	mem_copy_text(w->ids[w->entry_count++], ENTRY_ID_SIZE,
		      redis_text(redis_at(entry, 0), NULL));
	for (size_t i = 0; i + 1 < redis_count(fields); i += 2) {
		const char *bytes = redis_text(redis_at(fields, i + 1), &len);

		if (strcmp(redis_text(redis_at(fields, i), NULL), BUS_FIELD_ATTEMPT) == 0)
			take_record(in, w, bytes, len);
	}
}

static struct intake_job *job_new(struct intake *in)
{
	struct list *node = list_pop(&in->spare);
	struct intake_job *w = node == NULL ? mem_alloc(sizeof *w)
					    : container_of(node, struct intake_job, link);

	w->entry_count = w->record_count = 0;
	w->intake = in;
	w->job.apply = job_apply;
	w->job.finish = job_finish;
	return w;
}

/* As many jobs as the records of one read make. */
static void take_entries(struct intake *in, const struct redisReply *entries)
{
	size_t count = redis_count(entries), i = 0;

	while (i < count) {
		struct intake_job *w = job_new(in);

		while (i < count && w->entry_count < INTAKE_ENTRIES &&
		       w->record_count < INTAKE_BATCH)
			take_entry(in, w, redis_at(entries, i++));
		if (strcmp(in->from, ">") != 0)
			mem_copy_text(in->from, sizeof in->from,
				      w->ids[w->entry_count - 1]);
		in->jobs++;
		hand_over(in, w);
	}
}

static void on_group(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct intake *in = arg;

	(void)e;
	in->reading = false;
	if (redis_kind(reply) == REDIS_KIND_ERROR && !redis_is_error(reply, "BUSYGROUP"))
		log_error("intake.group", "error=\"%s\"", redis_text(reply, NULL));
	if (reply != NULL)
		read_more(in);
}

static void make_group(struct intake *in)
{
	in->reading = redis_sendl(in->reader, on_group, in, "XGROUP", "CREATE",
				  in->settings.bus->attempts_log.text, BUS_GROUP_BACKEND,
				  "0", "MKSTREAM", NULL) == 0;
}

static void on_entries(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct intake *in = arg;
	const struct redisReply *entries;
	size_t count;

	(void)e;
	in->reading = false;
	if (reply == NULL)
		return;
	if (redis_is_error(reply, "NOGROUP")) {
		make_group(in);
		return;
	}
	if (redis_kind(reply) == REDIS_KIND_ERROR) {
		log_error("intake.read", "error=\"%s\"", redis_text(reply, NULL));
		loop_timer_start(in->gather, TRY_AGAIN_MS, 0);
		return;
	}
	entries = redis_at(redis_at(reply, 0), 1);
	count = redis_count(entries);
	if (count > 0)
		take_entries(in, entries);
	else if (strcmp(in->from, ">") != 0)
		mem_copy_text(in->from, sizeof in->from, ">");
	if (count == 0 || count == INTAKE_ENTRIES || strcmp(in->from, ">") != 0)
		read_more(in);
	else
		loop_timer_start(in->gather, GATHER_MS, 0);
}

static void read_more(struct intake *in)
{
	struct redis_args *a = in->args;

	if (in->reading || in->draining || in->jobs >= INTAKE_JOBS ||
	    !redis_is_up(in->reader))
		return;
	if (in->rescan)
		mem_copy_text(in->from, sizeof in->from, "0");
	in->rescan = false;
	redis_args_clear(a);
	redis_args_text(a, "XREADGROUP");
	redis_args_text(a, "GROUP");
	redis_args_text(a, BUS_GROUP_BACKEND);
	redis_args_text(a, CONSUMER);
	redis_args_text(a, "COUNT");
	redis_args_int(a, INTAKE_ENTRIES);
	redis_args_text(a, "BLOCK");
	redis_args_int(a, BLOCK_MS);
	redis_args_text(a, "STREAMS");
	redis_args_text(a, in->settings.bus->attempts_log.text);
	redis_args_text(a, in->from);
	in->reading = redis_send(in->reader, a, on_entries, in) == 0;
}

static void on_gathered(void *arg)
{
	read_more(arg);
}

/* What was handed out and not acknowledged comes first, also when only the connection
 * that acknowledges was lost. A read may be under way then: its answer is about what it
 * asked for, and would pass for the end of the pending ones. */
static void on_up(void *arg)
{
	struct intake *in = arg;

	in->rescan = true;
	read_more(in);
}

static int connect_redis(struct intake *in, struct redis **out, const char *name,
			 int64_t timeout_ms, struct err *e)
{
	struct redis_settings settings = {
		.url = in->settings.common->redis,
		.client_name = name,
		.connect_timeout_ms = (int)in->settings.common->redis_timeout_ms,
		.command_timeout_ms = (int)timeout_ms,
	};

	return redis_new(out, in->settings.loop, &settings, on_up, NULL, in, e);
}

int intake_start(struct intake **out, const struct intake_settings *settings,
		 struct err *e)
{
	struct intake *in = mem_alloc(sizeof *in);
	int64_t timeout_ms = settings->common->redis_timeout_ms;

	in->settings = *settings;
	in->args = redis_args_new();
	list_init(&in->refused);
	list_init(&in->spare);
	mem_copy_text(in->from, sizeof in->from, "0");
	metrics_register(&records_total, METRIC_COUNTER, "paybell_attempt_records_total",
			 NULL, "Attempt records taken into the database.");
	metrics_register(&invalid_total, METRIC_COUNTER,
			 "paybell_attempt_records_invalid_total", NULL,
			 "Attempt records that could not be read or name no event; they "
			 "are dropped.");
	in->gather = loop_timer_new(settings->loop, on_gathered, in);
	in->again = loop_timer_new(settings->loop, on_again, in);
	if (connect_redis(in, &in->reader, "paybell-backend-intake",
			  timeout_ms + BLOCK_MS, e) < 0 ||
	    connect_redis(in, &in->commands, "paybell-backend-acks", timeout_ms, e) < 0) {
		intake_stop(in);
		return -1;
	}
	*out = in;
	return 0;
}

void intake_drain(struct intake *in)
{
	in->draining = true;
}

void intake_stop(struct intake *in)
{
	struct list *node;

	if (in == NULL)
		return;
	while ((node = list_pop(&in->refused)) != NULL ||
	       (node = list_pop(&in->spare)) != NULL)
		mem_free(container_of(node, struct intake_job, link));
	loop_timer_free(in->gather);
	loop_timer_free(in->again);
	redis_free(in->reader);
	redis_free(in->commands);
	redis_args_free(in->args);
	mem_free(in);
}
