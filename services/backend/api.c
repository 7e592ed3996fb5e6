#include "backend/api.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend/answer.h"
#include "backend/openapi.h"
#include "base/mem.h"
#include "base/metrics.h"

struct route {
	const char *method, *pattern; /* '*' is one variable segment */
	void (*run)(struct call *c);
};

/* The most frequent first. */
static const struct route ROUTES[] = {
	{"POST", "/transactions", payments_post},
	{"GET", "/transactions", payments_list},
	{"GET", "/transactions/*", payments_get},
	{"PUT", "/users/*", users_route_put},
	{"GET", "/users/*", users_route_get},
	{"DELETE", "/users/*", users_route_delete},
	{"GET", "/users/*/balance", users_route_balance},
	{"GET", "/users/*/events", users_route_events},
	{"POST", "/users/*/tokens", users_route_token},
	{"GET", "/users/*/devices", devices_route_list},
	{"POST", "/users/*/devices", devices_route_post},
	{"DELETE", "/users/*/devices/*", devices_route_delete},
	{"GET", "/deliveries", replay_route_list},
	{"GET", "/deliveries/*/*", replay_route_get},
	{"POST", "/deliveries/*/*/retry", replay_route_retry},
};
#define ROUTE_COUNT (sizeof ROUTES / sizeof ROUTES[0])

static struct metric requests_total, unauthorized_total;

void api_register_metrics(void)
{
	metrics_register(&requests_total, METRIC_COUNTER, "paybell_http_requests_total",
			 NULL, "Requests of the API.");
	metrics_register(&unauthorized_total, METRIC_COUNTER,
			 "paybell_http_unauthorized_total", NULL,
			 "Requests without a key that is known.");
}

/* Whether the path is of this pattern; the variable segments are cut out of c->path then.
 */
static bool matches(const char *pattern, struct call *c, const char *path)
{
	int ids = 0;
	char *out = c->path;

	while (*pattern != '\0' && *pattern != '*' ? *pattern == *path
						   : *pattern == '*') {
		if (*pattern == '*') {
			size_t len = strcspn(path, "/");

			if (len == 0 || len > 128)
				return false;
			c->id[ids++] = out;
			memcpy(out, path, len);
			out[len] = '\0';
			out += len + 1;
			path += len;
		} else {
			path++;
		}
		pattern++;
	}
	return *pattern == '\0' && *path == '\0';
}

static const struct route *find(struct call *c, bool *known)
{
	const char *method = http_method(c->request), *path = http_path(c->request);

	*known = false;
	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		if (!matches(ROUTES[i].pattern, c, path))
			continue;
		*known = true;
		if (strcmp(ROUTES[i].method, method) == 0)
			return &ROUTES[i];
	}
	return NULL;
}

static void refuse_route(struct http_request *r, bool known)
{
	struct problem p = {.kind = PROBLEM_NONE};

	if (known)
		problem_set(&p, PROBLEM_METHOD_NOT_ALLOWED, NULL,
			    "this resource has no %s", http_method(r));
	else
		problem_set(&p, PROBLEM_NOT_FOUND, NULL, "there is no such resource");
	answer_problem(r, false, &p);
}

void api_handle(void *arg, struct http_request *r)
{
	struct call c = {.api = arg, .request = r};
	struct problem p = {.kind = PROBLEM_NONE};
	const struct route *route;
	bool known;

	metric_add(&requests_total, 1);
	if (admin_answer(c.api->admin, r) || openapi_request(NULL, r))
		return;
	if (auth_check(&c.api->auth, http_header(r, "Authorization"), c.key_digest, &p) <
	    0) {
		metric_add(&unauthorized_total, 1);
		answer_problem(r, false, &p);
		return;
	}
	route = find(&c, &known);
	if (route == NULL)
		refuse_route(r, known);
	else
		route->run(&c);
}

void api_fault(void *arg, struct http_request *r, int status)
{
	struct problem p = {.kind = PROBLEM_NONE};

	(void)arg;
	if (status == 413)
		problem_set(&p, PROBLEM_TOO_LARGE, "body", "a body has at most %d bytes",
			    TRANSACTION_BODY_MAX);
	else
		problem_set(&p, PROBLEM_MALFORMED, NULL,
			    "the request cannot be read as HTTP/1.1");
	answer_problem(r, false, &p);
}

bool call_has_json(struct call *c)
{
	const char *type = http_header(c->request, "Content-Type");
	struct problem p = {.kind = PROBLEM_NONE};
	size_t len = strlen("application/json");

	if (type != NULL && strncasecmp(type, "application/json", len) == 0 &&
	    strchr("; \t", type[len]) != NULL)
		return true;
	problem_set(&p, PROBLEM_UNSUPPORTED_MEDIA_TYPE, "Content-Type",
		    "send Content-Type: application/json");
	answer_problem(c->request, false, &p);
	return false;
}

int call_limit(struct call *c, int fallback, int most)
{
	const char *text = http_query(c->request, "limit");
	struct problem p = {.kind = PROBLEM_NONE};
	char *end;
	long limit;

	if (text == NULL)
		return fallback;
	limit = strtol(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && limit >= 1 &&
	    limit <= most)
		return (int)limit;
	problem_set(&p, PROBLEM_VALIDATION, "limit",
		    "limit must be a number from 1 to %d", most);
	answer_problem(c->request, false, &p);
	return -1;
}

int64_t call_sequence(struct call *c, const char *name, int64_t fallback)
{
	const char *text = http_query(c->request, name);
	struct problem p = {.kind = PROBLEM_NONE};
	int64_t sequence = text == NULL ? fallback : sequence_parse(text);

	if (sequence >= 0)
		return sequence;
	problem_set(&p, PROBLEM_VALIDATION, name,
		    "%s must be a sequence: the digits that an earlier answer gave",
		    name);
	answer_problem(c->request, false, &p);
	return -1;
}

struct books *call_reader(struct call *c)
{
	struct err e = ERR_INIT;
	struct books *b = readers_take(c->api->readers, &e);

	if (b == NULL)
		answer_failure(c->request, &e);
	return b;
}

#define NOTHING_DONE                                                                     \
	"the database cannot be written at the moment: nothing was done, try again"

bool call_commit(struct call *c, struct job *j)
{
	struct problem p = {.kind = PROBLEM_NONE};

	if (committer_put(c->api->committer, COMMITTER_FRONT, j))
		return true;
	if (committer_away(c->api->committer))
		problem_set(&p, PROBLEM_STORAGE, NULL, NOTHING_DONE);
	else
		problem_set(&p, PROBLEM_OVERLOADED, NULL,
			    "too many requests wait to be written: nothing was done, try "
			    "again");
	p.retry_after_s = 1;
	answer_problem(c->request, false, &p);
	return false;
}

void answer_undone(struct http_request *r, enum job_outcome outcome)
{
	struct problem p = {.kind = PROBLEM_NONE};

	if (outcome == JOB_STORAGE)
		problem_set(&p, PROBLEM_STORAGE, NULL, NOTHING_DONE);
	else
		problem_set(&p, PROBLEM_OUTCOME_UNKNOWN, NULL,
			    "it may have been done or not: ask again with the same "
			    "Idempotency-Key");
	p.retry_after_s = 1;
	answer_problem(r, true, &p);
}
