/* One message over an SMTP session that is open already: MAIL, RCPT, DATA, the text, and
 * the replies to them. Pure: bytes in, bytes out. RFC 5321, PIPELINING by RFC 2920, SIZE
 * by RFC 1870.
 *
 * The caller's storage. What is to be written comes from smtp_dialogue_pending(), what
 * was read goes to smtp_dialogue_read(); when `done`, `status` is the reply that decided.
 * Not for two threads at once. */
#ifndef PAYBELL_IO_SMTP_DIALOGUE_H
#define PAYBELL_IO_SMTP_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define SMTP_LINE_MAX 2048 /* of a reply; RFC 5321 promises 512 */

enum { SMTP_PIPELINING = 1, SMTP_SIZE = 2 }; /* what the server's EHLO offered */

/* Which of these one line of the answer to EHLO offers, else 0. */
int smtp_extension(const char *line, size_t len);

/* An address that fits between < and > without quoting or SMTPUTF8: ASCII, no control
 * characters, spaces, angle brackets; at most 254 bytes (RFC 5321 section 4.5.3.1.3). */
bool smtp_address_ok(const char *address);

struct smtp_dialogue {
	struct buf commands;
	struct buf text; /* dots doubled, CRLF, with the final dot */
	size_t size;     /* without what the wire adds (RFC 1870 section 6.1) */
	char mail[300], rcpt[300];
	size_t sent; /* of commands, or of text */
	int step;    /* whose reply is awaited */
	int extensions;
	bool in_text;
	/* the reply that is being read */
	int code;
	size_t line_len;
	bool last_line;
	/* results */
	bool done;
	int status;      /* 0 until something decided */
	bool answered;   /* at least one reply came */
	bool closing;    /* the session cannot be used again */
	bool bad;        /* what came is not SMTP */
	bool must_reset; /* the next message on this session begins with RSET */
};

/* Prepares the message; nothing is borrowed. One that does not fit in max_bytes as it
 * goes over the wire: false, and nothing to release. */
bool smtp_dialogue_init(struct smtp_dialogue *d, const char *from, const char *to,
			const char *body, size_t len, size_t max_bytes);
void smtp_dialogue_release(struct smtp_dialogue *d);

/* Begins, or begins anew on another session. */
void smtp_dialogue_begin(struct smtp_dialogue *d, int extensions, bool reset_first);

const char *smtp_dialogue_pending(const struct smtp_dialogue *d, size_t *len);
void smtp_dialogue_wrote(struct smtp_dialogue *d, size_t len);
void smtp_dialogue_read(struct smtp_dialogue *d, const char *bytes, size_t len);

/* The final dot was written: from now on the server may have taken the message. */
bool smtp_dialogue_whole(const struct smtp_dialogue *d);

#endif
