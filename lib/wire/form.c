#include "wire/form.h"

#include <stdbool.h>
#include <string.h>

static bool stands_for_itself(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '*' || c == '-' || c == '.' || c == '_';
}

static void put_encoded(struct buf *out, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (stands_for_itself(c)) {
			buf_add_char(out, (char)c);
		} else if (c == ' ') {
			buf_add_char(out, '+');
		} else {
			char escape[3] = {'%', hex[c >> 4], hex[c & 15]};

			buf_add(out, escape, sizeof(escape));
		}
	}
}

void form_put(struct buf *out, const char *key, const char *value)
{
	if (out->len > 0)
		buf_add_char(out, '&');
	put_encoded(out, key);
	buf_add_char(out, '=');
	put_encoded(out, value);
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

int form_take_char(const char **text, size_t *len)
{
	const char *at = *text;
	size_t used = *at == '%' ? 3 : 1;
	int high, low;

	if (used > *len)
		return -1;
	*text += used;
	*len -= used;
	if (used == 1)
		return *at == '+' ? ' ' : (unsigned char)*at;
	high = hex_digit(at[1]);
	low = hex_digit(at[2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static int decode(const char *text, size_t len, struct buf *out, struct err *e)
{
	while (len > 0) {
		int c = form_take_char(&text, &len);

		if (c < 0)
			return err_set(e, ERR_INVALID,
				       "form: '%%' without two hexadecimal digits");
		if (c == 0)
			return err_set(e, ERR_INVALID, "form: text may not contain NUL");
		buf_add_char(out, (char)c);
	}
	if (out->overflowed)
		return err_set(e, ERR_FULL,
			       "form: more than %zu bytes in a name or value",
			       out->max_bytes);
	return 0;
}

int form_next(const char **text, size_t *len, struct buf *key, struct buf *value,
	      struct err *e)
{
	const char *pair, *end, *equals;
	size_t size;

	buf_clear(key);
	buf_clear(value);
	while (*len > 0 && **text == '&') { /* empty pairs do not count */
		++*text;
		--*len;
	}
	if (*len == 0)
		return 0;
	pair = *text;
	end = memchr(pair, '&', *len);
	size = end ? (size_t)(end - pair) : *len;
	*text += size;
	*len -= size;
	equals = memchr(pair, '=', size);
	if (decode(pair, equals ? (size_t)(equals - pair) : size, key, e) < 0)
		return -1;
	if (equals &&
	    decode(equals + 1, size - (size_t)(equals + 1 - pair), value, e) < 0)
		return -1;
	return 1;
}
