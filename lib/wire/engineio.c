#include "wire/engineio.h"

#include <assert.h>

#include "base/base64.h"
#include "base/utf8.h"
#include "wire/json.h"

#define BASE64_TYPE 'b'
#define PROBE       "probe"

int engineio_decode(struct engineio_packet *p, struct slice message, bool binary,
		    struct buf *bytes, struct err *e)
{
	struct slice data;
	char type;

	buf_clear(bytes);
	*p = (struct engineio_packet){ENGINEIO_MESSAGE, true, message};
	if (binary)
		return 0;
	if (message.len == 0)
		return err_set(e, ERR_INVALID, "engine.io: a packet without a type");
	type = message.at[0];
	data = slice_from(message, 1);
	if (type == BASE64_TYPE) {
		if (base64_decode(bytes, data.at, data.len) == 0) {
			p->data = (struct slice){buf_text(bytes), bytes->len};
			return 0;
		}
		if (bytes->overflowed)
			return err_set(e, ERR_FULL,
				       "engine.io: more than %zu bytes in a message",
				       bytes->max_bytes);
		return err_set(e, ERR_INVALID,
			       "engine.io: a binary message is not base64");
	}
	if (type < '0' || type > '0' + ENGINEIO_NOOP)
		return err_set(e, ERR_INVALID, "engine.io: unknown type of packet");
	*p = (struct engineio_packet){(enum engineio_type)(type - '0'), false, data};
	return 0;
}

bool engineio_is_probe(const struct engineio_packet *p, enum engineio_type type)
{
	return p->type == type && !p->binary && slice_is(p->data, PROBE);
}

void engineio_put(struct buf *out, enum engineio_type type, struct slice data)
{
	buf_add_char(out, (char)('0' + type));
	if (data.len > 0)
		buf_add(out, data.at, data.len);
}

void engineio_put_open(struct buf *out, const struct engineio_open *o)
{
	struct json_writer w;

	engineio_put(out, ENGINEIO_OPEN, (struct slice){NULL, 0});
	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	json_put_text(&w, "sid", o->sid);
	json_open(&w, "upgrades", '[');
	if (o->websocket)
		json_put_text(&w, NULL, "websocket");
	json_close(&w, ']');
	json_put_int(&w, "pingInterval", o->ping_interval_ms);
	json_put_int(&w, "pingTimeout", o->ping_timeout_ms);
	json_put_int(&w, "maxPayload", o->max_payload);
	json_close(&w, '}');
}

/* ---- payloads ---- */

int engineio_payload_put(struct buf *out, const struct engineio_packet *p, struct err *e)
{
	size_t size = 1 + (p->binary ? base64_length(p->data.len) : p->data.len);

	assert(!p->binary || p->type == ENGINEIO_MESSAGE);
	if (!p->binary && p->data.len > 0 &&
	    memchr(p->data.at, ENGINEIO_SEPARATOR, p->data.len))
		return err_set(e, ERR_INVALID,
			       "engine.io: a payload cannot carry text with a separator");
	if (out->len > 0)
		size++;
	if (out->overflowed || size > out->max_bytes - out->len)
		return err_set(e, ERR_FULL,
			       "engine.io: the payload has %zu bytes already", out->len);
	if (out->len > 0)
		buf_add_char(out, ENGINEIO_SEPARATOR);
	if (!p->binary) {
		engineio_put(out, p->type, p->data);
		return 0;
	}
	buf_add_char(out, BASE64_TYPE);
	base64_encode(out, p->data.at, p->data.len);
	return 0;
}

void engineio_reader_init(struct engineio_reader *r, size_t max_payload)
{
	r->max_payload = max_payload;
	r->taken = 0;
	r->ended = false;
	r->handed_over = false;
	buf_init(&r->part, max_payload);
	buf_init(&r->bytes, max_payload);
}

void engineio_reader_release(struct engineio_reader *r)
{
	buf_release(&r->part);
	buf_release(&r->bytes);
}

int engineio_reader_expect(const struct engineio_reader *r, uint64_t bytes, struct err *e)
{
	if (bytes <= r->max_payload)
		return 0;
	return err_set(e, ERR_FULL, "engine.io: more than %zu bytes in a payload",
		       r->max_payload);
}

static int refuse(struct engineio_reader *r)
{
	r->ended = true;
	return -1;
}

/* A packet that is whole. */
static int hand_over(struct engineio_reader *r, struct slice text,
		     struct engineio_packet *p, struct err *e)
{
	if (!utf8_valid(text.at, text.len)) {
		err_set(e, ERR_INVALID, "engine.io: a payload that is not UTF-8");
		return refuse(r);
	}
	return engineio_decode(p, text, false, &r->bytes, e) < 0 ? refuse(r) : 1;
}

int engineio_reader_next(struct engineio_reader *r, struct slice *piece, bool last,
			 struct engineio_packet *p, struct err *e)
{
	const char *separator = NULL;
	struct slice text = *piece;

	if (r->handed_over)
		buf_clear(&r->part);
	r->handed_over = false;
	if (r->ended && piece->len == 0)
		return 0;
	assert(!r->ended);
	if (engineio_reader_expect(r, (uint64_t)r->taken + piece->len, e) < 0)
		return refuse(r);
	if (text.len > 0)
		separator = memchr(text.at, ENGINEIO_SEPARATOR, text.len);
	if (separator)
		text.len = (size_t)(separator - text.at);
	*piece = slice_from(*piece, text.len + (separator ? 1 : 0));
	r->taken += text.len + (separator ? 1 : 0);
	if (!separator && !last) {
		buf_add(&r->part, text.at, text.len);
		return 0;
	}
	r->ended = !separator;
	if (r->part.len > 0) {
		buf_add(&r->part, text.at, text.len);
		text = (struct slice){r->part.data, r->part.len};
		r->handed_over = true;
	}
	return hand_over(r, text, p, e);
}
