/* A scanner for JSON with one bit of memory for each level.
 *
 * What may come next is a state; whether a closing bracket or a comma fits is told by the
 * bit of the innermost level. So nothing recurses, garbage that is all brackets costs
 * nothing, and a packet is read once, whatever it holds. */
#include "wire/json_scan.h"

enum expects {
	EXPECT_BAD,
	EXPECT_VALUE,
	EXPECT_VALUE_OR_END, /* behind '[' */
	EXPECT_KEY,          /* behind a comma in an object */
	EXPECT_KEY_OR_END,   /* behind '{' */
	EXPECT_MORE_OR_END,  /* behind a value that is inside of another */
	EXPECT_NOTHING,      /* behind the outermost value */
};

void json_scan_init(struct json_scan *s, struct slice json)
{
	s->at = json.at;
	s->end = json.at ? json.at + json.len : NULL;
	s->depth = 0;
	s->objects = 0;
	s->expects = EXPECT_VALUE;
}

static bool in_object(const struct json_scan *s)
{
	return s->objects >> (s->depth - 1) & 1;
}

static void skip_space(struct json_scan *s)
{
	while (s->at < s->end &&
	       (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
		s->at++;
}

static bool take(struct json_scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static enum json_scan_kind bad(struct json_scan *s)
{
	s->expects = EXPECT_BAD;
	return JSON_SCAN_BAD;
}

static enum json_scan_kind after_value(struct json_scan *s, enum json_scan_kind kind)
{
	s->expects = s->depth > 0 ? EXPECT_MORE_OR_END : EXPECT_NOTHING;
	return kind;
}

static enum json_scan_kind enter(struct json_scan *s, bool object)
{
	uint64_t bit;

	if (s->depth == JSON_SCAN_DEPTH_MAX)
		return bad(s);
	bit = (uint64_t)1 << s->depth++;
	s->objects = object ? s->objects | bit : s->objects & ~bit;
	s->expects = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
	return object ? JSON_SCAN_OBJECT : JSON_SCAN_ARRAY;
}

static enum json_scan_kind leave(struct json_scan *s)
{
	bool object = in_object(s);

	s->depth--;
	return after_value(s, object ? JSON_SCAN_OBJECT_END : JSON_SCAN_ARRAY_END);
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Behind the backslash. */
static bool take_escape(struct json_scan *s)
{
	if (s->at == s->end)
		return false;
	if (!take(s, 'u'))
		return *s->at && strchr("\"\\/bfnrt", *s->at++);
	for (int i = 0; i < 4; i++, s->at++) {
		if (s->at == s->end || !is_hex(*s->at))
			return false;
	}
	return true;
}

static bool take_text(struct json_scan *s)
{
	if (!take(s, '"'))
		return false;
	while (s->at < s->end) {
		unsigned char c = (unsigned char)*s->at++;

		if (c == '"')
			return true;
		if (c < 0x20 || (c == '\\' && !take_escape(s)))
			return false;
	}
	return false;
}

static bool take_digits(struct json_scan *s)
{
	const char *start = s->at;

	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return s->at > start;
}

static bool take_number(struct json_scan *s)
{
	take(s, '-');
	if (!take(s, '0') && !take_digits(s))
		return false;
	if (take(s, '.') && !take_digits(s))
		return false;
	if (!take(s, 'e') && !take(s, 'E'))
		return true;
	if (!take(s, '+'))
		take(s, '-');
	return take_digits(s);
}

static bool take_word(struct json_scan *s, const char *word)
{
	for (; *word; word++) {
		if (!take(s, *word))
			return false;
	}
	return true;
}

static enum json_scan_kind take_value(struct json_scan *s)
{
	if (s->at == s->end)
		return bad(s);
	switch (*s->at) {
	case '{':
		s->at++;
		return enter(s, true);
	case '[':
		s->at++;
		return enter(s, false);
	case '"':
		return take_text(s) ? after_value(s, JSON_SCAN_TEXT) : bad(s);
	case 't':
		return take_word(s, "true") ? after_value(s, JSON_SCAN_TRUE) : bad(s);
	case 'f':
		return take_word(s, "false") ? after_value(s, JSON_SCAN_FALSE) : bad(s);
	case 'n':
		return take_word(s, "null") ? after_value(s, JSON_SCAN_NULL) : bad(s);
	default:
		return take_number(s) ? after_value(s, JSON_SCAN_NUMBER) : bad(s);
	}
}

/* *raw ends with the key, not with its colon. */
static enum json_scan_kind take_key(struct json_scan *s, struct slice *raw)
{
	if (!take_text(s))
		return bad(s);
	raw->len = (size_t)(s->at - raw->at);
	skip_space(s);
	if (!take(s, ':'))
		return bad(s);
	s->expects = EXPECT_VALUE;
	return JSON_SCAN_KEY;
}

enum json_scan_kind json_scan_next(struct json_scan *s, struct slice *raw)
{
	enum json_scan_kind kind;

	skip_space(s);
	if (s->expects == EXPECT_MORE_OR_END && take(s, ',')) {
		s->expects = in_object(s) ? EXPECT_KEY : EXPECT_VALUE;
		skip_space(s);
	}
	*raw = (struct slice){s->at, 0};
	switch (s->expects) {
	case EXPECT_KEY:
		return take_key(s, raw);
	case EXPECT_VALUE:
		kind = take_value(s);
		break;
	case EXPECT_KEY_OR_END:
		if (s->at < s->end && *s->at == '"')
			return take_key(s, raw);
		kind = take(s, '}') ? leave(s) : bad(s);
		break;
	case EXPECT_VALUE_OR_END:
		kind = take(s, ']') ? leave(s) : take_value(s);
		break;
	case EXPECT_MORE_OR_END:
		kind = take(s, in_object(s) ? '}' : ']') ? leave(s) : bad(s);
		break;
	case EXPECT_NOTHING:
		kind = s->at == s->end ? JSON_SCAN_END : bad(s);
		break;
	default:
		kind = JSON_SCAN_BAD;
	}
	raw->len = (size_t)(s->at - raw->at);
	return kind;
}

bool json_scan_value(struct slice *rest, struct slice *value)
{
	struct json_scan s;
	struct slice raw;

	json_scan_init(&s, *rest);
	if (json_scan_next(&s, value) == JSON_SCAN_BAD)
		return false;
	while (s.depth > 0) {
		if (json_scan_next(&s, &raw) == JSON_SCAN_BAD)
			return false;
	}
	value->len = (size_t)(s.at - value->at);
	skip_space(&s);
	*rest = (struct slice){s.at, (size_t)(s.end - s.at)};
	return true;
}

/* ---- texts ---- */

/* The four hexadecimal digits at `at`. */
static uint32_t hex4(const char *at)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		uint32_t c = (unsigned char)at[i];

		value = value << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return value;
}

/* The escape at *at (behind the backslash): its code point; 0 for what is no text. The
 * grammar holds already. */
static uint32_t take_code_point(const char **at, const char *end)
{
	static const char letters[] = "bfnrt", controls[] = "\b\f\n\r\t";
	char c = *(*at)++;
	const char *letter = strchr(letters, c);
	uint32_t high, low;

	if (c != 'u')
		return (unsigned char)(letter ? controls[letter - letters] : c);
	high = hex4(*at);
	*at += 4;
	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
		return 0;
	low = hex4(*at + 2);
	*at += 6;
	return low >= 0xdc00 && low <= 0xdfff
		       ? 0x10000 + ((high - 0xd800) << 10 | (low - 0xdc00))
		       : 0;
}

/* UTF-8 of a code point; returns its length. */
static size_t put_code_point(char out[4], uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

int json_scan_text(struct slice raw, char *out, size_t size)
{
	const char *at = raw.at + 1, *end = raw.at + raw.len - 1;
	size_t len = 0;

	while (at < end) {
		char encoded[4];
		size_t n = 1;
		uint32_t code_point;

		encoded[0] = *at++;
		if (encoded[0] == '\\') {
			code_point = take_code_point(&at, end);
			n = code_point > 0 ? put_code_point(encoded, code_point) : size;
		}
		if (n >= size - len) {
			out[0] = '\0';
			return -1;
		}
		memcpy(out + len, encoded, n);
		len += n;
	}
	out[len] = '\0';
	return 0;
}

bool json_scan_is(struct slice raw, const char *text)
{
	char said[64];

	return json_scan_text(raw, said, sizeof(said)) == 0 && strcmp(said, text) == 0;
}

bool json_scan_member(struct slice json, const char *name, struct slice *raw)
{
	enum json_scan_kind kind;
	bool found = false, wanted = false;
	struct json_scan s;
	struct slice token;

	json_scan_init(&s, json);
	while ((kind = json_scan_next(&s, &token)) != JSON_SCAN_END) {
		if (kind == JSON_SCAN_BAD)
			return false;
		if (wanted) {
			*raw = token;
			found = true;
		}
		wanted = kind == JSON_SCAN_KEY && s.depth == 1 &&
			 json_scan_is(token, name);
	}
	return found;
}
