/* One SMTP session, the server's side: bytes in, replies out.
 *
 * RFC 5321 with SIZE (1870), 8BITMIME (6152), PIPELINING (2920), AUTH PLAIN and LOGIN
 * (4954), ENHANCEDSTATUSCODES (2034). Strict where real servers are lenient: the order of
 * commands (503), lines of at most 512 bytes (1,000 in a message), every line ends in
 * CRLF (a CR or LF alone ends the session with 521: it is how messages are smuggled),
 * bytes above 127 only with BODY=8BITMIME. Too many errors end it with 421.
 *
 * Pure: no socket, no clock; the caller's storage. Bounded: a line, the message
 * (settings), and all messages of all sessions together by a shared budget. */
#ifndef PAYBELL_SANDBOX_SMTP_SESSION_H
#define PAYBELL_SANDBOX_SMTP_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "sandbox/smtp_login.h"
#include "sandbox/smtp_path.h"

#define SMTP_COMMAND_MAX 512  /* bytes of a line, CRLF included */
#define SMTP_TEXT_MAX    1000 /* the same in a message, a doubled dot not counted */
#define SMTP_ERRORS_MAX  20
#define SMTP_OUT_MAX     262144

struct smtp_settings { /* borrowed by the sessions */
	const char *hostname;
	const char *user, *password; /* user "": logging in is optional, and all may */
	size_t max_message_bytes;
	int max_recipients;
	/* Told of every 4yz and 5yz reply. May be NULL. */
	void (*on_refusal)(void *arg, int status, const char *text);
	void *arg;
};

/* Bytes of unfinished messages, of all sessions that share it. */
struct smtp_budget {
	size_t used, max;
};

enum smtp_state {
	SMTP_COMMAND,
	SMTP_AUTH_PLAIN,
	SMTP_AUTH_USER,
	SMTP_AUTH_PASSWORD,
	SMTP_DATA,
	SMTP_WAITING, /* for smtp_session_finish() */
	SMTP_CLOSED,
};

struct smtp_session {
	const struct smtp_settings *settings;
	struct smtp_budget *budget;
	enum smtp_state state;
	bool greeted, extended, authenticated;
	int errors;
	struct buf out; /* replies: the caller sends and consumes them */

	/* The message; valid while SMTP_WAITING. */
	bool has_sender, eight_bit;
	char sender[SMTP_ADDRESS_SIZE]; /* "" for <> */
	struct buf recipients;          /* parted by commas */
	int recipient_count;
	struct buf data; /* lines ending in CRLF, dots undone */

	/* Its own. */
	size_t charged;         /* of the budget */
	int fault;              /* the status that this message will be refused with */
	const char *fault_text; /* a literal */
	char user[SMTP_LOGIN_SIZE];
	char line[SMTP_TEXT_MAX + 2]; /* 1 for a doubled dot, 1 for a NUL */
	size_t line_len;              /* what was kept */
	char previous;                /* the last byte, kept or not */
	bool overlong;
};

enum smtp_event {
	SMTP_MORE,    /* all bytes were taken */
	SMTP_MESSAGE, /* a message is complete: smtp_session_finish() before more bytes */
	SMTP_CLOSE,   /* send what is in `out`, then close */
};

void smtp_session_init(struct smtp_session *s, const struct smtp_settings *settings,
		       struct smtp_budget *budget); /* puts the greeting into out */
void smtp_session_release(struct smtp_session *s);

/* *used gets how many of the bytes were taken: all of them but on SMTP_MESSAGE and
 * SMTP_CLOSE. */
enum smtp_event smtp_session_input(struct smtp_session *s, const char *bytes, size_t len,
				   size_t *used);

/* The verdict about a complete message: status 250 or a refusal, text with its enhanced
 * code ("2.0.0 Ok"). A 421 closes: true, the caller sends `out` and closes. */
bool smtp_session_finish(struct smtp_session *s, int status, const char *text);

/* Says goodbye with 421: send and close. */
void smtp_session_shut(struct smtp_session *s, const char *why);

#endif
