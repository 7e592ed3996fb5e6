/* Design
 *
 * redis_link.c has the socket and hiredis; everything that has a state is here. Of the
 * two layers of hiredis the lower one is taken, the non-blocking redisContext, and not
 * redisAsyncContext: that one keeps no time, may not be freed inside of its callbacks,
 * asserts on a reply that nobody asked for, ignores PING on a subscribed connection, and
 * allocates a node for each command. What it would have given, a queue of callbacks, is a
 * ring here, whose entries also carry the time that the command timeout needs.
 *
 * The promise: one callback for each accepted command, in order. Every reply takes the
 * ring's oldest entry; lose() is the only way down, and calls what is left. A reply
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
 * when it fires it looks at the oldest one. A connection is condemned at the second look,
 * an eighth of the time later, and only if not a byte came between: it may be this
 * process that was stopped, with the answers waiting or the commands not even written;
 * and a long reply is progress.
 *
 * Known limits: names are resolved blocking (getaddrinfo in hiredis), and of several
 * addresses only the first that does not fail at once is tried; no TLS; RESP2. */
#include "io/redis.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "io/redis_args.h"
#include "io/redis_link.h"
#include "io/redis_url.h"

enum {
	BACKOFF_FIRST_MS = 50,
	BACKOFF_MAX_MS = 2000,
	RING_FIRST = 64,
	SETUP_MAX = 4, /* AUTH, SELECT, CLIENT SETNAME, PING */
	LOG_FAILED_EVERY_MS = 10000,
	GRACE_PART = 8, /* of a timeout, before it is believed */
};

enum state { STATE_DOWN, STATE_CONNECTING, STATE_SETUP, STATE_UP };

struct command {
	redis_reply_fn *fn;
	void *arg;
	int64_t sent_us;
};

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

	const char *setup[SETUP_MAX]; /* what was sent, for the log */
	int setup_count, setup_done;

	struct command *ring; /* capacity is a power of two */
	size_t ring_capacity, ring_first, ring_count;

	struct loop_task flush_task;
	bool overflowed; /* REDIS_OUT_MAX_BYTES: to be torn down by the flush task */
	struct redis_args *words; /* for commands that are made here */

	char *channels[REDIS_CHANNELS_MAX]; /* of a subscriber */
	int channel_count, confirmed;
	redis_message_fn *on_message;
	void *message_arg;
	int silence_ms;
	int64_t heard_us;
	bool doubted; /* a timer found it late, and nothing was heard since */
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
static void encode(struct redis *r, const char *first, ...) __attribute__((sentinel));
static void flush(struct redis *r);
static bool hear(struct redis *r);
static void take_reply(struct redis *r, const struct redisReply *reply);
static void take_setup_reply(struct redis *r, const struct redisReply *reply);
static void take_push(struct redis *r, const struct redisReply *reply);
static void judge_oldest(struct redis *r);
static void judge_silence(struct redis *r);
static void ring_push(struct redis *r, redis_reply_fn *fn, void *arg);
static struct command ring_pop(struct redis *r);

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
	for (int i = 0; i < r->channel_count; i++)
		mem_free(r->channels[i]);
	mem_free(r->ring);
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
	return r->ring_count;
}

/* ---- commands ---- */

int redis_send(struct redis *r, const struct redis_args *a, redis_reply_fn *fn, void *arg)
{
	if (!redis_is_up(r) || r->channel_count > 0)
		return -1;
	if (redis_args_encode(a, redis_link_out(r->link)) < 0) {
		/* The caller may hold what a callback would touch: tear down later. */
		r->overflowed = true;
		loop_task_want(r->loop, &r->flush_task);
		return -1;
	}
	ring_push(r, fn, arg);
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
	int count = 0;

	while (channels[count] != NULL)
		count++;
	if (count == 0 || count > REDIS_CHANNELS_MAX || r->channel_count > 0)
		return -1;
	for (int i = 0; i < count; i++)
		r->channels[i] = mem_strdup(channels[i]);
	r->on_message = fn;
	r->message_arg = arg;
	r->silence_ms = silence_ms;
	redis_reconnect(r, "becomes a subscriber");
	r->channel_count = count;
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
	else if (r->channel_count > 0)
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

/* The first writability: connected, or refused. The commands before on_up go out at once,
 * pipelined. PING is among them because it alone is refused by a server that is loading
 * or has lost its master. */
static void set_up(struct redis *r)
{
	const struct redis_url *u = &r->url;
	struct err e = ERR_INIT;

	if (redis_link_connected(r->link, &e) < 0) {
		lose(r, e.code, "%s", e.text);
		return;
	}
	r->state = STATE_SETUP;
	r->setup_count = r->setup_done = r->confirmed = 0;
	if (u->password[0] != '\0' && u->user[0] != '\0')
		encode(r, "AUTH", u->user, u->password, NULL);
	else if (u->password[0] != '\0')
		encode(r, "AUTH", u->password, NULL);
	if (u->db != 0) {
		char db[12];

		snprintf(db, sizeof(db), "%d", u->db);
		encode(r, "SELECT", db, NULL);
	}
	if (r->client_name[0] != '\0')
		encode(r, "CLIENT", "SETNAME", r->client_name, NULL);
	encode(r, "PING", NULL);
	loop_watch_set(r->watch, LOOP_READ);
	flush(r);
}

/* Encodes one command of our own; before the connection is up it is a step of setting up.
 */
static void encode(struct redis *r, const char *first, ...)
{
	va_list args;

	redis_args_clear(r->words);
	va_start(args, first);
	for (const char *word = first; word != NULL; word = va_arg(args, const char *))
		redis_args_text(r->words, word);
	va_end(args);
	redis_args_encode(r->words, redis_link_out(r->link));
	if (r->state == STATE_SETUP)
		r->setup[r->setup_count++] = first;
}

static void finish_setup(struct redis *r)
{
	if (r->channel_count == 0) {
		go_up(r);
		return;
	}
	redis_args_clear(r->words);
	redis_args_text(r->words, "SUBSCRIBE");
	for (int i = 0; i < r->channel_count; i++)
		redis_args_text(r->words, r->channels[i]);
	redis_args_encode(r->words, redis_link_out(r->link));
	loop_task_want(r->loop, &r->flush_task);
}

static void go_up(struct redis *r)
{
	char address[REDIS_URL_ADDRESS_SIZE];
	struct log_quote q;

	r->state = STATE_UP;
	r->backoff_ms = BACKOFF_FIRST_MS;
	r->failed_log = (struct log_limit){0};
	r->timer_runs = r->doubted = false;
	loop_timer_stop(r->timer);
	if (r->channel_count > 0 && r->silence_ms > 0)
		loop_timer_start(r->timer, r->silence_ms / 2, 0);
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
	while (r->ring_count > 0) {
		struct command c = ring_pop(r);

		if (c.fn != NULL)
			c.fn(c.arg, NULL, e);
	}
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
		 log_quote(&quoted_why, why), r->ring_count, retry_ms, swallowed);
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
		r->heard_us = loop_now_us(r->loop);
		r->doubted = false;
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
	struct command c;

	if (r->state == STATE_SETUP && r->setup_done < r->setup_count) {
		take_setup_reply(r, reply);
	} else if (r->channel_count > 0) {
		take_push(r, reply);
	} else if (r->ring_count == 0) {
		lose(r, ERR_IO, "a reply that nobody asked for: %s",
		     redis_text(reply, NULL));
	} else {
		c = ring_pop(r);
		if (c.fn == NULL)
			return;
		r->depth++;
		c.fn(c.arg, reply, NULL);
		r->depth--;
	}
}

static void take_setup_reply(struct redis *r, const struct redisReply *reply)
{
	const char *step = r->setup[r->setup_done];

	if (redis_is_error(reply, "")) {
		lose(r, ERR_IO, "%s: %s", step, redis_text(reply, NULL));
		return;
	}
	if (++r->setup_done == r->setup_count)
		finish_setup(r);
}

/* subscribe, message, pong; an error is the answer to SUBSCRIBE (NOPERM). */
static void take_push(struct redis *r, const struct redisReply *reply)
{
	const char *what = redis_text(redis_at(reply, 0), NULL);
	const char *bytes;
	size_t len;

	if (redis_is_error(reply, "")) {
		lose(r, ERR_IO, "SUBSCRIBE: %s", redis_text(reply, NULL));
		return;
	}
	if (strcmp(what, "subscribe") == 0 && ++r->confirmed == r->channel_count)
		go_up(r);
	if (strcmp(what, "message") != 0)
		return;
	bytes = redis_text(redis_at(reply, 2), &len);
	r->depth++;
	r->on_message(r->message_arg, redis_text(redis_at(reply, 1), NULL), bytes, len);
	r->depth--;
}

/* ---- timeouts ---- */

static void judge_oldest(struct redis *r)
{
	int64_t limit_us = r->command_timeout_ms * US_PER_MS;
	int64_t left_us;

	r->timer_runs = r->ring_count > 0;
	if (!r->timer_runs)
		return;
	left_us = r->ring[r->ring_first].sent_us + limit_us - loop_now_us(r->loop);
	if (left_us <= 0 && r->doubted) {
		lose(r, ERR_TIMEOUT, "no reply for %d ms", r->command_timeout_ms);
		return;
	}
	if (left_us <= 0) {
		r->doubted = true;
		left_us = limit_us / GRACE_PART;
	}
	loop_timer_start(r->timer, (left_us + US_PER_MS - 1) / US_PER_MS, 0);
}

static void judge_silence(struct redis *r)
{
	int64_t limit_us = r->silence_ms * US_PER_MS;
	int64_t left_us = r->heard_us + limit_us - loop_now_us(r->loop);

	if (left_us <= 0 && r->doubted) {
		lose(r, ERR_TIMEOUT, "silent for %d ms", r->silence_ms);
		return;
	}
	if (left_us > limit_us / 2) {
		left_us -= limit_us / 2;
	} else if (!r->doubted) {
		r->doubted = true;
		encode(r, "PING", NULL);
		loop_task_want(r->loop, &r->flush_task);
		if (left_us < limit_us / GRACE_PART)
			left_us = limit_us / GRACE_PART;
	}
	loop_timer_start(r->timer, (left_us + US_PER_MS - 1) / US_PER_MS, 0);
}

/* ---- the ring ---- */

static void ring_push(struct redis *r, redis_reply_fn *fn, void *arg)
{
	if (r->ring_count == r->ring_capacity) {
		size_t capacity =
			r->ring_capacity > 0 ? r->ring_capacity * 2 : RING_FIRST;
		struct command *ring = mem_array(capacity, sizeof(*ring));

		for (size_t i = 0; i < r->ring_count; i++)
			ring[i] = r->ring[(r->ring_first + i) & (r->ring_capacity - 1)];
		mem_free(r->ring);
		r->ring = ring;
		r->ring_capacity = capacity;
		r->ring_first = 0;
	}
	r->ring[(r->ring_first + r->ring_count++) & (r->ring_capacity - 1)] =
		(struct command){fn, arg, loop_now_us(r->loop)};
}

static struct command ring_pop(struct redis *r)
{
	struct command c = r->ring[r->ring_first];

	r->ring_first = (r->ring_first + 1) & (r->ring_capacity - 1);
	r->ring_count--;
	return c;
}
