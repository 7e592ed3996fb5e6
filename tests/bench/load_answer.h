/* The shape of an HTTP/1 answer: how long its parts are, and what it means for the
 * connection.
 *
 * Pure: looks at the bytes that have come so far and keeps nothing. Just what the load
 * program meets: a Content-Length, no chunks. */
#ifndef PAYBELL_BENCH_LOAD_ANSWER_H
#define PAYBELL_BENCH_LOAD_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define ANSWER_HEAD_MAX 65536     /* bytes */
#define ANSWER_MAX      (8 << 20) /* bytes of one answer, head and body */

struct answer_shape {
	int status; /* 100 to 599 */
	size_t head_len, body_len;
	bool close; /* the server closes after it */
};

/* 1 whole, 0 more to come, -1 malformed. head_only: it answers a HEAD. */
int answer_parse(const struct buf *in, bool head_only, struct answer_shape *a);

/* A header's value in a whole head, without its line's end; "" when there is none. */
const char *answer_header(const char *head, size_t head_len, const char *name,
			  size_t *len);

#endif
