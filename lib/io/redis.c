/* Design
 *
 * redis_link.c has the socket and hiredis; redis_setup.c the commands before a connection
 * is up, redis_pending.c those that wait for their reply, redis_subscription.c what a
 * subscriber listens to. None of them calls back here, but for the owner's callbacks;
 * whether the connection is up or down, and what makes it so, is decided here.
 *
 * Of the two layers of hiredis the lower one is taken, the non-blocking redisContext, and
 * not redisAsyncContext: that one keeps no time, may not be freed inside of its
 * callbacks, asserts on a reply that nobody asked for, ignores PING on a subscribed
 * connection, and allocates a node for each command.
 *
 * The promise: one callback for each accepted command, in order. Every reply takes the
 * oldest pending one; lose() is the only way down, and calls what is left. A reply
 * belongs to this file until its callback returns, whatever happened to the connection in
 * it, so a callback may tear the connection down; the reading loop looks whether it is
 * still there.
 *
 * Writing: a command is encoded onto `out`, and a loop task sends at the end of the
 * iteration. That saves a round through epoll (registering for writability and being told
 * of it) for each burst; only when the kernel's buffer is full is writability waited for.
 * A write that fails does not end the connection yet: answers may have arrived before.
 *
 * One timer serves all states: the backoff while down, the connect timeout until up, then
 * the command timeout, or a subscriber's silence. It is not restarted for each command;
 * when it fires, the oldest one is judged.
 *
 * Known limits: names are resolved blocking (getaddrinfo in hiredis), and of several
 * addresses only the first that does not fail at once is tried; no TLS; RESP2. */
#include "io/redis.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "io/redis_args.h"
#include "io/redis_link.h"
#include "io/redis_pending.h"
#include "io/redis_setup.h"
#include "io/redis_subscription.h"
#include "io/redis_url.h"

enum {
	BACKOFF_FIRST_MS = 50,
	BACKOFF_MAX_MS = 2000,
	LOG_FAILED_EVERY_MS = 10000,
};

enum state { STATE_DOWN, STATE_CONNECTING, STATE_SETUP, STATE_UP };

struct redis {
	struct loop *loop;
	struct redis_url url;
	char *client_name;
	int connect_timeout_ms, command_timeout_ms;
	redis_state_fn *on_up, *on_down;
	void *arg;

	enum state state;
	struct redis_link *link; /* NULL while down */
	struct loop_watch *watch;
	struct loop_timer *timer;
	bool timer_runs; /* while up: for the oldest command */
	int backoff_ms;
	int depth; /* callbacks that run now */
	struct log_limit failed_log;

	struct redis_setup setup;
	struct redis_pending pending;
	struct redis_subscription subscription;

	struct loop_task flush_task;
	bool overflowed; /* REDIS_OUT_MAX_BYTES: to be torn down by the flush task */
	struct redis_args *words; /* for commands that are made here */
};

static void on_timer(void *arg);
static void on_event(void *arg, int events);
static void on_flush(void *arg);
static void begin(struct redis *r);
static void set_up(struct redis *r);
static void finish_setup(struct redis *r);
static void go_up(struct redis *r);
static void lose(struct redis *r, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void disconnect(struct redis *r);
static void fail_pending(struct redis *r, const struct err *e);
static void log_down(struct redis *r, bool was_up, const char *why, int retry_ms);
static void flush(struct redis *r);
static bool hear(struct redis *r);
static void take_reply(struct redis *r, const struct redisReply *reply);
static void take_setup_reply(struct redis *r, const struct redisReply *reply);
static void take_push(struct redis *r, const struct redisReply *reply);
static void judge_oldest(struct redis *r);
static void judge_silence(struct redis *r);

/* ---- life ---- */

int redis_new(struct redis **out, struct loop *l, const struct redis_settings *settings,
	      redis_state_fn *on_up, redis_state_fn *on_down, void *arg, struct err *e)
{
	struct redis_url url;
	struct redis *r;

	assert(settings->connect_timeout_ms > 0 && settings->command_timeout_ms > 0);
	if (redis_url_parse(&url, settings->url, e) < 0)
		return -1;
	for (const char *c = settings->client_name; *c != '\0'; c++)
		if (*c < '!' || *c > '~')
			return err_set(e, ERR_INVALID,
				       "a Redis client name is made of visible ASCII");
	r = mem_alloc(sizeof(*r));
	r->loop = l;
	r->url = url;
	r->client_name = mem_strdup(settings->client_name);
	r->connect_timeout_ms = settings->connect_timeout_ms;
	r->command_timeout_ms = settings->command_timeout_ms;
	r->on_up = on_up;
	r->on_down = on_down;
	r->arg = arg;
	r->backoff_ms = BACKOFF_FIRST_MS;
	r->words = redis_args_new();
	loop_task_init(&r->flush_task, on_flush, r);
	r->timer = loop_timer_new(l, on_timer, r);
	loop_timer_start(r->timer, 0, 0);
	*out = r;
	return 0;
}

void redis_free(struct redis *r)
{
	struct err e = ERR_INIT;

	if (r == NULL)
		return;
	assert(r->depth == 0);
	disconnect(r);
	err_set(&e, ERR_CLOSED, "the connection to Redis is closed");
	fail_pending(r, &e);
	loop_timer_free(r->timer);
	redis_args_free(r->words);
	redis_subscription_release(&r->subscription);
	redis_pending_release(&r->pending);
	mem_free(r->client_name);
	mem_free(r);
}

bool redis_is_up(const struct redis *r)
{
	return r->state == STATE_UP && !r->overflowed;
}

void redis_reconnect(struct redis *r, const char *why)
{
	if (r->state != STATE_DOWN)
		lose(r, ERR_CLOSED, "%s", why);
}

size_t redis_pending(const struct redis *r)
{
	return r->pending.count;
}

/* ---- commands ---- */

int redis_send(struct redis *r, const struct redis_args *a, redis_reply_fn *fn, void *arg)
{
	if (!redis_is_up(r) || r->subscription.count > 0)
		return -1;
	if (redis_args_encode(a, redis_link_out(r->link)) < 0) {
		/* The caller may hold what a callback would touch: tear down later. */
		r->overflowed = true;
		loop_task_want(r->loop, &r->flush_task);
		return -1;
	}
	redis_pending_push(&r->pending, fn, arg, loop_now_us(r->loop));
	loop_task_want(r->loop, &r->flush_task);
	if (!r->timer_runs) {
		r->timer_runs = true;
		loop_timer_start(r->timer, r->command_timeout_ms, 0);
	}
	return 0;
}

int redis_sendl(struct redis *r, redis_reply_fn *fn, void *arg, ...)
{
	va_list args;

	redis_args_clear(r->words);
	va_start(args, arg);
	for (const char *word; (word = va_arg(args, const char *)) != NULL;)
		redis_args_text(r->words, word);
	va_end(args);
	return redis_send(r, r->words, fn, arg);
}

int redis_subscribe(struct redis *r, const char *const *channels, redis_message_fn *fn,
		    void *arg, int silence_ms)
{
	if (redis_subscription_fill(&r->subscription, channels, fn, arg, silence_ms) < 0)
		return -1;
	redis_reconnect(r, "becomes a subscriber");
	return 0;
}

/* ---- up and down ---- */

static void on_timer(void *arg)
{
	struct redis *r = arg;

	if (r->state == STATE_DOWN)
		begin(r);
	else if (r->state != STATE_UP)
		lose(r, ERR_TIMEOUT, "not ready after %d ms", r->connect_timeout_ms);
	else if (r->subscription.count > 0)
		judge_silence(r);
	else
		judge_oldest(r);
}

static void begin(struct redis *r)
{
	struct err e = ERR_INIT;

	r->state = STATE_CONNECTING;
	r->overflowed = false;
	r->link = redis_link_open(&r->url, REDIS_OUT_MAX_BYTES, &e);
	if (r->link == NULL) {
		lose(r, e.code, "%s", e.text);
		return;
	}
	r->watch = loop_watch_new(r->loop, redis_link_fd(r->link), on_event, r);
	loop_watch_set(r->watch, LOOP_WRITE);
	loop_timer_start(r->timer, r->connect_timeout_ms, 0);
}

static void on_event(void *arg, int events)
{
	struct redis *r = arg;

	if (r->state == STATE_CONNECTING) {
		set_up(r);
		return;
	}
	if (events & LOOP_READ)
		hear(r);
	if ((events & LOOP_WRITE) && r->link != NULL)
		flush(r);
}

/* The first writability: connected, or refused. */
static void set_up(struct redis *r)
{
	struct err e = ERR_INIT;

	if (redis_link_connected(r->link, &e) < 0) {
		lose(r, e.code, "%s", e.text);
		return;
	}
	r->state = STATE_SETUP;
	redis_setup_begin(&r->setup, &r->url, r->client_name, r->words,
			  redis_link_out(r->link));
	loop_watch_set(r->watch, LOOP_READ);
	flush(r);
}

static void finish_setup(struct redis *r)
{
	if (r->subscription.count == 0) {
		go_up(r);
		return;
	}
	redis_subscription_ask(&r->subscription, r->words, redis_link_out(r->link));
	loop_task_want(r->loop, &r->flush_task);
}

static void go_up(struct redis *r)
{
	char address[REDIS_URL_ADDRESS_SIZE];
	struct log_quote q;

	r->state = STATE_UP;
	r->backoff_ms = BACKOFF_FIRST_MS;
	r->failed_log = (struct log_limit){0};
	r->timer_runs = false;
	loop_timer_stop(r->timer);
	if (r->subscription.count > 0 && r->subscription.silence_ms > 0)
		loop_timer_start(r->timer, r->subscription.silence_ms / 2, 0);
	log_info("redis.up", "client=%s address=%s", r->client_name,
		 log_quote(&q, redis_url_address(address, &r->url)));
	if (r->on_up != NULL) {
		r->depth++;
		r->on_up(r->arg);
		r->depth--;
	}
}

/* The only way down. Everything is in order before the first callback runs. */
static void lose(struct redis *r, enum err_code code, const char *fmt, ...)
{
	bool was_up = r->state == STATE_UP;
	struct err e = ERR_INIT;
	char why[ERR_TEXT_MAX];
	va_list args;
	int wait_ms;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	err_set(&e, code, "redis: %s", why);
	disconnect(r);
	wait_ms = r->backoff_ms * 3 / 4 +
		  (int)random_below((uint64_t)r->backoff_ms / 2 + 1);
	r->backoff_ms =
		r->backoff_ms * 2 < BACKOFF_MAX_MS ? r->backoff_ms * 2 : BACKOFF_MAX_MS;
	loop_timer_start(r->timer, wait_ms, 0);
	log_down(r, was_up, why, wait_ms);
	fail_pending(r, &e);
	if (r->on_down != NULL) {
		r->depth++;
		r->on_down(r->arg);
		r->depth--;
	}
}

static void disconnect(struct redis *r)
{
	r->state = STATE_DOWN;
	loop_task_cancel(&r->flush_task);
	loop_watch_free(r->watch);
	r->watch = NULL;
	redis_link_free(r->link);
	r->link = NULL;
}

static void fail_pending(struct redis *r, const struct err *e)
{
	r->depth++;
	while (r->pending.count > 0)
		redis_pending_answer(&r->pending, NULL, e);
	r->depth--;
}

/* Each loss is told; of the failed tries after it one in a while. */
static void log_down(struct redis *r, bool was_up, const char *why, int retry_ms)
{
	char address[REDIS_URL_ADDRESS_SIZE];
	struct log_quote quoted_why, quoted_address;
	unsigned swallowed = 0;

	if (!was_up && !log_limit_pass(&r->failed_log, LOG_FAILED_EVERY_MS, &swallowed))
		return;
	log_warn(was_up ? "redis.down" : "redis.connect_failed",
		 "client=%s address=%s error=%s pending=%zu retry_ms=%d swallowed=%u",
		 r->client_name,
		 log_quote(&quoted_address, redis_url_address(address, &r->url)),
		 log_quote(&quoted_why, why), r->pending.count, retry_ms, swallowed);
}

/* ---- writing ---- */

static void on_flush(void *arg)
{
	struct redis *r = arg;

	if (r->overflowed)
		lose(r, ERR_FULL, "%d bytes wait to be written", REDIS_OUT_MAX_BYTES);
	else
		flush(r);
}

static void flush(struct redis *r)
{
	struct err e = ERR_INIT;
	int rc = redis_link_flush(r->link, &e);

	if (rc >= 0) {
		loop_watch_set(r->watch, rc > 0 ? LOOP_READ : LOOP_READ | LOOP_WRITE);
		return;
	}
	/* The server is gone, but what it answered before is still to be read. */
	while (hear(r)) {}
	if (r->link != NULL)
		lose(r, e.code, "%s", e.text);
}

/* ---- reading ---- */

/* Takes what one read brings. True when it brought something and the connection lives. */
static bool hear(struct redis *r)
{
	struct redisReply *reply;
	struct err e = ERR_INIT;
	int rc = redis_link_read(r->link, &e);

	if (rc == 0)
		return false;
	if (rc > 0) {
		redis_pending_heard(&r->pending);
		redis_subscription_heard(&r->subscription, loop_now_us(r->loop));
		while ((rc = redis_link_next(r->link, &reply, &e)) > 0) {
			take_reply(r, reply);
			redis_link_drop(reply);
			if (r->link == NULL)
				return false;
		}
	}
	if (rc < 0)
		lose(r, e.code, "%s", e.text);
	return rc == 0;
}

static void take_reply(struct redis *r, const struct redisReply *reply)
{
	if (r->state == STATE_SETUP && !redis_setup_done(&r->setup)) {
		take_setup_reply(r, reply);
	} else if (r->subscription.count > 0) {
		take_push(r, reply);
	} else if (r->pending.count == 0) {
		lose(r, ERR_IO, "a reply that nobody asked for: %s",
		     redis_text(reply, NULL));
	} else {
		r->depth++;
		redis_pending_answer(&r->pending, reply, NULL);
		r->depth--;
	}
}

static void take_setup_reply(struct redis *r, const struct redisReply *reply)
{
	struct err e = ERR_INIT;
	int rc = redis_setup_take(&r->setup, reply, &e);

	if (rc < 0)
		lose(r, e.code, "%s", e.text);
	else if (rc > 0)
		finish_setup(r);
}

static void take_push(struct redis *r, const struct redisReply *reply)
{
	struct err e = ERR_INIT;
	int rc;

	r->depth++;
	rc = redis_subscription_take(&r->subscription, reply, &e);
	r->depth--;
	if (rc < 0)
		lose(r, e.code, "%s", e.text);
	else if (rc > 0)
		go_up(r);
}

/* ---- timeouts ---- */

static void judge_oldest(struct redis *r)
{
	int64_t again_ms = redis_pending_judge(&r->pending, r->command_timeout_ms,
					       loop_now_us(r->loop));

	r->timer_runs = again_ms > 0;
	if (again_ms < 0)
		lose(r, ERR_TIMEOUT, "no reply for %d ms", r->command_timeout_ms);
	else if (again_ms > 0)
		loop_timer_start(r->timer, again_ms, 0);
}

static void judge_silence(struct redis *r)
{
	bool ping;
	int64_t again_ms =
		redis_subscription_judge(&r->subscription, loop_now_us(r->loop), &ping);

	if (again_ms < 0) {
		lose(r, ERR_TIMEOUT, "silent for %d ms", r->subscription.silence_ms);
		return;
	}
	if (ping) {
		redis_args_clear(r->words);
		redis_args_text(r->words, "PING");
		redis_args_encode(r->words, redis_link_out(r->link));
		loop_task_want(r->loop, &r->flush_task);
	}
	loop_timer_start(r->timer, again_ms, 0);
}
