/* An error answer: application/problem+json (RFC 9457), naming the field and the remedy.
 *
 * {"type":"urn:paybell:problem:insufficient-funds","title":"…","status":422,"detail":"…","field":"amount"}
 * Pure; plain value. */
#ifndef PAYBELL_WIRE_PROBLEM_H
#define PAYBELL_WIRE_PROBLEM_H

#include "base/buf.h"
#include "base/err.h"

/* Each has its HTTP status and title in problem.c; the last segment of the type is the
 * name with dashes. */
enum problem_kind {
	PROBLEM_NONE,
	PROBLEM_MALFORMED,    /* 400: not JSON, not UTF-8, nested too deep, a bad query or
				 header */
	PROBLEM_UNAUTHORIZED, /* 401 */
	PROBLEM_NOT_FOUND,    /* 404 */
	PROBLEM_METHOD_NOT_ALLOWED, /* 405 */
	PROBLEM_IN_PROGRESS,        /* 409: the same Idempotency-Key is being worked on */
	PROBLEM_CONFLICT,           /* 409 */
	PROBLEM_TOO_LARGE,          /* 413 */
	PROBLEM_UNSUPPORTED_MEDIA_TYPE, /* 415 */
	PROBLEM_VALIDATION,             /* 422: a field is wrong */
	PROBLEM_UNKNOWN_USER,           /* 422, business: kept for an Idempotency-Key */
	PROBLEM_INSUFFICIENT_FUNDS,     /* 422, business */
	PROBLEM_BALANCE_LIMIT, /* 422, business: a balance would pass MONEY_MAX_MINOR */
	PROBLEM_KEY_REUSED,    /* 422: Idempotency-Key with another request */
	PROBLEM_INTERNAL,      /* 500 */
	PROBLEM_OVERLOADED,    /* 503 + Retry-After: nothing was done */
	PROBLEM_STORAGE,       /* 503 + Retry-After: the disk refused; nothing was done */
	PROBLEM_OUTCOME_UNKNOWN, /* 503 + Retry-After: may have been done; ask again with
				    the same key */
};

#define PROBLEM_DETAIL_MAX 320
#define PROBLEM_FIELD_MAX  64

struct problem {
	enum problem_kind kind;
	char field[PROBLEM_FIELD_MAX]; /* "amount", "preferences.push.enabled"; "" when
					  none */
	char detail[PROBLEM_DETAIL_MAX];
	int retry_after_s; /* 0: no header */
};

/* Fills *p and returns -1. field may be NULL. */
int problem_set(struct problem *p, enum problem_kind kind, const char *field,
		const char *fmt, ...) __attribute__((format(printf, 4, 5)));

int problem_status(enum problem_kind kind);
const char *problem_name(enum problem_kind kind); /* "insufficient-funds" */
void problem_encode(const struct problem *p, struct buf *out);

#define PROBLEM_CONTENT_TYPE "application/problem+json"

#endif
