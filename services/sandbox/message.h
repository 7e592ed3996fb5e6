/* Reading an Internet message: its headers, and its text and HTML as a person sees them.
 *
 * RFC 5322 (headers), RFC 2047 (encoded words), RFC 2045/2046 (encodings, multipart).
 * Lines end in CRLF, which the SMTP session has seen to. Charsets: UTF-8, US-ASCII and
 * ISO-8859-1; others are taken as UTF-8. Multiparts at most MESSAGE_DEPTH_MAX deep.
 * Pure; a struct message points into the bytes it was made from. */
#ifndef PAYBELL_SANDBOX_MESSAGE_H
#define PAYBELL_SANDBOX_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define MESSAGE_DEPTH_MAX 5

struct span {
	const char *at; /* NULL: absent */
	size_t len;
};

enum message_header {
	HEADER_FROM,
	HEADER_TO,
	HEADER_CC,
	HEADER_SUBJECT,
	HEADER_DATE,
	HEADER_MESSAGE_ID,
	HEADER_MIME_VERSION,
	HEADER_CONTENT_TYPE,
	HEADER_TRANSFER_ENCODING,
	HEADER_COUNT
};

struct message {
	struct span headers[HEADER_COUNT]; /* the first of each; still folded */
	int count[HEADER_COUNT];
	bool well_formed; /* every header line is one */
	struct span body;
};

void message_parse(struct message *m, const char *bytes, size_t len);

/* What a strict server refuses: malformed header lines, no From or two, two of what there
 * may be one of. */
int message_check(const struct message *m, struct err *e);

/* A header unfolded, its encoded words as UTF-8; adds nothing when it is absent. */
void message_text(const struct message *m, enum message_header which, struct buf *out);
/* A Message-ID without its brackets. */
void message_id(const struct message *m, struct buf *out);

/* The first part of that type ("text/plain"), decoded to UTF-8. False: there is none. */
bool message_part(const struct message *m, const char *type, struct buf *out);

#endif
