#include "base/utf8.h"

#include <string.h>

/* The lead byte says the length and, in four cases, a narrower range for the byte behind
 * it: that alone refuses overlong forms, surrogates and what is above U+10FFFF (RFC 3629
 * section 4). */
struct lead {
	size_t len;
	unsigned char low, high; /* of the second byte */
	unsigned char bits;      /* of the code point, in the lead byte */
};

static bool lead_of(unsigned char c, struct lead *l)
{
	l->low = 0x80;
	l->high = 0xbf;
	if (c >= 0xc2 && c <= 0xdf) {
		l->len = 2;
		l->bits = c & 0x1f;
		return true;
	}
	if (c >= 0xe0 && c <= 0xef) {
		l->len = 3;
		l->bits = c & 0x0f;
		if (c == 0xe0)
			l->low = 0xa0;
		if (c == 0xed)
			l->high = 0x9f;
		return true;
	}
	if (c >= 0xf0 && c <= 0xf4) {
		l->len = 4;
		l->bits = c & 0x07;
		if (c == 0xf0)
			l->low = 0x90;
		if (c == 0xf4)
			l->high = 0x8f;
		return true;
	}
	return false;
}

size_t utf8_decode(const char *bytes, size_t len, uint32_t *code_point)
{
	const unsigned char *p = (const unsigned char *)bytes;
	struct lead l;
	uint32_t value;

	if (len == 0)
		return 0;
	if (p[0] < 0x80) {
		*code_point = p[0];
		return 1;
	}
	if (!lead_of(p[0], &l) || len < l.len || p[1] < l.low || p[1] > l.high)
		return 0;
	value = l.bits;
	for (size_t i = 1; i < l.len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (p[i] & 0x3f);
	}
	*code_point = value;
	return l.len;
}

/* The length of the ASCII that the bytes begin with, eight at a time: nearly all text is
 * nearly all ASCII. */
static size_t ascii_prefix(const unsigned char *p, size_t len)
{
	size_t at = 0;
	uint64_t eight;

	for (; len - at >= sizeof(eight); at += sizeof(eight)) {
		memcpy(&eight, p + at, sizeof(eight));
		if (eight & 0x8080808080808080)
			break;
	}
	while (at < len && p[at] < 0x80)
		at++;
	return at;
}

bool utf8_feed(struct utf8_state *s, const char *bytes, size_t len)
{
	const unsigned char *p = (const unsigned char *)bytes;
	struct lead l;

	for (size_t at = 0; at < len; at++) {
		if (s->left > 0) {
			if (p[at] < s->low || p[at] > s->high)
				return false;
			s->left--;
			s->low = 0x80;
			s->high = 0xbf;
			continue;
		}
		at += ascii_prefix(p + at, len - at);
		if (at == len)
			break;
		if (!lead_of(p[at], &l))
			return false;
		s->left = (uint8_t)(l.len - 1);
		s->low = l.low;
		s->high = l.high;
	}
	return true;
}

bool utf8_valid(const char *bytes, size_t len)
{
	struct utf8_state s = {0};

	return utf8_feed(&s, bytes, len) && s.left == 0;
}

bool utf8_is_line(const char *bytes, size_t len)
{
	uint32_t c;

	for (size_t at = 0; at < len;) {
		size_t step = utf8_decode(bytes + at, len - at, &c);

		if (step == 0 || c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 ||
		    c == 0x2029)
			return false;
		at += step;
	}
	return true;
}

size_t utf8_count(const char *bytes, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += ((unsigned char)bytes[i] & 0xc0) != 0x80;
	return count;
}

size_t utf8_prefix(const char *bytes, size_t len, size_t max_bytes)
{
	size_t cut = max_bytes;

	if (len <= max_bytes)
		return len;
	/* At most three steps back: in text that is not UTF-8 any cut is as good. */
	for (int back = 0; back < 3 && cut > 0; back++) {
		if (((unsigned char)bytes[cut] & 0xc0) != 0x80)
			return cut;
		cut--;
	}
	return cut > 0 && ((unsigned char)bytes[cut] & 0xc0) == 0x80 ? max_bytes : cut;
}
