/* The engine of the load program: connections on one epoll, closed or open loop.
 *
 * Closed loop (rate 0): each connection has one request in flight and sends the next when
 * the answer is there; latency counts from the first byte written. Open loop: request i
 * is due at start + i / rate whatever the server does; latency counts from that moment,
 * so that a server which stalls pays for everybody it kept waiting (a closed loop would
 * politely not ask meanwhile: coordinated omission).
 *
 * A request counts once: by its status, or as an error when its connection broke or
 * timeout_us passed. With `retry` a broken one is sent again, as the same bytes, on the
 * reopened connection; its latency goes on counting. One thread. */
#ifndef PAYBELL_BENCH_LOAD_ENGINE_H
#define PAYBELL_BENCH_LOAD_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "load_histogram.h"
#include "load_source.h"

struct engine_settings {
	const struct sockaddr *address;
	socklen_t address_len;
	int connections;     /* 1 to SOURCE_CONNECTIONS */
	int64_t count;       /* requests; -1: as many as fit in duration_us */
	int64_t duration_us; /* nothing is sent after it */
	int64_t rate;        /* requests a second; 0: closed loop */
	int64_t timeout_us;  /* for one request, retries included */
	bool retry;
};

struct engine_answer {
	int64_t index;
	int connection;
	int status;        /* 0: error */
	const char *error; /* "closed" "timeout" "malformed"; NULL: none */
	int64_t start_us;  /* UTC: sent (closed loop) or due (open loop) */
	int64_t latency_us;
	int retries;
	const char *head, *body; /* borrowed until the function returns; NULL: error */
	size_t head_len, body_len;
};

/* May be NULL in engine_run: then nothing is told. */
typedef void engine_answer_fn(void *arg, const struct engine_answer *a);

struct engine_report {
	int64_t statuses[600];               /* [0]: errors of every kind */
	int64_t closed, timeouts, malformed; /* the errors by kind */
	int64_t unsent;   /* open loop: due, but no connection was free in time */
	int64_t reopened; /* connections that were opened again */
	int64_t retries;
	int64_t backlog_max; /* open loop: most requests that were due and unsent */
	int64_t took_us;     /* from the start to the last answer */
	int64_t sent_bytes, received_bytes;
	struct histogram latency; /* of everything with a status */
};

/* Runs to the end: everything answered, or duration and timeout over. Fails when the
 * first connection cannot be made. */
int engine_run(const struct engine_settings *settings, struct source *source,
	       engine_answer_fn *on_answer, void *arg, struct engine_report *report,
	       struct err *e);

#endif
