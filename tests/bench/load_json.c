#include "load_json.h"

#include <string.h>

#include "base/utf8.h"

static void skip_space(struct line_reader *r)
{
	while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r'))
		r->at++;
}

bool line_next_is(struct line_reader *r, char c)
{
	skip_space(r);
	return r->at < r->end && *r->at == c;
}

bool line_take(struct line_reader *r, char c)
{
	if (!line_next_is(r, c))
		return false;
	r->at++;
	return true;
}

bool line_end(struct line_reader *r)
{
	skip_space(r);
	return r->at == r->end;
}

static bool hex4(struct line_reader *r, uint32_t *out)
{
	*out = 0;
	if (r->end - r->at < 4)
		return false;
	for (int i = 0; i < 4; i++, r->at++) {
		char c = *r->at;

		if (c >= '0' && c <= '9')
			*out = *out << 4 | (uint32_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			*out = *out << 4 | (uint32_t)((c | 32) - 'a' + 10);
		else
			return false;
	}
	return true;
}

static void add_code_point(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_add_char(out, (char)c);
	} else if (c < 0x800) {
		buf_add_char(out, (char)(0xc0 | c >> 6));
		buf_add_char(out, (char)(0x80 | (c & 63)));
	} else if (c < 0x10000) {
		buf_add_char(out, (char)(0xe0 | c >> 12));
		buf_add_char(out, (char)(0x80 | (c >> 6 & 63)));
		buf_add_char(out, (char)(0x80 | (c & 63)));
	} else {
		buf_add_char(out, (char)(0xf0 | c >> 18));
		buf_add_char(out, (char)(0x80 | (c >> 12 & 63)));
		buf_add_char(out, (char)(0x80 | (c >> 6 & 63)));
		buf_add_char(out, (char)(0x80 | (c & 63)));
	}
}

/* Behind "\u". Half a surrogate pair is refused: exact bytes go through body_base64. */
static bool unicode_escape(struct line_reader *r, struct buf *out)
{
	uint32_t high, low;

	if (!hex4(r, &high))
		return false;
	if (high >= 0xd800 && high < 0xdc00) {
		if (r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u')
			return false;
		r->at += 2;
		if (!hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
			return false;
		high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	} else if (high >= 0xdc00 && high < 0xe000) {
		return false;
	}
	add_code_point(out, high);
	return true;
}

static bool escape(struct line_reader *r, struct buf *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (r->at >= r->end || *r->at == '\0')
		return false;
	if (*r->at == 'u') {
		r->at++;
		return unicode_escape(r, out);
	}
	found = strchr(from, *r->at);
	if (found == NULL)
		return false;
	buf_add_char(out, to[found - from]);
	r->at++;
	return true;
}

bool line_text(struct line_reader *r, struct buf *out)
{
	if (!line_take(r, '"'))
		return false;
	while (r->at < r->end && *r->at != '"') {
		const char *from = r->at;

		while (r->at < r->end && *r->at != '"' && *r->at != '\\')
			r->at++;
		buf_add(out, from, (size_t)(r->at - from));
		if (r->at < r->end && *r->at == '\\') {
			r->at++;
			if (!escape(r, out))
				return false;
		}
	}
	return line_take(r, '"');
}

bool line_int(struct line_reader *r, int64_t *out)
{
	const char *from;

	skip_space(r);
	from = r->at;
	*out = 0;
	while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && *out < 100000000)
		*out = *out * 10 + (*r->at++ - '0');
	return r->at > from;
}

static int sextet(char c)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = c != '\0' ? strchr(alphabet, c) : NULL;

	return found != NULL ? (int)(found - alphabet) : -1;
}

bool base64_decode_text(const char *text, size_t len, struct buf *out)
{
	if (len % 4 != 0)
		return false;
	for (size_t i = 0; i < len; i += 4) {
		int pad =
			(text[i + 3] == '=') + (text[i + 3] == '=' && text[i + 2] == '=');
		uint32_t bits = 0;

		if (pad > 0 && i + 4 < len)
			return false;
		for (int k = 0; k < 4; k++) {
			int v = k >= 4 - pad ? 0 : sextet(text[i + (size_t)k]);

			if (v < 0)
				return false;
			bits = bits << 6 | (uint32_t)v;
		}
		for (int k = 0; k < 3 - pad; k++)
			buf_add_char(out, (char)(bits >> (16 - 8 * k) & 255));
	}
	return true;
}

void line_put_text(struct buf *out, const char *bytes, size_t len)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < len;) {
		uint32_t code_point;
		size_t n = utf8_decode(bytes + i, len - i, &code_point);

		if (n == 0)
			buf_add_text(out, "\\ufffd");
		else if (code_point < 0x20 || code_point == '"' || code_point == '\\')
			buf_addf(out, "\\u%04x", (unsigned)code_point);
		else
			buf_add(out, bytes + i, n);
		i += n > 0 ? n : 1;
	}
	buf_add_char(out, '"');
}
