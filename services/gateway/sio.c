#include "gateway/sio.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "wire/socketio_reader.h"

#define SID_BYTES 10

struct sio_socket {
	struct sio_socket *next; /* of its client's */
	struct sio *client;
	void *user;
	bool accepted;
	uint8_t name_len;
	char name[]; /* of the namespace, without a NUL */
};

/* An Engine.IO session's user. */
struct sio {
	const struct sio_protocol *protocol;
	struct eio *eio;
	struct sio_socket *sockets;
	struct socketio_reader *reader; /* while a packet waits for attachments */
	struct timer patience;          /* runs while it is in no namespace */
};

/* ---- namespaces ---- */

static struct sio_socket *find(const struct sio *c, struct slice nsp)
{
	for (struct sio_socket *s = c->sockets; s; s = s->next) {
		if (s->name_len == nsp.len && memcmp(s->name, nsp.at, nsp.len) == 0)
			return s;
	}
	return NULL;
}

static int count_sockets(const struct sio *c)
{
	int count = 0;

	for (const struct sio_socket *s = c->sockets; s; s = s->next)
		count++;
	return count;
}

static struct sio_socket *add_socket(struct sio *c, struct slice nsp)
{
	struct sio_socket *s = mem_alloc(sizeof(*s) + nsp.len);

	_Static_assert(SOCKETIO_NAMESPACE_MAX <= UINT8_MAX, "name_len holds it");
	s->client = c;
	s->name_len = (uint8_t)nsp.len;
	memcpy(s->name, nsp.at, nsp.len);
	s->next = c->sockets;
	c->sockets = s;
	return s;
}

static void free_socket(struct thread *t, struct sio_socket *s)
{
	if (s->user)
		s->client->protocol->gone(t, s);
	mem_free(s);
}

static bool is_in_one(const struct sio *c)
{
	for (const struct sio_socket *s = c->sockets; s; s = s->next) {
		if (s->accepted)
			return true;
	}
	return false;
}

static void begin_patience(struct thread *t, struct sio *c)
{
	thread_timer_set(t, &c->patience,
			 clock_mono_us() + c->protocol->patience_ms(t) * US_PER_MS);
}

static void remove_socket(struct thread *t, struct sio_socket *s)
{
	struct sio *c = s->client;
	struct sio_socket **at = &c->sockets;
	bool was_accepted = s->accepted;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	free_socket(t, s);
	if (was_accepted && !is_in_one(c))
		begin_patience(t, c);
}

/* ---- what comes ---- */

static bool send_packet(struct thread *t, struct sio *c, struct buf *packet)
{
	bool sent = eio_send_text(t, c->eio, packet->data, packet->len);

	buf_release(packet);
	return sent;
}

static void take_connect(struct thread *t, struct sio *c, const struct socketio_packet *p)
{
	struct buf packet;

	if (count_sockets(c) < SIO_NAMESPACES_MAX) {
		c->protocol->connect(t, add_socket(c, p->nsp), p);
		return;
	}
	buf_init(&packet, SIZE_MAX);
	socketio_put_connect_error(&packet, p->nsp, "Too many namespaces",
				   (struct slice){NULL, 0});
	send_packet(t, c, &packet);
}

static void take(struct thread *t, struct sio *c, const struct socketio_packet *p,
		 const struct slice *attachments)
{
	struct sio_socket *s = find(c, p->nsp);

	if (!s && p->type == SOCKETIO_CONNECT)
		take_connect(t, c, p);
	else if (s && p->type == SOCKETIO_DISCONNECT)
		remove_socket(t, s);
	else if (s && s->accepted && p->type == SOCKETIO_EVENT)
		c->protocol->event(t, s, p, attachments);
	else if (!s || !s->accepted || p->type != SOCKETIO_ACK)
		eio_close(t, c->eio);
}

/* The reader of a packet that waits, or a new one. */
static void take_reader(struct sio *c, struct socketio_reader *r)
{
	if (!c->reader) {
		socketio_reader_init(r, c->protocol->max_bytes);
		return;
	}
	*r = *c->reader;
	mem_free(c->reader);
	c->reader = NULL;
}

void sio_message(struct thread *t, struct eio *e, bool binary, const uint8_t *bytes,
		 size_t len)
{
	struct slice input = {(const char *)bytes, len};
	struct slice attachments[SOCKETIO_ATTACHMENTS_MAX];
	struct sio *c = eio_user(e);
	struct socketio_reader r;
	struct socketio_packet p;
	struct err err = ERR_INIT;
	int rc;

	take_reader(c, &r);
	rc = binary ? socketio_reader_binary(&r, input, &p, &err)
		    : socketio_reader_text(&r, input, &p, &err);
	if (rc == 0) {
		c->reader = mem_alloc(sizeof(*c->reader));
		*c->reader = r;
		return;
	}
	/* From here on the packet is ours alone: the session may end meanwhile. */
	if (rc < 0) {
		eio_close(t, e);
	} else {
		for (int i = 0; i < p.attachments; i++)
			attachments[i] = socketio_reader_attachment(&r, i);
		take(t, c, &p, attachments);
	}
	socketio_reader_release(&r);
}

/* ---- coming and going ---- */

static void on_patience(struct thread *t, struct timer *timer)
{
	struct sio *c = container_of(timer, struct sio, patience);

	eio_close(t, c->eio);
}

void sio_open(struct thread *t, struct eio *e, const struct sio_protocol *protocol)
{
	struct sio *c = mem_alloc(sizeof(*c));

	c->protocol = protocol;
	c->eio = e;
	c->patience.fn = on_patience;
	eio_set_user(e, c);
	begin_patience(t, c);
}

void sio_gone(struct thread *t, struct eio *e)
{
	struct sio *c = eio_user(e);
	struct sio_socket *s;

	while ((s = c->sockets) != NULL) {
		c->sockets = s->next;
		free_socket(t, s);
	}
	thread_timer_stop(t, &c->patience);
	if (c->reader)
		socketio_reader_release(c->reader);
	mem_free(c->reader);
	mem_free(c);
}

/* ---- what goes ---- */

void *sio_user(const struct sio_socket *s)
{
	return s->user;
}

void sio_set_user(struct sio_socket *s, void *user)
{
	s->user = user;
}

struct slice sio_namespace(const struct sio_socket *s)
{
	return (struct slice){s->name, s->name_len};
}

bool sio_accept(struct thread *t, struct sio_socket *s, const char *pid)
{
	struct sio *c = s->client;
	char sid[2 * SID_BYTES + 1];
	struct buf packet;

	s->accepted = true;
	thread_timer_stop(t, &c->patience);
	random_hex(sid, SID_BYTES);
	buf_init(&packet, SIZE_MAX);
	socketio_put_connect(&packet, sio_namespace(s), sid, pid);
	return send_packet(t, c, &packet);
}

void sio_refuse(struct thread *t, struct sio_socket *s, const char *message,
		struct slice data)
{
	struct buf packet;

	buf_init(&packet, SIZE_MAX);
	socketio_put_connect_error(&packet, sio_namespace(s), message, data);
	if (send_packet(t, s->client, &packet))
		remove_socket(t, s);
}

bool sio_send(struct thread *t, struct sio_socket *s,
	      const struct message *const *messages, int count)
{
	return eio_send(t, s->client->eio, messages, count);
}

static bool send_with(struct thread *t, struct sio *c, struct buf *packet,
		      const struct slice *attachments, int count)
{
	bool sent = send_packet(t, c, packet);

	for (int i = 0; sent && i < count; i++)
		sent = eio_send_binary(t, c->eio, attachments[i].at, attachments[i].len);
	return sent;
}

bool sio_emit(struct thread *t, struct sio_socket *s, const char *name, struct slice args,
	      const struct slice *attachments, int count)
{
	struct buf packet;

	buf_init(&packet, SIZE_MAX);
	socketio_put_event(&packet, sio_namespace(s), SOCKETIO_NO_ID, count, name, args);
	return send_with(t, s->client, &packet, attachments, count);
}

bool sio_ack(struct thread *t, struct sio_socket *s, int64_t id, struct slice args,
	     const struct slice *attachments, int count)
{
	struct buf packet;

	buf_init(&packet, SIZE_MAX);
	socketio_put_ack(&packet, sio_namespace(s), id, count, args);
	return send_with(t, s->client, &packet, attachments, count);
}

size_t sio_arrears(struct thread *t, const struct sio_socket *s)
{
	return eio_arrears(t, s->client->eio);
}

void sio_dismiss(struct thread *t, struct sio_socket *s)
{
	struct eio *e = s->client->eio;
	struct buf packet;

	buf_init(&packet, SIZE_MAX);
	socketio_put_disconnect(&packet, sio_namespace(s));
	if (send_packet(t, s->client, &packet))
		eio_close(t, e);
}

void sio_close(struct thread *t, struct sio_socket *s)
{
	eio_close(t, s->client->eio);
}
