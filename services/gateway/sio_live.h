/* The live events for socket.io-client, on /socket.io/: docs/realtime.md has what a page
 * writes.
 *
 * CONNECT with auth {token} to the main namespace; a CONNECT_ERROR says why not. Out:
 *
 *	hello(hello[, sequence])	after each connect: ledger, sequence, resync, …
 *	transaction(event, sequence)
 *	delivery(delivery)
 *	restart({retry_ms})		and the session ends; the client comes back
 *
 * In, each answered when it asks for it ({"ok":true} or {"type":"error","detail":…}):
 * auth(token) renews the token in place, for the same user; seen(sequence) moves the
 * user's read mark. When the token ends the client is disconnected, and has to connect
 * with a new one.
 *
 * A client that comes back shows its pid (sio_pid.h) and the last argument of the last
 * event that ended in a text: its offset. It is given the same pid, so that it knows
 * itself recovered, then what it missed, from the event log. Whoever cannot be served
 * from there is given a new pid, and a hello whose last argument is where that begins: so
 * an offset never outlives the session that it is of.
 *
 * A session costs 176 bytes (sizeof, on x86-64) beside sio.h's and its share of the room.
 */
#ifndef PAYBELL_GATEWAY_SIO_LIVE_H
#define PAYBELL_GATEWAY_SIO_LIVE_H

#include "gateway/eio.h"

extern const struct eio_protocol sio_live_protocol;

/* Sends this thread's sessions away, each told when to come back. */
void sio_live_drain(struct thread *t);

#endif
