/* The plain protocol, "paybell.v1", on a WebSocket: lib/wire/live.h has its frames.
 *
 * The token comes as a subprotocol beside ours ("paybell.v1, token.<jwt>"), which is how
 * a browser can send one with the handshake, or in the first frame. From then on the
 * session hears what its token's right is (room.h), and renews the token in place. */
#ifndef PAYBELL_GATEWAY_PLAIN_H
#define PAYBELL_GATEWAY_PLAIN_H

#include "gateway/websocket.h"

#define PLAIN_CLOSE_TOKEN 4401 /* no token in time, a bad one, or one that has ended */

extern const struct websocket_protocol plain_protocol;

/* Sends this thread's plain sockets away, spread over time. */
void plain_drain(struct thread *t);

#endif
