/* A crowd: many clients of the gateway's plain protocol (docs/realtime.md), for tests and
 * measurements. A crowd is one epoll on one thread; a client costs it 32 bytes.
 *
 * Clients have numbers. crowd_connect() says that one wants to be connected; it is, when
 * fewer than under_way_max handshakes are under way, so that the listener's backlog is
 * never passed. Who it is and from where on it listens is asked at that moment (`who`),
 * so a client that comes back says what it has by then. Source addresses are spread over
 * 127/8: a million clients of one port do not run out of ports of their own.
 *
 * What is received is read into one buffer of the crowd's. Pings are answered; a close
 * frame is answered and ends the connection. Functions may be called from inside the
 * callbacks, also for the client that it is about. As a client it is only as strict as
 * its uses need: an unmasked server's frames, unfragmented, at most CROWD_FRAME_MAX; the
 * answer's Sec-WebSocket-Accept is not checked. One thread for each crowd. */
#ifndef PAYBELL_TESTS_CROWD_H
#define PAYBELL_TESTS_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"

#define CROWD_CLIENTS_MAX   1000000
#define CROWD_ADDRESSES_MAX 256
#define CROWD_FRAME_MAX     (256 << 10) /* bytes, header included */
#define CROWD_TOKEN_S       86400       /* how long a token is good */

struct crowd;

/* What a client shows when it connects. */
enum crowd_right {
	CROWD_USER,   /* a user's token */
	CROWD_OPS,    /* a token with scope ops: hears everything */
	CROWD_NOBODY, /* none, and no subprotocol: for servers that want none */
};

struct crowd_who {
	enum crowd_right right;
	char user_id[USER_ID_MAX + 1];
	int address;        /* which of the addresses */
	int64_t after;      /* the sequence that it has; -1: from now on */
	const char *ledger; /* whose sequence that is; NULL: not said; borrowed */
};

/* Why a connection is at its end, beside the codes of close frames (1005 when it had
 * none): below 1000 it is the HTTP status that refused the handshake. */
#define CROWD_LOST 1006 /* refused, reset, ended without a close frame, or too slow */

struct crowd_settings {
	const char *const *addresses; /* "127.0.0.1:8081", ended by NULL */
	const char *path;             /* "/ws" */
	const char *secret;           /* the tokens are signed with it; borrowed */
	int clients;                  /* 1 to CROWD_CLIENTS_MAX */
	int under_way_max;            /* handshakes at a time */
	int handshake_ms; /* a handshake that takes longer is lost; 0: no limit */
	unsigned source;  /* 0 to 16383: crowds that differ in it share no ports */

	/* Fills *w, which begins as: CROWD_USER, "", 0, -1, NULL. Asked twice or more
	 * for a connect. */
	void (*who)(void *arg, int client, struct crowd_who *w);
	void (*opened)(void *arg, int client); /* the server said 101; may be NULL */
	/* What came, before frames are looked for: how many bytes of its beginning are
	 * taken; frames are looked for in the rest. Not called while part of a frame is
	 * kept. May be NULL. */
	size_t (*bytes)(void *arg, int client, const uint8_t *bytes, size_t len);
	/* A text or binary frame: its opcode and payload, borrowed. */
	void (*frame)(void *arg, int client, int opcode, const uint8_t *payload,
		      size_t len);
	void (*closed)(void *arg, int client, int code); /* may be NULL */
	void *arg;
};

int crowd_new(struct crowd **out, const struct crowd_settings *settings, struct err *e);
void crowd_free(struct crowd *c); /* drops all; NULL does nothing */

/* It wants to be connected; nothing when it is or wants to be already. */
void crowd_connect(struct crowd *c, int client);
/* At once and without a word, and it does not want to be connected any more; closed() is
 * not called. reset: the other end sees a reset. Nothing when it is idle. */
void crowd_drop(struct crowd *c, int client, bool reset);
/* One masked frame. False: it is not connected, or did not take it and was dropped;
 * closed() is not called. */
bool crowd_send(struct crowd *c, int client, int opcode, const void *bytes, size_t len);

bool crowd_is_open(const struct crowd *c, int client);
int crowd_open_count(const struct crowd *c);      /* that have their 101 */
int crowd_under_way_count(const struct crowd *c); /* that wait for it, or for their turn
						   */

/* fn(arg) whenever fd is readable (level triggered); at most CROWD_WATCHES_MAX. */
#define CROWD_WATCHES_MAX 4
int crowd_watch(struct crowd *c, int fd, void (*fn)(void *arg), void *arg, struct err *e);

/* Waits at most timeout_ms (-1: for ever) for something to happen, and does all of it. */
int crowd_turn(struct crowd *c, int timeout_ms, struct err *e);

/* The token that such a client shows, added to out. HS256, audience paybell. */
void crowd_token(struct buf *out, const struct crowd_who *w, const char *secret,
		 int64_t expires_s);

#endif
