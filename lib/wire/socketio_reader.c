#include "wire/socketio_reader.h"

#include <assert.h>

void socketio_reader_init(struct socketio_reader *r, size_t max_bytes)
{
	r->max_bytes = max_bytes;
	r->count = 0;
	r->waits = false;
	buf_init(&r->text, max_bytes);
	buf_init(&r->bytes, max_bytes);
}

void socketio_reader_release(struct socketio_reader *r)
{
	buf_release(&r->text);
	buf_release(&r->bytes);
	r->count = 0;
	r->waits = false;
}

/* Returns -1 with what err_set() said. */
static int refuse(struct socketio_reader *r)
{
	socketio_reader_release(r);
	return -1;
}

static int too_much(struct socketio_reader *r, struct err *e)
{
	err_set(e, ERR_FULL, "socket.io: more than %zu bytes in a packet", r->max_bytes);
	return refuse(r);
}

int socketio_reader_text(struct socketio_reader *r, struct slice text,
			 struct socketio_packet *p, struct err *e)
{
	if (r->waits) {
		err_set(e, ERR_INVALID, "socket.io: text in place of an attachment");
		return refuse(r);
	}
	socketio_reader_release(r);
	if (text.len > r->max_bytes)
		return too_much(r, e);
	if (socketio_decode(p, text, e) < 0)
		return -1;
	if (p->attachments == 0)
		return 1;
	buf_add(&r->text, text.at, text.len);
	/* Once more, for the slices to point into what is kept. */
	if (socketio_decode(&r->packet, (struct slice){r->text.data, r->text.len}, e) < 0)
		return refuse(r);
	r->waits = true;
	return 0;
}

int socketio_reader_binary(struct socketio_reader *r, struct slice bytes,
			   struct socketio_packet *p, struct err *e)
{
	if (!r->waits) {
		err_set(e, ERR_INVALID, "socket.io: an attachment of nothing");
		return refuse(r);
	}
	if (bytes.len > r->max_bytes - r->text.len - r->bytes.len)
		return too_much(r, e);
	buf_add(&r->bytes, bytes.at, bytes.len);
	r->ends[r->count++] = r->bytes.len;
	if (r->count < r->packet.attachments)
		return 0;
	r->waits = false;
	*p = r->packet;
	return 1;
}

struct slice socketio_reader_attachment(const struct socketio_reader *r, int i)
{
	size_t start = i > 0 ? r->ends[i - 1] : 0;

	assert(i >= 0 && i < r->count);
	return (struct slice){buf_text(&r->bytes) + start, r->ends[i] - start};
}
