/* WebSocket connections (RFC 6455): messages whole, pings answered, closing done right.
 *
 * A protocol says what is spoken on a route. Its functions run on the connection's
 * thread; from inside of them the connection may be sent to, closed or cut, and then fd
 * is not to be used any more. An idle connection keeps nothing here; one in the middle of
 * a message or a frame does. */
#ifndef PAYBELL_GATEWAY_WEBSOCKET_H
#define PAYBELL_GATEWAY_WEBSOCKET_H

#include "gateway/engine.h"
#include "wire/ws.h"
#include "wire/ws_handshake.h"

struct websocket_protocol {
	size_t message_max_bytes; /* 0: what the route's Engine.IO takes */
	bool pings; /* who is silent for the engine's ping_s is asked; who still is after
		       two of these and 5 s is gone */
	/* The upgrade is a good one; may it be? 0, or an HTTP status to refuse it with.
	 * Fills *subprotocol (a text that lasts, "" for none). May set the connection's
	 * user. */
	int (*accept)(struct thread *t, int fd, const struct http_head *head,
		      const char **subprotocol);
	void (*opened)(struct thread *t,
		       int fd); /* the answer has gone out; may be NULL */
	/* A whole message; bytes are borrowed and may be changed. */
	void (*message)(struct thread *t, int fd, bool text, uint8_t *bytes, size_t len);
	void (*second)(struct thread *t, int fd); /* may be NULL */
	void (*gone)(struct thread *t, int fd);   /* frees the user; may be NULL */
};

/* From the head layer: the request is the opening handshake of a WebSocket on this route.
 * Answers it; 0, or an HTTP status that it is to be refused with, or -1: it is at its
 * end.
 */
int websocket_begin(struct thread *t, int fd, const struct http_head *head,
		    const struct ws_handshake *handshake);

/* One message, unfragmented. False: it is gone. */
bool websocket_send(struct thread *t, int fd, bool text, const void *bytes, size_t len);
/* Says goodbye after what is queued, and ends. */
void websocket_close(struct thread *t, int fd, uint16_t code, const char *reason);

#endif
