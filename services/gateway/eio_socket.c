/* The WebSocket of an Engine.IO session: one that begins with it, or one that takes over
 * from the polls (probe, answer, upgrade). The connection's user is the session. */
#include "gateway/eio_inside.h"
#include "gateway/route.h"
#include "gateway/websocket.h"

#include <string.h>

#include "base/mem.h"

static struct eio *session_of(struct thread *t, int fd)
{
	return connection_of(t, fd)->user;
}

static int accept_socket(struct thread *t, int fd, const struct http_head *head,
			 const char **subprotocol)
{
	const struct eio_protocol *protocol = connection_route(t, fd)->eio;
	char sid[64] = "", version[4], transport[16];
	struct eio *e;
	int status;

	if (http_head_query(head, "EIO", version, sizeof(version)) != 1 ||
	    strcmp(version, "4") != 0 ||
	    http_head_query(head, "transport", transport, sizeof(transport)) != 1 ||
	    strcmp(transport, "websocket") != 0 ||
	    http_head_query(head, "sid", sid, sizeof(sid)) < 0)
		return 400;
	if (sid[0] == '\0') {
		status = protocol->accept(t, head);
		if (status != 0)
			return status;
		e = eio_new(t, protocol);
		e->socket = fd;
	} else {
		e = eio_find(t, sid);
		if (!e || e->over || e->socket >= 0 || e->probing >= 0)
			return 400;
		e->probing = fd;
	}
	connection_of(t, fd)->user = e;
	return 0;
}

static void opened(struct thread *t, int fd)
{
	struct eio *e = session_of(t, fd);

	if (e->socket == fd)
		eio_begin(t, e, false);
}

/* The polls' part is over: what waited for them goes out here. */
static void take_over(struct thread *t, struct eio *e)
{
	struct list waiting = e->waiting, *n;
	bool sent = true;

	e->socket = e->probing;
	e->probing = -1;
	e->probed = false;
	eio_count_no_more(t, e);
	if (list_empty(&e->waiting))
		return;
	waiting.next->prev = waiting.prev->next = &waiting;
	list_init(&e->waiting);
	e->waiting_bytes = 0;
	while ((n = list_pop(&waiting)) != NULL) {
		struct eio_waiting *w = container_of(n, struct eio_waiting, link);
		const struct message *one = &w->message;

		if (sent)
			sent = w->binary ? eio_send_binary(t, e, w->message.frame->bytes,
							   w->message.frame->len)
					 : eio_send(t, e, &one, 1);
		message_release(&w->message);
		mem_free(w);
	}
}

/* On a socket that is not the session's yet. */
static void take_probe(struct thread *t, int fd, const struct engineio_packet *p)
{
	struct eio *e = session_of(t, fd);
	static const char answer[] = "3probe";

	if (engineio_is_probe(p, ENGINEIO_PING)) {
		/* Its polls are answered with nothing, so that it can stop. */
		e->probed = true;
		if (websocket_send(t, fd, true, answer, sizeof(answer) - 1) &&
		    e->poll >= 0)
			polling_answer(t, e);
	} else if (p->type == ENGINEIO_UPGRADE) {
		if (e->poll >= 0)
			polling_answer(t, e);
		take_over(t, e);
	} else {
		websocket_close(t, fd, WS_CLOSE_PROTOCOL, "not a probe");
	}
}

static void message(struct thread *t, int fd, bool text, uint8_t *bytes, size_t len)
{
	struct eio *e = session_of(t, fd);
	struct engineio_packet p;
	struct err err = ERR_INIT;
	struct buf decoded;

	buf_init(&decoded, e->protocol->max_payload);
	if (engineio_decode(&p, (struct slice){(const char *)bytes, len}, !text, &decoded,
			    &err) < 0)
		websocket_close(t, fd, WS_CLOSE_PROTOCOL, err.text);
	else if (e->socket == fd)
		eio_take(t, e, &p);
	else
		take_probe(t, fd, &p);
	buf_release(&decoded);
}

static void gone(struct thread *t, int fd)
{
	struct eio *e = session_of(t, fd);

	if (!e)
		return; /* the session ended first */
	connection_of(t, fd)->user = NULL;
	if (e->probing == fd) {
		e->probing = -1;
		e->probed = false;
		return;
	}
	e->socket = -1;
	eio_end(t, e);
}

const struct websocket_protocol eio_socket_protocol = {
	.accept = accept_socket,
	.opened = opened,
	.message = message,
	.gone = gone,
};
