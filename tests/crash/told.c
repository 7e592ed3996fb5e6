#include "told.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A member's text. The JSON is compact, and inside of a text no quote stands bare, so the
 * first "name":" is the outermost or first member of that name. */
static bool find_text(const char *json, size_t len, const char *name,
		      char out[TOLD_TEXT_SIZE])
{
	char key[32];
	int key_len = snprintf(key, sizeof(key), "\"%s\":\"", name);
	const char *at = memmem(json, len, key, (size_t)key_len), *end;

	if (!at)
		return false;
	at += key_len;
	end = memchr(at, '"', len - (size_t)(at - json));
	if (!end || end - at >= TOLD_TEXT_SIZE)
		return false;
	memcpy(out, at, (size_t)(end - at));
	out[end - at] = '\0';
	return true;
}

static bool find_sequence(struct told *t, const char *json, size_t len)
{
	char text[TOLD_TEXT_SIZE], *end;

	if (!find_text(json, len, "sequence", text))
		return false;
	t->sequence = strtoll(text, &end, 10);
	return end != text && *end == '\0' && t->sequence >= 0;
}

static bool is_type(const char *json, size_t len, const char *type)
{
	char begin[32];
	int n = snprintf(begin, sizeof(begin), "{\"type\":\"%s\"", type);

	return len > (size_t)n && memcmp(json, begin, (size_t)n) == 0;
}

void told_read(struct told *t, const char *json, size_t len)
{
	t->type = TOLD_OTHER;
	if (is_type(json, len, "hello") && find_sequence(t, json, len) &&
	    find_text(json, len, "ledger", t->ledger)) {
		t->type = TOLD_HELLO;
		t->resync = memmem(json, len, "\"resync\":true", 13) != NULL;
	} else if (is_type(json, len, "event") && find_sequence(t, json, len) &&
		   find_text(json, len, "id", t->id) &&
		   find_text(json, len, "subject", t->subject)) {
		t->type = TOLD_EVENT;
	}
}
