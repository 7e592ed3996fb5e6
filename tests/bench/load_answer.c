#include "load_answer.h"

#include <string.h>
#include <strings.h>

static const char *header_value(const char *line, const char *end, const char *name)
{
	size_t n = strlen(name);

	if ((size_t)(end - line) <= n || strncasecmp(line, name, n) != 0 ||
	    line[n] != ':')
		return NULL;
	for (line += n + 1; line < end && *line == ' ';)
		line++;
	return line;
}

const char *answer_header(const char *head, size_t head_len, const char *name,
			  size_t *len)
{
	const char *end = head_len > 0 ? head + head_len : head, *value, *next;

	for (const char *line = head; line < end; line = next + 2) {
		next = memmem(line, (size_t)(end - line), "\r\n", 2);
		if (next == NULL)
			break;
		value = header_value(line, next, name);
		if (value != NULL) {
			*len = (size_t)(next - value);
			return value;
		}
	}
	*len = 0;
	return "";
}

static bool read_header(struct answer_shape *a, const char *line, const char *end,
			bool *has_length)
{
	const char *value;

	if ((*line | 32) == 'c' &&
	    (value = header_value(line, end, "Content-Length")) != NULL) {
		a->body_len = 0;
		for (; value < end && *value >= '0' && *value <= '9'; value++)
			a->body_len = a->body_len * 10 + (size_t)(*value - '0');
		*has_length = true;
		return a->body_len <= ANSWER_MAX;
	}
	if ((*line | 32) == 'c' &&
	    (value = header_value(line, end, "Connection")) != NULL)
		a->close = end - value >= 5 && strncasecmp(value, "close", 5) == 0;
	/* Chunked answers are not of this program's world. */
	return header_value(line, end, "Transfer-Encoding") == NULL;
}

int answer_parse(const struct buf *in, bool head_only, struct answer_shape *a)
{
	const char *end = in->len > 0 ? memmem(in->data, in->len, "\r\n\r\n", 4) : NULL;
	bool has_length = false;

	if (end == NULL)
		return in->len > ANSWER_HEAD_MAX ? -1 : 0;
	*a = (struct answer_shape){.head_len = (size_t)(end - in->data) + 4};
	if (a->head_len < 16 || memcmp(in->data, "HTTP/1.", 7) != 0)
		return -1;
	for (int i = 9; i < 12; i++) {
		if (in->data[i] < '0' || in->data[i] > '9')
			return -1;
		a->status = a->status * 10 + (in->data[i] - '0');
	}
	for (const char *line = in->data; line < end;) {
		const char *next = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);

		if (line > in->data && !read_header(a, line, next, &has_length))
			return -1;
		line = next + 2;
	}
	if (head_only || a->status == 204 || a->status == 304)
		a->body_len = 0;
	else if (!has_length)
		return -1;
	return in->len >= a->head_len + a->body_len && a->status >= 100 &&
	       a->status < 600;
}
