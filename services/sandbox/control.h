/* Everything over HTTP that is not a provider's: the faults, the refusals, the metrics
 * and the page. Loop thread only.
 *
 *   GET /                    the inbox for people
 *   GET /faults              all faults;  GET, PUT, DELETE /faults/<channel>: one
 *   GET /refusals            what was refused lately, and why
 *   GET /metrics, /healthz   for machines */
#ifndef PAYBELL_SANDBOX_CONTROL_H
#define PAYBELL_SANDBOX_CONTROL_H

#include "sandbox/sandbox.h"
#include "wire/problem.h"

/* Answers any request that no provider took. */
void control_request(struct sandbox *s, struct http_request *r);

void control_answer_json(struct http_request *r, int status, const struct buf *body);
void control_answer_problem(struct http_request *r, const struct problem *p);
void control_answer_fault(struct http_request *r, enum problem_kind kind,
			  const char *detail);

#endif
