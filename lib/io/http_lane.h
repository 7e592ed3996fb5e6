/* The requests of one server thread: recycled by it, answered from anywhere, and brought
 * back to it through a mailbox. Private to io/http_server.c and its neighbours;
 * nothing in here knows of libmicrohttpd.
 *
 * The lane belongs to its server's thread, but for the mailbox and the counts. `open`
 * counts what the handler has and nobody has answered; whoever sees 0 may stop the
 * server, so it falls after everything else that an answer touches. */
#ifndef PAYBELL_IO_HTTP_LANE_H
#define PAYBELL_IO_HTTP_LANE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "io/http_server.h"

enum http_request_state {
	REQUEST_READING,
	REQUEST_DISCARDING, /* too large: the rest of the body is dropped */
	REQUEST_OPEN,       /* the handler has it */
	REQUEST_ANSWERED,
};

struct http_request {
	struct http_request *next; /* in the mailbox or the free list */
	struct http_lane *lane;
	struct MHD_Connection *connection;
	const char *method, *path;
	int64_t received_us;
	void *context;
	enum http_request_state state; /* the server's thread only */
	struct buf body;
	size_t discarded;

	/* The answer: the body, then NUL-terminated texts, content type first. */
	struct buf answer;
	size_t answer_body_len;
	int file; /* the body in its place, or -1 */
	uint64_t file_size;
	int status;
	int headers;
	bool has_type, close, cut;
};

struct http_lane {
	size_t max_body_bytes;
	int event_fd;
	pthread_t self;
	struct http_request *in_call; /* whose handler runs now */
	struct http_request *free_list;
	int free_count;

	_Atomic(struct http_request *) mailbox; /* answered elsewhere, newest first */
	atomic_size_t held; /* how many there were not rung for; they count as open */
	atomic_size_t open;
};

int http_lane_init(struct http_lane *l, size_t max_body_bytes, struct err *e);
void http_lane_release(struct http_lane *l); /* all requests are recycled */

struct http_request *http_lane_take(struct http_lane *l);
void http_lane_recycle(struct http_request *r);

/* Adds a piece of the body, or drops it when the body has become too large. False when
 * too much was dropped. */
bool http_lane_gather(struct http_request *r, const char *piece, size_t len);

/* Makes event_fd readable; any thread. http_lane_hush() takes that back. */
void http_lane_ring(struct http_lane *l);
void http_lane_hush(struct http_lane *l);

/* All that was answered elsewhere since the last time, in the order of the answers,
 * linked by `next`, their state set. */
struct http_request *http_lane_mail(struct http_lane *l);

#endif
