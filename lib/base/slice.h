/* A run of bytes inside of somebody else's: borrowed, without a NUL, never changed. */
#ifndef PAYBELL_BASE_SLICE_H
#define PAYBELL_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *at; /* may be NULL when len is 0 */
	size_t len;
};

/* The text without its NUL. */
static inline struct slice slice_of(const char *text)
{
	return (struct slice){text, strlen(text)};
}

static inline bool slice_is(struct slice s, const char *text)
{
	return s.len == strlen(text) && (s.len == 0 || memcmp(s.at, text, s.len) == 0);
}

/* What is left behind the first n bytes; n is at most s.len. */
static inline struct slice slice_from(struct slice s, size_t n)
{
	return (struct slice){s.at ? s.at + n : NULL, s.len - n};
}

#endif
