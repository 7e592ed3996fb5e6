#include "sandbox/control.h"

#include <string.h>

#include "base/metrics.h"
#include "sandbox/inbox.h"

#define ANSWER_MAX 262144

/* services/sandbox/inbox.html, compiled in. */
static const unsigned char page[] = {
#include "inbox.inc"
};

/* The page runs its own script and shows mails' HTML; neither may reach outside. */
#define PAGE_POLICY                                                                      \
	"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "    \
	"connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; "   \
	"form-action 'none'"

void control_answer_json(struct http_request *r, int status, const struct buf *body)
{
	http_answer(r, &(struct http_answer){.status = status,
					     .content_type = "application/json",
					     .body = buf_text(body),
					     .body_len = body->len});
}

void control_answer_problem(struct http_request *r, const struct problem *p)
{
	struct buf out;

	buf_init(&out, ANSWER_MAX);
	problem_encode(p, &out);
	http_answer(r, &(struct http_answer){.status = problem_status(p->kind),
					     .content_type = PROBLEM_CONTENT_TYPE,
					     .body = buf_text(&out),
					     .body_len = out.len});
	buf_release(&out);
}

void control_answer_fault(struct http_request *r, enum problem_kind kind,
			  const char *detail)
{
	struct problem p;

	problem_set(&p, kind, NULL, "%s", detail);
	control_answer_problem(r, &p);
}

/* ---- faults ---- */

/* Who hangs was hung by the old fault. */
static void let_go(struct sandbox *s, enum channel c)
{
	if (c == CHANNEL_EMAIL)
		smtp_server_drop_hung(s->smtp);
	else
		held_drop_hung(&s->held, c);
}

static void put_fault(struct sandbox *s, struct http_request *r, enum channel c)
{
	struct problem p;
	struct buf out;
	size_t len;
	const char *body = http_body(r, &len);

	if (faults_put(&s->faults, c, body, len, &p) < 0) {
		control_answer_problem(r, &p);
		return;
	}
	let_go(s, c);
	log_info("fault.set", "channel=%s", channel_name(c));
	buf_init(&out, ANSWER_MAX);
	faults_encode(&s->faults, c, &out);
	control_answer_json(r, 200, &out);
	buf_release(&out);
}

static void end_fault(struct sandbox *s, struct http_request *r, enum channel c)
{
	faults_end(&s->faults, c);
	let_go(s, c);
	log_info("fault.ended", "channel=%s", channel_name(c));
	http_answer(r, &(struct http_answer){.status = 204});
}

static void one_fault(struct sandbox *s, struct http_request *r, const char *name)
{
	const char *method = http_method(r);
	int c = channel_parse(name);
	struct buf out;

	if (c < 0) {
		control_answer_fault(r, PROBLEM_NOT_FOUND,
				     "the channels are push, email and sms");
	} else if (strcmp(method, "PUT") == 0) {
		put_fault(s, r, (enum channel)c);
	} else if (strcmp(method, "DELETE") == 0) {
		end_fault(s, r, (enum channel)c);
	} else if (strcmp(method, "GET") == 0) {
		buf_init(&out, ANSWER_MAX);
		faults_encode(&s->faults, (enum channel)c, &out);
		control_answer_json(r, 200, &out);
		buf_release(&out);
	} else {
		control_answer_fault(r, PROBLEM_METHOD_NOT_ALLOWED,
				     "GET, PUT and DELETE");
	}
}

/* ---- what is only read ---- */

static void show_faults(struct sandbox *s, struct http_request *r)
{
	struct buf out;

	buf_init(&out, ANSWER_MAX);
	faults_encode_all(&s->faults, &out);
	control_answer_json(r, 200, &out);
	buf_release(&out);
}

static void show_refusals(struct sandbox *s, struct http_request *r)
{
	struct buf out;

	buf_init(&out, ANSWER_MAX);
	refusals_encode(&s->refusals, &out);
	control_answer_json(r, 200, &out);
	buf_release(&out);
}

static void show_metrics(struct sandbox *s, struct http_request *r)
{
	struct buf out;

	buf_init(&out, ANSWER_MAX);
	metrics_render(&out);
	http_answer(r, &(struct http_answer){.status = 200,
					     .content_type = "text/plain; version=0.0.4",
					     .body = buf_text(&out),
					     .body_len = out.len});
	buf_release(&out);
}

static void show_health(struct sandbox *s, struct http_request *r)
{
	static const char alive[] = "{\"status\":\"ok\"}";

	http_answer(r, &(struct http_answer){.status = 200,
					     .content_type = "application/json",
					     .body = alive,
					     .body_len = sizeof(alive) - 1});
}

static void show_page(struct sandbox *s, struct http_request *r)
{
	struct http_answer a = {.status = 200,
				.content_type = "text/html; charset=utf-8",
				.body = (const char *)page,
				.body_len = sizeof(page)};

	a.headers[0].name = "Content-Security-Policy";
	a.headers[0].value = PAGE_POLICY;
	a.headers[1].name = "X-Content-Type-Options";
	a.headers[1].value = "nosniff";
	http_answer(r, &a);
}

static const struct {
	const char *path;
	void (*show)(struct sandbox *s, struct http_request *r);
} pages[] = {
	{"/", show_page},
	{"/faults", show_faults},
	{"/refusals", show_refusals},
	{"/metrics", show_metrics},
	{"/healthz", show_health},
};

void control_request(struct sandbox *s, struct http_request *r)
{
	const char *path = http_path(r);

	if (inbox_request(s, r))
		return;
	if (strncmp(path, "/faults/", 8) == 0) {
		one_fault(s, r, path + 8);
		return;
	}
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (strcmp(path, pages[i].path) != 0)
			continue;
		if (strcmp(http_method(r), "GET") == 0)
			pages[i].show(s, r);
		else
			control_answer_fault(r, PROBLEM_METHOD_NOT_ALLOWED, "GET");
		return;
	}
	control_answer_fault(r, PROBLEM_NOT_FOUND, "see GET / and README.md");
}
