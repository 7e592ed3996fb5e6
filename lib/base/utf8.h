/* UTF-8 (RFC 3629): valid or not, how long, cut where. Pure. */
#ifndef PAYBELL_BASE_UTF8_H
#define PAYBELL_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No overlong forms, no surrogates, nothing above U+10FFFF. */
bool utf8_valid(const char *bytes, size_t len);

/* The same for text that comes in pieces. Zeroed before the first one. */
struct utf8_state {
	uint8_t left;      /* bytes that the code point still lacks; 0: between two */
	uint8_t low, high; /* the range of the next of them */
};

/* False at the first byte that no valid text can go on with; the state is then of no use
 * any more. The end of the text is valid when `left` is 0. */
bool utf8_feed(struct utf8_state *s, const char *bytes, size_t len);

/* Valid, and free of control characters (C0, DEL, C1, U+2028, U+2029): fit for one line
 * of text. Tab is a control character here too. */
bool utf8_is_line(const char *bytes, size_t len);

/* Code points in a valid string. */
size_t utf8_count(const char *bytes, size_t len);

/* The longest prefix of at most max_bytes that does not cut a code point. */
size_t utf8_prefix(const char *bytes, size_t len, size_t max_bytes);

/* Decodes one code point; returns its length in bytes, 0 when invalid or len is 0. */
size_t utf8_decode(const char *bytes, size_t len, uint32_t *code_point);

#endif
