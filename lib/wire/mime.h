/* An Internet message: headers that no input can break out of, and text + HTML as
 * multipart/alternative.
 *
 * Source: RFC 5322 (headers, CRLF, 998 and 78 characters a line), RFC 2047 (encoded
 * words), RFC 2045/2046 (quoted-printable, base64, multipart), RFC 3834 (Auto-Submitted).
 * The body is 7-bit clean, so that no SMTP extension is needed. Pure. */
#ifndef PAYBELL_WIRE_MIME_H
#define PAYBELL_WIRE_MIME_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define MIME_PART_MAX   262144 /* bytes of text and of html, each */
#define MIME_HEADER_MAX 2048   /* bytes of a name, a subject */

struct mime_message {
	const char *from_name, *from_address; /* name may be "" */
	const char *to_name, *to_address;
	const char *subject;    /* UTF-8, one line */
	const char *message_id; /* without brackets: "<event id>.email@host" */
	int64_t date_us;
	const char *language;    /* Content-Language, "" for none */
	const char *text, *html; /* UTF-8; html may be "" */
};

/* Refuses addresses, ids and names that hold control characters, and addresses that are
 * not local@domain of printable ASCII. */
int mime_encode(const struct mime_message *m, struct buf *out, struct err *e);

/* local@domain, ASCII, dots and lengths as RFC 5321 section 4.5.3.1 has them; quoted
 * local parts are refused. */
int mime_address_check(const char *address, struct err *e);

#endif
