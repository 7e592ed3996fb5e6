/* /deliveries: how they stand, and the dead letters' way back.
 *
 * A replay only opens the delivery in the ledger, due at once, and the feeder hands it
 * out like any other whose wait is over. So it is as safe as every wait is: a crash at
 * any instant, or a wiped Redis, finds it open. */
#include <string.h>

#include "backend/answer.h"
#include "backend/api.h"
#include "base/mem.h"
#include "wire/json.h"

#define PAGE_BYTES_MAX (1 << 20)
#define CURSOR_SIZE    (EVENT_SEQUENCE_SIZE + 1 + CHANNEL_NAME_MAX)

static const char *status_name(const struct standing *s)
{
	return s->status < 0 ? "open"
			     : attempt_status_name((enum attempt_status)s->status);
}

static void put_time(struct json_writer *w, const char *key, int64_t at_us)
{
	if (at_us > 0)
		json_put_int(w, key, at_us);
}

static void put_standing(struct json_writer *w, const struct standing *s)
{
	char sequence[EVENT_SEQUENCE_SIZE], amount[MONEY_TEXT_SIZE];

	sequence_format(sequence, s->event.sequence);
	json_open(w, NULL, '{');
	json_put_text(w, "event_id", s->event.id);
	json_put_text(w, "sequence", sequence);
	json_put_text(w, "user_id", s->event.user_id);
	json_put_text(w, "channel", s->channel);
	json_put_text(w, "status", status_name(s));
	if (s->reason != REASON_NONE)
		json_put_text(w, "reason", attempt_reason_name(s->reason));
	json_put_int(w, "attempts", s->attempts);
	put_time(w, "ended_us", s->ended_us);
	put_time(w, "next_at_us", s->next_at_us);
	put_time(w, "replayed_us", s->replayed_us);
	json_put_text(w, "transaction_id", s->event.transaction_id);
	json_put_text(w, "amount",
		      money_format(amount, s->event.amount_minor, s->event.currency));
	json_put_text(w, "currency", s->event.currency);
	json_close(w, '}');
}

static void answer_standing(struct http_request *r, bool later, int status,
			    const struct standing *s)
{
	struct json_writer w;
	struct buf json;

	buf_init(&json, 8192);
	json_writer_init(&w, &json);
	put_standing(&w, s);
	answer_json(r, later, status, &json, NULL, NULL);
	buf_release(&json);
}

/* ---- GET /deliveries ---- */

/* The channels that are meant, NULL-ended. -1: answered. */
static int read_channels(struct call *c, const char *out[BUS_CHANNELS_MAX + 1])
{
	const struct bus_channels *channels = &c->api->channels;
	const char *wanted = http_query(c->request, "channel");
	struct problem p = {.kind = PROBLEM_NONE};
	int count = 0;

	for (int i = 0; i < channels->count; i++) {
		if (wanted == NULL || strcmp(wanted, channels->names[i]) == 0)
			out[count++] = channels->names[i];
	}
	out[count] = NULL;
	if (count > 0)
		return 0;
	problem_set(&p, PROBLEM_VALIDATION, "channel", "channel must be one of %s",
		    c->api->settings->channels);
	answer_problem(c->request, false, &p);
	return -1;
}

static int read_status(struct call *c)
{
	const char *text = http_query(c->request, "status");
	int status = text == NULL ? LISTING_FAILED : listing_status_parse(text);
	struct problem p = {.kind = PROBLEM_NONE};

	if (status >= 0)
		return status;
	problem_set(&p, PROBLEM_VALIDATION, "status",
		    "status must be one of failed, suppressed, delivered, retrying, "
		    "ambiguous, open");
	answer_problem(c->request, false, &p);
	return -1;
}

static bool parse_cursor(const char *text, struct listing_place *out)
{
	char sequence[EVENT_SEQUENCE_SIZE];
	const char *dot = strchr(text, '.');
	size_t len = dot == NULL ? 0 : (size_t)(dot - text);

	if (len == 0 || len >= sizeof sequence || strlen(dot + 1) > CHANNEL_NAME_MAX)
		return false;
	memcpy(sequence, text, len);
	sequence[len] = '\0';
	out->sequence = sequence_parse(sequence);
	mem_copy_text(out->channel, sizeof out->channel, dot + 1);
	return out->sequence >= 0;
}

static int read_cursor(struct call *c, struct listing_place *out)
{
	const char *text = http_query(c->request, "cursor");
	struct problem p = {.kind = PROBLEM_NONE};

	*out = LISTING_START;
	if (text == NULL || parse_cursor(text, out))
		return 0;
	problem_set(&p, PROBLEM_VALIDATION, "cursor",
		    "cursor must be the next_cursor of an earlier answer");
	answer_problem(c->request, false, &p);
	return -1;
}

static void put_cursor(struct json_writer *w, const struct listing_place *next)
{
	char text[CURSOR_SIZE], *end = text + EVENT_SEQUENCE_SIZE - 1;

	sequence_format(text, next->sequence);
	*end++ = '.';
	mem_copy_text(end, (size_t)(text + sizeof text - end), next->channel);
	json_put_text(w, "next_cursor", text);
}

static void put_one(void *arg, const struct standing *s)
{
	put_standing(arg, s);
}

static void answer_page(struct call *c, struct books *b, const struct listing_query *q)
{
	struct listing_place next;
	struct err e = ERR_INIT;
	struct json_writer w;
	struct buf json;
	int count;

	buf_init(&json, PAGE_BYTES_MAX);
	json_writer_init(&w, &json);
	json_open(&w, NULL, '{');
	json_open(&w, "deliveries", '[');
	count = listing_page(b->listing, q, &next, put_one, &w, &e);
	json_close(&w, ']');
	if (count >= 0 && next.sequence > 0)
		put_cursor(&w, &next);
	json_close(&w, '}');
	if (count < 0)
		answer_failure(c->request, &e);
	else
		answer_json(c->request, false, 200, &json, NULL, NULL);
	buf_release(&json);
}

void replay_route_list(struct call *c)
{
	const char *channels[BUS_CHANNELS_MAX + 1];
	struct listing_query q = {.channels = channels};
	struct books *b;
	int status = read_status(c);

	if (status < 0 || read_channels(c, channels) < 0 || read_cursor(c, &q.after) < 0)
		return;
	q.status = (enum listing_status)status;
	q.limit = call_limit(c, 50, LISTING_PAGE_MAX);
	if (q.limit < 0)
		return;
	b = call_reader(c);
	if (b == NULL)
		return;
	answer_page(c, b, &q);
	readers_give(c->api->readers, b);
}

/* ---- one ---- */

/* 1 found, 0 and *p, -1 failed. */
static int find(struct books *b, const char *event_id, const char *channel,
		struct standing *s, struct problem *p, struct err *e)
{
	int64_t sequence = id_key(event_id, "evt"), first;
	int rc = sequence < 0
			 ? 0
			 : deliveries_standing(b->deliveries, sequence, channel, s, e);

	if (rc < 0)
		return -1;
	if (rc == 0 || strcmp(s->event.id, event_id) != 0) {
		problem_set(p, PROBLEM_NOT_FOUND, "event_id", "there is no such event");
		return 0;
	}
	if (s->status >= 0)
		return 1;
	first = channels_first_event(b->channels, channel, e);
	if (first < 0)
		return -1;
	if (sequence > first)
		return 1;
	problem_set(p, PROBLEM_NOT_FOUND, "channel",
		    "the event is from before this channel was added");
	return 0;
}

/* False: answered. */
static bool has_channel(struct call *c)
{
	const struct bus_channels *channels = &c->api->channels;
	struct problem p = {.kind = PROBLEM_NONE};

	for (int i = 0; i < channels->count; i++) {
		if (strcmp(channels->names[i], c->id[1]) == 0)
			return true;
	}
	problem_set(&p, PROBLEM_NOT_FOUND, "channel",
		    "there is no such channel; there are: %s",
		    c->api->settings->channels);
	answer_problem(c->request, false, &p);
	return false;
}

void replay_route_get(struct call *c)
{
	struct problem p = {.kind = PROBLEM_NONE};
	struct err e = ERR_INIT;
	struct standing s;
	struct books *b;
	int rc;

	if (!has_channel(c))
		return;
	b = call_reader(c);
	if (b == NULL)
		return;
	rc = find(b, c->id[0], c->id[1], &s, &p, &e);
	readers_give(c->api->readers, b);
	if (rc == 1)
		answer_standing(c->request, false, 200, &s);
	else if (rc == 0)
		answer_problem(c->request, false, &p);
	else
		answer_failure(c->request, &e);
}

/* ---- POST …/retry ---- */

struct replay {
	struct job job;
	struct api *api;
	struct http_request *request;
	char event_id[ID_SIZE], channel[CHANNEL_NAME_MAX + 1];
	int64_t at_us; /* UTC: of this replay */
	struct standing standing;
	struct problem problem; /* refused */
};

static void refuse(struct replay *w)
{
	if (w->standing.status == ATTEMPT_DELIVERED)
		problem_set(&w->problem, PROBLEM_CONFLICT, NULL,
			    "it was delivered: another time it would be sent twice");
	else
		problem_set(&w->problem, PROBLEM_CONFLICT, NULL,
			    "it is still open, and is being delivered: wait for its end");
}

static int retry_apply(struct job *j, struct books *b, int64_t now_us, struct err *e)
{
	struct replay *w = container_of(j, struct replay, job);
	struct standing *s = &w->standing;
	int rc;

	w->problem.kind = PROBLEM_NONE;
	w->at_us = now_us;
	rc = find(b, w->event_id, w->channel, s, &w->problem, e);

	if (rc != 1)
		return rc;
	rc = deliveries_reopen(b->deliveries, s->event.sequence, w->channel, now_us, e);
	if (rc == 0)
		refuse(w);
	if (rc != 1)
		return rc;
	rc = deliveries_standing(b->deliveries, s->event.sequence, w->channel, s, e);
	return rc < 0 ? -1 : 0;
}

/* No other replay of this delivery has this one's time. */
static int retry_lookup(struct job *j, struct books *b, int64_t now_us, struct err *e)
{
	struct replay *w = container_of(j, struct replay, job);
	int rc;

	(void)now_us;
	w->problem.kind = PROBLEM_NONE;
	rc = find(b, w->event_id, w->channel, &w->standing, &w->problem, e);
	if (rc != 1)
		return rc < 0 ? -1 : 1;
	return w->standing.replayed_us == w->at_us;
}

static void retry_finish(struct job *j, enum job_outcome outcome)
{
	struct replay *w = container_of(j, struct replay, job);

	if (outcome != JOB_DONE) {
		answer_undone(w->request, outcome);
	} else if (w->problem.kind != PROBLEM_NONE) {
		answer_problem(w->request, true, &w->problem);
	} else {
		answer_standing(w->request, true, 202, &w->standing);
		feeder_due(w->api->feeder);
	}
	mem_free(w);
}

void replay_route_retry(struct call *c)
{
	struct replay *w;

	if (!has_channel(c))
		return;
	w = mem_alloc(sizeof *w);
	w->api = c->api;
	w->request = c->request;
	w->job.apply = retry_apply;
	w->job.lookup = retry_lookup;
	w->job.finish = retry_finish;
	mem_copy_text(w->channel, sizeof w->channel, c->id[1]);
	/* What is longer than any id is none, and may not be cut to one. */
	if (!mem_copy_text(w->event_id, sizeof w->event_id, c->id[0]))
		w->event_id[0] = '\0';
	if (!call_commit(c, &w->job))
		mem_free(w);
}
