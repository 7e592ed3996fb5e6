#include "gateway/polling.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/eio_inside.h"
#include "gateway/inside.h"
#include "gateway/route.h"

#define ORIGIN_SIZE       256
#define ANSWER_MAX_BYTES  (1 << 20)
#define PREFLIGHT_MAX_AGE "600"

/* The request that a connection is at. */
struct poll {
	char sid[EIO_SID_SIZE];
	bool post;
	int seconds;                   /* that a POST has taken */
	size_t left;                   /* of a POST's body */
	struct engineio_reader reader; /* of it */
	bool last;                     /* the client wants no other after it */
	char origin[ORIGIN_SIZE];      /* of a page that may read the answer; or "" */
};

/* What the protocol says is wrong: Engine.IO's own numbers. */
static const struct fault {
	int status;
	const char *json;
} UNKNOWN_TRANSPORT = {400, "{\"code\":0,\"message\":\"Transport unknown\"}"},
  UNKNOWN_SID = {400, "{\"code\":1,\"message\":\"Session ID unknown\"}"},
  BAD_METHOD = {400, "{\"code\":2,\"message\":\"Bad handshake method\"}"},
  BAD_REQUEST = {400, "{\"code\":3,\"message\":\"Bad request\"}"},
  FORBIDDEN = {403, "{\"code\":4,\"message\":\"Forbidden\"}"},
  BAD_VERSION = {400, "{\"code\":5,\"message\":\"Unsupported protocol version\"}"},
  TOO_LARGE = {413, "{\"code\":3,\"message\":\"Payload too large\"}"},
  DRAINING = {503, "{\"code\":3,\"message\":\"Restarting\"}"},
  TOO_MANY_SESSIONS = {503, "{\"code\":3,\"message\":\"Too many sessions\"}"},
  TOO_MANY = {429, "{\"code\":3,\"message\":\"Too many messages\"}"};

static struct poll *poll_of(struct thread *t, int fd)
{
	return connection_of(t, fd)->part;
}

static void free_poll(struct connection *c)
{
	struct poll *p = c->part;

	if (!p)
		return;
	engineio_reader_release(&p->reader);
	mem_free(p);
	c->part = NULL;
}

/* ---- answers ---- */

static bool answer(struct thread *t, int fd, int status, bool last, const char *type,
		   const char *origin, const char *body, size_t len)
{
	char head[ORIGIN_SIZE + 512];
	struct frame *f;
	int head_len;
	bool sent;

	head_len =
		snprintf(head, sizeof(head),
			 "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n"
			 "Content-Length: %zu\r\nCache-Control: no-store\r\n%s%s%s%s\r\n",
			 status, status == 200 ? "OK" : "Refused", type, len,
			 last ? "Connection: close\r\n" : "",
			 origin[0] ? "Access-Control-Allow-Origin: " : "", origin,
			 origin[0] ? "\r\nAccess-Control-Allow-Credentials: true\r\n"
				     "Vary: Origin\r\n"
				   : "");
	f = frame_new((size_t)head_len + len);
	memcpy(f->bytes, head, (size_t)head_len);
	memcpy(f->bytes + head_len, body, len);
	sent = connection_send(t, fd, f);
	frame_unref(f);
	return sent;
}

/* The request is over: the connection is for the next one. */
static void finish(struct thread *t, int fd, const char *body, size_t len)
{
	struct connection *c = connection_of(t, fd);
	struct poll *p = c->part;
	char origin[ORIGIN_SIZE];
	bool last = p->last;

	memcpy(origin, p->origin, sizeof(origin));
	free_poll(c);
	connection_become(t, fd, LAYER_HEAD);
	if (!answer(t, fd, 200, last, "text/plain; charset=UTF-8", origin, body, len))
		return;
	if (last)
		connection_end(t, fd);
	else if (c->pending)
		thread_read_again(t, fd); /* the next request may be kept already */
}

static ssize_t refuse(struct thread *t, int fd, const struct fault *fault,
		      const char *origin)
{
	if (answer(t, fd, fault->status, true, "application/json", origin, fault->json,
		   strlen(fault->json)))
		connection_end(t, fd);
	return -1;
}

/* As many of the waiting packets as one answer takes. */
static void fill(struct eio *e, struct buf *payload)
{
	struct err err = ERR_INIT;

	while (!list_empty(&e->waiting)) {
		struct eio_waiting *w =
			container_of(e->waiting.next, struct eio_waiting, link);
		const struct frame *f = w->message.frame;
		struct slice text = {(const char *)f->bytes + w->message.payload_at,
				     f->len - w->message.payload_at};
		struct engineio_packet p = {ENGINEIO_MESSAGE, w->binary, text};

		if (!w->binary) {
			p.type = (enum engineio_type)(text.at[0] - '0');
			p.data = slice_from(text, 1);
		}
		/* What no poll can carry is dropped: it would block all behind it. */
		if (engineio_payload_put(payload, &p, &err) < 0 && err.code == ERR_FULL &&
		    payload->len > 0)
			return;
		list_remove(&w->link);
		e->waiting_bytes -= f->len;
		message_release(&w->message);
		mem_free(w);
	}
}

void polling_answer(struct thread *t, struct eio *e)
{
	static const struct engineio_packet nothing = {ENGINEIO_NOOP, false, {NULL, 0}};
	struct err ignored = ERR_INIT;
	int fd = e->poll;
	struct buf payload;

	buf_init(&payload, ANSWER_MAX_BYTES);
	fill(e, &payload);
	if (payload.len == 0)
		engineio_payload_put(&payload, &nothing, &ignored);
	e->poll = -1;
	finish(t, fd, buf_text(&payload), payload.len);
	buf_release(&payload);
	eio_fetched(t, e);
}

void polling_close(struct thread *t, struct eio *e)
{
	int fd = e->poll;

	e->poll = -1;
	finish(t, fd, "1", 1);
}

/* ---- requests ---- */

static void read_origin(struct thread *t, const struct eio_protocol *protocol,
			const struct http_head *head, char out[ORIGIN_SIZE])
{
	struct http_text origin = {NULL, 0};

	out[0] = '\0';
	if (http_head_field(head, "Origin", &origin) == 0 || origin.len >= ORIGIN_SIZE ||
	    !protocol->allows_origin(t, origin))
		return;
	memcpy(out, origin.at, origin.len);
	out[origin.len] = '\0';
}

static struct poll *become_poll(struct thread *t, int fd, const struct eio *e,
				const struct http_head *head, const char *origin)
{
	struct poll *p = mem_alloc(sizeof(*p));

	connection_become(t, fd, LAYER_POLLING);
	memcpy(p->sid, e->sid, sizeof(p->sid));
	mem_copy_text(p->origin, sizeof(p->origin), origin);
	p->post = http_text_is(http_head_method(head), "POST");
	p->last = head->minor_version == 0 ||
		  http_head_has_item(head, "Connection", "close");
	engineio_reader_init(&p->reader, e->protocol->max_payload);
	connection_of(t, fd)->part = p;
	return p;
}

static ssize_t handshake(struct thread *t, int fd, const struct http_head *head,
			 const char *origin)
{
	const struct eio_protocol *protocol = connection_route(t, fd)->eio;
	struct eio *e;
	int status;

	if (!http_text_is(http_head_method(head), "GET"))
		return refuse(t, fd, &BAD_METHOD, origin);
	status = protocol->accept(t, head);
	if (status != 0)
		return refuse(t, fd, status == 503 ? &DRAINING : &FORBIDDEN, origin);
	e = eio_new_counted(t, protocol, fd);
	if (!e)
		return refuse(t, fd, &TOO_MANY_SESSIONS, origin);
	become_poll(t, fd, e, head, origin);
	e->poll = fd;
	eio_begin(t, e, true);
	return (ssize_t)head->bytes;
}

static ssize_t begin_get(struct thread *t, int fd, struct eio *e,
			 const struct http_head *head, const char *origin)
{
	if (e->poll >= 0) {
		eio_end(t, e);
		return refuse(t, fd, &BAD_REQUEST, origin);
	}
	become_poll(t, fd, e, head, origin);
	e->poll = fd;
	if (!list_empty(&e->waiting) || e->probed)
		polling_answer(t, e);
	return (ssize_t)head->bytes;
}

static ssize_t begin_post(struct thread *t, int fd, struct eio *e,
			  const struct http_head *head, const char *origin)
{
	struct err err = ERR_INIT;
	struct poll *p;

	if (head->chunked || head->content_length < 0)
		return refuse(t, fd, &BAD_REQUEST, origin);
	if (head->content_length > (int64_t)e->protocol->max_payload)
		return refuse(t, fd, &TOO_LARGE, origin);
	p = become_poll(t, fd, e, head, origin);
	p->left = (size_t)head->content_length;
	if (engineio_reader_expect(&p->reader, p->left, &err) < 0 || p->left == 0) {
		eio_end(t, e);
		free_poll(connection_of(t, fd));
		return refuse(t, fd, &BAD_REQUEST, origin);
	}
	return (ssize_t)head->bytes;
}

static ssize_t preflight(struct thread *t, int fd, const struct http_head *head,
			 const char *origin)
{
	char text[ORIGIN_SIZE + 512];
	int len = snprintf(
		text, sizeof(text),
		"HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: %s\r\n"
		"Access-Control-Allow-Credentials: true\r\n"
		"Access-Control-Allow-Methods: GET, POST\r\n"
		"Access-Control-Allow-Headers: Content-Type, Authorization\r\n"
		"Access-Control-Max-Age: " PREFLIGHT_MAX_AGE "\r\nVary: Origin\r\n\r\n",
		origin);

	if (origin[0] == '\0')
		return refuse(t, fd, &FORBIDDEN, origin);
	if (!connection_send_bytes(t, fd, text, (size_t)len))
		return -1;
	connection_become(t, fd, LAYER_HEAD);
	return (ssize_t)head->bytes;
}

/* A poll that brings something, or waits until it does, is not one too many: its client
 * asks as often as it is told something. */
static bool is_fetching(const struct http_head *head, const struct eio *e)
{
	return http_text_is(http_head_method(head), "GET") &&
	       (!e || !e->probed || !list_empty(&e->waiting));
}

ssize_t polling_begin(struct thread *t, int fd, const struct http_head *head,
		      const uint8_t *bytes, size_t len)
{
	char version[4] = "", transport[16] = "", sid[64] = "", origin[ORIGIN_SIZE];
	struct thread *home = eio_elsewhere(t, head);
	int named = http_head_query(head, "sid", sid, sizeof(sid));
	struct eio *e = named == 1 ? eio_find(t, sid) : NULL;

	read_origin(t, connection_route(t, fd)->eio, head, origin);
	if (!(named == 1 && is_fetching(head, e)) && !connection_heard(t, fd))
		return refuse(t, fd, &TOO_MANY, origin);
	if (http_text_is(http_head_method(head), "OPTIONS"))
		return preflight(t, fd, head, origin);
	if (http_head_query(head, "transport", transport, sizeof(transport)) != 1 ||
	    strcmp(transport, "polling") != 0)
		return refuse(t, fd, &UNKNOWN_TRANSPORT, origin);
	if (http_head_query(head, "EIO", version, sizeof(version)) != 1 ||
	    strcmp(version, "4") != 0)
		return refuse(t, fd, &BAD_VERSION, origin);
	if (named == 0)
		return handshake(t, fd, head, origin);
	if (home) {
		connection_move(t, fd, home, bytes, len);
		return -1;
	}
	if (!e)
		return refuse(t, fd, &UNKNOWN_SID, origin);
	if (e->socket >= 0)
		return refuse(t, fd, &BAD_REQUEST, origin);
	if (http_text_is(http_head_method(head), "GET"))
		return begin_get(t, fd, e, head, origin);
	if (http_text_is(http_head_method(head), "POST"))
		return begin_post(t, fd, e, head, origin);
	return refuse(t, fd, &BAD_METHOD, origin);
}

/* ---- the layer ---- */

/* The request is not what it should be: neither it nor its session goes on. */
static void break_off(struct thread *t, int fd, struct eio *e, const struct fault *fault)
{
	char origin[ORIGIN_SIZE];

	memcpy(origin, poll_of(t, fd)->origin, sizeof(origin));
	if (e)
		eio_end(t, e);
	free_poll(connection_of(t, fd));
	refuse(t, fd, fault, origin);
}

/* The packets of one piece of a body. False: the request was answered, or its connection
 * is gone. */
static bool take_packets(struct thread *t, int fd, struct slice piece, bool last)
{
	struct handle h = connection_handle(t, fd);
	struct engineio_packet packet;
	struct err err = ERR_INIT;
	int rc = 1;

	while (rc == 1 && connection_is(t, h)) {
		struct poll *p = poll_of(t, fd);
		struct eio *e = eio_find(t, p->sid);

		rc = engineio_reader_next(&p->reader, &piece, last, &packet, &err);
		if (rc < 0) {
			break_off(t, fd, e, &BAD_REQUEST);
			return false;
		}
		if (rc == 1 && !connection_heard(t, fd)) {
			break_off(t, fd, e, &TOO_MANY);
			return false;
		}
		if (rc == 1 && e)
			eio_take(t, e, &packet);
	}
	return connection_is(t, h);
}

static ssize_t input(struct thread *t, int fd, uint8_t *bytes, size_t len)
{
	struct poll *p = poll_of(t, fd);
	size_t take;

	if (!p->post)
		return 0; /* a GET that waits: what comes is the next request */
	take = len < p->left ? len : p->left;
	p->left -= take;
	if (!take_packets(t, fd, (struct slice){(const char *)bytes, take}, p->left == 0))
		return -1;
	if (p->left == 0)
		finish(t, fd, "ok", 2);
	return (ssize_t)take;
}

/* A body has to come in the time of a handshake, and while its session lasts. */
static void second(struct thread *t, int fd)
{
	struct poll *p = poll_of(t, fd);

	if (p->post &&
	    (++p->seconds > engine_get_settings(thread_engine(t))->handshake_s ||
	     !eio_find(t, p->sid)))
		connection_cut(t, fd);
}

/* The client broke a request off: its session is over. */
static void gone(struct thread *t, int fd)
{
	struct connection *c = connection_of(t, fd);
	struct poll *p = c->part;
	struct eio *e = p ? eio_find(t, p->sid) : NULL;

	if (e && e->poll == fd)
		e->poll = -1;
	free_poll(c);
	if (e)
		eio_end(t, e);
}

const struct layer polling_layer = {
	.input = input,
	.gone = gone,
	.second = second,
};
