/* The writing half of json.h. */
#include "wire/json.h"

#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

void json_writer_init(struct json_writer *w, struct buf *out)
{
	w->out = out;
	w->comma = false;
}

/* What stands in front of every value: the comma it needs, and its key. */
static void lead(struct json_writer *w, const char *key)
{
	size_t len = key ? strlen(key) : 0;
	char *at, *start;

	if (!key) {
		if (w->comma)
			buf_add_char(w->out, ',');
		w->comma = true;
		return;
	}
	at = start = buf_reserve(w->out, len + 4);
	if (!at)
		return;
	if (w->comma)
		*at++ = ',';
	*at++ = '"';
	memcpy(at, key, len);
	at += len;
	*at++ = '"';
	*at++ = ':';
	buf_commit(w->out, (size_t)(at - start));
	w->comma = true;
}

void json_open(struct json_writer *w, const char *key, char bracket)
{
	lead(w, key);
	buf_add_char(w->out, bracket);
	w->comma = false;
}

void json_close(struct json_writer *w, char bracket)
{
	buf_add_char(w->out, bracket);
	w->comma = true;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Has one of eight bytes a high bit, or is it a control character, a quote or a
 * backslash? (A byte below n makes b - n borrow into its high bit.) */
static bool needs_a_look(const char *eight)
{
	uint64_t b, quote, backslash;

	memcpy(&b, eight, sizeof(b));
	quote = b ^ EACH(0x22);
	backslash = b ^ EACH(0x5c);
	return ((b | (b - EACH(0x20)) | (quote - EACH(1)) | (backslash - EACH(1))) &
		EACH(0x80)) != 0;
}

/* How many bytes here need no escape and are valid UTF-8: eight at a time as long as it
 * is plain; 0: the next one does not stand for itself. */
static size_t clean_here(const char *text, size_t len)
{
	unsigned char c = (unsigned char)text[0];
	uint32_t code_point;

	if (len >= 8 && !needs_a_look(text))
		return 8;
	if (c < 0x20 || c == '"' || c == '\\')
		return 0;
	return c < 0x80 ? 1 : utf8_decode(text, len, &code_point);
}

/* How much from here on needs no escape and is valid UTF-8. */
static size_t clean_prefix(const char *text, size_t len)
{
	size_t i = 0, n;

	while (i < len && (n = clean_here(text + i, len - i)) > 0)
		i += n;
	return i;
}

/* One byte that cannot stand for itself. */
static void put_escape(struct buf *out, unsigned char c)
{
	switch (c) {
	case '"':
		buf_add(out, "\\\"", 2);
		return;
	case '\\':
		buf_add(out, "\\\\", 2);
		return;
	case '\n':
		buf_add(out, "\\n", 2);
		return;
	case '\r':
		buf_add(out, "\\r", 2);
		return;
	case '\t':
		buf_add(out, "\\t", 2);
		return;
	default:
		if (c >= 0x80)
			buf_add(out, "\xef\xbf\xbd", 3);
		else
			buf_addf(out, "\\u%04x", c);
	}
}

void json_put_text(struct json_writer *w, const char *key, const char *text)
{
	size_t len = strlen(text);
	size_t clean = clean_prefix(text, len);

	lead(w, key);
	if (clean == len) {
		char *at = buf_reserve(w->out, len + 2);

		if (!at)
			return;
		at[0] = '"';
		memcpy(at + 1, text, len);
		at[len + 1] = '"';
		buf_commit(w->out, len + 2);
		return;
	}
	buf_add_char(w->out, '"');
	while (clean < len) {
		buf_add(w->out, text, clean);
		put_escape(w->out, (unsigned char)text[clean]);
		text += clean + 1;
		len -= clean + 1;
		clean = clean_prefix(text, len);
	}
	buf_add(w->out, text, len);
	buf_add_char(w->out, '"');
}

void json_put_int(struct json_writer *w, const char *key, int64_t value)
{
	lead(w, key);
	buf_add_int(w->out, value);
}

void json_put_bool(struct json_writer *w, const char *key, bool value)
{
	lead(w, key);
	buf_add_text(w->out, value ? "true" : "false");
}

void json_put_null(struct json_writer *w, const char *key)
{
	lead(w, key);
	buf_add_text(w->out, "null");
}

void json_put_raw(struct json_writer *w, const char *key, const char *json, size_t len)
{
	lead(w, key);
	buf_add(w->out, json, len);
}

static int add_dumped(const char *bytes, size_t len, void *out)
{
	buf_add(out, bytes, len);
	return 0;
}

void json_encode_value(json_t *value, struct buf *out)
{
	json_dump_callback(value, add_dumped, out, JSON_COMPACT | JSON_ENCODE_ANY);
}
