/* What the HTTP door judges itself because libmicrohttpd 0.9.75 lets it through: where a
 * body ends, and a NUL in a path. Pure. */
#ifndef PAYBELL_IO_HTTP_GUARD_H
#define PAYBELL_IO_HTTP_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/* What decides where a body ends. Two lengths, or a length beside a transfer coding, are
 * how requests are smuggled past a proxy that reads them differently (RFC 9112 section
 * 6.3); libmicrohttpd would take the first. Start with zeroes. */
struct http_guard {
	int lengths, codings;
	bool chunked;
	unsigned long long length;
};

/* One header; value may be NULL. */
void http_guard_see(struct http_guard *g, const char *name, const char *value);

/* 0, or the status that the headers alone are to be answered with: 400 or 413. */
int http_guard_judge(const struct http_guard *g, size_t max_body_bytes);

/* Decodes %XX in place and returns the new length. "%00" stays as it is, as does what is
 * no escape: a text that ends early would be another path than the one that a proxy has
 * judged. */
size_t http_guard_unescape(char *text);

#endif
