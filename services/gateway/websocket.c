#include "gateway/websocket.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "gateway/eio.h"
#include "gateway/inside.h"
#include "gateway/route.h"
#include "io/digest.h"

#define ANSWER_S   5
#define FLAG_ASKED 1 /* a ping of ours is under way */

/* What is unfinished: a frame, a message of several slices. */
struct part {
	struct ws ws;
	struct buf message;
	unsigned char control[WS_CONTROL_MAX];
};

static const struct websocket_protocol *protocol_of(struct thread *t, int fd)
{
	return connection_route(t, fd)->websocket;
}

static size_t message_max_bytes(struct thread *t, int fd)
{
	const struct route *route = connection_route(t, fd);

	return route->websocket->message_max_bytes > 0
		       ? route->websocket->message_max_bytes
		       : route->eio->max_payload;
}

static void free_part(struct connection *c)
{
	struct part *p = c->part;

	if (!p)
		return;
	buf_release(&p->message);
	mem_free(p);
	c->part = NULL;
}

/* ---- the handshake ---- */

static bool answer_upgrade(struct thread *t, int fd, const struct ws_handshake *handshake,
			   const char *subprotocol)
{
	char text[WS_ACCEPT_TEXT_CHARS], accept[DIGEST_SHA1_BASE64_SIZE], answer[512];
	int len;

	ws_handshake_accept_text(handshake, text);
	digest_sha1_base64(accept, text, sizeof(text));
	len = snprintf(answer, sizeof(answer),
		       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		       "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s%s%s\r\n",
		       accept, subprotocol[0] ? "Sec-WebSocket-Protocol: " : "",
		       subprotocol, subprotocol[0] ? "\r\n" : "");
	return connection_send_bytes(t, fd, answer, (size_t)len);
}

/* ---- messages ---- */

/* False: the connection is not ours any more. */
static bool hand_over(struct thread *t, int fd, const struct ws_event *event,
		      uint8_t *bytes, size_t len)
{
	struct handle h = connection_handle(t, fd);

	protocol_of(t, fd)->message(t, fd, event->opcode == WS_TEXT, bytes, len);
	return connection_is(t, h);
}

static struct part *keep_part(struct connection *c, const struct ws *ws)
{
	struct part *p = c->part;

	if (!p) {
		p = c->part = mem_alloc(sizeof(*p));
		buf_init(&p->message, SIZE_MAX);
	}
	p->ws = *ws;
	return p;
}

static bool take_data(struct thread *t, int fd, const struct ws *ws,
		      const struct ws_event *event)
{
	struct part *p;
	bool whole = event->first && event->last, here;
	char *bytes;
	size_t len;

	if (whole)
		return hand_over(t, fd, event, event->bytes, event->len);
	p = keep_part(connection_of(t, fd), ws);
	buf_add(&p->message, event->bytes, event->len);
	if (!event->last)
		return true;
	bytes = buf_take(&p->message, &len);
	here = hand_over(t, fd, event, (uint8_t *)bytes, len);
	mem_free(bytes);
	return here;
}

static bool answer_ping(struct thread *t, int fd, const struct ws_event *event)
{
	unsigned char pong[WS_CONTROL_FRAME_MAX];

	return connection_send_bytes(
		t, fd, pong, ws_put_control(pong, WS_PONG, event->bytes, event->len));
}

/* A message counts once, a ping or pong as one. */
static bool is_counted(const struct ws_event *event)
{
	return event->type == WS_EVENT_PING || event->type == WS_EVENT_PONG ||
	       (event->type == WS_EVENT_DATA && event->last);
}

/* False: no more of this connection. */
static bool take_event(struct thread *t, int fd, const struct ws *ws,
		       const struct ws_event *event)
{
	if (is_counted(event) && !connection_heard(t, fd)) {
		websocket_close(t, fd, WS_CLOSE_POLICY, "too many messages");
		return false;
	}
	switch (event->type) {
	case WS_EVENT_DATA:
		return take_data(t, fd, ws, event);
	case WS_EVENT_PING:
		return answer_ping(t, fd, event);
	case WS_EVENT_CLOSE:
		websocket_close(t, fd, event->code, "");
		return false;
	case WS_EVENT_ERROR:
		websocket_close(t, fd, event->code, event->why);
		return false;
	case WS_EVENT_PONG:
	case WS_EVENT_NONE:
		break;
	}
	return true;
}

/* The state is in the part when something was left unfinished, else a fresh one. */
static ssize_t input(struct thread *t, int fd, uint8_t *bytes, size_t len)
{
	struct connection *c = connection_of(t, fd);
	size_t max_bytes = message_max_bytes(t, fd);
	struct part *p = c->part;
	unsigned char control[WS_CONTROL_MAX];
	struct ws ws = {0};
	struct ws_event event;
	size_t used = 0;

	c->flags &= (uint8_t)~FLAG_ASKED;
	if (p) {
		ws = p->ws;
		memcpy(control, p->control, sizeof(control));
	}
	while (used < len) {
		used += ws_read(&ws, max_bytes, control, bytes + used, len - used,
				&event);
		if (!take_event(t, fd, &ws, &event))
			return -1;
	}
	if (ws_idle(&ws)) {
		free_part(c);
		return (ssize_t)len;
	}
	p = keep_part(c, &ws);
	memcpy(p->control, control, sizeof(control));
	return (ssize_t)len;
}

/* ---- from outside ---- */

int websocket_begin(struct thread *t, int fd, const struct http_head *head,
		    const struct ws_handshake *handshake)
{
	const struct websocket_protocol *protocol = protocol_of(t, fd);
	const char *subprotocol = "";
	struct handle h;
	int status = protocol->accept(t, fd, head, &subprotocol);

	if (status != 0)
		return status;
	connection_become(t, fd, LAYER_WEBSOCKET);
	if (!answer_upgrade(t, fd, handshake, subprotocol))
		return -1;
	h = connection_handle(t, fd);
	if (protocol->opened)
		protocol->opened(t, fd);
	return connection_is(t, h) ? 0 : -1;
}

bool websocket_send(struct thread *t, int fd, bool text, const void *bytes, size_t len)
{
	unsigned char head[WS_HEADER_MAX];
	size_t head_len = ws_put_header(head, text ? WS_TEXT : WS_BINARY, true, len);
	struct frame *f = frame_new(head_len + len);
	bool sent;

	memcpy(f->bytes, head, head_len);
	if (len > 0)
		memcpy(f->bytes + head_len, bytes, len);
	sent = connection_send(t, fd, f);
	frame_unref(f);
	return sent;
}

void websocket_close(struct thread *t, int fd, uint16_t code, const char *reason)
{
	unsigned char frame[WS_CONTROL_FRAME_MAX];

	if (connection_send_bytes(t, fd, frame, ws_put_close(frame, code, reason)))
		connection_end(t, fd);
}

/* ---- the layer ---- */

static void second(struct thread *t, int fd)
{
	struct connection *c = connection_of(t, fd);
	const struct websocket_protocol *protocol = protocol_of(t, fd);
	int ping_s = protocol->pings ? engine_get_settings(thread_engine(t))->ping_s : 0;
	unsigned char ping[WS_CONTROL_FRAME_MAX];

	if (ping_s > 0 && c->silent_s >= 2 * ping_s + ANSWER_S) {
		connection_cut(t, fd);
		return;
	}
	if (ping_s > 0 && c->silent_s >= ping_s && !(c->flags & FLAG_ASKED)) {
		c->flags |= FLAG_ASKED;
		if (!connection_send_bytes(t, fd, ping,
					   ws_put_control(ping, WS_PING, "", 0)))
			return;
	}
	if (protocol->second)
		protocol->second(t, fd);
}

static void gone(struct thread *t, int fd)
{
	if (protocol_of(t, fd)->gone)
		protocol_of(t, fd)->gone(t, fd);
	free_part(connection_of(t, fd));
}

static void too_slow(struct thread *t, int fd)
{
	unsigned char frame[WS_CONTROL_FRAME_MAX];

	connection_last(t, fd, frame, ws_put_close(frame, WS_CLOSE_LATER, "too slow"));
}

const struct layer websocket_layer = {
	.input = input,
	.gone = gone,
	.second = second,
	.too_slow = too_slow,
};
