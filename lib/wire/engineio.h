/* Engine.IO v4: packets, and the payloads that long-polling carries them in.
 *
 * In a WebSocket each message is one packet: text is a type's digit and its data, binary
 * is a message of those bytes. A payload, the body of a poll, is packets with a record
 * separator between them; binary messages are 'b' and base64 there (and in WebSockets of
 * clients that were told so).
 *
 * Which packets may come when is for the session to say: from a client those are CLOSE,
 * PONG, MESSAGE, and on a second transport the probe (PING) and UPGRADE.
 *
 * A reader takes a payload in pieces of any size. It judges its maximum before it keeps
 * anything, and keeps no more than the packet that is unfinished. Pure. Any thread, one
 * at a time for each struct. Source: the Engine.IO protocol, 4th version. */
#ifndef PAYBELL_WIRE_ENGINEIO_H
#define PAYBELL_WIRE_ENGINEIO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define ENGINEIO_SEPARATOR '\x1e'

enum engineio_type {
	ENGINEIO_OPEN,
	ENGINEIO_CLOSE,
	ENGINEIO_PING,
	ENGINEIO_PONG,
	ENGINEIO_MESSAGE,
	ENGINEIO_UPGRADE,
	ENGINEIO_NOOP,
};

struct engineio_packet {
	enum engineio_type type;
	bool binary;       /* MESSAGE only: bytes, not text */
	struct slice data; /* borrowed: behind the type, base64 resolved */
};

/* One message of a WebSocket, of which the text is UTF-8 already. The data points into
 * the message, or into `bytes` (cleared first) when it was base64. ERR_INVALID: empty, an
 * unknown type, not base64; ERR_FULL: more than bytes' maximum. */
int engineio_decode(struct engineio_packet *p, struct slice message, bool binary,
		    struct buf *bytes, struct err *e);

/* Is it the one that tries a transport out: a ping that says "probe", and the pong that
 * answers it? */
bool engineio_is_probe(const struct engineio_packet *p, enum engineio_type type);

/* Adds a text packet; with data of {NULL, 0} also the beginning of one that the caller
 * goes on with. Binary messages go into a WebSocket as they are. */
void engineio_put(struct buf *out, enum engineio_type type, struct slice data);

struct engineio_open {
	const char *sid;
	bool websocket; /* is an upgrade to it on offer? */
	int64_t ping_interval_ms, ping_timeout_ms;
	int64_t max_payload; /* bytes that a client may send in one payload or message */
};

/* Adds the packet that opens a session. */
void engineio_put_open(struct buf *out, const struct engineio_open *o);

/* Adds one packet to the payload in out, all of it or nothing. ERR_FULL: out's maximum;
 * what does not fit goes with the next poll. ERR_INVALID: a text with a separator in it,
 * which no payload can carry. */
int engineio_payload_put(struct buf *out, const struct engineio_packet *p, struct err *e);

struct engineio_reader {
	size_t max_payload;
	size_t taken;     /* bytes of the payload so far */
	bool ended;       /* the last packet was handed over, or one was refused */
	bool handed_over; /* the last packet lies in `part` */
	struct buf part;  /* what has come of an unfinished packet */
	struct buf bytes; /* the last packet's, when it was base64 */
};

/* Takes no memory yet. */
void engineio_reader_init(struct engineio_reader *r, size_t max_payload);
void engineio_reader_release(struct engineio_reader *r);

/* A Content-Length, before its body. ERR_FULL: too much. */
int engineio_reader_expect(const struct engineio_reader *r, uint64_t bytes,
			   struct err *e);

/* The next packet. *piece moves on behind what was taken of it; `last`: nothing comes
 * behind this piece. 1: a packet, borrowed until the next call; 0: *piece is used up, and
 * with `last` the payload is through; -1: as in engineio_decode(), or text that is not
 * UTF-8 (ERR_INVALID), or more than max_payload (ERR_FULL). Packets that were handed over
 * before stand; after -1 the payload may not be read on. An empty payload is refused: it
 * is one packet without a type. */
int engineio_reader_next(struct engineio_reader *r, struct slice *piece, bool last,
			 struct engineio_packet *p, struct err *e);

#endif
