/* Bytes that were made fit for mail, made readable again: quoted-printable and base64
 * (RFC 2045 section 6), encoded words (RFC 2047). Lenient: what is no good encoding stays
 * as it is. Pure. */
#ifndef PAYBELL_SANDBOX_ENCODED_H
#define PAYBELL_SANDBOX_ENCODED_H

#include <stddef.h>

#include "base/buf.h"

void encoded_quoted_printable(const char *text, size_t len, struct buf *out);
void encoded_base64(const char *text, size_t len, struct buf *out);

/* A header's text; words in UTF-8 or US-ASCII are decoded, others stay. */
void encoded_words(const char *text, size_t len, struct buf *out);

#endif
