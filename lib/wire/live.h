/* The gateway's own protocol over a plain WebSocket, "paybell.v1": one JSON object a text
 * frame.
 *
 * In: {"type":"auth","token":"…","after":"…"?,"ledger":"…"?},
 * {"type":"seen","sequence":"…"},
 * {"type":"ping"}. Out: hello, event, delivery, pong, restart. Sequences are texts of up
 * to 16 digits, as in the events. docs/realtime.md has the whole of it. Pure. */
#ifndef PAYBELL_WIRE_LIVE_H
#define PAYBELL_WIRE_LIVE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define LIVE_SUBPROTOCOL "paybell.v1"
#define LIVE_INPUT_MAX   4096 /* bytes of a frame from a client */
#define LIVE_TOKEN_SIZE  2048
#define LIVE_LEDGER_SIZE 64

enum live_input_type { LIVE_AUTH, LIVE_SEEN, LIVE_PING };

struct live_input {
	enum live_input_type type;
	char token[LIVE_TOKEN_SIZE];   /* AUTH */
	char ledger[LIVE_LEDGER_SIZE]; /* AUTH; "" when not said */
	int64_t after;                 /* AUTH; -1 when not said */
	int64_t sequence;              /* SEEN */
};

/* ERR_INVALID with the field's name and what it must be. Unknown fields are refused. */
int live_decode(struct live_input *in, const char *bytes, size_t len, struct err *e);

/* What a session is told first. */
struct live_hello {
	const char *ledger;
	int64_t sequence;    /* up to where it will have been told everything next */
	int64_t unread;      /* the user's events behind its read mark; -1: not said */
	bool resync;         /* what it has is not ours, or too old: read the list anew */
	const char *user_id; /* whose list that is; NULL: everybody's */
};

void live_encode_hello(const struct live_hello *h, struct buf *out);
void live_encode_restart(int64_t retry_ms, struct buf *out);
void live_encode_error(const char *detail, struct buf *out);

#endif
