/* SHA-256, comparing in constant time, hex and base64: libcrypto behind one door. Any thread. */
#ifndef PAYBELL_IO_DIGEST_H
#define PAYBELL_IO_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define SHA256_BYTES 32

/* One digest over the parts put one after the other; parts is ended by one with bytes == NULL. */
struct digest_part {
	const void *bytes;
	size_t len;
};
void digest_sha256(uint8_t out[SHA256_BYTES], const struct digest_part *parts);

bool digest_equal(const void *a, const void *b, size_t len); /* constant time */

/* 64 hex digits, either case; -1 otherwise. */
int digest_parse_hex(uint8_t out[SHA256_BYTES], const char *text);

/* base64url without padding (RFC 4648 section 5) of the first `bytes` bytes. */
void digest_base64url(struct buf *out, const void *bytes, size_t len);
/* Standard base64 with padding; -1 when the text is not that or the result does not fit out's maximum. */
int digest_base64_decode(struct buf *out, const char *text, size_t len);

#endif
