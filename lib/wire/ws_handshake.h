/* Is this request the opening handshake of a WebSocket (RFC 6455 section 4.2)?
 *
 * Judges a head that http_head_read() found complete; everything that it hands out is
 * borrowed from that head's buffer. Who may connect (path, Origin, token) is the caller's
 * question. Pure. Any thread. */
#ifndef PAYBELL_WIRE_WS_HANDSHAKE_H
#define PAYBELL_WIRE_WS_HANDSHAKE_H

#include <stdbool.h>

#include "base/err.h"
#include "wire/http_head.h"

#define WS_KEY_CHARS         24 /* base64 of 16 bytes */
#define WS_ACCEPT_TEXT_CHARS 60 /* the key and the protocol's GUID */

struct ws_handshake {
	struct http_text key;    /* WS_KEY_CHARS */
	struct http_text origin; /* at is NULL without one: the client is no browser */

	/* Set when it is refused. */
	int status;         /* 400, 405, 426 */
	const char *fields; /* what its answer needs, "Name: value\r\n"; static */
};

/* 0: it is one. -1: hs->status, hs->fields and *e say how and why it is refused. */
int ws_handshake_judge(struct ws_handshake *hs, const struct http_head *head,
		       struct err *e);

/* The text (no NUL) whose SHA-1, in base64, is the answer's Sec-WebSocket-Accept. */
void ws_handshake_accept_text(const struct ws_handshake *hs,
			      char out[WS_ACCEPT_TEXT_CHARS]);

/* The offered subprotocols, the most wanted first; each is a token. *next begins zeroed;
 * false after the last. */
bool ws_handshake_next_protocol(const struct http_head *head, struct http_items *next,
				struct http_text *protocol);

#endif
