/* application/x-www-form-urlencoded, both ways (WHATWG URL Standard, section 5). Pure. */
#ifndef PAYBELL_WIRE_FORM_H
#define PAYBELL_WIRE_FORM_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Appends "key=value", with '&' before it when the buffer is not empty. */
void form_put(struct buf *out, const char *key, const char *value);

/* Takes the next pair out of *text (moves *text and *len on); key and value are decoded
 * into the caller's buffers (cleared first). 1 a pair, 0 the end, -1 a bad escape, a NUL
 * or more than the buffers' maximum. */
int form_next(const char **text, size_t *len, struct buf *key, struct buf *value,
	      struct err *e);

/* Takes one decoded character out of *text (moves *text and *len on; *len is not 0):
 * 0 to 255, -1 when a '%' has no two hexadecimal digits behind it. */
int form_take_char(const char **text, size_t *len);

#endif
