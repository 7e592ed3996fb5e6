/* Just enough JSON to read one line of a --requests file, without a library.
 *
 * A cursor over one text in memory. Every call returns false at the first fault, and
 * the reader is then at the byte that is wrong. Pure; one thread. */
#ifndef PAYBELL_BENCH_LOAD_JSON_H
#define PAYBELL_BENCH_LOAD_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct line_reader {
	const char *at, *end;
};

/* Skips white space, then this character. */
bool line_take(struct line_reader *r, char c);
/* Is this character next? Skips white space only. */
bool line_next_is(struct line_reader *r, char c);
/* A string, decoded and added to out. */
bool line_text(struct line_reader *r, struct buf *out);
bool line_int(struct line_reader *r, int64_t *out); /* 0 to 10^9 */
/* The end of the text, white space aside. */
bool line_end(struct line_reader *r);

/* Base64 (RFC 4648 section 4, padded), added to out. */
bool base64_decode_text(const char *text, size_t len, struct buf *out);

/* A JSON string with its quotes; bytes that are no UTF-8 become U+FFFD. */
void line_put_text(struct buf *out, const char *bytes, size_t len);

#endif
