/* An HTTP/1.1 server: libmicrohttpd parses, epoll loops of ours drive it.
 *
 * Either on threads of its own (each with its own daemon, listener on SO_REUSEPORT and
 * epoll), or on a caller's loop (`loop` given: no thread). Why not libmicrohttpd's own
 * thread: 0.9.75's internal epoll nearly stops whenever a multiple of 128 connections is
 * ready at once; and its resume needs somebody to wake an external loop, which each
 * thread's eventfd does.
 *
 * The handler is called once a request, when its whole body is there, on the server's
 * thread. It answers at once with http_answer(), or keeps the pointer and returns: the
 * connection is then suspended, and any thread answers later, exactly once, with
 * http_answer(). A request whose client went away stays valid until it is answered.
 * http_answer_hold()/http_answer_flush() let a batch of answers wake each thread once.
 * Bodies over max_body_bytes are answered
 * 413 by the door (through the on_fault hook, which formats) and are never stored: a
 * declared length at once, a chunked body when its end has come, at most 1 MiB later,
 * else it is cut. A body whose end two readers could see in different places is 400.
 * Header block: 16 KiB; libmicrohttpd answers 431 and 400 to what it cannot parse. HEAD
 * is given as GET, and the body is left out. "%00" in a path or query stays as it is. */
#ifndef PAYBELL_IO_HTTP_SERVER_H
#define PAYBELL_IO_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/loop.h"

struct http_server;
struct http_request;

typedef void http_handler(void *arg, struct http_request *r);
/* Formats the answer for what the door itself refuses: 413 and 400. Calls http_answer()
 * like a handler. */
typedef void http_fault_fn(void *arg, struct http_request *r, int status);

struct http_server_settings {
	const char *listen;  /* NULL: nothing but http_server_adopt(); or "host:port"
				([v6]:port; port 0 picks one) or "unix:/path"  (mode 0660;
				a  stale socket is removed) */
	struct loop *loop;   /* NULL: own threads */
	int threads;         /* without loop: 1 to 16 */
	int max_connections; /* more are closed on accept, or not adopted */
	size_t max_body_bytes;
	int idle_timeout_s;
	int life_s; /* of an adopted connection */
	http_handler *handler;
	http_fault_fn *on_fault; /* NULL: a plain text */
	void *arg;
};

int http_server_start(struct http_server **out,
		      const struct http_server_settings *settings, struct err *e);
/* Takes over a connected socket that was accepted elsewhere and of which nothing was
 * read: one request of it is answered, with "Connection: close". It is closed when it was
 * idle for idle_timeout_s, and life_s after it came at the latest. False: there are
 * max_connections already, and fd is still the caller's. A server without a listener
 * only. Any thread, until http_server_stop(). */
bool http_server_adopt(struct http_server *s, int fd);
/* Takes no new connection any more and closes idle ones' keep-alive after their next
 * answer; what is being worked on goes on. */
void http_server_quiesce(struct http_server *s);
/* Requests without an answer yet. */
size_t http_server_open_requests(const struct http_server *s);
/* Hands no request to the handler any more, waits until all that it has are answered (so
 * what answers them must still run), lets the answers leave and joins the threads. On a
 * caller's loop: on the loop's thread, and all must be answered before. NULL does
 * nothing. */
void http_server_stop(struct http_server *s);
/* As bound: "127.0.0.1:34567"; "" without a listener. Borrowed. */
const char *http_server_address(const struct http_server *s);

/* The request; all borrowed until it is answered. */
const char *http_method(const struct http_request *r);
const char *
http_path(const struct http_request *r); /* percent-decoded, without the query */
const char *http_query(const struct http_request *r,
		       const char *name); /* NULL absent; decoded */
const char *http_header(const struct http_request *r,
			const char *name); /* NULL absent; case-insensitive. Server's
					      thread only, before the handler returns */
const char *http_body(const struct http_request *r, size_t *len); /* never NULL */
int64_t
http_received_us(const struct http_request *r); /* UTC, when the body was complete */

/* A pointer of the handler's own, kept with the request (NULL at first). */
void http_set_context(struct http_request *r, void *context);
void *http_context(const struct http_request *r);

#define HTTP_EXTRA_HEADERS_MAX 4
struct http_answer {
	int status;
	const char *content_type; /* NULL: none */
	const char *body;         /* copied */
	size_t body_len;
	bool close; /* Connection: close */
	bool cut;   /* the connection is closed after half of the body; without a body:
		       without   an answer (for stand-ins that fail on request) */
	struct {
		const char *name, *value; /* copied; name NULL ends */
	} headers[HTTP_EXTRA_HEADERS_MAX];
};

/* Any thread, exactly once a request; r is gone for the caller after it. */
void http_answer(struct http_request *r, const struct http_answer *a);
/* The same with a file in the body's place (a->body and a->cut are not looked at): takes
 * fd, of which `size` bytes go out as the kernel sends them, without a copy in memory. A
 * file that turns out to be shorter ends the connection. */
void http_answer_file(struct http_request *r, const struct http_answer *a, int fd,
		      uint64_t size);
/* The same as http_answer() from another thread without waking the server's thread; then
 * one flush for all, by the same thread. Until it, they count as open requests. */
void http_answer_hold(struct http_request *r, const struct http_answer *a);
void http_answer_flush(struct http_server *s);

#endif
