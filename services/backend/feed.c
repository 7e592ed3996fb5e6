#include "backend/feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define LOG_EVERY_MS 5000

/* The guard that the scripts begin with. KEYS[1] the cursor; ARGV[1] ledger id, ARGV[2]
 * expected sequence or "" for a missing cursor, ARGV[3] new sequence. */
#define GUARD                                                                            \
	"local found = redis.call('GET', KEYS[1])\n"                                     \
	"local want = ARGV[2] ~= '' and ARGV[1] .. ':' .. ARGV[2]\n"                     \
	"if found ~= want then return {0, found or ''} end\n"

/* KEYS[2] the stream; ARGV[4…] sequences. Answers {1, new, entries in the stream}. */
const char FEED_SCRIPT[] =
	GUARD "for i = 4, #ARGV do redis.call('XADD', KEYS[2], '*', '" BUS_FIELD_SEQUENCE
	      "', ARGV[i]) end\n"
	      "redis.call('SET', KEYS[1], ARGV[1] .. ':' .. ARGV[3])\n"
	      "return {1, ARGV[3], redis.call('XLEN', KEYS[2])}\n";

/* ARGV[4] the channel; ARGV[5…] events. Answers {1, new, 0}. */
const char RING_SCRIPT[] =
	GUARD "redis.call('SET', KEYS[1], ARGV[1] .. ':' .. ARGV[3])\n"
	      "for i = 5, #ARGV do redis.call('PUBLISH', ARGV[4], ARGV[i]) end\n"
	      "return {1, ARGV[3], 0}\n";

/* KEYS[2] the stream; ARGV[4], ARGV[5], …: a sequence and 1 for a replay, else 0. Answers
 * {1, new, entries in the stream}. */
const char HAND_SCRIPT[] =
	GUARD "for i = 4, #ARGV, 2 do\n"
	      "if ARGV[i + 1] == '1' then\n"
	      "redis.call('XADD', KEYS[2], '*', '" BUS_FIELD_SEQUENCE
	      "', ARGV[i], '" BUS_FIELD_REPLAY "', '1')\n"
	      "else redis.call('XADD', KEYS[2], '*', '" BUS_FIELD_SEQUENCE
	      "', ARGV[i]) end end\n"
	      "return {1, ARGV[3], redis.call('XLEN', KEYS[2])}\n";

void feed_say_head(const struct feed_context *c)
{
	char head[EVENT_SEQUENCE_SIZE];

	sequence_format(head, c->head);
	redis_sendl(c->redis, NULL, NULL, "PUBLISH", c->bus->head.text, head, NULL);
}

void feed_init(struct feed *f, struct feed_context *context, const char *channel)
{
	*f = (struct feed){.context = context, .live = strcmp(channel, BUS_LIVE) == 0};
	mem_copy_text(f->channel, sizeof f->channel, channel);
	bus_cursor(&f->cursor_name, context->bus, channel);
	bus_queue(&f->queue_name, context->bus, channel);
	snprintf(f->labels, sizeof f->labels, "channel=\"%s\"", channel);
	metrics_register(&f->fed_total, METRIC_COUNTER, "paybell_feed_events_total",
			 f->labels,
			 "Events that a channel's stream was given (live: that the bell "
			 "rang for).");
	metrics_register(&f->lag, METRIC_GAUGE, "paybell_feed_lag_events", f->labels,
			 "Events that are on disk and not fed to the channel yet.");
	metrics_register(&f->backlog_entries, METRIC_GAUGE,
			 "paybell_feed_backlog_entries", f->labels,
			 "Entries in the channel's stream, as last heard.");
}

void feed_reset(struct feed *f)
{
	f->state = FEED_UNKNOWN;
}

/* ---- where are we ---- */

static void start_below_open(struct feed *f)
{
	struct feed_context *c = f->context;
	struct err e = ERR_INIT;
	int64_t from = c->head;

	/* Whoever listens to the bell reads what it missed from the database. */
	if (!f->live)
		from = channels_start(c->books->channels, f->channel, &e);
	if (from < 0) {
		log_error("feed.no_floor", "channel=%s error=\"%s\"", f->channel, e.text);
		f->state = FEED_UNKNOWN;
		return;
	}
	f->missing = true;
	f->sent = f->confirmed = from;
	f->recover_until = c->head;
	f->state = FEED_READY;
	log_info("feed.starts", "channel=%s from=%lld head=%lld", f->channel,
		 (long long)from, (long long)c->head);
}

static void refuse(struct feed *f, const char *found)
{
	struct log_quote q;

	if (f->state != FEED_FOREIGN)
		log_error("feed.foreign_cursor",
			  "channel=%s cursor=%s found=%s ledger=%s head=%lld", f->channel,
			  f->cursor_name.text, log_quote(&q, found),
			  f->context->ledger_id, (long long)f->context->head);
	f->state = FEED_FOREIGN;
}

static void take_cursor(struct feed *f, const char *found)
{
	size_t id_len = strlen(f->context->ledger_id);
	int64_t at;

	if (found[0] == '\0') {
		start_below_open(f);
		return;
	}
	if (strncmp(found, f->context->ledger_id, id_len) != 0 || found[id_len] != ':') {
		refuse(f, found);
		return;
	}
	at = sequence_parse(found + id_len + 1);
	if (at < 0 || at > f->context->head) {
		refuse(f, found);
		return;
	}
	f->missing = false;
	f->sent = f->confirmed = at;
	f->recover_until = f->context->head;
	f->state = FEED_READY;
}

static void on_cursor(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct feed *f = arg;

	(void)e;
	if (f->state != FEED_ASKED)
		return;
	if (reply == NULL || redis_kind(reply) == REDIS_KIND_ERROR) {
		f->state = FEED_UNKNOWN;
		return;
	}
	take_cursor(f, redis_text(reply, NULL));
	feed_push(f);
}

static void ask(struct feed *f)
{
	f->state = FEED_ASKED;
	if (redis_sendl(f->context->redis, on_cursor, f, "GET", f->cursor_name.text,
			NULL) < 0)
		f->state = FEED_UNKNOWN;
}

/* ---- going on ---- */

static void on_confirmed(struct feed *f, const struct redisReply *reply)
{
	int64_t at = redis_int(redis_at(reply, 1));

	metric_add(&f->fed_total, at - f->confirmed);
	f->confirmed = at;
	f->backlog = redis_int(redis_at(reply, 2));
	metric_set(&f->backlog_entries, f->backlog);
	metric_set(&f->lag, f->context->head - at);
	if (f->live && at > 0)
		f->context->published(f->context->arg, at);
}

static bool is_done(const struct redisReply *reply)
{
	return redis_count(reply) == 3 && redis_int(redis_at(reply, 0)) == 1;
}

/* Where the feed is has to be asked for. */
static void lose_place(struct feed *f, const struct redisReply *reply)
{
	unsigned swallowed;

	if (redis_is_error(reply, "NOSCRIPT"))
		redis_reconnect(f->context->redis, "the scripts were flushed");
	else if (redis_kind(reply) == REDIS_KIND_ERROR &&
		 log_limit_pass(&f->refused_limit, LOG_EVERY_MS, &swallowed))
		log_warn("feed.refused", "channel=%s swallowed=%u error=\"%s\"",
			 f->channel, swallowed, redis_text(reply, NULL));
	if (f->state == FEED_READY)
		f->state = FEED_UNKNOWN;
}

static void on_fed(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct feed *f = arg;

	(void)e;
	f->in_flight--;
	if (f->state != FEED_READY || !is_done(reply)) {
		lose_place(f, reply);
		return;
	}
	on_confirmed(f, reply);
	feed_push(f);
}

static void begin_command(struct feed *f, const char *script, int keys)
{
	struct redis_args *a = f->context->args;

	redis_args_clear(a);
	redis_args_text(a, "EVALSHA");
	redis_args_text(a, script);
	redis_args_int(a, keys);
	redis_args_text(a, f->cursor_name.text);
	if (keys == 2)
		redis_args_text(a, f->queue_name.text);
	redis_args_text(a, f->context->ledger_id);
	if (f->missing)
		redis_args_text(a, "");
	else
		redis_args_int(a, f->sent);
}

static bool send_command(struct feed *f, int64_t upto, redis_reply_fn *on_reply)
{
	if (redis_send(f->context->redis, f->context->args, on_reply, f) < 0) {
		f->state = FEED_UNKNOWN;
		return false;
	}
	f->in_flight++;
	f->sent = upto;
	f->missing = false;
	return true;
}

/* The next sequences for a channel, at most `limit`; *upto is where the cursor goes with
 * them. The number, or -1. */
static int next_sequences(struct feed *f, int64_t out[FEED_BATCH], int limit,
			  int64_t *upto)
{
	struct feed_context *c = f->context;
	struct err e = ERR_INIT;
	int count = 0;

	if (f->sent < f->recover_until && f->handing)
		return 0;
	if (f->sent < f->recover_until) {
		count = channels_open_after(c->books->channels, f->channel, f->sent, out,
					    limit, upto, &e);
		if (count < 0)
			log_error("feed.read_failed", "channel=%s error=\"%s\"",
				  f->channel, e.text);
		return count;
	}
	/* The sequence has no gaps, and nothing above the cursor has ended: counting is
	 * enough. */
	while (count < limit && f->sent + count < c->head) {
		out[count] = f->sent + count + 1;
		count++;
	}
	*upto = f->sent + count;
	return count;
}

int64_t feed_room(const struct feed *f)
{
	int64_t room =
		f->context->queue_max - f->backlog - (int64_t)f->in_flight * FEED_BATCH;

	return room > 0 ? room : 0;
}

static bool push_channel(struct feed *f)
{
	struct feed_context *c = f->context;
	int64_t sequences[FEED_BATCH], upto = f->sent, room = feed_room(f);
	int count;

	if (room == 0)
		return false;
	count = next_sequences(f, sequences, room < FEED_BATCH ? (int)room : FEED_BATCH,
			       &upto);
	/* A missing cursor is set also when there is nothing to feed: only from then on
	 * another wipe shows. */
	if (count < 0 || (upto == f->sent && !f->missing))
		return false;
	begin_command(f, c->feed_script, 2);
	redis_args_int(c->args, upto);
	for (int i = 0; i < count; i++)
		redis_args_int(c->args, sequences[i]);
	return send_command(f, upto, on_fed);
}

struct ring {
	struct feed_context *context;
	struct buf json;
	int64_t last;
};

static void add_event(void *arg, const struct event *event)
{
	struct ring *r = arg;

	buf_clear(&r->json);
	event_encode(event, r->context->naming, &r->json);
	redis_args_bytes(r->context->args, r->json.data, r->json.len);
	r->last = event->sequence;
}

/* The bell's command says first where it goes to, so only what is known to be on disk is
 * rung for: up to `upto`. */
static bool push_bell(struct feed *f)
{
	struct feed_context *c = f->context;
	struct ring ring = {.context = c};
	struct err e = ERR_INIT;
	int64_t upto = f->sent + FEED_BATCH < c->head ? f->sent + FEED_BATCH : c->head;
	int want = (int)(upto - f->sent), count;

	begin_command(f, c->ring_script, 1);
	redis_args_int(c->args, upto);
	redis_args_text(c->args, c->bus->transactions.text);
	buf_init(&ring.json, EVENT_ENCODED_MAX);
	count = events_after(c->books->events, f->sent, want, add_event, &ring, &e);
	buf_release(&ring.json);
	if (count == want)
		return send_command(f, upto, on_fed);
	log_error("feed.read_failed", "channel=%s want=%d got=%d error=\"%s\"",
		  f->channel, want, count, e.text);
	return false;
}

void feed_push(struct feed *f)
{
	struct feed_context *c = f->context;

	if (c->feed_script[0] == '\0' || c->ring_script[0] == '\0' ||
	    c->hand_script[0] == '\0')
		return;
	if (f->state == FEED_UNKNOWN && f->in_flight == 0 && redis_is_up(c->redis))
		ask(f);
	while (f->state == FEED_READY && f->in_flight < FEED_PIPELINE &&
	       (f->sent < c->head || f->missing))
		if (!(f->live ? push_bell(f) : push_channel(f)))
			break;
	metric_set(&f->lag, c->head - f->confirmed);
}

/* ---- what waited in the ledger ---- */

static void on_handed(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct feed *f = arg;

	(void)e;
	f->in_flight--;
	if (is_done(reply)) {
		f->backlog = redis_int(redis_at(reply, 2));
		metric_set(&f->backlog_entries, f->backlog);
		feed_say_head(f->context);
	} else {
		lose_place(f, reply);
	}
	f->handed(f->handed_arg, is_done(reply));
}

bool feed_hand_out(struct feed *f, const struct due *due, int count, feed_handed_fn *fn,
		   void *arg)
{
	struct redis_args *a = f->context->args;

	if (f->state != FEED_READY || f->missing || f->handing ||
	    f->context->hand_script[0] == '\0')
		return false;
	begin_command(f, f->context->hand_script, 2);
	redis_args_int(a, f->sent);
	for (int i = 0; i < count; i++) {
		redis_args_int(a, due[i].sequence);
		redis_args_int(a, due[i].replay);
	}
	f->handing = send_command(f, f->sent, on_handed);
	f->handed = fn;
	f->handed_arg = arg;
	return f->handing;
}

void feed_handed_out(struct feed *f)
{
	f->handing = false;
	feed_push(f);
}

/* ---- once a second ---- */

static void on_checked(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct feed *f = arg;
	char want[LEDGER_ID_SIZE + EVENT_SEQUENCE_SIZE + 8] = "";

	(void)e;
	if (reply == NULL || redis_kind(reply) == REDIS_KIND_ERROR || f->in_flight > 0 ||
	    f->state == FEED_ASKED)
		return;
	if (!f->missing)
		snprintf(want, sizeof want, "%s:%lld", f->context->ledger_id,
			 (long long)f->confirmed);
	if (f->state == FEED_READY && strcmp(redis_text(reply, NULL), want) == 0)
		return;
	take_cursor(f, redis_text(reply, NULL));
	feed_push(f);
}

static void on_backlog(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct feed *f = arg;

	(void)e;
	if (redis_kind(reply) != REDIS_KIND_INT)
		return;
	f->backlog = redis_int(reply);
	metric_set(&f->backlog_entries, f->backlog);
	feed_push(f);
}

void feed_check(struct feed *f)
{
	struct redis *r = f->context->redis;

	if (!redis_is_up(r))
		return;
	if (!f->live)
		redis_sendl(r, on_backlog, f, "XLEN", f->queue_name.text, NULL);
	if (f->in_flight == 0)
		redis_sendl(r, on_checked, f, "GET", f->cursor_name.text, NULL);
	feed_push(f);
}
