/* A growing run of bytes that is born with its maximum.
 *
 * The caller's storage: buf_init/buf_release. What would go over max_bytes is not added
 * at all and sets `overflowed`; from then on nothing is added until buf_clear(), so a
 * writer can add many parts, look once at the end, and never finds a text with a hole in
 * it. `data` is NUL-terminated whenever len > 0 (the terminator is not counted). Not for
 * two threads at once. */
#ifndef PAYBELL_BASE_BUF_H
#define PAYBELL_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; /* NULL while nothing was added */
	size_t len;
	size_t capacity;
	size_t max_bytes;
	bool overflowed;
};

void buf_init(struct buf *b, size_t max_bytes); /* takes no memory yet */
void buf_release(struct buf *b);                /* back to the state after buf_init */
void buf_clear(struct buf *b); /* keeps the memory; len 0, overflowed false */

void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_add_text(struct buf *b, const char *text);
void buf_add_char(struct buf *b, char c);
void buf_add_int(struct buf *b, long long value);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_addv(struct buf *b, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));

/* Makes room for `len` more bytes and returns where they go; buf_commit() counts those
 * that were written. NULL on overflow. */
char *buf_reserve(struct buf *b, size_t len);
void buf_commit(struct buf *b, size_t len);

/* Drop the first `len` bytes. */
void buf_consume(struct buf *b, size_t len);

/* "" instead of NULL when empty. Borrowed until the next change. */
const char *buf_text(const struct buf *b);

/* Hands the memory over: the caller's, goes back with mem_free(). NULL when empty. b is
 * then empty. */
char *buf_take(struct buf *b, size_t *len);

#endif
