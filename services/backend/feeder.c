#include "backend/feeder.h"

#include <stdatomic.h>
#include <string.h>

#include "backend/feed.h"
#include "backend/waits.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

#define NOTES_MAX     256 /* publication times gathered for one job */
#define NOTE_EVERY_MS 20

/* When the bell rang: gathered, and written as one job at a time. */
struct note {
	int64_t last_event, published_us;
};

struct notes_job {
	struct job job;
	struct feeder *feeder;
	struct note notes[NOTES_MAX];
	int count;
};

struct feeder {
	struct feeder_settings settings;
	struct books books;
	struct feed_context context;
	struct feed feeds[BUS_CHANNELS_MAX + 1]; /* the channels, then the bell */
	struct waits waits[BUS_CHANNELS_MAX];
	int count;
	struct loop_timer *second, *note_timer;
	_Atomic int64_t head;
	atomic_bool woken, due_woken;
	struct notes_job notes;
	struct note gathered[NOTES_MAX];
	int gathered_count;
	bool notes_busy;
};

static struct metric published_sequence;

static struct feed *bell(struct feeder *f)
{
	return &f->feeds[f->count];
}

static void push_all(struct feeder *f)
{
	for (int i = 0; i <= f->count; i++)
		feed_push(&f->feeds[i]);
}

static void on_head(void *arg)
{
	struct feeder *f = arg;

	atomic_store(&f->woken, false);
	f->context.head = atomic_load(&f->head);
	push_all(f);
}

void feeder_head(struct feeder *f, int64_t head)
{
	if (atomic_exchange(&f->head, head) == head)
		return;
	if (!atomic_exchange(&f->woken, true))
		loop_post(f->settings.loop, on_head, f);
}

/* ---- notes ---- */

static int notes_apply(struct job *j, struct books *b, int64_t now_us, struct err *e)
{
	struct notes_job *n = container_of(j, struct notes_job, job);

	(void)now_us;
	for (int i = 0; i < n->count; i++) {
		if (deliveries_published(b->deliveries, n->notes[i].last_event,
					 n->notes[i].published_us, e) < 0)
			return -1;
	}
	return 0;
}

static void on_notes_done(void *arg)
{
	struct feeder *f = arg;

	f->notes_busy = false;
}

/* A time that could not be written is not worth a second try: it is only for the
 * timeline. */
static void notes_finish(struct job *j, enum job_outcome outcome)
{
	struct feeder *f = container_of(j, struct notes_job, job)->feeder;

	(void)outcome;
	loop_post(f->settings.loop, on_notes_done, f);
}

static void write_notes(void *arg)
{
	struct feeder *f = arg;
	struct notes_job *n = &f->notes;

	if (f->notes_busy || f->gathered_count == 0)
		return;
	memcpy(n->notes, f->gathered, (size_t)f->gathered_count * sizeof *n->notes);
	n->count = f->gathered_count;
	f->gathered_count = 0;
	n->job.apply = notes_apply;
	n->job.finish = notes_finish;
	n->feeder = f;
	if (!committer_put(f->settings.committer, COMMITTER_BACK, &n->job))
		return;
	f->notes_busy = true;
}

static void on_published(void *arg, int64_t last_event)
{
	struct feeder *f = arg;
	int slot = f->gathered_count < NOTES_MAX ? f->gathered_count++ : NOTES_MAX - 1;

	metric_set(&published_sequence, last_event);
	f->gathered[slot] = (struct note){last_event, clock_utc_us()};
}

/* ---- what waited in the ledger ---- */

static void look_for_due(struct feeder *f)
{
	for (int i = 0; i < f->count; i++)
		waits_look(&f->waits[i]);
}

static void on_due(void *arg)
{
	struct feeder *f = arg;

	atomic_store(&f->due_woken, false);
	look_for_due(f);
}

void feeder_due(struct feeder *f)
{
	if (!atomic_exchange(&f->due_woken, true))
		loop_post(f->settings.loop, on_due, f);
}

/* ---- the connection ---- */

static void take_script(char out[41], const struct redisReply *reply)
{
	if (redis_kind(reply) == REDIS_KIND_TEXT)
		mem_copy_text(out, 41, redis_text(reply, NULL));
	else if (redis_kind(reply) == REDIS_KIND_ERROR)
		log_error("feeder.script", "error=\"%s\"", redis_text(reply, NULL));
}

static void on_feed_script(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct feeder *f = arg;

	(void)e;
	take_script(f->context.feed_script, reply);
}

static void on_hand_script(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct feeder *f = arg;

	(void)e;
	take_script(f->context.hand_script, reply);
}

static void on_ring_script(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct feeder *f = arg;

	(void)e;
	take_script(f->context.ring_script, reply);
	push_all(f);
}

static void delete_removed(struct feeder *f)
{
	struct bus_name queue, cursor;

	for (int i = 0; i < f->settings.removed->count; i++) {
		const char *channel = f->settings.removed->names[i];

		redis_sendl(f->context.redis, NULL, NULL, "DEL",
			    bus_queue(&queue, f->settings.bus, channel),
			    bus_cursor(&cursor, f->settings.bus, channel), NULL);
	}
}

static void on_up(void *arg)
{
	struct feeder *f = arg;

	delete_removed(f);

	redis_sendl(f->context.redis, on_feed_script, f, "SCRIPT", "LOAD", FEED_SCRIPT,
		    NULL);
	redis_sendl(f->context.redis, on_hand_script, f, "SCRIPT", "LOAD", HAND_SCRIPT,
		    NULL);
	redis_sendl(f->context.redis, on_ring_script, f, "SCRIPT", "LOAD", RING_SCRIPT,
		    NULL);
}

static void on_down(void *arg)
{
	struct feeder *f = arg;

	f->context.feed_script[0] = f->context.ring_script[0] =
		f->context.hand_script[0] = '\0';
	for (int i = 0; i <= f->count; i++)
		feed_reset(&f->feeds[i]);
}

static void every_second(void *arg)
{
	struct feeder *f = arg;

	for (int i = 0; i <= f->count; i++)
		feed_check(&f->feeds[i]);
	look_for_due(f);
	feed_say_head(&f->context);
}

static int connect_redis(struct feeder *f, struct err *e)
{
	struct redis_settings settings = {
		.url = f->settings.common->redis,
		.client_name = "paybell-backend-feeder",
		.connect_timeout_ms = (int)f->settings.common->redis_timeout_ms,
		.command_timeout_ms = (int)f->settings.common->redis_timeout_ms,
	};

	return redis_new(&f->context.redis, f->settings.loop, &settings, on_up, on_down,
			 f, e);
}

static void init_feeds(struct feeder *f)
{
	f->count = f->settings.channels->count;
	for (int i = 0; i < f->count; i++) {
		feed_init(&f->feeds[i], &f->context, f->settings.channels->names[i]);
		waits_init(&f->waits[i], f->settings.loop, f->settings.committer,
			   &f->feeds[i]);
	}
	feed_init(bell(f), &f->context, BUS_LIVE);
}

int feeder_start(struct feeder **out, const struct feeder_settings *settings,
		 struct err *e)
{
	struct feeder *f = mem_alloc(sizeof *f);

	f->settings = *settings;
	if (books_open_reader(&f->books, settings->common->database, e) < 0) {
		mem_free(f);
		return -1;
	}
	f->context = (struct feed_context){
		.bus = settings->bus,
		.args = redis_args_new(),
		.books = &f->books,
		.ledger_id = committer_ledger_id(settings->committer),
		.naming = settings->naming,
		.queue_max = settings->queue_max,
		.head = committer_head(settings->committer),
		.published = on_published,
		.arg = f,
	};
	atomic_store(&f->head, f->context.head);
	metrics_register(&published_sequence, METRIC_GAUGE, "paybell_published_sequence",
			 NULL, "Up to which sequence the bell has rung.");
	init_feeds(f);
	if (connect_redis(f, e) < 0) {
		feeder_stop(f);
		return -1;
	}
	f->second = loop_timer_new(settings->loop, every_second, f);
	loop_timer_start(f->second, BUS_HEAD_MS, BUS_HEAD_MS);
	f->note_timer = loop_timer_new(settings->loop, write_notes, f);
	loop_timer_start(f->note_timer, NOTE_EVERY_MS, NOTE_EVERY_MS);
	*out = f;
	return 0;
}

void feeder_stop(struct feeder *f)
{
	if (f == NULL)
		return;
	loop_timer_free(f->second);
	loop_timer_free(f->note_timer);
	redis_free(f->context.redis);
	redis_args_free(f->context.args);
	books_close(&f->books);
	mem_free(f);
}

bool feeder_ready(const struct feeder *f, const char **why)
{
	*why = "no connection to Redis";
	if (!redis_is_up(f->context.redis))
		return false;
	*why = "Redis holds the cursor of another ledger";
	for (int i = 0; i <= f->count; i++) {
		if (f->feeds[i].state == FEED_FOREIGN)
			return false;
	}
	return true;
}
