#include "backend/sweep.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>

#include "app/audit.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

#define FIRST_AFTER_MS 60000
#define NICE           10
#define BATCH          256 /* sequences of one command */
#define LOGGED_MAX     20  /* findings, a channel and a sweep */
#define SAY_EVERY_MS   60000

/* KEYS: the cursor, the stream. ARGV: the ledger id, entries that the stream may have,
 * sequences. What is above the cursor is the feeder's. Answers how many were added; -1:
 * the cursor is not this ledger's. */
static const char SCRIPT[] =
	"local found = redis.call('GET', KEYS[1]) or ''\n"
	"local id, at = string.match(found, '^(%w+):(%d+)$')\n"
	"if id ~= ARGV[1] then return -1 end\n"
	"local room, added = ARGV[2] - redis.call('XLEN', KEYS[2]), 0\n"
	"for i = 3, #ARGV do\n"
	"if added < room and tonumber(ARGV[i]) <= tonumber(at) then\n"
	"redis.call('XADD', KEYS[2], '*', '" BUS_FIELD_SEQUENCE "', ARGV[i])\n"
	"added = added + 1 end end\n"
	"return added\n";

/* Of one channel. */
struct swept {
	char labels[64];
	struct metric refed_total;
};

struct sweep {
	struct sweep_settings settings;
	struct loop *loop;
	struct loop_timer *timer;
	struct redis *redis;
	struct redis_args *args;
	struct store store;
	struct audit *audit;
	pthread_t thread;
	bool running, stopping;
	int at; /* the channel in turn; the last one was the last: between two sweeps */
	int unanswered;
	int64_t added;
	struct log_limit abandoned_log;
	struct swept swept[BUS_CHANNELS_MAX];
};

static struct metric sweeps_total;

static const char *channel(const struct sweep *s)
{
	return s->settings.channels->names[s->at];
}

/* ---- what was found ---- */

static void next_channel(struct sweep *s)
{
	if (s->stopping)
		return;
	if (++s->at < s->settings.channels->count) {
		audit_start(s->audit, channel(s));
		return;
	}
	metric_add(&sweeps_total, 1);
	loop_timer_start(s->timer, s->settings.every_ms, 0);
}

static void on_refed(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct sweep *s = arg;

	(void)e;
	if (redis_kind(reply) == REDIS_KIND_INT && redis_int(reply) > 0)
		s->added += redis_int(reply);
	else if (redis_kind(reply) == REDIS_KIND_ERROR)
		log_warn("sweep.refused", "channel=%s error=\"%s\"", channel(s),
			 redis_text(reply, NULL));
	if (--s->unanswered > 0)
		return;
	metric_add(&s->swept[s->at].refed_total, s->added);
	next_channel(s);
}

static int send_batch(struct sweep *s, const int64_t *found, size_t count)
{
	struct bus_name queue, cursor;

	redis_args_clear(s->args);
	redis_args_text(s->args, "EVAL");
	redis_args_text(s->args, SCRIPT);
	redis_args_int(s->args, 2);
	redis_args_text(s->args, bus_cursor(&cursor, s->settings.bus, channel(s)));
	redis_args_text(s->args, bus_queue(&queue, s->settings.bus, channel(s)));
	redis_args_text(s->args, s->store.ledger_id);
	redis_args_int(s->args, s->settings.queue_max);
	for (size_t i = 0; i < count; i++)
		redis_args_int(s->args, found[i]);
	return redis_send(s->redis, s->args, on_refed, s);
}

static void log_found(const struct sweep *s, const struct audit_result *r)
{
	size_t logged = r->found_count < LOGGED_MAX ? r->found_count : LOGGED_MAX;

	for (size_t i = 0; i < logged; i++)
		log_warn("sweep.refed", "channel=%s sequence=%lld", channel(s),
			 (long long)r->found[i]);
	if (r->found_count > logged)
		log_warn("sweep.refed", "channel=%s more=%zu cut=%d", channel(s),
			 r->found_count - logged, r->more);
}

static void refeed(struct sweep *s, const struct audit_result *r)
{
	log_found(s, r);
	s->added = 0;
	s->unanswered = 0;
	for (size_t i = 0; i < r->found_count; i += BATCH) {
		size_t left = r->found_count - i;

		if (send_batch(s, r->found + i, left < BATCH ? left : BATCH) == 0)
			s->unanswered++;
	}
	if (s->unanswered == 0)
		next_channel(s);
}

static void on_audited(void *arg, const struct audit_result *result, const struct err *e)
{
	struct sweep *s = arg;
	unsigned swallowed;

	if (s->stopping)
		return;
	if (result == NULL && log_limit_pass(&s->abandoned_log, SAY_EVERY_MS, &swallowed))
		log_warn("sweep.abandoned", "channel=%s error=\"%s\" more=%u", channel(s),
			 e->text, swallowed);
	if (result != NULL && result->found_count > 0)
		refeed(s, result);
	else
		next_channel(s);
}

static void on_time(void *arg)
{
	struct sweep *s = arg;

	s->at = -1;
	next_channel(s);
}

static void on_down(void *arg)
{
	struct sweep *s = arg;

	audit_lost(s->audit);
}

/* ---- life ---- */

static void *run(void *arg)
{
	struct sweep *s = arg;

	/* Linux: of this thread alone. A failure leaves it as it is. */
	setpriority(PRIO_PROCESS, 0, NICE);
	loop_run(s->loop);
	return NULL;
}

static void register_metrics(struct sweep *s)
{
	metrics_register(&sweeps_total, METRIC_COUNTER, "paybell_sweeps_total", NULL,
			 "Sweeps that looked for lost deliveries.");
	for (int i = 0; i < s->settings.channels->count; i++) {
		struct swept *w = &s->swept[i];

		snprintf(w->labels, sizeof w->labels, "channel=\"%s\"",
			 s->settings.channels->names[i]);
		metrics_register(&w->refed_total, METRIC_COUNTER,
				 "paybell_sweep_refed_total", w->labels,
				 "Lost deliveries that were put into their stream again: "
				 "0, unless somebody deleted entries.");
	}
}

static int open_audit(struct sweep *s, struct err *e)
{
	const struct common_settings *common = s->settings.common;
	struct redis_settings redis = {
		.url = common->redis,
		.client_name = "paybell-backend-sweep",
		.connect_timeout_ms = (int)common->redis_timeout_ms,
		.command_timeout_ms = (int)common->redis_timeout_ms,
	};
	struct audit_settings audit = {
		.loop = s->loop,
		.bus = s->settings.bus,
		.store = &s->store,
		.log_wait_ms = AUDIT_LOG_WAIT_MS,
		.fn = on_audited,
		.arg = s,
	};

	if (store_open_reader(&s->store, common->database, e) < 0 ||
	    redis_new(&s->redis, s->loop, &redis, NULL, on_down, s, e) < 0)
		return -1;
	audit.redis = s->redis;
	return audit_new(&s->audit, &audit, e);
}

static int start_thread(struct sweep *s, struct err *e)
{
	int64_t first_ms = s->settings.every_ms < FIRST_AFTER_MS ? s->settings.every_ms
								 : FIRST_AFTER_MS;

	s->timer = loop_timer_new(s->loop, on_time, s);
	loop_timer_start(s->timer, first_ms, 0);
	if (pthread_create(&s->thread, NULL, run, s) != 0)
		return err_set(e, ERR_IO, "the sweep's thread cannot be started");
	s->running = true;
	return 0;
}

int sweep_start(struct sweep **out, const struct sweep_settings *settings, struct err *e)
{
	struct sweep *s = mem_alloc(sizeof *s);

	s->settings = *settings;
	s->loop = loop_new();
	s->args = redis_args_new();
	register_metrics(s);
	if (open_audit(s, e) < 0 || start_thread(s, e) < 0) {
		sweep_stop(s);
		return -1;
	}
	*out = s;
	return 0;
}

void sweep_stop(struct sweep *s)
{
	if (s == NULL)
		return;
	if (s->running) {
		loop_stop(s->loop);
		pthread_join(s->thread, NULL);
	}
	s->stopping = true;
	loop_timer_free(s->timer);
	redis_free(s->redis);
	audit_free(s->audit);
	redis_args_free(s->args);
	store_close(&s->store);
	loop_free(s->loop);
	mem_free(s);
}
