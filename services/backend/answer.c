#include "backend/answer.h"

#include <stdio.h>

#include "base/log.h"

static void send_answer(struct http_request *r, bool later, const struct http_answer *a)
{
	if (later)
		http_answer_hold(r, a);
	else
		http_answer(r, a);
}

void answer_json(struct http_request *r, bool later, int status, const struct buf *json,
		 const char *header, const char *value)
{
	struct http_answer a = {
		.status = status,
		.content_type = "application/json",
		.body = buf_text(json),
		.body_len = json->len,
	};

	if (header != NULL) {
		a.headers[0].name = header;
		a.headers[0].value = value;
	}
	if (json->overflowed)
		log_error("answer.too_large", "status=%d", status);
	send_answer(r, later, &a);
}

void answer_problem(struct http_request *r, bool later, const struct problem *p)
{
	struct http_answer a = {.status = problem_status(p->kind),
				.content_type = PROBLEM_CONTENT_TYPE};
	char retry_after[16];
	struct buf json;
	int headers = 0;

	buf_init(&json, 8192);
	problem_encode(p, &json);
	a.body = buf_text(&json);
	a.body_len = json.len;
	if (p->retry_after_s > 0) {
		snprintf(retry_after, sizeof retry_after, "%d", p->retry_after_s);
		a.headers[headers].name = "Retry-After";
		a.headers[headers++].value = retry_after;
	}
	if (p->kind == PROBLEM_UNAUTHORIZED) {
		a.headers[headers].name = "WWW-Authenticate";
		a.headers[headers].value = "Bearer realm=\"paybell\"";
	}
	send_answer(r, later, &a);
	buf_release(&json);
}

void answer_nothing(struct http_request *r, bool later)
{
	send_answer(r, later, &(struct http_answer){.status = 204});
}

void answer_failure(struct http_request *r, const struct err *e)
{
	struct problem p = {.kind = PROBLEM_NONE};

	log_error("api.failed", "path_error=\"%s\" code=%s", e->text,
		  err_code_name(e->code));
	problem_set(&p, e->code == ERR_CORRUPT ? PROBLEM_INTERNAL : PROBLEM_STORAGE, NULL,
		    "the database cannot be read at the moment: try again");
	p.retry_after_s = e->code == ERR_CORRUPT ? 0 : 1;
	answer_problem(r, false, &p);
}
