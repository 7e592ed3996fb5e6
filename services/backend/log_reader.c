#include "backend/log_reader.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define JOBS     3 /* with the committer, at which nothing more is read */
#define BLOCK_MS 1000
#define GATHER_MS                                                                        \
	5 /* after a read that was not full: let some more come, a commit each would be  \
	     waste */
#define TRY_AGAIN_MS 200
#define CONSUMER     "backend" /* one: the database has one writer */

struct log_reader {
	const struct log_kind *kind;
	struct log_reader_settings settings;
	struct redis *reader; /* its XREADGROUP blocks */
	struct redis *commands;
	struct redis_args *args;
	struct loop_timer *gather, *again;
	struct list refused; /* jobs that the committer did not take or could not write */
	struct list spare;   /* finished jobs, used again: they are large */
	int jobs;
	bool reading, draining;
	bool rescan; /* begin with the pending ones again, once nothing is being read */
	char from[LOG_ENTRY_ID_SIZE]; /* ">" new ones, else pending ones after this id */
};

static void read_more(struct log_reader *r);
static void on_job_done(void *arg);

/* ---- on the committer's thread ---- */

static int job_apply(struct job *j, struct books *books, int64_t now_us, struct err *e)
{
	struct log_batch *b = container_of(j, struct log_batch, job);

	return b->reader->kind->apply(b, books, now_us, e);
}

static void job_finish(struct job *j, enum job_outcome outcome)
{
	struct log_batch *b = container_of(j, struct log_batch, job);

	b->outcome = outcome;
	loop_post(b->reader->settings.loop, on_job_done, b);
}

/* ---- on the loop ---- */

static void add_ids(struct redis_args *a, const struct log_batch *b)
{
	for (int i = 0; i < b->entry_count; i++)
		redis_args_text(a, b->ids[i]);
}

static void acknowledge(struct log_reader *r, const struct log_batch *b)
{
	const char *log = r->settings.stream;

	redis_args_clear(r->args);
	redis_args_text(r->args, "XACK");
	redis_args_text(r->args, log);
	redis_args_text(r->args, BUS_GROUP_BACKEND);
	add_ids(r->args, b);
	redis_send(r->commands, r->args, NULL, NULL);
	redis_args_clear(r->args);
	redis_args_text(r->args, "XDEL");
	redis_args_text(r->args, log);
	add_ids(r->args, b);
	redis_send(r->commands, r->args, NULL, NULL);
}

static void try_again_later(struct log_reader *r, struct log_batch *b)
{
	list_append(&r->refused, &b->link);
	loop_timer_start(r->again, TRY_AGAIN_MS, 0);
}

static void hand_over(struct log_reader *r, struct log_batch *b)
{
	if (!committer_put(r->settings.committer, COMMITTER_BACK, &b->job))
		try_again_later(r, b);
}

static void on_again(void *arg)
{
	struct log_reader *r = arg;
	struct list refused = r->refused, *node;

	if (list_empty(&r->refused))
		return;
	refused.next->prev = refused.prev->next = &refused;
	list_init(&r->refused);
	while ((node = list_pop(&refused)) != NULL)
		hand_over(r, container_of(node, struct log_batch, link));
}

static void on_job_done(void *arg)
{
	struct log_batch *b = arg;
	struct log_reader *r = b->reader;

	/* Not written, or nobody knows: once more. It is the same as being read again. */
	if (b->outcome != JOB_DONE) {
		try_again_later(r, b);
		return;
	}
	r->kind->done(b);
	acknowledge(r, b);
	list_append(&r->spare, &b->link);
	r->jobs--;
	read_more(r);
}

static struct log_batch *batch_new(struct log_reader *r)
{
	struct list *node = list_pop(&r->spare);
	struct log_batch *b = node == NULL ? mem_alloc(r->kind->batch_size)
					   : container_of(node, struct log_batch, link);

	b->entry_count = 0;
	b->reader = r;
	b->job.apply = job_apply;
	b->job.finish = job_finish;
	r->kind->clear(b);
	return b;
}

static bool is_full(const struct log_reader *r, const struct log_batch *b)
{
	return b->entry_count == LOG_ENTRIES || (r->kind->is_full && r->kind->is_full(b));
}

static void take_entry(struct log_reader *r, struct log_batch *b,
		       const struct redisReply *entry)
{
	mem_copy_text(b->ids[b->entry_count++], LOG_ENTRY_ID_SIZE,
		      redis_text(redis_at(entry, 0), NULL));
	r->kind->take(r->settings.committer, b, redis_at(entry, 1));
}

/* As many jobs as what was read makes. */
static void take_entries(struct log_reader *r, const struct redisReply *entries)
{
	size_t count = redis_count(entries), i = 0;

	while (i < count) {
		struct log_batch *b = batch_new(r);

		while (i < count && !is_full(r, b))
			take_entry(r, b, redis_at(entries, i++));
		if (strcmp(r->from, ">") != 0)
			mem_copy_text(r->from, sizeof r->from,
				      b->ids[b->entry_count - 1]);
		r->jobs++;
		hand_over(r, b);
	}
}

static void on_group(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct log_reader *r = arg;

	(void)e;
	r->reading = false;
	if (redis_kind(reply) == REDIS_KIND_ERROR && !redis_is_error(reply, "BUSYGROUP"))
		log_error("log_reader.group", "stream=%s error=\"%s\"",
			  r->settings.stream, redis_text(reply, NULL));
	if (reply != NULL)
		read_more(r);
}

static void make_group(struct log_reader *r)
{
	r->reading = redis_sendl(r->reader, on_group, r, "XGROUP", "CREATE",
				 r->settings.stream, BUS_GROUP_BACKEND, "0", "MKSTREAM",
				 NULL) == 0;
}

static void on_entries(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct log_reader *r = arg;
	const struct redisReply *entries;
	size_t count;

	(void)e;
	r->reading = false;
	if (reply == NULL)
		return;
	if (redis_is_error(reply, "NOGROUP")) {
		make_group(r);
		return;
	}
	if (redis_kind(reply) == REDIS_KIND_ERROR) {
		log_error("log_reader.read", "stream=%s error=\"%s\"", r->settings.stream,
			  redis_text(reply, NULL));
		loop_timer_start(r->gather, TRY_AGAIN_MS, 0);
		return;
	}
	entries = redis_at(redis_at(reply, 0), 1);
	count = redis_count(entries);
	if (count > 0)
		take_entries(r, entries);
	else if (strcmp(r->from, ">") != 0)
		mem_copy_text(r->from, sizeof r->from, ">");
	if (count == 0 || count == LOG_ENTRIES || strcmp(r->from, ">") != 0)
		read_more(r);
	else
		loop_timer_start(r->gather, GATHER_MS, 0);
}

static void read_more(struct log_reader *r)
{
	struct redis_args *a = r->args;

	if (r->reading || r->draining || r->jobs >= JOBS || !redis_is_up(r->reader))
		return;
	if (r->rescan)
		mem_copy_text(r->from, sizeof r->from, "0");
	r->rescan = false;
	redis_args_clear(a);
	redis_args_text(a, "XREADGROUP");
	redis_args_text(a, "GROUP");
	redis_args_text(a, BUS_GROUP_BACKEND);
	redis_args_text(a, CONSUMER);
	redis_args_text(a, "COUNT");
	redis_args_int(a, LOG_ENTRIES);
	redis_args_text(a, "BLOCK");
	redis_args_int(a, BLOCK_MS);
	redis_args_text(a, "STREAMS");
	redis_args_text(a, r->settings.stream);
	redis_args_text(a, r->from);
	r->reading = redis_send(r->reader, a, on_entries, r) == 0;
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
	struct log_reader *r = arg;

	r->rescan = true;
	read_more(r);
}

static int connect_redis(struct log_reader *r, struct redis **out, const char *name,
			 int64_t timeout_ms, struct err *e)
{
	struct redis_settings settings = {
		.url = r->settings.common->redis,
		.client_name = name,
		.connect_timeout_ms = (int)r->settings.common->redis_timeout_ms,
		.command_timeout_ms = (int)timeout_ms,
	};

	return redis_new(out, r->settings.loop, &settings, on_up, NULL, r, e);
}

int log_reader_start(struct log_reader **out, const struct log_kind *kind,
		     const struct log_reader_settings *settings, struct err *e)
{
	struct log_reader *r = mem_alloc(sizeof *r);
	int64_t timeout_ms = settings->common->redis_timeout_ms;

	r->kind = kind;
	r->settings = *settings;
	r->args = redis_args_new();
	list_init(&r->refused);
	list_init(&r->spare);
	mem_copy_text(r->from, sizeof r->from, "0");
	r->gather = loop_timer_new(settings->loop, on_gathered, r);
	r->again = loop_timer_new(settings->loop, on_again, r);
	if (connect_redis(r, &r->reader, kind->reader, timeout_ms + BLOCK_MS, e) < 0 ||
	    connect_redis(r, &r->commands, kind->acks, timeout_ms, e) < 0) {
		log_reader_stop(r);
		return -1;
	}
	*out = r;
	return 0;
}

void log_reader_drain(struct log_reader *r)
{
	r->draining = true;
}

void log_reader_stop(struct log_reader *r)
{
	struct list *node;

	if (r == NULL)
		return;
	while ((node = list_pop(&r->refused)) != NULL ||
	       (node = list_pop(&r->spare)) != NULL)
		mem_free(container_of(node, struct log_batch, link));
	loop_timer_free(r->gather);
	loop_timer_free(r->again);
	redis_free(r->reader);
	redis_free(r->commands);
	redis_args_free(r->args);
	mem_free(r);
}
