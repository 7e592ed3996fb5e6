/* Calls of the backend's API, one at a time or a handful at once: HTTP over a loop of its
 * own, with the API key, and errors as sentences.
 *
 * A call that can be repeated without harm (tries > 1: each of ours can, a payment
 * because of its Idempotency-Key) is repeated when the API was too busy (503), when the
 * same key is being worked on (409) or when no answer came: after a growing, jittered
 * wait, or as long as Retry-After says, at most 10 s each, and all together not beyond
 * API_LIMIT_MS. */
#ifndef PAYBELL_CLI_API_H
#define PAYBELL_CLI_API_H

#include "base/buf.h"
#include "base/err.h"
#include "io/loop.h"

#define API_TRIES      6
#define API_LIMIT_MS   30000
#define API_ANSWER_MAX (16 << 20)

struct api;

/* Told before each wait, in a few words. */
typedef void api_wait_fn(void *arg, const char *why, int64_t wait_ms);

/* base_url "http://127.0.0.1:8080" is borrowed, and so is key. ERR_INVALID: not a URL. */
int api_new(struct api **out, struct loop *l, const char *base_url, const char *key,
	    api_wait_fn *on_wait, void *arg, struct err *e);
void api_free(struct api *a); /* NULL does nothing */

struct api_request {
	const char *method;
	const char *path;            /* with its query, encoded */
	const char *body;            /* JSON text, or NULL */
	const char *idempotency_key; /* NULL: none */
	int tries;                   /* 0 is 1 */
};

/* Runs the loop until the answer is there. 0 for a 2xx, with the body in *body (caller's,
 * cleared first; born with at least API_ANSWER_MAX). -1: ERR_NOT_FOUND (404),
 * ERR_CONFLICT (409), ERR_INVALID (other 4xx: the problem's detail and field),
 * ERR_TIMEOUT (nobody knows whether it was done), ERR_IO (nothing was done, or it makes
 * no difference). */
int api_call(struct api *a, const struct api_request *r, struct buf *body, struct err *e);

#define API_TOGETHER_MAX 32

/* One of several calls. The caller's storage; `body` was born as for api_call(). */
struct api_each {
	struct api_request request; /* tries is not looked at: it is one */
	struct buf body;
	struct err e; /* ERR_NONE for a 2xx, else as api_call() has it */
};
/* All of them at once, at most API_TOGETHER_MAX; returns when each has its answer. */
void api_call_each(struct api *a, struct api_each *calls, int count);

/* Adds one segment of a path or a query's value, percent-encoded. */
void api_segment(struct buf *path, const char *text);

/* What an answer that is not 2xx says: "amount must be … (field amount, 422 validation)".
 * Pure; for api_call and its tests. */
void api_problem(int status, const char *body, size_t len, struct err *e);

#endif
