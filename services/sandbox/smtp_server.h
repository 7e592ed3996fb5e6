/* The sockets around SMTP sessions: accepts, reads, writes, waits and times out.
 *
 * At most max_connections; more are told 421 and closed. A connection that says nothing
 * for idle_ms is told 421 (RFC 5321 section 4.5.3.2.7). What a client sends ahead while
 * its message waits for an answer is kept up to 64 KiB, then not read. Loop thread only.
 */
#ifndef PAYBELL_SANDBOX_SMTP_SERVER_H
#define PAYBELL_SANDBOX_SMTP_SERVER_H

#include <stdint.h>

#include "io/loop.h"
#include "sandbox/smtp_session.h"

#define SMTP_DECISION_TEXT_MAX 256

/* What becomes of a complete message. */
struct smtp_decision {
	int status; /* 250, or a refusal */
	char text[SMTP_DECISION_TEXT_MAX];
	int latency_ms;
	bool hang;   /* never answered; until smtp_server_drop_hung() */
	bool reset;  /* closed in the middle of the answer's status */
	bool outage; /* closed without one */
};

struct smtp_server_settings {
	const char *listen; /* "host:port" (port 0 picks one) or "unix:/path" */
	struct loop *loop;
	struct smtp_settings session; /* texts borrowed */
	size_t budget_bytes;          /* of all unfinished messages */
	int max_connections;
	int idle_ms;
	void (*on_message)(void *arg, const struct smtp_session *s,
			   struct smtp_decision *d);
	bool (*is_out)(void *arg); /* an outage: connections are closed at once */
	void *arg;
};

struct smtp_server;

int smtp_server_start(struct smtp_server **out,
		      const struct smtp_server_settings *settings, struct err *e);
const char *smtp_server_address(const struct smtp_server *s); /* as bound; borrowed */
int smtp_server_connections(const struct smtp_server *s);
/* The fault has ended: who was left hanging is let go. */
void smtp_server_drop_hung(struct smtp_server *s);
void smtp_server_stop(struct smtp_server *s); /* says 421 to all; NULL does nothing */

#endif
