/* WebSocket frames, as a server reads and writes them.
 *
 * Reading: one struct ws a connection, fed with whatever the socket gave; each call takes
 * bytes up to the next event and says how many. Payloads are unmasked where they lie, so
 * nothing is copied, except the payload of a control frame that comes in pieces. Between
 * messages the state holds nothing (ws_idle()): an owner with many connections may throw
 * it away then and begin the next bytes with a zeroed one.
 *
 *	while (len > 0) {
 *		used = ws_read(ws, max_message_bytes, control, bytes, len, &event);
 *		bytes += used;
 *		len -= used;
 *		switch (event.type) …
 *	}
 *
 * Everything of RFC 6455 section 5 and 7 that a server has to refuse is refused, without
 * extensions: no reserved bit is allowed, so permessage-deflate may not be negotiated.
 * Pure: no memory is taken, nothing is kept outside of the caller's storage. Any thread,
 * one at a time for each struct. */
#ifndef PAYBELL_WIRE_WS_H
#define PAYBELL_WIRE_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/utf8.h"

#define WS_CONTROL_MAX       125 /* bytes in a control frame's payload */
#define WS_REASON_MAX        123 /* bytes of a close frame's reason */
#define WS_HEADER_MAX        10  /* bytes before an unmasked payload */
#define WS_CONTROL_FRAME_MAX (2 + WS_CONTROL_MAX)

enum ws_opcode {
	WS_CONTINUATION = 0x0,
	WS_TEXT = 0x1,
	WS_BINARY = 0x2,
	WS_CLOSE = 0x8,
	WS_PING = 0x9,
	WS_PONG = 0xa,
};

/* Close codes (RFC 6455 section 7.4.1 and the registry that it founds). */
enum ws_close_code {
	WS_CLOSE_NORMAL = 1000,
	WS_CLOSE_GOING_AWAY = 1001,
	WS_CLOSE_PROTOCOL = 1002,
	WS_CLOSE_UNSUPPORTED = 1003,
	WS_CLOSE_NONE = 1005, /* never sent: the close frame had no code */
	WS_CLOSE_NOT_UTF8 = 1007,
	WS_CLOSE_POLICY = 1008,
	WS_CLOSE_TOO_BIG = 1009,
	WS_CLOSE_INTERNAL = 1011,
	WS_CLOSE_RESTART = 1012,
	WS_CLOSE_LATER = 1013,
};

/* 32 bytes; begins zeroed. */
struct ws {
	uint64_t left;            /* payload of the frame that is still to come */
	uint64_t message_bytes;   /* of the message, with the frame that has begun */
	unsigned char mask[4];    /* turned, so that it begins with the next byte */
	unsigned char stage;      /* what the next byte is */
	unsigned char stage_left; /* bytes of that stage that are still to come */
	unsigned char frame;      /* the frame's first byte: FIN and opcode */
	unsigned char length;     /* as its second byte has it; 126, 127: a longer form */
	unsigned char message;    /* WS_TEXT, WS_BINARY, 0 when no message is open */
	bool begun;               /* a slice of the message was handed over */
	bool ended;               /* closed or refused: what follows is ignored */
	struct utf8_state utf8;   /* of the whole text message; at its end as at first */
};

enum ws_event_type {
	WS_EVENT_NONE, /* all bytes are used and there is nothing to say yet */
	WS_EVENT_DATA, /* a slice of a message */
	WS_EVENT_PING, /* to be answered with a pong of the same bytes */
	WS_EVENT_PONG,
	WS_EVENT_CLOSE, /* the peer's close frame */
	WS_EVENT_ERROR, /* the peer broke the rules */
};

/* `bytes` points into what was given to ws_read(), or into `control`: borrowed until the
 * next call. It is NULL when len is 0. */
struct ws_event {
	enum ws_event_type type;
	enum ws_opcode opcode; /* DATA: WS_TEXT or WS_BINARY, the same for all slices */
	bool first, last;      /* DATA; a message without a byte is one empty slice */
	unsigned char *bytes;  /* DATA, PING, PONG, and CLOSE: the reason */
	size_t len;
	uint16_t code; /* CLOSE: the peer's, WS_CLOSE_NONE without one; ERROR: to be sent
			*/
	const char *why; /* ERROR: for the log and the close frame's reason; static */
};

/* Takes bytes up to the next event and says how many; at least one, if len is not 0. They
 * are changed in place. An event is always the last of what was taken.
 *
 * max_message_bytes is judged from each frame's header, together with the frames before
 * it, before a byte of the payload is looked at: ERROR with 1009. Slices that were handed
 * over may turn out to belong to a message that is refused later; only what came with
 * `last` is a message. After CLOSE and ERROR all that comes is taken and ignored.
 *
 * control: WS_CONTROL_MAX bytes. Its first ws_control_bytes() have to be the same at the
 * next call; one storage for all connections of a thread will do for those with none. */
size_t ws_read(struct ws *ws, uint64_t max_message_bytes, unsigned char *control,
	       unsigned char *bytes, size_t len, struct ws_event *event);

/* Nothing is unfinished: a zeroed struct would go on just the same. Never after CLOSE or
 * ERROR, which have to be remembered. */
bool ws_idle(const struct ws *ws);

/* How much of `control` is in use by a control frame that is unfinished. */
size_t ws_control_bytes(const struct ws *ws);

/* May this code stand in a close frame? 1000 to 1003, 1007 to 1014, 3000 to 4999. The
 * registry has 1012 to 1014 (RFC 6455 has not): a peer sends ours back. */
bool ws_close_code_valid(uint16_t code);

/* XORs the bytes with the mask, and turns the mask so that it fits what follows. */
void ws_mask(unsigned char mask[4], unsigned char *bytes, size_t len);

/* The header of an unmasked frame. Returns its size: 2, 4 or 10. */
size_t ws_put_header(unsigned char out[WS_HEADER_MAX], enum ws_opcode opcode, bool fin,
		     uint64_t len);

/* A ping or pong, header and payload (at most WS_CONTROL_MAX bytes). Returns its size. */
size_t ws_put_control(unsigned char out[WS_CONTROL_FRAME_MAX], enum ws_opcode opcode,
		      const void *bytes, size_t len);

/* A close frame; WS_CLOSE_NONE has no payload. The reason (UTF-8, "" for none) is cut at
 * a code point when it is longer than WS_REASON_MAX. Returns its size. */
size_t ws_put_close(unsigned char out[WS_CONTROL_FRAME_MAX], uint16_t code,
		    const char *reason);

#endif
