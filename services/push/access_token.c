#include "push/access_token.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/token.h"
#include "wire/form.h"
#include "wire/json.h"

#define SCOPE      "https://www.googleapis.com/auth/firebase.messaging"
#define GRANT_TYPE "urn:ietf:params:oauth:grant-type:jwt-bearer"

enum {
	ASSERTION_LIFE_S = 3600,
	EARLY_S = 300,        /* before its end */
	LIFE_MIN_S = 60,      /* between two tokens, whatever the answer says */
	REFUSED_PAUSE_S = 10, /* a token that is refused at once is not asked for in a
			       * circle */
	RETRY_FIRST_MS = 1000,
	RETRY_MAX_MS = 60000,
	CONNECT_TIMEOUT_MS = 5000,
	TIMEOUT_MS = 15000,
};

struct access_token {
	struct loop *loop;
	struct transfer_engine *engine;
	const struct service_account *account;
	loop_fn *changed;
	void *arg;
	struct loop_timer *timer;
	struct transfer *running;
	int retry_ms;
	int64_t got_us, ends_us; /* monotonic; got_us 0: none yet */
	bool refused;
	char header[ACCESS_TOKEN_SIZE];
};

int access_token_parse(char *token, size_t size, int64_t *expires_s, const char *json,
		       size_t len, struct err *e)
{
	struct json_t *root = json_read(json, len, e);
	struct json_reader r;
	struct problem p;

	if (!root)
		return -1;
	json_reader_init(&r, root, "", &p);
	if (json_get_text(&r, "access_token", true, token, size) &&
	    strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			  "0123456789-._~+/=") != strlen(token))
		json_fault(&r, "access_token", "is not a bearer token");
	json_get_int(&r, "expires_in", true, 1, 7 * 86400, expires_s);
	json_free(root);
	return json_failed(&r) ? err_set(e, ERR_INVALID, "%s", p.detail) : 0;
}

static void retry_later(struct access_token *a, const char *why, int status)
{
	struct log_quote q;

	log_warn("push.token_failed", "status=%d error=%s retry_ms=%d", status,
		 log_quote(&q, why), a->retry_ms);
	loop_timer_start(a->timer, a->retry_ms, 0);
	a->retry_ms = a->retry_ms * 2 < RETRY_MAX_MS ? a->retry_ms * 2 : RETRY_MAX_MS;
}

static void take_token(struct access_token *a, const char *token, int64_t expires_s)
{
	int64_t fresh_s = expires_s - EARLY_S;

	if (fresh_s < LIFE_MIN_S)
		fresh_s = LIFE_MIN_S;
	snprintf(a->header, sizeof(a->header), "Authorization: Bearer %s", token);
	a->got_us = clock_mono_us();
	a->ends_us = a->got_us + expires_s * US_PER_S;
	a->refused = false;
	a->retry_ms = RETRY_FIRST_MS;
	loop_timer_start(a->timer, fresh_s * 1000, 0);
	log_info("push.token", "expires_s=%lld", (long long)expires_s);
}

static void on_answer(void *arg, const struct transfer_result *result)
{
	struct access_token *a = arg;
	char token[ACCESS_TOKEN_SIZE - 32];
	struct err e = ERR_INIT;
	int64_t expires_s;

	a->running = NULL;
	if (result->outcome != TRANSFER_ANSWERED) {
		retry_later(a, result->text, 0);
	} else if (result->status != 200) {
		retry_later(a, "refused", result->status);
	} else if (access_token_parse(token, sizeof(token), &expires_s, result->body,
				      result->body_len, &e) < 0) {
		retry_later(a, e.text, result->status);
	} else {
		take_token(a, token, expires_s);
		a->changed(a->arg);
	}
}

static int ask(struct access_token *a, struct err *e)
{
	const struct service_account *account = a->account;
	char assertion[TOKEN_MAX];
	int64_t now_s = clock_utc_us() / US_PER_S;
	struct buf body;

	if (token_sign_assertion(assertion, account->email, SCOPE, account->token_uri,
				 now_s, now_s + ASSERTION_LIFE_S, account->private_key,
				 e) < 0)
		return -1;
	buf_init(&body, 2 * TOKEN_MAX);
	form_put(&body, "grant_type", GRANT_TYPE);
	form_put(&body, "assertion", assertion);
	a->running = transfer_start(
		a->engine,
		&(struct transfer_request){
			.url = account->token_uri,
			.method = "POST",
			.headers = {"Content-Type: application/x-www-form-urlencoded"},
			.body = buf_text(&body),
			.body_len = body.len,
			.connect_timeout_ms = CONNECT_TIMEOUT_MS,
			.timeout_ms = TIMEOUT_MS,
		},
		on_answer, a, e);
	buf_release(&body);
	return a->running ? 0 : -1;
}

static void on_timer(void *arg)
{
	struct access_token *a = arg;
	struct err e = ERR_INIT;

	if (!a->running && ask(a, &e) < 0)
		retry_later(a, e.text, 0);
}

struct access_token *access_token_start(struct loop *l, struct transfer_engine *t,
					const struct service_account *account,
					loop_fn *changed, void *arg)
{
	struct access_token *a = mem_alloc(sizeof(*a));

	a->loop = l;
	a->engine = t;
	a->account = account;
	a->changed = changed;
	a->arg = arg;
	a->retry_ms = RETRY_FIRST_MS;
	a->timer = loop_timer_new(l, on_timer, a);
	loop_timer_start(a->timer, 0, 0);
	return a;
}

void access_token_stop(struct access_token *a)
{
	if (!a)
		return;
	if (a->running)
		transfer_cancel(a->running);
	loop_timer_free(a->timer);
	mem_free(a);
}

bool access_token_ready(const struct access_token *a)
{
	return a->got_us != 0 && !a->refused && clock_mono_us() < a->ends_us;
}

const char *access_token_header(const struct access_token *a)
{
	return a->header;
}

/* Many messages may be on their way with the old one: only what came after a pause counts
 * against the new one. */
void access_token_refused(struct access_token *a)
{
	if (a->refused || a->running ||
	    clock_mono_us() - a->got_us < REFUSED_PAUSE_S * US_PER_S)
		return;
	a->refused = true;
	loop_timer_start(a->timer, 0, 0);
	a->changed(a->arg);
}
