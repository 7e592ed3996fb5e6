/* Transfers: one HTTP request or one SMTP message each, many at once, on one loop (libcurl's multi_socket behind one door).
 *
 * Connections are kept and used again; easy handles are pooled. A transfer ends in exactly one callback, always from the loop and never inside
 * transfer_start(). What the request holds is borrowed for the call only if it says so: texts and body are copied where curl keeps no copy.
 * Only http, https, smtp and smtps; redirects are not followed; signals are not used; TLS is verified. Loop thread only. */
#ifndef PAYBELL_IO_TRANSFER_H
#define PAYBELL_IO_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/loop.h"

struct transfer_engine;
struct transfer;

struct transfer_engine_settings {
	int max_connections;      /* a host and port; what is more waits inside curl */
	const char *ca_file;      /* "" is the system's */
};

struct transfer_engine *transfer_engine_new(struct loop *l, const struct transfer_engine_settings *settings);
void transfer_engine_free(struct transfer_engine *t); /* running ones end without a callback */

#define TRANSFER_HEADERS_MAX 16
#define TRANSFER_RESPONSE_MAX 65536 /* bytes kept of an answer; more ends the transfer as TRANSFER_BAD_ANSWER */

struct transfer_request {
	const char *url;        /* http(s)://… or smtp(s)://host:port */
	const char *method;     /* HTTP only: "GET", "POST", … */
	const char *headers[TRANSFER_HEADERS_MAX + 1]; /* "Name: value", NULL-ended */
	const char *body;       /* HTTP body or the whole mail; NULL none */
	size_t body_len;
	const char *username, *password; /* NULL none: HTTP basic, or SMTP AUTH */
	const char *mail_from, *mail_to; /* SMTP: bare addresses */
	const char *hello;               /* SMTP: our name in EHLO; NULL: the host's */
	bool starttls_required;          /* SMTP: refuse to go on in clear text */
	int connect_timeout_ms, timeout_ms; /* > 0 */
};

enum transfer_outcome {
	TRANSFER_ANSWERED,    /* status says what: an HTTP status, or the SMTP reply that decided (250 …, 4yz, 5yz) */
	TRANSFER_NO_CONNECT,  /* nothing was sent: refused, unreachable, name unknown, TLS failed */
	TRANSFER_TIMEOUT,     /* before the whole request was written */
	TRANSFER_LOST,        /* broke before the whole request was written */
	TRANSFER_AMBIGUOUS,   /* timed out or broke after the whole request was written: it may have been done */
	TRANSFER_BAD_ANSWER,  /* not the protocol, or too large */
};

struct transfer_result {
	enum transfer_outcome outcome;
	int status;              /* 0 when there was none */
	const char *body;        /* NUL-terminated; borrowed for the callback */
	size_t body_len;
	int64_t retry_after_s;   /* -1 none; seconds, or a date turned into seconds from now (RFC 9110 section 10.2.3); at most 86,400 */
	int64_t took_us;
	bool reused;             /* on a connection that was open already */
	char text[128];          /* curl's word for a failure, for the log; holds no request data */
};

typedef void transfer_fn(void *arg, const struct transfer_result *result);

/* Starts; NULL and *e when the request itself is wrong. */
struct transfer *transfer_start(struct transfer_engine *t, const struct transfer_request *request, transfer_fn *fn, void *arg,
				struct err *e);
void transfer_cancel(struct transfer *x); /* no callback any more */
size_t transfer_running(const struct transfer_engine *t);

#endif
