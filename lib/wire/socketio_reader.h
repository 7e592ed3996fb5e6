/* One client's Socket.IO packets with their attachments: a text message, then as many
 * binary ones as it says.
 *
 * What is whole at once is not copied. A packet that waits for attachments is kept, and
 * they behind it; together they may have max_bytes, which is judged before anything is
 * kept. Unless it waits (socketio_reader_waits()) the struct may be released and begun
 * again: an owner with many connections has one only for those that wait. Pure. Any
 * thread, one at a time for each struct. */
#ifndef PAYBELL_WIRE_SOCKETIO_READER_H
#define PAYBELL_WIRE_SOCKETIO_READER_H

#include "wire/socketio.h"

struct socketio_reader {
	size_t max_bytes;
	struct buf text;  /* a packet with attachments */
	struct buf bytes; /* its attachments, end to end */
	size_t ends[SOCKETIO_ATTACHMENTS_MAX];
	int count; /* of those that came */
	bool waits;
	struct socketio_packet packet; /* while it waits; points into text */
};

/* Takes no memory yet. */
void socketio_reader_init(struct socketio_reader *r, size_t max_bytes);
void socketio_reader_release(struct socketio_reader *r);

/* A text and a binary message. 1: *p is a packet, borrowed until the next call; 0: its
 * attachments are still to come; -1: as in socketio_decode(), or text in place of an
 * attachment, or an attachment that nothing waits for (ERR_INVALID), or more than
 * max_bytes (ERR_FULL). After -1 nothing is waited for any more. */
int socketio_reader_text(struct socketio_reader *r, struct slice text,
			 struct socketio_packet *p, struct err *e);
int socketio_reader_binary(struct socketio_reader *r, struct slice bytes,
			   struct socketio_packet *p, struct err *e);

static inline bool socketio_reader_waits(const struct socketio_reader *r)
{
	return r->waits;
}

/* Of the packet that was handed over last, borrowed like it; i is below its attachments.
 */
struct slice socketio_reader_attachment(const struct socketio_reader *r, int i);

#endif
