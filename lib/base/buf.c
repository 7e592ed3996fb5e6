#include "base/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_CAPACITY 64

void buf_init(struct buf *b, size_t max_bytes)
{
	/* Half of the address space, so that no sum below can wrap. */
	if (max_bytes > PTRDIFF_MAX - 1)
		max_bytes = PTRDIFF_MAX - 1;
	*b = (struct buf){.max_bytes = max_bytes};
}

void buf_release(struct buf *b)
{
	mem_free(b->data);
	buf_init(b, b->max_bytes);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->overflowed = false;
	if (b->data != NULL)
		b->data[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t len)
{
	size_t needed, capacity;

	if (b->overflowed || len > b->max_bytes - b->len) {
		b->overflowed = true;
		return NULL;
	}
	needed = b->len + len + 1;
	if (needed > b->capacity) {
		capacity = b->capacity > 0 ? b->capacity * 2 : FIRST_CAPACITY;
		if (capacity > b->max_bytes + 1)
			capacity = b->max_bytes + 1;
		if (capacity < needed)
			capacity = needed;
		b->data = mem_resize(b->data, capacity, 1);
		b->capacity = capacity;
		b->data[b->len] = '\0';
	}
	return b->data + b->len;
}

void buf_commit(struct buf *b, size_t len)
{
	assert(len == 0 || len < b->capacity - b->len);
	if (len == 0)
		return;
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
	char *room;

	if (len == 0)
		return;
	room = buf_reserve(b, len);
	if (room == NULL)
		return;
	memcpy(room, bytes, len);
	buf_commit(b, len);
}

void buf_add_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_add_int(struct buf *b, long long value)
{
	char digits[24];
	char *p = digits + sizeof(digits);
	/* The magnitude as unsigned: -LLONG_MIN does not exist. */
	unsigned long long rest =
		value < 0 ? 0ULL - (unsigned long long)value : (unsigned long long)value;

	do {
		*--p = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (value < 0)
		*--p = '-';
	buf_add(b, p, (size_t)(digits + sizeof(digits) - p));
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	buf_addv(b, fmt, args);
	va_end(args);
}

void buf_addv(struct buf *b, const char *fmt, va_list args)
{
	size_t room = b->capacity > b->len ? b->capacity - b->len : 0;
	va_list again;
	int len;

	if (b->overflowed)
		return;
	va_copy(again, args);
	len = vsnprintf(room > 0 ? b->data + b->len : NULL, room, fmt, again);
	va_end(again);
	assert(len >= 0);
	if ((size_t)len < room) { /* the usual case: it fitted at once */
		b->len += (size_t)len;
		return;
	}
	if (room > 0)
		b->data[b->len] = '\0'; /* undo the cut attempt */
	if (buf_reserve(b, (size_t)len) == NULL)
		return;
	vsnprintf(b->data + b->len, (size_t)len + 1, fmt, args);
	buf_commit(b, (size_t)len);
}

void buf_consume(struct buf *b, size_t len)
{
	assert(len <= b->len);
	if (len == 0)
		return;
	b->len -= len;
	memmove(b->data, b->data + len, b->len + 1);
}

const char *buf_text(const struct buf *b)
{
	return b->data != NULL ? b->data : "";
}

char *buf_take(struct buf *b, size_t *len)
{
	char *data = b->data;

	if (len != NULL)
		*len = b->len;
	if (b->len == 0) {
		buf_release(b);
		return NULL;
	}
	buf_init(b, b->max_bytes);
	return data;
}
