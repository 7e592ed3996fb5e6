#include "base/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	char *to = buf_reserve(out, base64_length(len));

	if (!to)
		return;
	for (size_t i = 0; i < len; i += 3, to += 4) {
		uint32_t second = i + 1 < len ? p[i + 1] : 0;
		uint32_t third = i + 2 < len ? p[i + 2] : 0;
		uint32_t bits = (uint32_t)p[i] << 16 | second << 8 | third;

		to[0] = alphabet[bits >> 18];
		to[1] = alphabet[bits >> 12 & 63];
		to[2] = i + 1 < len ? alphabet[bits >> 6 & 63] : '=';
		to[3] = i + 2 < len ? alphabet[bits & 63] : '=';
	}
	buf_commit(out, base64_length(len));
}

static int value_of(char c)
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

/* Four characters, of which the last `padding` were '='. The bits that no byte takes must
 * be zero. */
static int decode_group(unsigned char bytes[3], const char *text, size_t padding)
{
	uint32_t group = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - padding ? value_of(text[i]) : 0;

		if (value < 0)
			return -1;
		group = group << 6 | (uint32_t)value;
	}
	bytes[0] = (unsigned char)(group >> 16);
	bytes[1] = (unsigned char)(group >> 8);
	bytes[2] = (unsigned char)group;
	return group & ((1u << 8 * padding) - 1) ? -1 : 0;
}

int base64_decode(struct buf *out, const char *text, size_t len)
{
	size_t padding = 0, size;
	char *to;

	if (len % 4 != 0)
		return -1;
	if (len == 0)
		return 0;
	if (text[len - 1] == '=')
		padding = text[len - 2] == '=' ? 2 : 1;
	size = len / 4 * 3 - padding;
	to = buf_reserve(out, size);
	if (!to)
		return -1;
	for (size_t i = 0; i < len; i += 4, to += 3) {
		size_t missing = i + 4 == len ? padding : 0;
		unsigned char bytes[3];

		if (decode_group(bytes, text + i, missing) < 0) {
			out->data[out->len] = '\0'; /* was written over */
			return -1;
		}
		memcpy(to, bytes, 3 - missing);
	}
	buf_commit(out, size);
	return 0;
}
