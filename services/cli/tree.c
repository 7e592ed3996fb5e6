#include "cli/tree.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define STATUS_WIDTH  10 /* "suppressed" */
#define LATENCY_WIDTH 11 /* "+5 min 59 s" */
#define CHANNEL_WIDTH 6
#define COUNT_WIDTH   11 /* "12 attempts" */

/* What stands before a line: the branches of those above it. */
struct branch {
	char text[64];
};

/* The attempts of a channel that are about one device, or about the channel itself. */
struct thread {
	const struct timeline_channel *channel;
	const char *device_id; /* "": the channel */
	int64_t accepted_us;
};

struct status_look {
	const char *status, *sign;
	enum tint tint;
};

static const struct status_look LOOKS[] = {
	{"delivered", "✓", TINT_GOOD}, {"failed", "✗", TINT_BAD},
	{"suppressed", "○", TINT_DIM}, {"retrying", "↻", TINT_WARN},
	{"ambiguous", "?", TINT_WARN}, {"open", "…", TINT_WARN},
};

static const struct status_look *look_of(const char *status)
{
	static const struct status_look unknown = {"", "·", TINT_NONE};

	for (size_t i = 0; i < sizeof LOOKS / sizeof LOOKS[0]; i++)
		if (strcmp(LOOKS[i].status, status) == 0)
			return &LOOKS[i];
	return &unknown;
}

enum tint tree_tint(const char *status)
{
	return look_of(status)->tint;
}

const char *tree_sign(const char *status)
{
	return look_of(status)->sign;
}

/* ---- lines ---- */

static struct branch begin_line(struct ink *k, const struct branch *above, bool last)
{
	struct branch below;

	ink_text(k, TINT_DIM, above->text);
	ink_text(k, TINT_DIM, last ? "└─ " : "├─ ");
	mem_copy_text(below.text, sizeof below.text, above->text);
	strncat(below.text, last ? "   " : "│  ",
		sizeof below.text - strlen(below.text) - 1);
	return below;
}

static void end_line(struct ink *k)
{
	while (k->out->len > 0 && k->out->data[k->out->len - 1] == ' ')
		k->out->len--;
	ink_raw(k, "\n");
}

static void add_since(struct ink *k, int64_t from_us, int64_t at_us, size_t width)
{
	char span[INK_SPAN_SIZE], text[INK_SPAN_SIZE + 1] = "";

	if (at_us > 0) {
		ink_span(span, at_us - from_us);
		snprintf(text, sizeof text, "%s%s", span[0] == '-' ? "" : "+", span);
	}
	ink_cell(k, TINT_STRONG, text, width);
}

static void add_status(struct ink *k, const char *status)
{
	ink_text(k, tree_tint(status), tree_sign(status));
	ink_raw(k, " ");
	ink_cell(k, tree_tint(status), status, STATUS_WIDTH);
	ink_raw(k, "  ");
}

static void add_count(struct ink *k, int count)
{
	char text[32] = "";

	if (count > 0)
		snprintf(text, sizeof text, "%d attempt%s", count, count == 1 ? "" : "s");
	ink_cell(k, TINT_NONE, text, COUNT_WIDTH);
	ink_raw(k, "  ");
}

/* "smtp 451 provider_error, late, next at 09:30:00.123" */
static void add_outcome(struct ink *k, const struct attempt *a, bool open)
{
	char time[INK_TIME_SIZE];

	ink_text(k, TINT_NONE, a->provider);
	if (a->code != 0)
		ink_rawf(k, "%s%d", a->provider[0] != '\0' ? " " : "", a->code);
	if (a->reason != REASON_NONE)
		ink_rawf(k, "%s%s", a->provider[0] != '\0' || a->code != 0 ? " " : "",
			 attempt_reason_name(a->reason));
	if (a->late)
		ink_raw(k, ", late");
	if (open && a->next_at_us > 0)
		ink_rawf(k, ", next at %s UTC", ink_time(time, a->next_at_us, false));
}

/* ---- attempts of one thread ---- */

static bool is_of(const struct thread *t, const struct attempt *a)
{
	return strcmp(a->device_id, t->device_id) == 0;
}

static size_t records(const struct thread *t)
{
	size_t count = 0;

	for (size_t i = 0; i < t->channel->count; i++)
		count += is_of(t, &t->channel->attempts[i]);
	return count;
}

/* NULL when nothing was tried. */
static const struct attempt *last_of(const struct thread *t)
{
	for (size_t i = t->channel->count; i-- > 0;)
		if (is_of(t, &t->channel->attempts[i]))
			return &t->channel->attempts[i];
	return NULL;
}

/* Of the channel as a whole: its devices' too. A replay counts from 1 again, so the
 * most. */
static int tries(const struct thread *t)
{
	int most = 0;

	for (size_t i = 0; i < t->channel->count; i++) {
		const struct attempt *a = &t->channel->attempts[i];

		if ((t->device_id[0] == '\0' || is_of(t, a)) && a->attempt > most)
			most = a->attempt;
	}
	return most;
}

static void add_attempt(struct ink *k, const struct thread *t, const struct attempt *a,
			bool last)
{
	ink_rawf(k, "%d  ", a->attempt);
	add_status(k, attempt_status_name(a->status));
	add_since(k, t->accepted_us, a->started_us + a->took_us, LATENCY_WIDTH);
	ink_raw(k, "  ");
	add_outcome(k, a, last);
	end_line(k);
}

/* Only where there were several: one is told by the line above. */
static void add_attempts(struct ink *k, const struct branch *above,
			 const struct thread *t)
{
	size_t left = records(t);

	for (size_t i = 0; left > 0 && i < t->channel->count; i++) {
		const struct attempt *a = &t->channel->attempts[i];

		if (!is_of(t, a))
			continue;
		begin_line(k, above, --left == 0);
		add_attempt(k, t, a, left == 0);
	}
}

/* ---- devices ---- */

/* Is this attempt the first of its device? */
static bool opens_device(const struct timeline_channel *c, size_t i)
{
	if (c->attempts[i].device_id[0] == '\0')
		return false;
	for (size_t k = 0; k < i; k++)
		if (strcmp(c->attempts[k].device_id, c->attempts[i].device_id) == 0)
			return false;
	return true;
}

static size_t devices(const struct timeline_channel *c)
{
	size_t count = 0;

	for (size_t i = 0; i < c->count; i++)
		count += opens_device(c, i);
	return count;
}

static void add_device(struct ink *k, const struct branch *above, const struct thread *t,
		       bool last)
{
	const struct attempt *a = last_of(t);
	struct branch below = begin_line(k, above, last);

	ink_text(k, TINT_NONE, t->device_id);
	ink_raw(k, "  ");
	add_status(k, attempt_status_name(a->status));
	add_since(k, t->accepted_us, a->started_us + a->took_us, LATENCY_WIDTH);
	ink_raw(k, "  ");
	add_count(k, tries(t));
	add_outcome(k, a, true);
	end_line(k);
	if (records(t) > 1)
		add_attempts(k, &below, t);
}

static void add_devices(struct ink *k, const struct branch *above, const struct thread *t)
{
	const struct timeline_channel *c = t->channel;
	size_t left = devices(c);

	for (size_t i = 0; i < c->count; i++) {
		struct thread device = {c, c->attempts[i].device_id, t->accepted_us};

		if (opens_device(c, i))
			add_device(k, above, &device, --left == 0);
	}
}

/* ---- channels and people ---- */

static void add_channel(struct ink *k, const struct branch *above,
			const struct timeline_channel *c, int64_t accepted_us, bool last)
{
	const struct thread t = {c, "", accepted_us};
	const struct attempt *a = last_of(&t);
	struct branch below = begin_line(k, above, last);
	int64_t end_us = timeline_channel_end_us(c);

	ink_cell(k, TINT_STRONG, c->name, CHANNEL_WIDTH);
	ink_raw(k, "  ");
	add_status(k, c->status);
	if (end_us == 0 && a != NULL)
		end_us = a->started_us + a->took_us;
	add_since(k, accepted_us, end_us, LATENCY_WIDTH);
	ink_raw(k, "  ");
	add_count(k, tries(&t));
	if (a != NULL)
		add_outcome(k, a, !timeline_channel_ended(c));
	end_line(k);
	if (devices(c) > 0)
		add_devices(k, &below, &t);
	else if (records(&t) > 1)
		add_attempts(k, &below, &t);
}

static void add_event(struct ink *k, const struct timeline_event *ev, int64_t accepted_us,
		      bool last)
{
	const struct branch root = {""};
	struct branch below = begin_line(k, &root, last);

	ink_text(k, TINT_STRONG, ev->user_id);
	ink_raw(k, "  ");
	ink_text(k, TINT_NONE, ev->direction);
	ink_raw(k, "  ");
	ink_text(k, TINT_DIM, ev->id);
	end_line(k);
	for (size_t i = 0; i < ev->count; i++)
		add_channel(k, &below, &ev->channels[i], accepted_us, i + 1 == ev->count);
}

static void add_stages(struct ink *k, const struct timeline *t)
{
	const struct branch root = {""};
	char time[INK_TIME_SIZE];

	begin_line(k, &root, t->count == 0);
	ink_rawf(k, "accepted %s UTC → ", ink_time(time, t->accepted_us, true));
	if (t->committed_us > 0) {
		ink_raw(k, "committed ");
		add_since(k, t->accepted_us, t->committed_us, 0);
	} else {
		ink_text(k, TINT_WARN, "not committed yet");
	}
	ink_raw(k, " → ");
	if (t->published_us > 0) {
		ink_raw(k, "published ");
		add_since(k, t->accepted_us, t->published_us, 0);
	} else {
		ink_text(k, TINT_WARN, "not published yet");
	}
	end_line(k);
}

void tree_payment(struct ink *k, const struct timeline *t)
{
	ink_text(k, TINT_STRONG, t->from[0] != '\0' ? t->from : "(outside)");
	ink_raw(k, " → ");
	ink_text(k, TINT_STRONG, t->to[0] != '\0' ? t->to : "(outside)");
	ink_raw(k, "  ");
	ink_text(k, TINT_STRONG, t->amount);
	ink_raw(k, " ");
	ink_text(k, TINT_STRONG, t->currency);
	if (t->description[0] == '\0')
		return;
	/* Last in its line: writing that runs to the left moves nothing else. */
	ink_raw(k, "  \"");
	ink_text(k, TINT_NONE, t->description);
	ink_raw(k, "\"");
}

void tree_render(struct ink *k, const struct timeline *t)
{
	ink_text(k, TINT_DIM, t->id);
	ink_raw(k, "  ");
	tree_payment(k, t);
	end_line(k);
	add_stages(k, t);
	for (size_t i = 0; i < t->count; i++)
		add_event(k, &t->events[i], t->accepted_us, i + 1 == t->count);
}
