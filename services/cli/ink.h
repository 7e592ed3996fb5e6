/* Text for a terminal: escaped, tinted, lined up.
 *
 * What came from outside goes through ink_text(): control characters (C0, DEL, C1), the
 * marks that turn the writing direction around (U+202A to U+202E, U+2066 to U+2069), line
 * and paragraph separators and invalid UTF-8 become \xNN or \u{NNNN}, so that nothing in
 * a payment can move the cursor or forge a line. Colours only where `colour` says so.
 * Pure. */
#ifndef PAYBELL_CLI_INK_H
#define PAYBELL_CLI_INK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum tint { TINT_NONE, TINT_GOOD, TINT_BAD, TINT_WARN, TINT_DIM, TINT_STRONG };

struct ink {
	struct buf *out; /* borrowed */
	bool colour;
};

/* Our own words, as they are. */
void ink_raw(struct ink *k, const char *text);
void ink_rawf(struct ink *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* From outside. ink_cell() fills up with spaces to `width` columns, for text that is
 * ASCII when it is good. */
void ink_text(struct ink *k, enum tint tint, const char *text);
void ink_cell(struct ink *k, enum tint tint, const char *text, size_t width);

/* JSON from outside, one line as it is: inside of its texts the same characters become
 * \uNNNN, so its meaning stays; invalid UTF-8 becomes U+FFFD. */
void ink_json(struct buf *out, const char *bytes, size_t len);

#define INK_SPAN_SIZE 32
/* "8.3 ms", "1.204 s", "3 min 20 s", "5 h 3 min"; negative ones with "-". Returns out. */
const char *ink_span(char out[INK_SPAN_SIZE], int64_t span_us);

#define INK_TIME_SIZE 32
/* "2026-01-18 09:30:00.123", UTC; the time alone without `date`. Returns out. */
const char *ink_time(char out[INK_TIME_SIZE], int64_t utc_us, bool date);

#endif
