#include "io/redis_args.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/redis.h"

#define HEAD_SIZE 32 /* of "$<length>\r\n" */

static size_t head(char out[HEAD_SIZE], char kind, size_t n);

struct redis_args *redis_args_new(void)
{
	struct redis_args *a = mem_alloc(sizeof(*a));

	buf_init(&a->words, REDIS_ARGS_MAX_BYTES);
	return a;
}

void redis_args_free(struct redis_args *a)
{
	if (a == NULL)
		return;
	buf_release(&a->words);
	mem_free(a);
}

void redis_args_clear(struct redis_args *a)
{
	a->count = 0;
	buf_clear(&a->words);
}

void redis_args_text(struct redis_args *a, const char *text)
{
	redis_args_bytes(a, text, strlen(text));
}

void redis_args_bytes(struct redis_args *a, const void *bytes, size_t len)
{
	char start[HEAD_SIZE];

	buf_add(&a->words, start, head(start, '$', len));
	buf_add(&a->words, bytes, len);
	buf_add(&a->words, "\r\n", 2);
	a->count++;
}

void redis_args_int(struct redis_args *a, int64_t value)
{
	char digits[24];

	redis_args_bytes(
		a, digits,
		(size_t)snprintf(digits, sizeof(digits), "%lld", (long long)value));
}

void redis_args_textf(struct redis_args *a, const char *fmt, ...)
{
	char small[256], *large;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(small, sizeof(small), fmt, args);
	va_end(args);
	assert(len >= 0);
	if ((size_t)len < sizeof(small)) {
		redis_args_bytes(a, small, (size_t)len);
		return;
	}
	large = mem_alloc((size_t)len + 1);
	va_start(args, fmt);
	vsnprintf(large, (size_t)len + 1, fmt, args);
	va_end(args);
	redis_args_bytes(a, large, (size_t)len);
	mem_free(large);
}

int redis_args_encode(const struct redis_args *a, struct buf *out)
{
	char start[HEAD_SIZE];
	size_t start_len = head(start, '*', a->count);

	assert(a->count > 0 && !a->words.overflowed);
	if (start_len + a->words.len > out->max_bytes - out->len)
		return -1;
	buf_add(out, start, start_len);
	buf_add(out, a->words.data, a->words.len);
	return 0;
}

/* By hand: printf would be a third of the cost of a short command. */
static size_t head(char out[HEAD_SIZE], char kind, size_t n)
{
	char digits[24];
	size_t count = 0, len = 0;

	do {
		digits[count++] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	out[len++] = kind;
	while (count > 0)
		out[len++] = digits[--count];
	out[len++] = '\r';
	out[len++] = '\n';
	return len;
}
