/* One thread of an HTTP server: a daemon of libmicrohttpd, its connections and what
 * drives it. Private to io/http_server.c.
 *
 * Everything in here is the thread's own, but for the mailboxes and counts of the lane
 * and of those adopted, and the two flags. http_query() and http_header() are here too:
 * libmicrohttpd keeps those. */
#ifndef PAYBELL_IO_HTTP_THREAD_H
#define PAYBELL_IO_HTTP_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/http_adopted.h"
#include "io/http_drive.h"
#include "io/http_lane.h"
#include "io/http_server.h"

struct http_thread {
	/* Filled by the caller; lane.event_fd is -1. */
	const struct http_server_settings *settings; /* borrowed */
	int listen_fd; /* -1: connections are adopted; closed by quiescing, then -1 */
	int connections_max;

	/* Its own. */
	struct http_lane lane;
	struct http_drive drive;
	struct http_adopted adopted;
	struct http_adoptee *adopting; /* whom libmicrohttpd is being given */
	struct MHD_Daemon *daemon;
	atomic_bool quiescing, stopping;
	bool begun, quiesced;
	int connections;
	size_t unsent; /* answered and not completed */
	int64_t linger_until_us;
};

int http_thread_start(struct http_thread *t, struct err *e);
/* Any thread. False: there are too many, and fd is still the caller's. */
bool http_thread_adopt(struct http_thread *t, int fd);
/* Takes no new connection any more; any thread. */
void http_thread_quiesce(struct http_thread *t);
/* Hands no request over any more; any thread. */
void http_thread_stop(struct http_thread *t);
/* After that, and also when it did not start: waits until all is answered and has left,
 * joins, and frees. The listener is still open if it was not quiesced. */
void http_thread_end(struct http_thread *t);

#endif
