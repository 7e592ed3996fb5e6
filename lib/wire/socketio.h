/* Socket.IO v5 packets, as they stand in the text messages of Engine.IO, and the binary
 * attachments that follow some of them.
 *
 *	<type>[<attachments>-][<namespace>,][<id>][<JSON>]
 *
 * Arguments are never understood here: they are slices of the JSON as it came, checked
 * against its grammar. So what a client sent can be sent on, attachments included: the
 * placeholders in the arguments ({"_placeholder":true,"num":0}) and the order of the
 * attachments stay what they are. No memory is taken before a packet waits for
 * attachments; what a client says of itself (socketio_read_auth) takes none either.
 *
 * Decoding is strict as socket.io-parser 4.2 is, and in a few places stricter: numbers
 *are plain digits, no white space before the JSON, a payload wherever the protocol asks
 *for one, no control characters in a namespace, every placeholder names an attachment.
 *The text is UTF-8 already. Pure. Source: the Socket.IO protocol, 5th version. */
#ifndef PAYBELL_WIRE_SOCKETIO_H
#define PAYBELL_WIRE_SOCKETIO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define SOCKETIO_ATTACHMENTS_MAX 16
#define SOCKETIO_NAMESPACE_MAX   64  /* bytes, the slash included */
#define SOCKETIO_QUERY_MAX       512 /* bytes behind a namespace's '?' */
#define SOCKETIO_ID_DIGITS_MAX   15  /* so JavaScript has it exactly */
#define SOCKETIO_NO_ID           (-1)

#define SOCKETIO_TOKEN_SIZE  2048 /* each with its NUL */
#define SOCKETIO_PID_SIZE    512
#define SOCKETIO_OFFSET_SIZE 64

enum socketio_type {
	SOCKETIO_CONNECT,
	SOCKETIO_DISCONNECT,
	SOCKETIO_EVENT,
	SOCKETIO_ACK,
	SOCKETIO_CONNECT_ERROR,
	SOCKETIO_BINARY_EVENT,
	SOCKETIO_BINARY_ACK,
};

/* All slices are borrowed from the text; those of what is not there have len 0. */
struct socketio_packet {
	enum socketio_type type; /* never BINARY_…: attachments says that */
	int attachments;         /* how many binary messages follow */
	struct slice nsp;        /* "/" when none was given */
	struct slice query;      /* what stood behind its '?' */
	int64_t id;              /* of an acknowledgement; SOCKETIO_NO_ID */
	struct slice data;       /* the JSON, whole */
	struct slice event;      /* EVENT: its name as JSON: a text, or a number */
	struct slice args;       /* EVENT behind the name, ACK: values with commas */
};

/* ERR_INVALID with what is wrong; nothing of the input is in the message. */
int socketio_decode(struct socketio_packet *p, struct slice text, struct err *e);

/* Is the event's name this? At most 63 bytes. */
bool socketio_is_event(const struct socketio_packet *p, const char *name);

/* Takes the next argument off *args; false at the end. */
bool socketio_next_arg(struct slice *args, struct slice *arg);

/* What a client says when it connects: {"token":…} is the auth given to the client, and
 * beside it stand, in the same object, "pid" and "offset" of the session that it wants to
 * go on with (connection state recovery, socket.io-client 4.6). */
struct socketio_auth {
	char token[SOCKETIO_TOKEN_SIZE]; /* "" when it gave none */
	/* "" when it wants a new session. Also when pid or offset is no text, empty, or
	 * longer than ours are: that is no session of ours. */
	char pid[SOCKETIO_PID_SIZE];
	/* The last argument of the last event that ended in a text; "" with a pid: no
	 * such event ever came. */
	char offset[SOCKETIO_OFFSET_SIZE];
};

/* p is a CONNECT. ERR_INVALID: a token that is no text or too long. Other fields are
 * the application's: p->data has them. */
int socketio_read_auth(const struct socketio_packet *p, struct socketio_auth *a,
		       struct err *e);

/* ---- writing: each adds one packet to out ---- */

/* As it was decoded. Attachments are the caller's to send behind it, here and below. */
void socketio_put(struct buf *out, const struct socketio_packet *p);

/* The server's answer to CONNECT. pid NULL: no recovery on offer. */
void socketio_put_connect(struct buf *out, struct slice nsp, const char *sid,
			  const char *pid);
/* data: JSON; len 0 leaves it out. */
void socketio_put_connect_error(struct buf *out, struct slice nsp, const char *message,
				struct slice data);
void socketio_put_disconnect(struct buf *out, struct slice nsp);

/* name is a word; args are JSON values with commas between them; id may be
 * SOCKETIO_NO_ID. */
void socketio_put_event(struct buf *out, struct slice nsp, int64_t id, int attachments,
			const char *name, struct slice args);
void socketio_put_ack(struct buf *out, struct slice nsp, int64_t id, int attachments,
		      struct slice args);

#endif
