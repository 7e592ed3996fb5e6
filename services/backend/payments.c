/* /transactions: a payment is made, shown with its timeline, listed.
 *
 * A payment with an Idempotency-Key (one that belongs to this API key) is answered at
 * most once as new: the key is looked up and kept in the same batch as the payment, and
 * while it is on its way another request with it is a 409. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backend/answer.h"
#include "backend/api.h"
#include "backend/timeline.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/transaction.h"

#define IDEMPOTENCY_KEY_MAX 255

struct payment {
	struct job job;
	struct api *api;
	struct http_request *request;
	bool has_key, replayed, refused;
	struct idempotency key;
	struct transaction_request asked;
	struct transaction made;
	struct problem problem;
};

/* ---- POST ---- */

static void first_bytes(uint8_t out[IDEMPOTENCY_HASH_BYTES],
			const struct digest_part *parts)
{
	uint8_t digest[SHA256_BYTES];

	digest_sha256(digest, parts);
	memcpy(out, digest, IDEMPOTENCY_HASH_BYTES);
}

/* Whatever apply() believed is forgotten: what is kept counts. */
static int payment_lookup(struct job *j, struct books *b, int64_t now_us, struct err *e)
{
	struct payment *w = container_of(j, struct payment, job);
	int rc = ledger_recall(b->ledger, &w->key, now_us, &w->made, &w->problem, e);

	w->refused = rc == 1 && w->problem.kind != PROBLEM_NONE;
	return rc;
}

/* 0, also without a key; -1 and *p for one that cannot be used. */
static int read_key(struct call *c, struct payment *w, struct problem *p)
{
	const char *key = http_header(c->request, "Idempotency-Key"),
		   *method = http_method(c->request);
	size_t len, body_len;
	const char *body = http_body(c->request, &body_len);

	if (key == NULL)
		return 0;
	len = strlen(key);
	if (len == 0 || len > IDEMPOTENCY_KEY_MAX)
		return problem_set(p, PROBLEM_VALIDATION, "Idempotency-Key",
				   "a key has 1 to %d characters", IDEMPOTENCY_KEY_MAX);
	first_bytes(w->key.key,
		    (const struct digest_part[]){
			    {c->key_digest, SHA256_BYTES}, {key, len}, {NULL, 0}});
	first_bytes(w->key.fingerprint, (const struct digest_part[]){
						{method, strlen(method) + 1},
						{"/transactions", sizeof "/transactions"},
						{body, body_len},
						{NULL, 0}});
	w->has_key = true;
	w->job.lookup = payment_lookup;
	return 0;
}

static int payment_apply(struct job *j, struct books *b, int64_t now_us, struct err *e)
{
	struct payment *w = container_of(j, struct payment, job);
	int rc;

	if (w->has_key) {
		rc = ledger_recall(b->ledger, &w->key, now_us, &w->made, &w->problem, e);
		w->replayed = rc == 1;
		w->refused = w->replayed && w->problem.kind != PROBLEM_NONE;
		if (rc != 0)
			return rc < 0 ? -1 : 0;
	}
	rc = ledger_pay(b->ledger, &w->asked, now_us, &w->made, &w->problem, e);
	w->refused = rc == 1;
	if (rc < 0 || !w->has_key)
		return rc < 0 ? -1 : 0;
	return ledger_remember(b->ledger, &w->key, now_us, w->refused ? NULL : &w->made,
			       &w->problem, e);
}

static void payment_free(struct payment *w)
{
	transaction_request_release(&w->asked);
	mem_free(w);
}

static void answer_made(struct payment *w)
{
	char location[sizeof "/transactions/" + ID_SIZE];
	struct http_answer a = {.status = 201, .content_type = "application/json"};
	struct buf json;

	snprintf(location, sizeof location, "/transactions/%s", w->made.id);
	buf_init(&json, 65536);
	transaction_encode(&w->made, &json);
	a.body = buf_text(&json);
	a.body_len = json.len;
	a.headers[0].name = "Location";
	a.headers[0].value = location;
	if (w->replayed) {
		a.headers[1].name = "Idempotent-Replayed";
		a.headers[1].value = "true";
	}
	http_answer_hold(w->request, &a);
	buf_release(&json);
}

static void answer_refused(struct payment *w)
{
	struct http_answer a = {.status = problem_status(w->problem.kind),
				.content_type = PROBLEM_CONTENT_TYPE};
	struct buf json;

	buf_init(&json, 8192);
	problem_encode(&w->problem, &json);
	a.body = buf_text(&json);
	a.body_len = json.len;
	if (w->replayed && w->problem.kind != PROBLEM_KEY_REUSED) {
		a.headers[0].name = "Idempotent-Replayed";
		a.headers[0].value = "true";
	}
	http_answer_hold(w->request, &a);
	buf_release(&json);
}

static void payment_finish(struct job *j, enum job_outcome outcome)
{
	struct payment *w = container_of(j, struct payment, job);

	/* Before the answer: a client that has it may use the key at once. */
	if (w->has_key)
		underway_leave(w->api->underway, w->key.key);
	if (outcome != JOB_DONE) {
		answer_undone(w->request, outcome);
	} else if (w->refused) {
		answer_refused(w);
	} else {
		answer_made(w);
	}
	payment_free(w);
}

static struct payment *payment_new(struct call *c, struct problem *p)
{
	struct payment *w = mem_alloc(sizeof *w);
	size_t len;
	const char *body = http_body(c->request, &len);

	w->api = c->api;
	w->request = c->request;
	w->job.apply = payment_apply;
	w->job.finish = payment_finish;
	if (read_key(c, w, p) == 0 &&
	    transaction_request_decode(&w->asked, body, len, p) == 0)
		return w;
	mem_free(w);
	return NULL;
}

void payments_post(struct call *c)
{
	struct problem p = {.kind = PROBLEM_NONE};
	struct payment *w;

	if (!call_has_json(c))
		return;
	w = payment_new(c, &p);
	if (w == NULL) {
		answer_problem(c->request, false, &p);
		return;
	}
	if (w->has_key && !underway_enter(c->api->underway, w->key.key)) {
		problem_set(&p, PROBLEM_IN_PROGRESS, "Idempotency-Key",
			    "a request with this key is being worked on: ask again");
		p.retry_after_s = 1;
		answer_problem(c->request, false, &p);
		payment_free(w);
		return;
	}
	if (call_commit(c, &w->job))
		return;
	if (w->has_key)
		underway_leave(c->api->underway, w->key.key);
	payment_free(w);
}

/* ---- GET ---- */

void payments_get(struct call *c)
{
	struct books *b = call_reader(c);
	struct transaction *t;
	struct problem p = {.kind = PROBLEM_NONE};
	struct err e = ERR_INIT;
	struct buf json;
	int rc;

	if (b == NULL)
		return;
	t = mem_alloc(sizeof *t);
	buf_init(&json, 4 << 20);
	rc = events_transaction(b->events, c->id[0], t, &e);
	if (rc == 1 && timeline_encode(b, t, &c->api->channels, &json, &e) < 0)
		rc = -1;
	readers_give(c->api->readers, b);
	if (rc == 0)
		problem_set(&p, PROBLEM_NOT_FOUND, "id", "there is no such transaction");
	if (rc == 1)
		answer_json(c->request, false, 200, &json, NULL, NULL);
	else if (rc == 0)
		answer_problem(c->request, false, &p);
	else
		answer_failure(c->request, &e);
	buf_release(&json);
	mem_free(t);
}

struct listing {
	struct json_writer w;
	int64_t last;
};

static void list_one(void *arg, const struct transaction *t, int64_t sequence)
{
	struct listing *l = arg;

	json_open(&l->w, NULL, '{');
	transaction_put(&l->w, t);
	json_close(&l->w, '}');
	l->last = sequence;
}

static void answer_list(struct call *c, struct books *b, const char *user_id,
			int64_t before, int limit)
{
	struct listing l = {.last = 0};
	struct err e = ERR_INIT;
	char cursor[EVENT_SEQUENCE_SIZE];
	struct buf json;
	int count;

	buf_init(&json, 16 << 20);
	json_writer_init(&l.w, &json);
	json_open(&l.w, NULL, '{');
	json_open(&l.w, "transactions", '[');
	count = events_transactions(b->events, user_id, before, limit, list_one, &l, &e);
	json_close(&l.w, ']');
	if (count == limit) {
		sequence_format(cursor, l.last);
		json_put_text(&l.w, "next_cursor", cursor);
	}
	json_close(&l.w, '}');
	if (count < 0)
		answer_failure(c->request, &e);
	else
		answer_json(c->request, false, 200, &json, NULL, NULL);
	buf_release(&json);
}

void payments_list(struct call *c)
{
	const char *user_id = http_query(c->request, "user_id");
	struct problem p = {.kind = PROBLEM_NONE};
	int64_t before;
	struct books *b;
	int limit;

	if (user_id == NULL || !id_is_user(user_id, strlen(user_id))) {
		problem_set(&p, PROBLEM_VALIDATION, "user_id",
			    "say whose: ?user_id= with 1 to %d of [A-Za-z0-9._-]",
			    USER_ID_MAX);
		answer_problem(c->request, false, &p);
		return;
	}
	limit = call_limit(c, 50, EVENTS_PAGE_MAX);
	before = limit < 0 ? -1 : call_sequence(c, "cursor", INT64_MAX);
	if (before < 0)
		return;
	b = call_reader(c);
	if (b == NULL)
		return;
	answer_list(c, b, user_id, before, limit);
	readers_give(c->api->readers, b);
}
