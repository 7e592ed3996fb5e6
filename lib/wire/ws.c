/* A frame's header is read a byte at a time, and each byte is judged as it comes: that is
 * one way through the code for every cut of the input, and a fault is known at its byte
 * and not when the header is complete. It costs some 20 ns a frame. What is long goes
 * fast: payloads are unmasked and checked eight bytes at a time.
 *
 * A text message is checked in slices as they come, with the state carried over fragments
 * and over the control frames between them, so a message that turns bad is refused at the
 * bad byte and not when somebody has collected it.
 *
 * The frame and the message are two things: a control frame between two fragments
 * replaces the frame's fields and leaves the message's alone. */
#include "wire/ws.h"

#include <assert.h>
#include <string.h>

#define FIN         0x80
#define RESERVED    0x70
#define OPCODE      0x0f
#define MASKED      0x80
#define LENGTH      0x7f
#define LENGTH_16   126  /* the length is in the next two bytes */
#define LENGTH_64   127  /* the next eight */
#define CONTROL_BIT 0x08 /* opcodes from here on are control frames */

static_assert(sizeof(struct ws) <= 40,
	      "one for each connection with something unfinished");

enum stage { AT_OPCODE, AT_LENGTH, AT_LONG_LENGTH, AT_MASK, AT_PAYLOAD };

static void refuse(struct ws *ws, uint16_t code, const char *why, struct ws_event *event)
{
	ws->ended = true;
	event->type = WS_EVENT_ERROR;
	event->code = code;
	event->why = why;
}

static void refuse_frame(struct ws *ws, const char *why, struct ws_event *event)
{
	refuse(ws, WS_CLOSE_PROTOCOL, why, event);
}

static void enter(struct ws *ws, enum stage stage, unsigned char bytes)
{
	ws->stage = (unsigned char)stage;
	ws->stage_left = bytes;
}

static bool is_control(const struct ws *ws)
{
	return ws->frame & CONTROL_BIT;
}

static void take_opcode(struct ws *ws, unsigned char c, struct ws_event *event)
{
	unsigned char opcode = c & OPCODE;

	ws->frame = c;
	if (c & RESERVED) {
		refuse_frame(ws, "a reserved bit is set", event);
		return;
	}
	switch (opcode) {
	case WS_CONTINUATION:
		if (ws->message == 0)
			refuse_frame(ws, "a continuation of no message", event);
		break;
	case WS_TEXT:
	case WS_BINARY:
		if (ws->message != 0) {
			refuse_frame(ws, "a message inside another", event);
			break;
		}
		ws->message = opcode;
		ws->message_bytes = 0;
		ws->begun = false;
		break;
	case WS_CLOSE:
	case WS_PING:
	case WS_PONG:
		if (!(c & FIN))
			refuse_frame(ws, "a control frame in fragments", event);
		break;
	default:
		refuse_frame(ws, "an unknown opcode", event);
	}
	enter(ws, AT_LENGTH, 1);
}

/* The payload's length is known: a data frame's counts for its message. */
static void judge_length(struct ws *ws, uint64_t max_message_bytes,
			 struct ws_event *event)
{
	enter(ws, AT_MASK, sizeof(ws->mask));
	if (is_control(ws))
		return;
	if (ws->left > max_message_bytes ||
	    ws->message_bytes > max_message_bytes - ws->left) {
		refuse(ws, WS_CLOSE_TOO_BIG, "the message is too long", event);
		return;
	}
	ws->message_bytes += ws->left;
}

static void take_length(struct ws *ws, unsigned char c, uint64_t max_message_bytes,
			struct ws_event *event)
{
	ws->length = c & LENGTH;
	ws->left = 0;
	if (!(c & MASKED)) {
		refuse_frame(ws, "a client's frame without a mask", event);
	} else if (ws->length <= WS_CONTROL_MAX) {
		ws->left = ws->length;
		judge_length(ws, max_message_bytes, event);
	} else if (is_control(ws)) {
		refuse_frame(ws, "a control frame of more than 125 bytes", event);
	} else {
		enter(ws, AT_LONG_LENGTH, ws->length == LENGTH_16 ? 2 : 8);
	}
}

static void take_long_length(struct ws *ws, unsigned char c, uint64_t max_message_bytes,
			     struct ws_event *event)
{
	uint64_t least = ws->length == LENGTH_16 ? WS_CONTROL_MAX + 1 : UINT16_MAX + 1;

	ws->left = ws->left << 8 | c;
	if (--ws->stage_left > 0)
		return;
	if (ws->left >> 63)
		refuse_frame(ws, "a length of 64 bits", event);
	else if (ws->left < least)
		refuse_frame(ws, "a length that is not in its shortest form", event);
	else
		judge_length(ws, max_message_bytes, event);
}

static void take_header(struct ws *ws, unsigned char c, uint64_t max_message_bytes,
			struct ws_event *event)
{
	switch (ws->stage) {
	case AT_OPCODE:
		take_opcode(ws, c, event);
		break;
	case AT_LENGTH:
		take_length(ws, c, max_message_bytes, event);
		break;
	case AT_LONG_LENGTH:
		take_long_length(ws, c, max_message_bytes, event);
		break;
	default:
		ws->mask[sizeof(ws->mask) - ws->stage_left] = c;
		if (--ws->stage_left == 0)
			ws->stage = AT_PAYLOAD;
	}
}

void ws_mask(unsigned char mask[4], unsigned char *bytes, size_t len)
{
	unsigned char turned[4];
	uint64_t mask8, eight;
	size_t at = 0;

	memcpy(&mask8, mask, 4);
	memcpy((char *)&mask8 + 4, mask, 4);
	/* memcpy() is how C says "a load at any address". */
	for (; len - at >= sizeof(eight); at += sizeof(eight)) {
		memcpy(&eight, bytes + at, sizeof(eight));
		eight ^= mask8;
		memcpy(bytes + at, &eight, sizeof(eight));
	}
	for (size_t i = at; i < len; i++)
		bytes[i] ^= mask[i & 3];
	for (size_t i = 0; i < sizeof(turned); i++)
		turned[i] = mask[(len + i) & 3];
	memcpy(mask, turned, sizeof(turned));
}

static void take_data(struct ws *ws, unsigned char *bytes, size_t len,
		      struct ws_event *event)
{
	bool last = ws->left == len && (ws->frame & FIN);

	ws->left -= len;
	if (ws->left == 0)
		enter(ws, AT_OPCODE, 1);
	if (ws->message == WS_TEXT && (!utf8_feed(&ws->utf8, (const char *)bytes, len) ||
				       (last && ws->utf8.left > 0))) {
		refuse(ws, WS_CLOSE_NOT_UTF8, "the text is not UTF-8", event);
		return;
	}
	if (len == 0 && !last)
		return;
	event->type = WS_EVENT_DATA;
	event->opcode = (enum ws_opcode)ws->message;
	event->first = !ws->begun;
	event->last = last;
	event->bytes = len > 0 ? bytes : NULL;
	event->len = len;
	ws->begun = true;
	if (last)
		ws->message = 0;
}

static void take_close(struct ws *ws, unsigned char *bytes, size_t len,
		       struct ws_event *event)
{
	uint16_t code = WS_CLOSE_NONE;

	if (len == 1) {
		refuse_frame(ws, "half a close code", event);
		return;
	}
	if (len >= 2) {
		code = (uint16_t)(bytes[0] << 8 | bytes[1]);
		bytes += 2;
		len -= 2;
		if (!ws_close_code_valid(code)) {
			refuse_frame(ws, "a close code that may not be sent", event);
			return;
		}
	}
	if (!utf8_valid((const char *)bytes, len)) {
		refuse(ws, WS_CLOSE_NOT_UTF8, "the close reason is not UTF-8", event);
		return;
	}
	ws->ended = true;
	event->type = WS_EVENT_CLOSE;
	event->code = code;
	event->bytes = len > 0 ? bytes : NULL;
	event->len = len;
}

/* A payload that is here as a whole stays where it is; only one that comes in pieces is
 * put together in `control`. */
static void take_control(struct ws *ws, unsigned char *control, unsigned char *bytes,
			 size_t len, struct ws_event *event)
{
	size_t had = ws_control_bytes(ws);

	ws->left -= len;
	if (had > 0 || ws->left > 0) {
		memcpy(control + had, bytes, len);
		bytes = control;
	}
	if (ws->left > 0)
		return;
	enter(ws, AT_OPCODE, 1);
	if ((ws->frame & OPCODE) == WS_CLOSE) {
		take_close(ws, bytes, ws->length, event);
		return;
	}
	event->type = (ws->frame & OPCODE) == WS_PING ? WS_EVENT_PING : WS_EVENT_PONG;
	event->bytes = ws->length > 0 ? bytes : NULL;
	event->len = ws->length;
}

size_t ws_read(struct ws *ws, uint64_t max_message_bytes, unsigned char *control,
	       unsigned char *bytes, size_t len, struct ws_event *event)
{
	size_t at = 0;

	*event = (struct ws_event){.type = WS_EVENT_NONE};
	while (at < len && event->type == WS_EVENT_NONE && !ws->ended) {
		size_t piece;

		if (ws->stage != AT_PAYLOAD) {
			take_header(ws, bytes[at++], max_message_bytes, event);
			/* A frame without payload is complete with its header. */
			if (ws->stage != AT_PAYLOAD || ws->left > 0)
				continue;
		}
		piece = ws->left < len - at ? (size_t)ws->left : len - at;
		ws_mask(ws->mask, bytes + at, piece);
		if (is_control(ws))
			take_control(ws, control, bytes + at, piece, event);
		else
			take_data(ws, bytes + at, piece, event);
		at += piece;
	}
	return ws->ended ? len : at;
}

bool ws_idle(const struct ws *ws)
{
	return !ws->ended && ws->stage == AT_OPCODE && ws->message == 0;
}

size_t ws_control_bytes(const struct ws *ws)
{
	if (ws->stage != AT_PAYLOAD || !is_control(ws))
		return 0;
	return ws->length - (size_t)ws->left;
}

bool ws_close_code_valid(uint16_t code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}

size_t ws_put_header(unsigned char out[WS_HEADER_MAX], enum ws_opcode opcode, bool fin,
		     uint64_t len)
{
	size_t bytes = len <= WS_CONTROL_MAX ? 0 : len <= UINT16_MAX ? 2 : 8;

	out[0] = (unsigned char)(opcode | (fin ? FIN : 0));
	out[1] = (unsigned char)(bytes == 0 ? len : bytes == 2 ? LENGTH_16 : LENGTH_64);
	for (size_t i = 0; i < bytes; i++)
		out[2 + i] = (unsigned char)(len >> 8 * (bytes - 1 - i));
	return 2 + bytes;
}

size_t ws_put_control(unsigned char out[WS_CONTROL_FRAME_MAX], enum ws_opcode opcode,
		      const void *bytes, size_t len)
{
	assert(len <= WS_CONTROL_MAX);
	ws_put_header(out, opcode, true, len);
	if (len > 0)
		memcpy(out + 2, bytes, len);
	return 2 + len;
}

size_t ws_put_close(unsigned char out[WS_CONTROL_FRAME_MAX], uint16_t code,
		    const char *reason)
{
	unsigned char payload[WS_CONTROL_MAX];
	size_t len = utf8_prefix(reason, strlen(reason), WS_REASON_MAX);

	if (code == WS_CLOSE_NONE)
		return ws_put_control(out, WS_CLOSE, NULL, 0);
	assert(ws_close_code_valid(code));
	payload[0] = (unsigned char)(code >> 8);
	payload[1] = (unsigned char)code;
	memcpy(payload + 2, reason, len);
	return ws_put_control(out, WS_CLOSE, payload, 2 + len);
}
