/* SHA-256, alone and with a key (HMAC), comparing in constant time, hex and base64url:
 * libcrypto behind one door.
 *
 * Any thread; nothing is kept. Out of memory aborts. FIPS 180-4, RFC 4648. */
#ifndef PAYBELL_IO_DIGEST_H
#define PAYBELL_IO_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define SHA256_BYTES 32

/* One digest over the parts put one after the other; parts is ended by one with bytes ==
 * NULL (so an empty part points at something). */
struct digest_part {
	const void *bytes;
	size_t len;
};
void digest_sha256(uint8_t out[SHA256_BYTES], const struct digest_part *parts);

/* RFC 2104: only who has the key can make it. */
void digest_hmac_sha256(uint8_t out[SHA256_BYTES], const void *key, size_t key_len,
			const void *bytes, size_t len);

bool digest_equal(const void *a, const void *b, size_t len); /* constant time */

/* 64 hex digits, either case; -1 otherwise, and out is not touched. */
int digest_parse_hex(uint8_t out[SHA256_BYTES], const char *text);

/* The SHA-1 of some bytes in base64, NUL-terminated: only what RFC 6455 asks for. */
#define DIGEST_SHA1_BASE64_SIZE 29
void digest_sha1_base64(char out[DIGEST_SHA1_BASE64_SIZE], const void *bytes, size_t len);

/* Adds base64url without padding (RFC 4648 section 5). */
void digest_base64url(struct buf *out, const void *bytes, size_t len);

#endif
