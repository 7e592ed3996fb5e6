/* SHA-256, comparing in constant time, hex and base64url. libcrypto's EVP interface makes
 * the digest; the alphabets are our own: EVP has no base64url. */
#include "io/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static EVP_MD *fetched; /* NULL: fetching failed */

static void fetch(void)
{
	fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
}

/* Fetched once: what EVP_sha256() gives is looked up anew by each digest, which costs as
 * much as the digest of a short text. Never freed: any thread may be at it. */
static const EVP_MD *sha256(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, fetch);
	return fetched;
}

void digest_sha256(uint8_t out[SHA256_BYTES], const struct digest_part *parts)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, sha256(), NULL) == 1;

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

void digest_hmac_sha256(uint8_t out[SHA256_BYTES], const void *key, size_t key_len,
			const void *bytes, size_t len)
{
	unsigned int size;

	if (HMAC(sha256(), key, (int)key_len, bytes, len, out, &size) == NULL) {
		log_error("digest.unusable", "library=libcrypto");
		abort();
	}
}

void digest_sha1_base64(char out[DIGEST_SHA1_BASE64_SIZE], const void *bytes, size_t len)
{
	unsigned char digest[20];
	unsigned int size;

	if (EVP_Digest(bytes, len, digest, &size, EVP_sha1(), NULL) != 1) {
		log_error("digest.unusable", "library=libcrypto");
		abort();
	}
	EVP_EncodeBlock((unsigned char *)out, digest, sizeof(digest));
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
