/* SHA-256, comparing in constant time, hex and base64. libcrypto's EVP interface makes
 * the digest; the alphabets are our own, because EVP_DecodeBlock takes white space for
 * nothing and counts padding as bytes. */
#include "io/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

void digest_sha256(uint8_t out[SHA256_BYTES], const struct digest_part *parts)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	for (; ok && parts->bytes; parts++)
		ok = EVP_DigestUpdate(ctx, parts->bytes, parts->len) == 1;
	if (!ok || EVP_DigestFinal_ex(ctx, out, NULL) != 1) {
		/* Only for want of memory, or without its default provider: no caller
		 * could go on without a digest. */
		log_error("digest.unusable", "library=libcrypto");
		abort();
	}
	EVP_MD_CTX_free(ctx);
}

bool digest_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int digest_parse_hex(uint8_t out[SHA256_BYTES], const char *text)
{
	uint8_t bytes[SHA256_BYTES];

	if (strlen(text) != 2 * SHA256_BYTES)
		return -1;
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(out, bytes, sizeof bytes);
	return 0;
}

void digest_base64url(struct buf *out, const void *bytes, size_t len)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789-_";
	const uint8_t *p = bytes;

	while (len > 0) {
		size_t n = len < 3 ? len : 3;
		uint32_t group = (uint32_t)p[0] << 16;
		char text[4];

		if (n > 1)
			group |= (uint32_t)p[1] << 8;
		if (n > 2)
			group |= p[2];
		for (size_t i = 0; i <= n; i++)
			text[i] = alphabet[group >> (18 - 6 * i) & 63];
		buf_add(out, text, n + 1);
		p += n;
		len -= n;
	}
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Four characters, of which the last `padding` were '='. Bits that no byte takes must be
 * zero: every run of bytes has one text only (RFC 4648 section 3.5). */
static int decode_group(uint8_t bytes[3], const char *text, size_t padding)
{
	uint32_t group = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - padding ? base64_value(text[i]) : 0;

		if (value < 0)
			return -1;
		group = group << 6 | (uint32_t)value;
	}
	bytes[0] = (uint8_t)(group >> 16);
	bytes[1] = (uint8_t)(group >> 8);
	bytes[2] = (uint8_t)group;
	return group & ((1u << 8 * padding) - 1) ? -1 : 0;
}

int digest_base64_decode(struct buf *out, const char *text, size_t len)
{
	size_t padding = 0;

	if (len % 4 != 0)
		return -1;
	if (len > 0 && text[len - 1] == '=')
		padding = text[len - 2] == '=' ? 2 : 1;
	for (size_t i = 0; i < len; i += 4) {
		size_t missing = i + 4 == len ? padding : 0;
		uint8_t bytes[3];

		if (decode_group(bytes, text + i, missing) < 0)
			return -1;
		buf_add(out, bytes, 3 - missing);
	}
	return out->overflowed ? -1 : 0;
}
