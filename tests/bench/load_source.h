/* What is sent: requests made from a template, or read from a file, ready as bytes.
 *
 * One of three kinds: a fixed or templated body, a file with a body a line (each
 * connection goes through it, from a start of its own), or a file of whole requests,
 * each bound to a connection. Paths and templates may say {n} (the request's number),
 * {a} and {b} (two different numbers below `users`, seeded). One thread. */
#ifndef PAYBELL_BENCH_LOAD_SOURCE_H
#define PAYBELL_BENCH_LOAD_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SOURCE_REQUEST_MAX (4 << 20)   /* bytes of one request */
#define SOURCE_FILE_MAX    (512 << 20) /* bytes of a file */
#define SOURCE_LINES_MAX   2000000
#define SOURCE_HEADERS_MAX 32
#define SOURCE_CONNECTIONS 16384

struct source_settings {
	const char *host; /* for the Host header */
	const char *method, *path;
	const char *headers[SOURCE_HEADERS_MAX]; /* "Name: value" */
	int header_count;
	const char *body;       /* template; NULL: none */
	const char *body_file;  /* a body a line; NULL: none */
	const char *requests;   /* a request a line; NULL: none */
	const char *key_prefix; /* Idempotency-Key is <prefix>-<n>; NULL: none */
	uint64_t seed;
	int64_t users; /* 2 at least when {a} or {b} is used */
};

struct source;

/* The settings and their texts stay the caller's and must outlive the source. */
int source_open(struct source **out, const struct source_settings *settings,
		struct err *e);
void source_free(struct source *s);

/* How many connections a file of requests asks for; 0 for the other kinds. */
int source_connections(const struct source *s);
/* How many requests there are in all; -1: no end. */
int64_t source_count(const struct source *s);

/* Puts the connection's next request into out (cleared first) and its number into
 * *index. False when that connection has no more. */
bool source_next(struct source *s, int connection, struct buf *out, int64_t *index);

#endif
