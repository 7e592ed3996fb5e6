/* Standard base64 with padding (RFC 4648 section 4), both ways. Pure; any thread. */
#ifndef PAYBELL_BASE_BASE64_H
#define PAYBELL_BASE_BASE64_H

#include <stddef.h>

#include "base/buf.h"

/* How long the text of len bytes is. */
static inline size_t base64_length(size_t len)
{
	return len / 3 * 4 + (len % 3 > 0 ? 4 : 0);
}

/* Adds the text of the bytes, all of it or nothing. */
void base64_encode(struct buf *out, const void *bytes, size_t len);

/* Adds the bytes of the text, all of them or none: -1 when it is not base64 (no white
 * space, no missing padding, no stray bits in the last character: every run of bytes has
 * one text only, section 3.5) or the result would pass out's maximum. */
int base64_decode(struct buf *out, const char *text, size_t len);

#endif
