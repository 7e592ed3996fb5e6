/* The head of an HTTP/1.1 request: request line and fields, read where they lie.
 *
 * For a buffer that grows: http_head_read() is called with all that there is, from its
 * beginning, whenever there is more; it looks at each byte once. When it says that the
 * head is complete, `bytes` is how many it took and the calls below answer from the
 * buffer, which has to stay where it is meanwhile. Nothing is copied and no memory is
 * taken. Pure. Any thread, one at a time for each struct.
 *
 * Strict where two readers could understand a request differently (RFC 9112 sections 2.2,
 * 3.2, 5 and 6, 11.2): lines end in CR LF and in nothing else, no control characters, no
 * line folding, no space before a colon, one Host, one Content-Length, no Content-Length
 * with a Transfer-Encoding. Method and path are for the caller to know or not; so is
 * whether there may be a body. */
#ifndef PAYBELL_WIRE_HTTP_HEAD_H
#define PAYBELL_WIRE_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HTTP_HEAD_MAX_DEFAULT 8192 /* bytes, the empty line included */

/* Text that has no NUL behind it; borrowed from the buffer. at is NULL for what is not
 * there. */
struct http_text {
	const char *at;
	size_t len;
};

struct http_head {
	/* Set by http_head_init(). */
	uint32_t max_bytes;

	/* For the caller, when the head is complete. */
	uint32_t bytes;         /* of the head, the empty line included */
	int minor_version;      /* of HTTP/1.x */
	bool chunked;           /* Transfer-Encoding: chunked */
	int64_t content_length; /* -1: none was given */

	/* Set when http_head_read() fails. */
	int status; /* to answer with: 400, 414, 431, 501, 505 */

	/* How far it is. Offsets, since the buffer may have moved. */
	const char *text;
	uint32_t seen, line_at, fields_at; /* fields_at: 0 before the request line */
	uint32_t method_at, method_len, path_at, path_len, query_at, query_len;
	bool has_host;
};

void http_head_init(struct http_head *h, size_t max_bytes);

/* 1: complete. 0: more is needed. -1: refused: h->status and *e say how and why; the head
 * may not be read on. */
int http_head_read(struct http_head *h, const char *bytes, size_t len, struct err *e);

struct http_text http_head_method(const struct http_head *h);

/* Without scheme, authority and query, as it came: nothing is decoded. */
struct http_text http_head_path(const struct http_head *h);

/* The value of the query's first pair of that name, decoded as a form, NUL-terminated. 1,
 * or 0 when there is none, or -1 when it has a bad escape or a NUL, or does not fit. */
int http_head_query(const struct http_head *h, const char *name, char *out, size_t size);

/* How many fields have this name, in any case, and the value of the first, without the
 * spaces around it (value may be NULL). */
size_t http_head_field(const struct http_head *h, const char *name,
		       struct http_text *value);

/* The members of a list that is one field or several (RFC 9110 section 5.6.1; quoted
 * strings are not known), without the empty ones. *next begins zeroed; false after the
 * last. */
struct http_items {
	size_t line;           /* where the next field begins */
	struct http_text rest; /* of the field that was begun */
};
bool http_head_next_item(const struct http_head *h, const char *name,
			 struct http_items *next, struct http_text *item);

/* Does the list have this member, in any case? */
bool http_head_has_item(const struct http_head *h, const char *name, const char *item);

bool http_text_is(struct http_text text, const char *other); /* to the letter */
bool http_text_is_nocase(struct http_text text, const char *other);
/* Without the spaces and tabs around it. */
struct http_text http_text_trim(struct http_text text);
/* The text before the first c, and *rest behind it; all of it, and rest->at NULL, without
 * a c. */
struct http_text http_text_split(struct http_text text, char c, struct http_text *rest);
bool http_text_is_token(struct http_text text); /* RFC 9110 section 5.6.2; not empty */

#endif
