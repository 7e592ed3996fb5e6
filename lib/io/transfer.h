/* Transfers: one HTTP request or one SMTP message each, many at once, on one loop
 * (libcurl behind one door).
 *
 * Connections are kept and used again; easy handles are pooled. A transfer ends in
 * exactly one callback, always from the loop and never inside transfer_start(); in its
 * callback it is over already: it may start others, not cancel itself. What the request
 * holds is borrowed for the call only: everything is copied. Only http, https, smtp and
 * smtps; redirects are not followed, proxies of the environment not used; signals are not
 * used (the process ignores SIGPIPE); TLS is verified, and used on smtp:// whenever the
 * server offers STARTTLS. Loop thread only.
 *
 * A request goes out at most once, unless nothing of it was written or its method is
 * idempotent (RFC 9110 section 9.2.2): then a kept connection that the server had closed
 * is replaced silently. */
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
	int max_connections; /* a host and port; what is more waits */
	const char *ca_file; /* "" is the system's */
};

struct transfer_engine *
transfer_engine_new(struct loop *l, const struct transfer_engine_settings *settings);
/* Running ones end without a callback. Not from inside a callback of a transfer. */
void transfer_engine_free(struct transfer_engine *t);

#define TRANSFER_HEADERS_MAX 16
#define TRANSFER_URL_MAX     4096 /* bytes, NUL included; each header and text too */
#define TRANSFER_BODY_MAX    (4 << 20)
#define TRANSFER_RESPONSE_MAX                                                            \
	65536 /* bytes kept of an answer, unless the request says otherwise; more ends   \
	       * the transfer as TRANSFER_BAD_ANSWER */

struct transfer_request {
	const char *url;    /* http(s)://… or smtp(s)://host:port */
	const char *method; /* HTTP only: "GET", "POST", … */
	const char
		*headers[TRANSFER_HEADERS_MAX + 1]; /* HTTP: "Name: value", NULL-ended */
	const char *body; /* HTTP body or the whole mail; NULL none.
			     Mail: bare LF and CR become CRLF */
	size_t body_len;
	size_t response_max; /* HTTP: bytes kept of the answer; 0: TRANSFER_RESPONSE_MAX
			      */
	const char *username, *password; /* NULL none: HTTP basic, or SMTP AUTH */
	const char *mail_from, *mail_to; /* SMTP: bare addresses, ASCII; from may be "" */
	const char *hello;               /* SMTP: our name in EHLO; NULL: the host's */
	bool starttls_required;          /* SMTP: refuse to go on in clear text */
	int connect_timeout_ms, timeout_ms; /* > 0; timeout_ms is for everything, waiting
					       for a connection included */
};

enum transfer_outcome {
	TRANSFER_ANSWERED,   /* status says what: an HTTP status, or the SMTP reply that
				decided about the message (250 …, 4yz, 5yz) */
	TRANSFER_NO_CONNECT, /* nothing was sent: refused, unreachable, name unknown, TLS
				failed; SMTP: also greeting, EHLO, STARTTLS or AUTH
				refused, with that reply in status */
	TRANSFER_TIMEOUT,    /* before the whole request was written */
	TRANSFER_LOST,       /* broke before the whole request was written */
	TRANSFER_AMBIGUOUS, /* timed out or broke after the whole request (SMTP: the final
			       dot) was written: it may have been done. status is what
			       came of the answer, mostly 0 */
	TRANSFER_BAD_ANSWER, /* not the protocol, or too large */
};

struct transfer_result {
	enum transfer_outcome outcome;
	int status;       /* 0 when there was none */
	const char *body; /* NUL-terminated; borrowed for the callback; SMTP: "" */
	size_t body_len;
	int64_t retry_after_s; /* -1 none; seconds, or a date turned into seconds from now
				  (RFC 9110 section 10.2.3); at most 86,400 */
	int64_t took_us;
	bool reused;    /* on a connection that was open already */
	char text[128]; /* curl's word for a failure, for the log; holds no request data
			 */
};

typedef void transfer_fn(void *arg, const struct transfer_result *result);

/* Starts; NULL and *e when the request itself is wrong (ERR_INVALID). */
struct transfer *transfer_start(struct transfer_engine *t,
				const struct transfer_request *request, transfer_fn *fn,
				void *arg, struct err *e);
void transfer_cancel(struct transfer *x); /* no callback any more */
size_t transfer_running(const struct transfer_engine *t);

#endif
