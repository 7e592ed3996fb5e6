#include "gateway/hub.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "gateway/tally.h"
#include "io/redis.h"
#include "store/events.h"
#include "wire/attempt.h"

enum {
	SILENCE_MS = 3 * BUS_HEAD_MS + 500,
	CONNECT_MS = 3000,
	CATCH_UP_SLICE = 256, /* events of one snapshot */
	AGAIN_MS = 200,
	ALONE_MS = 1000, /* without Redis the database is asked that often */
	LOG_EVERY_MS = 5000,
};

struct hub {
	struct hub_settings settings;
	struct redis *redis;
	struct store store;
	struct events *events; /* NULL: the database is not open */
	int64_t position;      /* told up to here; -1: not known yet */
	struct batch *batch;   /* being gathered, or NULL */
	struct loop_task flush, catch_up;
	struct loop_timer *again;
	struct buf json;
	struct log_limit limit;
};

/* ---- out ---- */

static void on_flush(void *arg)
{
	struct hub *h = arg;
	struct batch *b = h->batch;

	h->batch = NULL;
	if (b)
		h->settings.tell(h->settings.arg, b);
}

static struct batch *gathering(struct hub *h)
{
	if (h->batch && h->batch->count == BATCH_MAX)
		on_flush(h);
	if (!h->batch)
		h->batch = batch_new();
	loop_task_want(h->settings.loop, &h->flush);
	return h->batch;
}

static void tell_event(struct hub *h, const struct event *event, const char *json,
		       size_t len)
{
	bool speaks[DIALECT_COUNT];

	h->settings.speaks(h->settings.arg, speaks);
	batch_add_event(gathering(h), speaks, event->user_id, event->sequence, json, len);
	metric_add(&tally.events, 1);
	h->position = event->sequence;
}

/* ---- from the database ---- */

static void close_store(struct hub *h)
{
	events_free(h->events);
	h->events = NULL;
	store_close(&h->store);
}

static int open_store(struct hub *h, struct err *e)
{
	if (h->events)
		return 0;
	if (store_open_reader(&h->store, h->settings.common->database, e) < 0)
		return -1;
	if (events_new(&h->events, &h->store, e) == 0)
		return 0;
	close_store(h);
	return -1;
}

static void on_missed(void *arg, const struct event *event)
{
	struct hub *h = arg;

	buf_clear(&h->json);
	event_encode(event, h->settings.naming, &h->json);
	metric_add(&tally.missed, 1);
	tell_event(h, event, h->json.data, h->json.len);
}

static int read_missed(struct hub *h, struct err *e)
{
	if (open_store(h, e) < 0)
		return -1;
	if (h->position >= 0)
		return events_after(h->events, h->position, CATCH_UP_SLICE, on_missed, h,
				    e);
	/* The first time. Sessions read their own past, and begin after that. */
	h->position = events_head(h->events, e);
	if (h->position < 0)
		return -1;
	h->settings.known(h->settings.arg);
	return 0;
}

/* A slice, and again until there is nothing more: the loop lives in between. */
static void on_catch_up(void *arg)
{
	struct hub *h = arg;
	struct err e = ERR_INIT;
	struct log_quote q;
	unsigned swallowed;
	int count = read_missed(h, &e);

	if (count < 0) {
		close_store(h);
		if (log_limit_pass(&h->limit, LOG_EVERY_MS, &swallowed))
			log_error("hub.database", "error=%s swallowed=%u",
				  log_quote(&q, e.text), swallowed);
		loop_timer_start(h->again, AGAIN_MS, 0);
		return;
	}
	if (count == CATCH_UP_SLICE)
		loop_timer_start(h->again, 0, 0);
	else if (!redis_is_up(h->redis))
		loop_timer_start(h->again, ALONE_MS, 0);
}

static void on_again(void *arg)
{
	struct hub *h = arg;

	loop_task_want(h->settings.loop, &h->catch_up);
}

/* ---- from Redis ---- */

static void take_event(struct hub *h, const char *bytes, size_t len)
{
	struct event event;
	struct err e = ERR_INIT;
	struct log_quote q;
	unsigned swallowed;

	if (event_decode(&event, bytes, len, &e) < 0) {
		if (log_limit_pass(&h->limit, LOG_EVERY_MS, &swallowed))
			log_warn("hub.event", "error=%s swallowed=%u",
				 log_quote(&q, e.text), swallowed);
		return;
	}
	if (h->position >= 0 && event.sequence == h->position + 1)
		tell_event(h, &event, bytes, len);
	else if (event.sequence > h->position)
		loop_task_want(h->settings.loop, &h->catch_up);
}

static void take_delivery(struct hub *h, const char *bytes, size_t len)
{
	bool speaks[DIALECT_COUNT];
	struct err e = ERR_INIT;
	struct attempt a;

	if (attempt_decode(&a, bytes, len, &e) < 0)
		return;
	h->settings.speaks(h->settings.arg, speaks);
	batch_add_delivery(gathering(h), speaks, a.user_id, bytes, len);
	metric_add(&tally.deliveries, 1);
}

static void take_head(struct hub *h, const char *bytes, size_t len)
{
	char text[EVENT_SEQUENCE_SIZE];
	int64_t head;

	if (len >= sizeof(text))
		return;
	memcpy(text, bytes, len);
	text[len] = '\0';
	head = sequence_parse(text);
	if (head > h->position)
		loop_task_want(h->settings.loop, &h->catch_up);
}

static void on_message(void *arg, const char *channel, const char *bytes, size_t len)
{
	struct hub *h = arg;
	const struct bus *bus = h->settings.bus;

	if (strcmp(channel, bus->transactions.text) == 0)
		take_event(h, bytes, len);
	else if (strcmp(channel, bus->deliveries.text) == 0)
		take_delivery(h, bytes, len);
	else
		take_head(h, bytes, len);
}

/* The connection is there, or is lost. */
static void on_change(void *arg)
{
	struct hub *h = arg;

	loop_task_want(h->settings.loop, &h->catch_up);
}

/* ---- its life ---- */

static int connect_redis(struct hub *h, struct err *e)
{
	const struct bus *bus = h->settings.bus;
	const char *const channels[] = {bus->transactions.text, bus->deliveries.text,
					bus->head.text, NULL};
	struct redis_settings s = {h->settings.common->redis, "paybell-gateway-hub",
				   CONNECT_MS, (int)h->settings.common->redis_timeout_ms};

	if (redis_new(&h->redis, h->settings.loop, &s, on_change, on_change, h, e) < 0)
		return err_wrap(e, "PAYBELL_REDIS");
	return redis_subscribe(h->redis, channels, on_message, h, SILENCE_MS);
}

int hub_start(struct hub **out, const struct hub_settings *settings, struct err *e)
{
	struct hub *h = mem_alloc(sizeof(*h));

	h->settings = *settings;
	h->position = -1;
	buf_init(&h->json, EVENT_ENCODED_MAX);
	loop_task_init(&h->flush, on_flush, h);
	loop_task_init(&h->catch_up, on_catch_up, h);
	h->again = loop_timer_new(settings->loop, on_again, h);
	if (connect_redis(h, e) < 0) {
		hub_stop(h);
		return -1;
	}
	loop_task_want(settings->loop, &h->catch_up);
	*out = h;
	return 0;
}

void hub_stop(struct hub *h)
{
	if (!h)
		return;
	redis_free(h->redis);
	loop_timer_free(h->again);
	loop_task_cancel(&h->flush);
	loop_task_cancel(&h->catch_up);
	close_store(h);
	batch_unref(h->batch);
	buf_release(&h->json);
	mem_free(h);
}

bool hub_ready(const struct hub *h, const char **why)
{
	*why = NULL;
	if (!redis_is_up(h->redis))
		*why = "no connection to Redis";
	else if (h->position < 0)
		*why = "the database is not there";
	return !*why;
}
