#include "base/id.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"

/* 48 bits of time fill ten characters (two bits spare), 40 bits of key and 40 random ones
 * fill eight each: so every part begins at a character and is read without the others. */

#define PREFIX_LEN   3
#define TIME_CHARS   10
#define KEY_CHARS    8
#define RANDOM_CHARS 8
#define TIME_MAX_MS  ((INT64_C(1) << 48) - 1)

static const char ALPHABET[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static char *put_number(char *out, uint64_t value, int chars)
{
	for (int i = chars - 1; i >= 0; i--) {
		out[i] = ALPHABET[value & 31];
		value >>= 5;
	}
	return out + chars;
}

/* -1 for a character that is not in the alphabet. */
static int64_t take_number(const char *text, int chars)
{
	int64_t value = 0;

	for (int i = 0; i < chars; i++) {
		const char *at = memchr(ALPHABET, text[i], sizeof(ALPHABET) - 1);

		if (at == NULL)
			return -1;
		value = value << 5 | (at - ALPHABET);
	}
	return value;
}

void id_make(char out[ID_SIZE], const char *prefix, int64_t utc_us, int64_t key)
{
	int64_t ms = utc_us / US_PER_MS;
	uint64_t noise = 0;
	char *p = out;

	assert(strlen(prefix) == PREFIX_LEN);
	assert(key >= 0 && key <= ID_KEY_MAX);
	assert(ms >= 0 && ms <= TIME_MAX_MS);
	random_bytes(&noise, 5);
	memcpy(p, prefix, PREFIX_LEN);
	p += PREFIX_LEN;
	*p++ = '_';
	p = put_number(p, (uint64_t)ms, TIME_CHARS);
	p = put_number(p, (uint64_t)key, KEY_CHARS);
	p = put_number(p, noise, RANDOM_CHARS);
	*p = '\0';
}

int64_t id_key(const char *text, const char *prefix)
{
	const char *p = text + PREFIX_LEN + 1;
	int64_t ms;

	assert(strlen(prefix) == PREFIX_LEN);
	if (strnlen(text, ID_SIZE) != ID_SIZE - 1)
		return -1;
	if (memcmp(text, prefix, PREFIX_LEN) != 0 || text[PREFIX_LEN] != '_')
		return -1;
	ms = take_number(p, TIME_CHARS);
	if (ms < 0 || ms > TIME_MAX_MS)
		return -1;
	if (take_number(p + TIME_CHARS + KEY_CHARS, RANDOM_CHARS) < 0)
		return -1;
	return take_number(p + TIME_CHARS, KEY_CHARS);
}

bool id_is_user(const char *text, size_t len)
{
	if (len < 1 || len > USER_ID_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		      (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
			return false;
	}
	return true;
}
