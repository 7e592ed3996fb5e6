#include "sandbox/encoded.h"

#include <string.h>
#include <strings.h>

#include "base/base64.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "=3D" at `at`: its byte, else -1. */
static int escaped_byte(const char *at, size_t left)
{
	int high = left >= 3 ? hex(at[1]) : -1;
	int low = high >= 0 ? hex(at[2]) : -1;

	return low >= 0 ? high * 16 + low : -1;
}

void encoded_quoted_printable(const char *text, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len; i++) {
		int byte;

		if (text[i] != '=') {
			buf_add_char(out, text[i]);
			continue;
		}
		if (len - i >= 3 && text[i + 1] == '\r' && text[i + 2] == '\n') {
			i += 2; /* a soft line break */
			continue;
		}
		byte = escaped_byte(text + i, len - i);
		buf_add_char(out, byte >= 0 ? (char)byte : '=');
		i += byte >= 0 ? 2 : 0;
	}
}

void encoded_base64(const char *text, size_t len, struct buf *out)
{
	struct buf joined;

	buf_init(&joined, len);
	for (size_t i = 0; i < len; i++)
		if (strchr("\r\n\t ", text[i]) == NULL)
			buf_add_char(&joined, text[i]);
	if (base64_decode(out, buf_text(&joined), joined.len) < 0)
		buf_add(out, text, len);
	buf_release(&joined);
}

/* One "=?charset?Q?…?=" at text: its length, and its bytes into out; 0 when there is
 * none.
 */
static size_t word(const char *text, size_t len, struct buf *out)
{
	const char *end = text + len, *charset = text + 2, *kind, *bytes, *stop;
	size_t charset_len;

	if (len < 8 || memcmp(text, "=?", 2) != 0)
		return 0;
	kind = memchr(charset, '?', (size_t)(end - charset));
	if (kind == NULL || end - kind < 5 || kind[2] != '?')
		return 0;
	charset_len = (size_t)(kind - charset);
	if (!(charset_len == 5 && strncasecmp(charset, "utf-8", 5) == 0) &&
	    !(charset_len == 8 && strncasecmp(charset, "us-ascii", 8) == 0))
		return 0;
	bytes = kind + 3;
	stop = memmem(bytes, (size_t)(end - bytes), "?=", 2);
	if (stop == NULL)
		return 0;
	if (kind[1] == 'B' || kind[1] == 'b') {
		encoded_base64(bytes, (size_t)(stop - bytes), out);
		return (size_t)(stop + 2 - text);
	}
	if (kind[1] != 'Q' && kind[1] != 'q')
		return 0;
	for (const char *at = bytes; at < stop; at++) {
		int byte = *at == '=' ? escaped_byte(at, (size_t)(stop - at)) : -1;

		buf_add_char(out, byte >= 0 ? (char)byte : *at == '_' ? ' ' : *at);
		at += byte >= 0 ? 2 : 0;
	}
	return (size_t)(stop + 2 - text);
}

/* White space between two encoded words is not part of the text (section 6.2). */
void encoded_words(const char *text, size_t len, struct buf *out)
{
	size_t gap = 0; /* white space since an encoded word */
	bool after_word = false;

	for (size_t i = 0; i < len;) {
		struct buf decoded;
		size_t took;

		if (after_word && (text[i] == ' ' || text[i] == '\t')) {
			gap++;
			i++;
			continue;
		}
		buf_init(&decoded, len);
		took = text[i] == '=' ? word(text + i, len - i, &decoded) : 0;
		if (took == 0)
			buf_add(out, text + i - gap, gap + 1);
		else
			buf_add(out, buf_text(&decoded), decoded.len);
		buf_release(&decoded);
		after_word = took > 0;
		gap = 0;
		i += took > 0 ? took : 1;
	}
}
