#include "cli/timeline.h"

#include <string.h>

#include "base/mem.h"
#include "wire/json.h"

static void read_attempts(struct timeline_channel *c, struct json_t *array,
			  struct json_reader *r)
{
	size_t count = json_count(array);
	struct buf text;
	struct err e = ERR_INIT;

	buf_init(&text, ATTEMPT_ENCODED_MAX * 2);
	c->attempts = mem_array(count, sizeof *c->attempts);
	for (size_t i = 0; i < count && !json_failed(r); i++) {
		buf_clear(&text);
		json_encode_value(json_item(array, i), &text);
		if (attempt_decode(&c->attempts[i], buf_text(&text), text.len, &e) < 0)
			json_fault(r, "attempts", "hold something else: %s", e.text);
		c->count = i + 1;
	}
	buf_release(&text);
}

static void read_channel(struct timeline_channel *c, const char *name,
			 struct json_t *value, struct problem *p)
{
	struct json_reader r;

	mem_copy_text(c->name, sizeof c->name, name);
	json_reader_init(&r, value, "channels", p);
	json_get_text(&r, "status", true, c->status, sizeof c->status);
	read_attempts(c, json_get_value(&r, "attempts", true), &r);
}

static void read_event(struct timeline_event *ev, struct json_t *value, struct problem *p)
{
	struct json_t *channels, *channel;
	void *cursor = NULL;
	struct json_reader r;
	const char *name;

	json_reader_init(&r, value, "events", p);
	json_get_text(&r, "event_id", true, ev->id, sizeof ev->id);
	json_get_text(&r, "sequence", true, ev->sequence, sizeof ev->sequence);
	json_get_text(&r, "user_id", true, ev->user_id, sizeof ev->user_id);
	json_get_text(&r, "direction", true, ev->direction, sizeof ev->direction);
	channels = json_get_value(&r, "channels", true);
	if (json_failed(&r))
		return;
	if (json_count(channels) > TIMELINE_CHANNELS_MAX) {
		json_fault(&r, "channels", "has more than %d members",
			   TIMELINE_CHANNELS_MAX);
		return;
	}
	ev->channels = mem_array(json_count(channels), sizeof *ev->channels);
	while (!json_failed(&r) && json_next(channels, &cursor, &name, &channel))
		read_channel(&ev->channels[ev->count++], name, channel, p);
}

static void read_times(struct timeline *t, struct json_t *value, struct problem *p)
{
	struct json_reader r;

	json_reader_init(&r, value, "timeline", p);
	json_get_int(&r, "accepted_us", true, 0, INT64_MAX, &t->accepted_us);
	json_get_int(&r, "committed_us", false, 0, INT64_MAX, &t->committed_us);
	json_get_int(&r, "published_us", false, 0, INT64_MAX, &t->published_us);
}

static void read_all(struct timeline *t, struct json_t *root, struct problem *p)
{
	struct json_t *times, *events;
	struct json_reader r;

	json_reader_init(&r, root, "", p);
	json_get_text(&r, "id", true, t->id, sizeof t->id);
	json_get_text(&r, "from", false, t->from, sizeof t->from);
	json_get_text(&r, "to", false, t->to, sizeof t->to);
	json_get_text(&r, "amount", true, t->amount, sizeof t->amount);
	json_get_text(&r, "currency", true, t->currency, sizeof t->currency);
	json_get_text(&r, "description", false, t->description, sizeof t->description);
	times = json_get_value(&r, "timeline", false);
	events = json_get_value(&r, "events", times != NULL);
	if (json_failed(&r) || times == NULL)
		return;
	if (json_count(events) > TIMELINE_EVENTS_MAX) {
		json_fault(&r, "events", "has more than %d members", TIMELINE_EVENTS_MAX);
		return;
	}
	read_times(t, times, p);
	t->events = mem_array(json_count(events), sizeof *t->events);
	for (size_t i = 0; i < json_count(events) && !json_failed(&r); i++)
		read_event(&t->events[t->count++], json_item(events, i), p);
}

struct timeline *timeline_read(const char *json, size_t len, struct err *e)
{
	struct problem p = {.kind = PROBLEM_NONE};
	struct json_t *root = json_read(json, len, e);
	struct timeline *t;

	if (root == NULL) {
		err_wrap(e, "the timeline");
		return NULL;
	}
	t = mem_alloc(sizeof *t);
	read_all(t, root, &p);
	json_free(root);
	if (p.kind == PROBLEM_NONE)
		return t;
	err_set(e, ERR_INVALID, "the timeline: %s", p.detail);
	timeline_free(t);
	return NULL;
}

static void release_event(struct timeline_event *ev)
{
	for (size_t i = 0; i < ev->count; i++)
		mem_free(ev->channels[i].attempts);
	mem_free(ev->channels);
}

void timeline_free(struct timeline *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->count; i++)
		release_event(&t->events[i]);
	mem_free(t->events);
	mem_free(t);
}

static struct timeline_event *find_event(struct timeline *t, const char *id)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->events[i].id, id) == 0)
			return &t->events[i];
	return NULL;
}

/* What is searched for changes places with the first, and the first alone stays. */
bool timeline_keep(struct timeline *t, const char *event_id, const char *channel)
{
	struct timeline_event *ev = find_event(t, event_id), first_event;
	struct timeline_channel first;
	size_t at = 0;

	while (ev != NULL && at < ev->count &&
	       strcmp(ev->channels[at].name, channel) != 0)
		at++;
	if (ev == NULL || at == ev->count)
		return false;
	first = ev->channels[0];
	ev->channels[0] = ev->channels[at];
	ev->channels[at] = first;
	while (ev->count > 1)
		mem_free(ev->channels[--ev->count].attempts);
	first_event = t->events[0];
	t->events[0] = *ev;
	*ev = first_event;
	while (t->count > 1)
		release_event(&t->events[--t->count]);
	return true;
}

bool timeline_channel_ended(const struct timeline_channel *c)
{
	return strcmp(c->status, "delivered") == 0 ||
	       strcmp(c->status, "suppressed") == 0 || strcmp(c->status, "failed") == 0;
}

size_t timeline_open(const struct timeline *t)
{
	size_t open = 0;

	for (size_t i = 0; i < t->count; i++)
		for (size_t k = 0; k < t->events[i].count; k++)
			open += !timeline_channel_ended(&t->events[i].channels[k]);
	return open;
}

size_t timeline_count(const struct timeline *t, const char *status)
{
	size_t count = 0;

	for (size_t i = 0; i < t->count; i++)
		for (size_t k = 0; k < t->events[i].count; k++)
			count += strcmp(t->events[i].channels[k].status, status) == 0;
	return count;
}

int64_t timeline_channel_end_us(const struct timeline_channel *c)
{
	/* The last one: a replay begins behind an end. */
	for (size_t i = c->count; i-- > 0;) {
		const struct attempt *a = &c->attempts[i];

		if (a->final && a->device_id[0] == '\0')
			return a->started_us + a->took_us;
	}
	return 0;
}
