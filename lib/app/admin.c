#include "app/admin.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "wire/json.h"
#include "wire/problem.h"

/* Readiness belongs to the loop's thread: it is asked there, by a timer, and the answer
 * is kept under a lock for the other threads' servers. The same timer's beat is how those
 * can tell that the loop has got stuck. */

#define REFRESH_MS        250
#define METRICS_MAX_BYTES (1 << 20)
#define ADMIN_CONNECTIONS 64
#define ADMIN_BODY_BYTES  (64 * 1024)
#define ADMIN_IDLE_S      30
#define METRICS_TYPE      "text/plain; version=0.0.4; charset=utf-8"
#define STATE_MAX_BYTES   1024

struct admin {
	struct admin_hooks hooks;
	struct http_server *server; /* NULL: off */
	struct loop_timer *timer;
	bool told; /* `changed` has been called */

	_Atomic int64_t beat_us; /* monotonic */
	pthread_mutex_t lock;
	bool ready;
	char reason[ADMIN_REASON_SIZE];
};

/* ---- the state ---- */

void admin_refresh(struct admin *a)
{
	char reason[ADMIN_REASON_SIZE] = "";
	bool ready = a->hooks.ready == NULL || a->hooks.ready(a->hooks.arg, reason);
	bool differs;

	if (ready)
		reason[0] = '\0';
	atomic_store(&a->beat_us, clock_mono_us());
	pthread_mutex_lock(&a->lock);
	differs = !a->told || ready != a->ready || strcmp(reason, a->reason) != 0;
	a->ready = ready;
	memcpy(a->reason, reason, sizeof(reason));
	pthread_mutex_unlock(&a->lock);
	a->told = true;
	if (differs && a->hooks.changed != NULL)
		a->hooks.changed(a->hooks.arg, ready, reason);
}

static void on_timer(void *arg)
{
	admin_refresh(arg);
}

/* ---- answers ---- */

static void answer(struct http_request *r, int status, const char *type,
		   const struct buf *body)
{
	http_answer(r, &(struct http_answer){.status = status,
					     .content_type = type,
					     .body = buf_text(body),
					     .body_len = body->len,
					     .headers = {{"Cache-Control", "no-store"}}});
}

static void answer_health(struct admin *a, struct http_request *r)
{
	int64_t still_us = clock_mono_us() - atomic_load(&a->beat_us);
	bool alive = still_us < ADMIN_STUCK_MS * US_PER_MS;
	struct json_writer w;
	struct buf body;

	buf_init(&body, STATE_MAX_BYTES);
	json_writer_init(&w, &body);
	json_open(&w, NULL, '{');
	json_put_text(&w, "status", alive ? "ok" : "stuck");
	json_close(&w, '}');
	answer(r, alive ? 200 : 503, "application/json", &body);
	buf_release(&body);
}

static void answer_ready(struct admin *a, struct http_request *r)
{
	char reason[ADMIN_REASON_SIZE];
	struct json_writer w;
	struct buf body;
	bool ready;

	pthread_mutex_lock(&a->lock);
	ready = a->ready;
	memcpy(reason, a->reason, sizeof(reason));
	pthread_mutex_unlock(&a->lock);
	buf_init(&body, STATE_MAX_BYTES);
	json_writer_init(&w, &body);
	json_open(&w, NULL, '{');
	json_put_bool(&w, "ready", ready);
	if (!ready)
		json_put_text(&w, "reason", reason);
	json_close(&w, '}');
	answer(r, ready ? 200 : 503, "application/json", &body);
	buf_release(&body);
}

static void answer_metrics(struct admin *a, struct http_request *r)
{
	struct buf body;

	(void)a;
	buf_init(&body, METRICS_MAX_BYTES);
	metrics_render(&body);
	answer(r, 200, METRICS_TYPE, &body);
	buf_release(&body);
}

void admin_refuse(struct http_request *r, enum problem_kind kind, const char *detail,
		  const char *allow)
{
	struct http_answer a = {.status = problem_status(kind),
				.content_type = PROBLEM_CONTENT_TYPE};
	struct problem problem;
	struct buf body;

	problem_set(&problem, kind, NULL, "%s", detail);
	buf_init(&body, STATE_MAX_BYTES);
	problem_encode(&problem, &body);
	a.body = buf_text(&body);
	a.body_len = body.len;
	if (allow != NULL) {
		a.headers[0].name = "Allow";
		a.headers[0].value = allow;
	}
	http_answer(r, &a);
	buf_release(&body);
}

void admin_not_found(struct http_request *r)
{
	admin_refuse(r, PROBLEM_NOT_FOUND, "there is nothing here", NULL);
}

static const struct {
	const char *path;
	void (*answer)(struct admin *a, struct http_request *r);
} pages[] = {
	{"/healthz", answer_health},
	{"/readyz", answer_ready},
	{"/metrics", answer_metrics},
};

bool admin_answer(struct admin *a, struct http_request *r)
{
	const char *path = http_path(r);

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (strcmp(path, pages[i].path) != 0)
			continue;
		if (strcmp(http_method(r), "GET") == 0)
			pages[i].answer(a, r);
		else
			admin_refuse(r, PROBLEM_METHOD_NOT_ALLOWED, "only GET",
				     "GET, HEAD");
		return true;
	}
	return false;
}

static void on_request(void *arg, struct http_request *r)
{
	struct admin *a = arg;

	if (strcmp(http_path(r), "/readyz") == 0)
		admin_refresh(a);
	if (admin_answer(a, r))
		return;
	if (a->hooks.request != NULL && a->hooks.request(a->hooks.arg, r))
		return;
	admin_not_found(r);
}

void admin_fault(void *arg, struct http_request *r, int status)
{
	(void)arg;
	if (status == problem_status(PROBLEM_TOO_LARGE))
		admin_refuse(r, PROBLEM_TOO_LARGE, "the body is too large", NULL);
	else
		admin_refuse(r, PROBLEM_MALFORMED, "the body's length is ambiguous",
			     NULL);
}

/* ---- starting and stopping ---- */

int admin_start(struct admin **out, struct loop *loop, const char *address,
		const struct admin_hooks *hooks, struct err *e)
{
	struct admin *a = mem_alloc(sizeof(*a));
	const struct http_server_settings settings = {
		.listen = address,
		.loop = loop,
		.max_connections = ADMIN_CONNECTIONS,
		.max_body_bytes = ADMIN_BODY_BYTES,
		.idle_timeout_s = ADMIN_IDLE_S,
		.handler = on_request,
		.on_fault = admin_fault,
		.arg = a,
	};

	if (strcmp(address, ADMIN_OFF) != 0 &&
	    http_server_start(&a->server, &settings, e) < 0) {
		mem_free(a);
		return err_wrap(e, "admin port");
	}
	a->hooks = *hooks;
	mem_copy_text(a->reason, sizeof(a->reason), "starting");
	atomic_store(&a->beat_us, clock_mono_us());
	pthread_mutex_init(&a->lock, NULL);
	a->timer = loop_timer_new(loop, on_timer, a);
	loop_timer_start(a->timer, 0, REFRESH_MS);
	*out = a;
	return 0;
}

void admin_stop(struct admin *a)
{
	if (a == NULL)
		return;
	loop_timer_free(a->timer);
	http_server_stop(a->server);
	pthread_mutex_destroy(&a->lock);
	mem_free(a);
}

const char *admin_address(const struct admin *a)
{
	return a->server != NULL ? http_server_address(a->server) : ADMIN_OFF;
}
