/* Bytes in memory of exactly their length, so that a reader that goes one too far is seen
 * by the sanitizers. */
#ifndef PAYBELL_TESTS_UNIT_EXACT_H
#define PAYBELL_TESTS_UNIT_EXACT_H

#include <stdlib.h>
#include <string.h>

/* The caller's; goes back with free(). */
static inline char *exact_copy(const char *bytes, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, bytes, len);
	return copy;
}

/* "{…}" with one piece of it replaced; in static storage, for building bad input out of
 * good. */
static inline const char *exact_edit(const char *text, const char *from, const char *to)
{
	static char out[65536];
	const char *at = strstr(text, from);

	if (at == NULL || strlen(text) + strlen(to) >= sizeof(out))
		abort();
	memcpy(out, text, (size_t)(at - text));
	strcpy(out + (at - text), to);
	strcat(out, at + strlen(from));
	return out;
}

#endif
