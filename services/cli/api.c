#include "cli/api.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "io/transfer.h"
#include "wire/json.h"

#define CONNECTIONS        16
#define CONNECT_TIMEOUT_MS 3000
#define TRY_TIMEOUT_MS     10000
#define FIRST_WAIT_MS      200
#define WAIT_MAX_MS        10000
#define HEADER_MAX         1024

struct api {
	struct loop *loop;
	struct transfer_engine *engine;
	int waiting; /* calls without their end */
	struct loop_timer *pause;
	struct buf base, authorization, url;
	api_wait_fn *on_wait;
	void *arg;
};

/* One try and what came of it. */
struct attempt_result {
	struct api *api;
	struct buf *body;
	enum transfer_outcome outcome;
	int status;
	int64_t retry_after_s;
	char text[128];
};

static void end_loop(void *arg)
{
	loop_stop(arg);
}

int api_new(struct api **out, struct loop *l, const char *base_url, const char *key,
	    api_wait_fn *on_wait, void *arg, struct err *e)
{
	const struct transfer_engine_settings settings = {.max_connections = CONNECTIONS,
							  .ca_file = ""};
	size_t len = strlen(base_url);
	struct api *a;

	if (strncasecmp(base_url, "http://", 7) != 0 &&
	    strncasecmp(base_url, "https://", 8) != 0)
		return err_set(e, ERR_INVALID,
			       "PAYBELL_API must begin with http:// or https://");
	while (len > 0 && base_url[len - 1] == '/')
		len--;
	a = mem_alloc(sizeof *a);
	a->loop = l;
	a->engine = transfer_engine_new(l, &settings);
	a->pause = loop_timer_new(l, end_loop, l);
	a->on_wait = on_wait;
	a->arg = arg;
	buf_init(&a->base, TRANSFER_URL_MAX);
	buf_add(&a->base, base_url, len);
	buf_init(&a->authorization, HEADER_MAX);
	buf_addf(&a->authorization, "Authorization: Bearer %s", key);
	buf_init(&a->url, TRANSFER_URL_MAX - 1);
	*out = a;
	return 0;
}

void api_free(struct api *a)
{
	if (a == NULL)
		return;
	transfer_engine_free(a->engine);
	loop_timer_free(a->pause);
	buf_release(&a->base);
	buf_release(&a->authorization);
	buf_release(&a->url);
	mem_free(a);
}

/* ---- what an error answer says ---- */

struct words {
	char type[128], title[128], detail[512], field[128];
};

static bool read_problem(struct words *w, const char *body, size_t len)
{
	struct problem p = {.kind = PROBLEM_NONE};
	struct err e = ERR_INIT;
	struct json_t *root = json_read(body, len, &e);
	struct json_reader r;

	if (root == NULL)
		return false;
	json_reader_init(&r, root, "", &p);
	json_get_text(&r, "type", true, w->type, sizeof w->type);
	json_get_text(&r, "title", false, w->title, sizeof w->title);
	json_get_text(&r, "detail", false, w->detail, sizeof w->detail);
	json_get_text(&r, "field", false, w->field, sizeof w->field);
	json_free(root);
	return p.kind == PROBLEM_NONE;
}

/* "urn:paybell:problem:validation" is "validation". */
static const char *short_type(const struct words *w)
{
	const char *colon = strrchr(w->type, ':');

	return colon != NULL ? colon + 1 : w->type;
}

static enum err_code code_of(int status)
{
	if (status == 404)
		return ERR_NOT_FOUND;
	if (status == 409)
		return ERR_CONFLICT;
	return status >= 400 && status < 500 ? ERR_INVALID : ERR_IO;
}

void api_problem(int status, const char *body, size_t len, struct err *e)
{
	struct words w = {"", "", "", ""};

	if (!read_problem(&w, body, len)) {
		err_set(e, code_of(status), "the API answered %d without a reason",
			status);
		return;
	}
	err_set(e, code_of(status), "%s (%s%s%s%d %s)",
		w.detail[0] != '\0' ? w.detail : w.title,
		w.field[0] != '\0' ? "field " : "", w.field,
		w.field[0] != '\0' ? ", " : "", status, short_type(&w));
	if (strcmp(short_type(&w), "outcome-unknown") == 0 ||
	    strcmp(short_type(&w), "in-progress") == 0)
		e->code = ERR_TIMEOUT;
}

/* ---- one try ---- */

static void on_answer(void *arg, const struct transfer_result *result)
{
	struct attempt_result *a = arg;

	a->outcome = result->outcome;
	a->status = result->status;
	a->retry_after_s = result->retry_after_s;
	mem_copy_text(a->text, sizeof a->text, result->text);
	buf_add(a->body, result->body, result->body_len);
	if (--a->api->waiting == 0)
		loop_stop(a->api->loop);
}

static int set_url(struct api *a, const char *path, struct err *e)
{
	buf_clear(&a->url);
	buf_add_text(&a->url, buf_text(&a->base));
	buf_add_text(&a->url, path);
	if (a->url.overflowed)
		return err_set(e, ERR_INVALID, "an argument is too long");
	return 0;
}

/* What is sent is copied, so the URL's place serves the next one. */
static int begin_try(struct api *a, const struct api_request *r,
		     struct attempt_result *result, struct err *e)
{
	char key[HEADER_MAX];
	struct transfer_request request = {
		.url = buf_text(&a->url),
		.method = r->method,
		.headers = {buf_text(&a->authorization), "Accept: application/json"},
		.body = r->body,
		.body_len = r->body != NULL ? strlen(r->body) : 0,
		.response_max = API_ANSWER_MAX,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.timeout_ms = TRY_TIMEOUT_MS,
	};
	int headers = 2;

	if (r->body != NULL)
		request.headers[headers++] = "Content-Type: application/json";
	if (r->idempotency_key != NULL) {
		snprintf(key, sizeof key, "Idempotency-Key: %s", r->idempotency_key);
		request.headers[headers++] = key;
	}
	buf_clear(result->body);
	if (transfer_start(a->engine, &request, on_answer, result, e) == NULL)
		return err_wrap(e, "%s", buf_text(&a->base));
	a->waiting++;
	return 0;
}

static int try_once(struct api *a, const struct api_request *r,
		    struct attempt_result *result, struct err *e)
{
	if (begin_try(a, r, result, e) < 0)
		return -1;
	loop_run(a->loop);
	return 0;
}

/* Fills *e with why there is no good answer; ERR_TIMEOUT: it may have been done. */
static void explain(const struct api *a, const struct attempt_result *r, struct err *e)
{
	const char *at = buf_text(&a->base);

	switch (r->outcome) {
	case TRANSFER_ANSWERED:
		api_problem(r->status, buf_text(r->body), r->body->len, e);
		return;
	case TRANSFER_NO_CONNECT:
		err_set(e, ERR_IO, "no connection to %s (%s)", at, r->text);
		return;
	case TRANSFER_BAD_ANSWER:
		err_set(e, ERR_TIMEOUT, "what %s answered is not HTTP, or too long (%s)",
			at, r->text);
		return;
	case TRANSFER_TIMEOUT:
	case TRANSFER_LOST:
	case TRANSFER_AMBIGUOUS:
		err_set(e, ERR_TIMEOUT, "no answer from %s (%s)", at, r->text);
		return;
	}
}

/* 502 and 504 are a proxy's: it had no answer. */
static bool is_passing(const struct attempt_result *r, const struct err *e)
{
	if (r->outcome == TRANSFER_BAD_ANSWER)
		return false;
	if (r->outcome != TRANSFER_ANSWERED)
		return true;
	return r->status == 503 || r->status == 502 || r->status == 504 ||
	       (r->status == 409 && e->code == ERR_TIMEOUT); /* in-progress */
}

static bool is_good(const struct attempt_result *r)
{
	return r->outcome == TRANSFER_ANSWERED && r->status / 100 == 2;
}

/* ---- a call ---- */

static int64_t wait_before(int done, int64_t retry_after_s)
{
	int64_t wait_ms = FIRST_WAIT_MS << (done - 1);

	wait_ms = wait_ms / 2 + (int64_t)random_below((uint64_t)wait_ms);
	if (retry_after_s * 1000 > wait_ms)
		wait_ms = retry_after_s * 1000;
	return wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS;
}

/* False: its time is over. */
static bool wait_again(struct api *a, int done, const struct attempt_result *r,
		       int64_t until_us, const struct err *e)
{
	int64_t wait_ms = wait_before(done, r->retry_after_s);

	if (clock_mono_us() + wait_ms * US_PER_MS >= until_us)
		return false;
	a->on_wait(a->arg, e->text, wait_ms);
	loop_timer_start(a->pause, wait_ms, 0);
	loop_run(a->loop);
	return true;
}

int api_call(struct api *a, const struct api_request *r, struct buf *body, struct err *e)
{
	int64_t until_us = clock_mono_us() + API_LIMIT_MS * US_PER_MS;
	int tries = r->tries > 0 ? r->tries : 1;
	struct attempt_result result = {.api = a, .body = body};
	bool unknown = false;

	if (set_url(a, r->path, e) < 0)
		return -1;
	for (int done = 1;; done++) {
		if (try_once(a, r, &result, e) < 0)
			return -1;
		if (is_good(&result))
			return 0;
		explain(a, &result, e);
		if (!is_passing(&result, e))
			return -1;
		/* What one try left open no later refusal settles. */
		unknown |= e->code == ERR_TIMEOUT;
		if (done == tries || !wait_again(a, done, &result, until_us, e)) {
			e->code = unknown ? ERR_TIMEOUT : ERR_IO;
			return -1;
		}
	}
}

void api_call_each(struct api *a, struct api_each *calls, int count)
{
	struct attempt_result results[API_TOGETHER_MAX];
	bool begun[API_TOGETHER_MAX];

	assert(count <= API_TOGETHER_MAX);
	for (int i = 0; i < count; i++) {
		struct api_each *c = &calls[i];

		c->e = (struct err)ERR_INIT;
		results[i] = (struct attempt_result){.api = a, .body = &c->body};
		begun[i] = set_url(a, c->request.path, &c->e) == 0 &&
			   begin_try(a, &c->request, &results[i], &c->e) == 0;
	}
	if (a->waiting > 0)
		loop_run(a->loop);
	for (int i = 0; i < count; i++)
		if (begun[i] && !is_good(&results[i]))
			explain(a, &results[i], &calls[i].e);
}

void api_segment(struct buf *path, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	for (; *text != '\0'; text++) {
		if (strchr(plain, *text) != NULL)
			buf_add_char(path, *text);
		else
			buf_addf(path, "%%%02X", (unsigned char)*text);
	}
}
