#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/utf8.h"

/* The log takes no memory, so it can still speak here. */
static _Noreturn void die(size_t count, size_t size)
{
	log_error("mem.out", "count=%zu size=%zu", count, size);
	abort();
}

void *mem_alloc(size_t size)
{
	return mem_array(1, size);
}

void *mem_array(size_t count, size_t size)
{
	void *p;

	if (count == 0 || size == 0)
		p = calloc(1, 1);
	else
		p = calloc(count, size); /* which checks the product */
	if (p == NULL)
		die(count, size);
	return p;
}

void *mem_resize(void *p, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX)
		die(count, size);
	p = realloc(p, bytes > 0 ? bytes : 1);
	if (p == NULL)
		die(count, size);
	return p;
}

char *mem_strdup(const char *s)
{
	return s == NULL ? NULL : mem_dup(s, strlen(s));
}

char *mem_dup(const void *bytes, size_t len)
{
	char *copy;

	if (len >= PTRDIFF_MAX)
		die(1, len);
	copy = mem_resize(NULL, len + 1, 1);
	if (len > 0)
		memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

void mem_free(void *p)
{
	free(p);
}

bool mem_copy_text(char *out, size_t size, const char *text)
{
	size_t len = strlen(text);
	size_t kept;

	if (size == 0)
		return false;
	kept = utf8_prefix(text, len, size - 1);
	memcpy(out, text, kept);
	out[kept] = '\0';
	return kept == len;
}
