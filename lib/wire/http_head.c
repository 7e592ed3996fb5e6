/* Each line is judged when its end is there, and then forgotten but for what the request
 * line and three fields said: a lookup walks the lines again. A head is at most some
 * kilobytes and a handshake asks for half a dozen fields, so a table would cost more than
 * it saves; and a client that sends a byte a second costs its bytes and this small
 * struct.
 *
 * Every byte is looked at in order and once, so the answer does not depend on how the
 * head was cut, and a TLS greeting or a torrent of rubbish is refused at its first
 * control character instead of being kept up to the maximum. */
#include "wire/http_head.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "wire/form.h"

#define LENGTH_DIGITS_MAX 18 /* any such number fits an int64_t */

void http_head_init(struct http_head *h, size_t max_bytes)
{
	assert(max_bytes <= UINT32_MAX);
	*h = (struct http_head){.max_bytes = (uint32_t)max_bytes, .content_length = -1};
}

static int refuse(struct http_head *h, int status, const char *why, struct err *e)
{
	h->status = status;
	return err_set(e, ERR_INVALID, "http: %s", why);
}

static bool is_token_char(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c > 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool http_text_is_token(struct http_text text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_token_char((unsigned char)text.at[i]))
			return false;
	return text.len > 0;
}

bool http_text_is(struct http_text text, const char *other)
{
	return text.at && strlen(other) == text.len &&
	       memcmp(text.at, other, text.len) == 0;
}

bool http_text_is_nocase(struct http_text text, const char *other)
{
	return text.at && strlen(other) == text.len &&
	       strncasecmp(text.at, other, text.len) == 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

struct http_text http_text_trim(struct http_text text)
{
	while (text.len > 0 && is_space(text.at[text.len - 1]))
		text.len--;
	while (text.len > 0 && is_space(text.at[0])) {
		text.at++;
		text.len--;
	}
	return text;
}

struct http_text http_text_split(struct http_text text, char c, struct http_text *rest)
{
	const char *at = text.len > 0 ? memchr(text.at, c, text.len) : NULL;

	*rest = (struct http_text){NULL, 0};
	if (at == NULL)
		return text;
	*rest = (struct http_text){at + 1, text.len - (size_t)(at + 1 - text.at)};
	return (struct http_text){text.at, (size_t)(at - text.at)};
}

static int take_version(struct http_head *h, struct http_text version, struct err *e)
{
	if (version.len != 8 || memcmp(version.at, "HTTP/", 5) != 0 ||
	    version.at[5] < '0' || version.at[5] > '9' || version.at[6] != '.' ||
	    version.at[7] < '0' || version.at[7] > '9')
		return refuse(h, 400, "a request line without a version of HTTP", e);
	if (version.at[5] != '1')
		return refuse(h, 505, "only HTTP/1 is spoken here", e);
	h->minor_version = version.at[7] - '0';
	return 0;
}

static bool starts_nocase(struct http_text text, const char *prefix)
{
	size_t len = strlen(prefix);

	return text.len >= len && strncasecmp(text.at, prefix, len) == 0;
}

static struct http_text skip(struct http_text text, size_t len)
{
	return (struct http_text){text.at + len, text.len - len};
}

/* Takes "http://authority" off the front, if it is there: what proxies send, and what
 * every server has to understand (RFC 9112 section 3.2.2). */
static bool strip_authority(struct http_text *target)
{
	static const char *const schemes[] = {"http://", "https://", "ws://", "wss://"};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = 0;

		if (!starts_nocase(*target, schemes[i]))
			continue;
		*target = skip(*target, strlen(schemes[i]));
		while (len < target->len && target->at[len] != '/' &&
		       target->at[len] != '?')
			len++;
		*target = skip(*target, len);
		return len > 0;
	}
	return false;
}

/* "/path?query", "http://authority/path?query", or "*". */
static int take_target(struct http_head *h, struct http_text target, struct err *e)
{
	struct http_text path, query;

	for (size_t i = 0; i < target.len; i++)
		if (target.at[i] <= ' ' || target.at[i] > '~' || target.at[i] == '#')
			return refuse(h, 400, "a character that no target has", e);
	if (target.len == 0 || (target.at[0] != '/' && !http_text_is(target, "*") &&
				!strip_authority(&target)))
		return refuse(h, 400, "a target that is no path", e);
	path = http_text_split(target, '?', &query);
	h->path_at = (uint32_t)(path.at - h->text);
	h->path_len = (uint32_t)path.len;
	h->query_at = query.at ? (uint32_t)(query.at - h->text) : 0;
	h->query_len = (uint32_t)query.len;
	return 0;
}

static int take_request_line(struct http_head *h, struct http_text line, struct err *e)
{
	struct http_text rest, version;
	struct http_text method = http_text_split(line, ' ', &rest);
	struct http_text target = http_text_split(rest, ' ', &version);

	if (!http_text_is_token(method))
		return refuse(h, 400, "a request line without a method", e);
	h->method_at = (uint32_t)(method.at - h->text);
	h->method_len = (uint32_t)method.len;
	/* A request of another version may have another shape, so that comes first. */
	if (take_version(h, version, e) < 0)
		return -1;
	return take_target(h, target, e);
}

/* Only what would make two hosts out of one, or none: names are the caller's matter. */
static int take_host(struct http_head *h, struct http_text value, struct err *e)
{
	if (h->has_host)
		return refuse(h, 400, "more than one Host", e);
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] <= ' ' || value.at[i] > '~' ||
		    strchr("/?#@\\,", value.at[i]))
			return refuse(h, 400, "a Host that is none", e);
	h->has_host = true;
	return 0;
}

static int take_content_length(struct http_head *h, struct http_text value, struct err *e)
{
	int64_t length = 0;

	if (h->content_length >= 0)
		return refuse(h, 400, "more than one Content-Length", e);
	if (value.len == 0 || value.len > LENGTH_DIGITS_MAX)
		return refuse(h, 400, "a Content-Length that is no number", e);
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return refuse(h, 400, "a Content-Length that is no number", e);
		length = length * 10 + (value.at[i] - '0');
	}
	h->content_length = length;
	return 0;
}

static int take_transfer_encoding(struct http_head *h, struct http_text value,
				  struct err *e)
{
	if (h->chunked)
		return refuse(h, 400, "more than one Transfer-Encoding", e);
	if (!http_text_is_nocase(value, "chunked"))
		return refuse(h, 501, "a Transfer-Encoding other than chunked", e);
	h->chunked = true;
	return 0;
}

static int take_field(struct http_head *h, struct http_text line, struct err *e)
{
	struct http_text value;
	struct http_text name = http_text_split(line, ':', &value);

	if (is_space(line.at[0]))
		return refuse(h, 400, "a folded line", e);
	if (value.at == NULL)
		return refuse(h, 400, "a field without a colon", e);
	if (!http_text_is_token(name))
		return refuse(h, 400, "a field's name with a character that none has", e);
	value = http_text_trim(value);
	if (http_text_is_nocase(name, "Host"))
		return take_host(h, value, e);
	if (http_text_is_nocase(name, "Content-Length"))
		return take_content_length(h, value, e);
	if (http_text_is_nocase(name, "Transfer-Encoding"))
		return take_transfer_encoding(h, value, e);
	return 0;
}

static int finish(struct http_head *h, struct err *e)
{
	if (h->minor_version > 0 && !h->has_host)
		return refuse(h, 400, "no Host", e);
	if (h->chunked && h->content_length >= 0)
		return refuse(h, 400, "Transfer-Encoding and Content-Length", e);
	if (h->chunked && h->minor_version == 0)
		return refuse(h, 400, "Transfer-Encoding in HTTP/1.0", e);
	h->bytes = h->seen;
	return 1;
}

/* The line that ends at `seen`; 1 when it was the empty one at the end. */
static int take_line(struct http_head *h, struct err *e)
{
	struct http_text line = {h->text + h->line_at, h->seen - h->line_at - 2};
	bool first = h->line_at == 0;

	h->line_at = h->seen;
	if (h->fields_at > 0)
		return line.len > 0 ? take_field(h, line, e) : finish(h, e);
	/* One empty line before a request: some clients end a body with it (RFC 9112
	 * section 2.2). */
	if (line.len == 0)
		return first ? 0 : refuse(h, 400, "empty lines and no request", e);
	h->fields_at = h->seen;
	return take_request_line(h, line, e);
}

/* CR and LF come as a pair, and no other control character comes at all. */
static int judge_byte(struct http_head *h, struct err *e)
{
	unsigned char c = (unsigned char)h->text[h->seen];
	bool after_cr = h->seen > h->line_at && h->text[h->seen - 1] == '\r';

	if (after_cr != (c == '\n'))
		return refuse(h, 400, "CR without LF, or LF without CR", e);
	if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 0x7f)
		return refuse(h, 400, "a control character", e);
	return 0;
}

int http_head_read(struct http_head *h, const char *bytes, size_t len, struct err *e)
{
	size_t end = len < h->max_bytes ? len : h->max_bytes;

	assert(h->status == 0 && h->bytes == 0);
	h->text = bytes;
	while (h->seen < end) {
		int rc = judge_byte(h, e);

		if (rc < 0)
			return rc;
		if (bytes[h->seen++] != '\n')
			continue;
		rc = take_line(h, e);
		if (rc != 0)
			return rc;
	}
	if (h->seen < h->max_bytes)
		return 0;
	if (h->fields_at == 0)
		return refuse(h, 414, "the request line is too long", e);
	return refuse(h, 431, "the fields are too long", e);
}

struct http_text http_head_method(const struct http_head *h)
{
	return (struct http_text){h->text + h->method_at, h->method_len};
}

struct http_text http_head_path(const struct http_head *h)
{
	if (h->path_len == 0) /* of "http://host" */
		return (struct http_text){"/", 1};
	return (struct http_text){h->text + h->path_at, h->path_len};
}

static bool key_is(struct http_text key, const char *name)
{
	while (key.len > 0) {
		int c = form_take_char(&key.at, &key.len);

		if (c <= 0 || c != (unsigned char)*name++)
			return false;
	}
	return *name == '\0';
}

static int decode(struct http_text value, char *out, size_t size)
{
	size_t len = 0;

	while (value.len > 0) {
		int c = form_take_char(&value.at, &value.len);

		if (c <= 0 || len + 1 >= size)
			return -1;
		out[len++] = (char)c;
	}
	out[len] = '\0';
	return 1;
}

int http_head_query(const struct http_head *h, const char *name, char *out, size_t size)
{
	struct http_text rest = {h->text + h->query_at, h->query_len};

	while (rest.len > 0) {
		struct http_text value, pair = http_text_split(rest, '&', &rest);
		struct http_text key = http_text_split(pair, '=', &value);

		if (key_is(key, name))
			return decode(value, out, size);
	}
	return 0;
}

/* *at is 0 before the first. */
static bool next_field(const struct http_head *h, size_t *at, struct http_text *name,
		       struct http_text *value)
{
	struct http_text line, rest;

	if (*at == 0)
		*at = h->fields_at;
	rest = (struct http_text){h->text + *at, h->bytes - *at};
	line = http_text_split(rest, '\r', &rest);
	*at += line.len + 2;
	if (line.len == 0) {
		*at = h->bytes - 2;
		return false;
	}
	*name = http_text_split(line, ':', value);
	*value = http_text_trim(*value);
	return true;
}

size_t http_head_field(const struct http_head *h, const char *name,
		       struct http_text *value)
{
	struct http_text field, text;
	size_t count = 0;

	if (value)
		*value = (struct http_text){NULL, 0};
	for (size_t at = 0; next_field(h, &at, &field, &text);) {
		if (!http_text_is_nocase(field, name))
			continue;
		if (count++ == 0 && value)
			*value = text;
	}
	return count;
}

bool http_head_next_item(const struct http_head *h, const char *name,
			 struct http_items *next, struct http_text *item)
{
	struct http_text field;

	for (;;) {
		while (next->rest.len > 0) {
			*item = http_text_trim(
				http_text_split(next->rest, ',', &next->rest));
			if (item->len > 0)
				return true;
		}
		do {
			if (!next_field(h, &next->line, &field, &next->rest))
				return false;
		} while (!http_text_is_nocase(field, name));
	}
}

bool http_head_has_item(const struct http_head *h, const char *name, const char *item)
{
	struct http_items next = {0};
	struct http_text one;

	while (http_head_next_item(h, name, &next, &one))
		if (http_text_is_nocase(one, item))
			return true;
	return false;
}
