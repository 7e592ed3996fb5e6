/* The writing half of socketio.h. */
#include "wire/json.h"
#include "wire/socketio.h"

/* All that stands before the JSON. */
static void put_head(struct buf *out, enum socketio_type type, int attachments,
		     struct slice nsp, struct slice query, int64_t id)
{
	if (attachments > 0)
		type = type == SOCKETIO_EVENT ? SOCKETIO_BINARY_EVENT
					      : SOCKETIO_BINARY_ACK;
	buf_add_char(out, (char)('0' + type));
	if (attachments > 0) {
		buf_add_int(out, attachments);
		buf_add_char(out, '-');
	}
	if (!slice_is(nsp, "/") || query.len > 0) {
		buf_add(out, nsp.at, nsp.len);
		if (query.len > 0) {
			buf_add_char(out, '?');
			buf_add(out, query.at, query.len);
		}
		buf_add_char(out, ',');
	}
	if (id != SOCKETIO_NO_ID)
		buf_add_int(out, id);
}

static void put_plain_head(struct buf *out, enum socketio_type type, struct slice nsp)
{
	put_head(out, type, 0, nsp, (struct slice){NULL, 0}, SOCKETIO_NO_ID);
}

void socketio_put(struct buf *out, const struct socketio_packet *p)
{
	put_head(out, p->type, p->attachments, p->nsp, p->query, p->id);
	buf_add(out, p->data.at, p->data.len);
}

void socketio_put_connect(struct buf *out, struct slice nsp, const char *sid,
			  const char *pid)
{
	struct json_writer w;

	put_plain_head(out, SOCKETIO_CONNECT, nsp);
	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	json_put_text(&w, "sid", sid);
	if (pid)
		json_put_text(&w, "pid", pid);
	json_close(&w, '}');
}

void socketio_put_connect_error(struct buf *out, struct slice nsp, const char *message,
				struct slice data)
{
	struct json_writer w;

	put_plain_head(out, SOCKETIO_CONNECT_ERROR, nsp);
	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	json_put_text(&w, "message", message);
	if (data.len > 0)
		json_put_raw(&w, "data", data.at, data.len);
	json_close(&w, '}');
}

void socketio_put_disconnect(struct buf *out, struct slice nsp)
{
	put_plain_head(out, SOCKETIO_DISCONNECT, nsp);
}

void socketio_put_event(struct buf *out, struct slice nsp, int64_t id, int attachments,
			const char *name, struct slice args)
{
	struct json_writer w;

	put_head(out, SOCKETIO_EVENT, attachments, nsp, (struct slice){NULL, 0}, id);
	json_writer_init(&w, out);
	json_open(&w, NULL, '[');
	json_put_text(&w, NULL, name);
	if (args.len > 0)
		json_put_raw(&w, NULL, args.at, args.len);
	json_close(&w, ']');
}

void socketio_put_ack(struct buf *out, struct slice nsp, int64_t id, int attachments,
		      struct slice args)
{
	put_head(out, SOCKETIO_ACK, attachments, nsp, (struct slice){NULL, 0}, id);
	buf_add_char(out, '[');
	buf_add(out, args.at, args.len);
	buf_add_char(out, ']');
}
