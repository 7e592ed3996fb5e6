/* Socket.IO v5 on Engine.IO sessions: namespaces, events and their answers, attachments.
 *
 * A protocol says what is spoken on a route. Its eio_protocol calls sio_open(),
 * sio_message() and sio_gone(); what the client does reaches the functions below, on the
 * session's thread. From inside of them the client may be sent to, refused or closed.
 * What returns false has ended the session, and its sockets are freed.
 *
 * What the protocol forbids ends the session, as socket.io's own server does it: packets
 * that cannot be read, packets for a namespace that was not connected, a second CONNECT.
 * Acknowledgements are taken and mean nothing: none is ever asked for.
 *
 * A client costs 56 bytes and a namespace 32 and its name, beside the Engine.IO session
 * (sizeof, on x86-64); packets are kept only while they wait for attachments, within
 * max_bytes. Source: the Socket.IO protocol, 5th version. */
#ifndef PAYBELL_GATEWAY_SIO_H
#define PAYBELL_GATEWAY_SIO_H

#include "gateway/eio.h"
#include "wire/socketio.h"

#define SIO_NAMESPACES_MAX 8 /* of one client */

struct sio_socket; /* one client in one namespace */

struct sio_protocol {
	size_t max_bytes; /* of a packet with its attachments */
	/* How long a client may go without a namespace. */
	int64_t (*patience_ms)(struct thread *t);
	/* Someone asks to be let in: sio_accept() or sio_refuse() answers, now or later.
	 */
	void (*connect)(struct thread *t, struct sio_socket *s,
			const struct socketio_packet *p);
	/* p->attachments of them, in their order. Both are borrowed. */
	void (*event)(struct thread *t, struct sio_socket *s,
		      const struct socketio_packet *p, const struct slice *attachments);
	/* It has left, or was refused: frees the user. Only when there is one. */
	void (*gone)(struct thread *t, struct sio_socket *s);
};

/* ---- for the eio_protocol ---- */

void sio_open(struct thread *t, struct eio *e, const struct sio_protocol *protocol);
void sio_message(struct thread *t, struct eio *e, bool binary, const uint8_t *bytes,
		 size_t len);
void sio_gone(struct thread *t, struct eio *e);

/* ---- for the sio_protocol ---- */

void *sio_user(const struct sio_socket *s);
void sio_set_user(struct sio_socket *s, void *user);
struct slice sio_namespace(const struct sio_socket *s); /* "/…"; borrowed */

/* pid: what the client shows when it comes back; NULL: there is no coming back. */
bool sio_accept(struct thread *t, struct sio_socket *s, const char *pid);
/* data: JSON, or len 0. The socket is freed; the client may ask again. */
void sio_refuse(struct thread *t, struct sio_socket *s, const char *message,
		struct slice data);

/* The rest is for sockets that were accepted. Whole packets of the namespace "/", shared
 * by many. */
bool sio_send(struct thread *t, struct sio_socket *s,
	      const struct message *const *messages, int count);
bool sio_emit(struct thread *t, struct sio_socket *s, const char *name, struct slice args,
	      const struct slice *attachments, int count);
bool sio_ack(struct thread *t, struct sio_socket *s, int64_t id, struct slice args,
	     const struct slice *attachments, int count);
size_t sio_arrears(struct thread *t, const struct sio_socket *s);

/* Its client is told that it was sent away (and does not come back by itself), then the
 * whole session ends. */
void sio_dismiss(struct thread *t, struct sio_socket *s);
/* The whole session ends without a word: its client comes back. */
void sio_close(struct thread *t, struct sio_socket *s);

#endif
