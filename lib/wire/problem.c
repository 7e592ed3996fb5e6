#include "wire/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "wire/json.h"

#define TYPE_PREFIX "urn:paybell:problem:"

static const struct {
	int status;
	const char *name, *title;
} kinds[] = {
	[PROBLEM_NONE] = {500, "internal", "Something went wrong on our side"},
	[PROBLEM_MALFORMED] = {400, "malformed", "The request could not be read"},
	[PROBLEM_UNAUTHORIZED] = {401, "unauthorized", "A valid API key is needed"},
	[PROBLEM_NOT_FOUND] = {404, "not-found", "There is nothing here"},
	[PROBLEM_METHOD_NOT_ALLOWED] = {405, "method-not-allowed",
					"This cannot be done here"},
	[PROBLEM_IN_PROGRESS] = {409, "in-progress",
				 "The same Idempotency-Key is being worked on"},
	[PROBLEM_CONFLICT] = {409, "conflict", "It contradicts what is there"},
	[PROBLEM_TOO_LARGE] = {413, "too-large", "The request is too large"},
	[PROBLEM_UNSUPPORTED_MEDIA_TYPE] = {415, "unsupported-media-type",
					    "The body must be application/json"},
	[PROBLEM_VALIDATION] = {422, "validation", "A field is wrong"},
	[PROBLEM_UNKNOWN_USER] = {422, "unknown-user", "No such user"},
	[PROBLEM_INSUFFICIENT_FUNDS] = {422, "insufficient-funds",
					"The payer's balance does not suffice"},
	[PROBLEM_BALANCE_LIMIT] = {422, "balance-limit",
				   "A balance would become too large"},
	[PROBLEM_KEY_REUSED] = {422, "key-reused",
				"The Idempotency-Key was used for another request"},
	[PROBLEM_INTERNAL] = {500, "internal", "Something went wrong on our side"},
	[PROBLEM_OVERLOADED] = {503, "overloaded", "Too busy: nothing was done"},
	[PROBLEM_STORAGE] = {503, "storage", "Storage refused: nothing was done"},
	[PROBLEM_OUTCOME_UNKNOWN] = {503, "outcome-unknown",
				     "It may or may not have been done"},
};

/* Copies as much as fits, up to where a code point ends. */
static void copy_cut(char *out, size_t size, const char *text)
{
	size_t len = utf8_prefix(text, strlen(text), size - 1);

	memmove(out, text, len);
	out[len] = '\0';
}

int problem_set(struct problem *p, enum problem_kind kind, const char *field,
		const char *fmt, ...)
{
	char detail[PROBLEM_DETAIL_MAX + 4]; /* a code point more, to see where to cut */
	va_list args;

	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	p->kind = kind;
	p->retry_after_s = 0;
	copy_cut(p->field, sizeof(p->field), field ? field : "");
	copy_cut(p->detail, sizeof(p->detail), detail);
	return -1;
}

int problem_status(enum problem_kind kind)
{
	return kinds[kind].status;
}

const char *problem_name(enum problem_kind kind)
{
	return kinds[kind].name;
}

void problem_encode(const struct problem *p, struct buf *out)
{
	struct json_writer w;
	char type[64];

	snprintf(type, sizeof(type), TYPE_PREFIX "%s", kinds[p->kind].name);
	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	json_put_text(&w, "type", type);
	json_put_text(&w, "title", kinds[p->kind].title);
	json_put_int(&w, "status", kinds[p->kind].status);
	if (p->detail[0])
		json_put_text(&w, "detail", p->detail);
	if (p->field[0])
		json_put_text(&w, "field", p->field);
	json_close(&w, '}');
}
