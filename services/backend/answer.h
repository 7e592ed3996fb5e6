/* Answers: JSON, problems, and the headers that go with them.
 *
 * `later` says who answers: false on the request's own thread, true from the committer's,
 * where a whole batch of answers wakes the server once (http_answer_flush). Each call
 * ends the request. */
#ifndef PAYBELL_BACKEND_ANSWER_H
#define PAYBELL_BACKEND_ANSWER_H

#include <stdbool.h>

#include "base/buf.h"
#include "io/http_server.h"
#include "wire/problem.h"

/* header/value: one more header, NULL none. */
void answer_json(struct http_request *r, bool later, int status, const struct buf *json,
		 const char *header, const char *value);
void answer_problem(struct http_request *r, bool later, const struct problem *p);
/* 204. */
void answer_nothing(struct http_request *r, bool later);

/* The problem of an error that is not the client's: 500, or 503 when trying again may
 * help. */
void answer_failure(struct http_request *r, const struct err *e);

#endif
