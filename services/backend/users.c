/* /users: contact data, preferences, balances, events, tokens. */
#include <stdio.h>
#include <string.h>

#include "backend/answer.h"
#include "backend/api.h"
#include "base/clock.h"
#include "base/mem.h"
#include "io/token.h"

#define TOKEN_LIFE_S     3600
#define TOKEN_LIFE_MAX_S 86400

/* False: answered. */
static bool has_user_id(struct call *c)
{
	struct problem p = {.kind = PROBLEM_NONE};

	if (id_is_user(c->id[0], strlen(c->id[0])))
		return true;
	problem_set(&p, PROBLEM_VALIDATION, "id",
		    "a user id is 1 to %d of [A-Za-z0-9._-]", USER_ID_MAX);
	answer_problem(c->request, false, &p);
	return false;
}

static void answer_unknown(struct http_request *r, bool later)
{
	struct problem p = {.kind = PROBLEM_NONE};

	problem_set(&p, PROBLEM_NOT_FOUND, "id", "there is no such user");
	answer_problem(r, later, &p);
}

/* The user, or answered: 404, or what the database said. */
static bool find_user(struct call *c, struct books *b, struct user *u)
{
	struct err e = ERR_INIT;
	int rc = users_get(b->users, c->id[0], u, &e);

	if (rc == 0)
		answer_unknown(c->request, false);
	else if (rc < 0)
		answer_failure(c->request, &e);
	return rc == 1;
}

/* ---- PUT and DELETE ---- */

struct user_job {
	struct job job;
	struct http_request *request;
	struct user user;
	int result; /* of users_put or users_delete */
};

static int put_apply(struct job *j, struct books *b, int64_t now_us, struct err *e)
{
	struct user_job *w = container_of(j, struct user_job, job);

	w->result = users_put(b->users, &w->user, now_us, e);
	return w->result < 0 ? -1 : 0;
}

static void put_finish(struct job *j, enum job_outcome outcome)
{
	struct user_job *w = container_of(j, struct user_job, job);
	struct buf json;

	buf_init(&json, 65536);
	user_encode(&w->user, &json);
	if (outcome == JOB_DONE)
		answer_json(w->request, true, w->result == 1 ? 201 : 200, &json, NULL,
			    NULL);
	else
		answer_undone(w->request, outcome);
	buf_release(&json);
	mem_free(w);
}

void users_route_put(struct call *c)
{
	struct problem p = {.kind = PROBLEM_NONE};
	struct user_job *w;
	const char *body;
	size_t len;

	if (!has_user_id(c) || !call_has_json(c))
		return;
	body = http_body(c->request, &len);
	w = mem_alloc(sizeof *w);
	w->request = c->request;
	w->job.apply = put_apply;
	w->job.finish = put_finish;
	if (user_decode(&w->user, body, len, &p) < 0) {
		answer_problem(c->request, false, &p);
		mem_free(w);
		return;
	}
	mem_copy_text(w->user.id, sizeof w->user.id, c->id[0]);
	if (!call_commit(c, &w->job))
		mem_free(w);
}

static int delete_apply(struct job *j, struct books *b, int64_t now_us, struct err *e)
{
	struct user_job *w = container_of(j, struct user_job, job);

	w->result = users_delete(b->users, w->user.id, now_us, e);
	return w->result < 0 ? -1 : 0;
}

static void delete_finish(struct job *j, enum job_outcome outcome)
{
	struct user_job *w = container_of(j, struct user_job, job);

	if (outcome != JOB_DONE)
		answer_undone(w->request, outcome);
	else if (w->result == 0)
		answer_unknown(w->request, true);
	else
		answer_nothing(w->request, true);
	mem_free(w);
}

void users_route_delete(struct call *c)
{
	struct user_job *w;

	if (!has_user_id(c))
		return;
	w = mem_alloc(sizeof *w);
	w->request = c->request;
	w->job.apply = delete_apply;
	w->job.finish = delete_finish;
	mem_copy_text(w->user.id, sizeof w->user.id, c->id[0]);
	if (!call_commit(c, &w->job))
		mem_free(w);
}

/* ---- GET ---- */

void users_route_get(struct call *c)
{
	struct books *b = has_user_id(c) ? call_reader(c) : NULL;
	struct user u;
	struct buf json;

	if (b == NULL)
		return;
	buf_init(&json, 65536);
	if (find_user(c, b, &u)) {
		user_encode(&u, &json);
		answer_json(c->request, false, 200, &json, NULL, NULL);
	}
	readers_give(c->api->readers, b);
	buf_release(&json);
}

static void put_balances(struct json_writer *w, const struct user *u,
			 const struct balance *balances, int count)
{
	char amount[MONEY_TEXT_SIZE];

	json_open(w, NULL, '{');
	json_put_text(w, "user_id", u->id);
	json_open(w, "balances", '[');
	for (int i = 0; i < count; i++) {
		json_open(w, NULL, '{');
		json_put_text(w, "currency", balances[i].currency);
		json_put_text(
			w, "amount",
			money_format(amount, balances[i].minor, balances[i].currency));
		json_close(w, '}');
	}
	json_close(w, ']');
	json_close(w, '}');
}

void users_route_balance(struct call *c)
{
	struct books *b = has_user_id(c) ? call_reader(c) : NULL;
	struct balance balances[BALANCES_MAX];
	struct err e = ERR_INIT;
	struct json_writer w;
	struct user u;
	struct buf json;
	int count;

	if (b == NULL)
		return;
	buf_init(&json, 65536);
	json_writer_init(&w, &json);
	if (find_user(c, b, &u)) {
		count = users_balances(b->users, u.id, balances, &e);
		put_balances(&w, &u, balances, count);
		if (count < 0)
			answer_failure(c->request, &e);
		else
			answer_json(c->request, false, 200, &json, NULL, NULL);
	}
	readers_give(c->api->readers, b);
	buf_release(&json);
}

struct event_listing {
	struct json_writer w;
	const struct event_naming *naming;
	struct buf one;
	int64_t last;
};

static void list_event(void *arg, const struct event *event)
{
	struct event_listing *l = arg;

	buf_clear(&l->one);
	event_encode(event, l->naming, &l->one);
	json_put_raw(&l->w, NULL, l->one.data, l->one.len);
	l->last = event->sequence;
}

static void answer_events(struct call *c, struct books *b, const char *user_id,
			  int64_t after, int limit)
{
	struct event_listing l = {.naming = &c->api->naming, .last = after};
	char next[EVENT_SEQUENCE_SIZE];
	struct err e = ERR_INIT;
	struct buf json;
	int count;

	buf_init(&json, 16 << 20);
	buf_init(&l.one, EVENT_ENCODED_MAX);
	json_writer_init(&l.w, &json);
	json_open(&l.w, NULL, '{');
	json_open(&l.w, "events", '[');
	count = events_of_user(b->events, user_id, after, limit, list_event, &l, &e);
	json_close(&l.w, ']');
	/* Always there: whoever polls goes on from it. */
	sequence_format(next, l.last);
	json_put_text(&l.w, "next_after", next);
	json_put_bool(&l.w, "more", count == limit);
	json_close(&l.w, '}');
	if (count < 0)
		answer_failure(c->request, &e);
	else
		answer_json(c->request, false, 200, &json, NULL, NULL);
	buf_release(&l.one);
	buf_release(&json);
}

void users_route_events(struct call *c)
{
	struct books *b;
	int64_t after;
	struct user u;
	int limit;

	if (!has_user_id(c))
		return;
	limit = call_limit(c, 100, EVENTS_PAGE_MAX);
	after = limit < 0 ? -1 : call_sequence(c, "after", 0);
	b = after < 0 ? NULL : call_reader(c);
	if (b == NULL)
		return;
	if (find_user(c, b, &u))
		answer_events(c, b, u.id, after, limit);
	readers_give(c->api->readers, b);
}

/* ---- tokens ---- */

/* {"ttl_s"?}; an empty body is fine. */
static int read_token_life(struct call *c, int64_t *life_s, struct problem *p)
{
	struct json_reader r;
	struct err e = ERR_INIT;
	struct json_t *value;
	const char *body;
	size_t len;
	int rc;

	*life_s = TOKEN_LIFE_S;
	body = http_body(c->request, &len);
	if (len == 0)
		return 0;
	value = json_read(body, len, &e);
	if (value == NULL)
		return problem_set(p, PROBLEM_MALFORMED, "body", "%s", e.text);
	json_reader_init(&r, value, "", p);
	if (!json_get_int(&r, "ttl_s", false, 1, TOKEN_LIFE_MAX_S, life_s))
		*life_s = TOKEN_LIFE_S;
	rc = json_reader_end(&r, "ttl_s");
	json_free(value);
	return rc;
}

static void answer_token(struct call *c, int64_t life_s)
{
	int64_t now_s = clock_utc_us() / US_PER_S;
	struct token_claims claims = {
		.issued_s = now_s, .not_before_s = now_s, .expires_s = now_s + life_s};
	char token[TOKEN_MAX];
	struct err e = ERR_INIT;
	struct json_writer w;
	struct buf json;

	mem_copy_text(claims.subject, sizeof claims.subject, c->id[0]);
	mem_copy_text(claims.audience, sizeof claims.audience,
		      c->api->settings->jwt_audience);
	if (token_sign(token, &claims, c->api->settings->jwt_secret, &e) < 0) {
		answer_failure(c->request, &e);
		return;
	}
	buf_init(&json, 4096);
	json_writer_init(&w, &json);
	json_open(&w, NULL, '{');
	json_put_text(&w, "token", token);
	json_put_int(&w, "expires_us", claims.expires_s * US_PER_S);
	json_close(&w, '}');
	answer_json(c->request, false, 201, &json, "Cache-Control", "no-store");
	buf_release(&json);
}

void users_route_token(struct call *c)
{
	struct problem p = {.kind = PROBLEM_NONE};
	struct books *b;
	struct user u;
	int64_t life_s;

	if (!has_user_id(c))
		return;
	if (c->api->settings->jwt_secret[0] == '\0') {
		problem_set(
			&p, PROBLEM_NOT_FOUND, NULL,
			"tokens are switched off here: PAYBELL_JWT_SECRET is not set");
		answer_problem(c->request, false, &p);
		return;
	}
	if (read_token_life(c, &life_s, &p) < 0) {
		answer_problem(c->request, false, &p);
		return;
	}
	b = call_reader(c);
	if (b == NULL)
		return;
	if (find_user(c, b, &u))
		answer_token(c, life_s);
	readers_give(c->api->readers, b);
}
