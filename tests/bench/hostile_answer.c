#include "hostile_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPCODE_CLOSE  8
#define CLOSE_WITHOUT 1005 /* RFC 6455 section 7.4.1 */

/* ---- frames ---- */

static bool is_close(const struct answer *a)
{
	return (a->head[0] & 15) == OPCODE_CLOSE;
}

/* Of a server's frame: it has no mask. */
static size_t head_size(const struct answer *a)
{
	if (a->head_len < 2)
		return 2;
	switch (a->head[1] & 127) {
	case 126:
		return 4;
	case 127:
		return 10;
	default:
		return 2;
	}
}

static void begin_payload(struct answer *a)
{
	size_t size = head_size(a);

	a->left = size == 2 ? a->head[1] & 127 : 0;
	for (size_t i = 2; i < size; i++)
		a->left = a->left << 8 | a->head[i];
	a->code_len = 0;
	if (is_close(a))
		a->close_code = a->left < 2 ? CLOSE_WITHOUT : 0;
	if (a->left == 0)
		a->head_len = 0;
}

static size_t take_payload(struct answer *a, const uint8_t *bytes, size_t len)
{
	size_t some = len < a->left ? len : (size_t)a->left;

	for (size_t i = 0; is_close(a) && i < some && a->code_len < 2; i++, a->code_len++)
		a->close_code = a->close_code << 8 | bytes[i];
	a->left -= some;
	if (a->left == 0)
		a->head_len = 0;
	return some;
}

static void take_frames(struct answer *a, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		size_t some = 1;

		if (a->left > 0) {
			some = take_payload(a, bytes, len);
		} else {
			a->head[a->head_len++] = bytes[0];
			if (a->head_len == head_size(a))
				begin_payload(a);
		}
		bytes += some;
		len -= some;
	}
}

/* ---- HTTP ---- */

static void find_sid(struct answer *a, const char *text, size_t len)
{
	static const char key[] = "\"sid\":\"";
	const char *at = memmem(text, len, key, sizeof(key) - 1), *end;

	if (!at)
		return;
	at += sizeof(key) - 1;
	end = memchr(at, '"', len - (size_t)(at - text));
	if (!end || end - at >= ANSWER_SID_SIZE)
		return;
	memcpy(a->sid, at, (size_t)(end - at));
	a->sid[end - at] = '\0';
}

/* The last of them: a connection may be answered several times. */
static void find_status(struct answer *a, const char *text, size_t len)
{
	static const char key[] = "HTTP/1.1 ";
	size_t key_len = sizeof(key) - 1;
	const char *at;

	while ((at = memmem(text, len, key, key_len)) != NULL) {
		size_t rest = len - (size_t)(at - text) - key_len;

		if (rest < 3)
			return;
		a->status = (int)strtol(at + key_len, NULL, 10);
		text = at + key_len;
		len = rest;
	}
}

void answer_take(struct answer *a, const uint8_t *bytes, size_t len)
{
	const uint8_t *end;

	if (a->frames) {
		take_frames(a, bytes, len);
		return;
	}
	find_status(a, (const char *)bytes, len);
	find_sid(a, (const char *)bytes, len);
	if (a->status != 101)
		return;
	a->frames = true;
	end = memmem(bytes, len, "\r\n\r\n", 4);
	if (end)
		take_frames(a, end + 4, len - (size_t)(end + 4 - bytes));
}

bool answer_describe(const struct answer *a, char *out, size_t size)
{
	if (a->close_code > 0)
		snprintf(out, size, "close %d", a->close_code);
	else if (a->status != 0 && a->status != 101 && a->status != 200)
		snprintf(out, size, "status %d", a->status);
	else
		return false;
	return true;
}
