#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* One byte more than fits, so that a cut shows and is moved back to a whole code point.
 */
#define DRAFT_SIZE (ERR_TEXT_MAX + 1)

/* Puts text behind what is in the draft, as far as it fits. */
static void append(char draft[DRAFT_SIZE], const char *text)
{
	size_t used = strlen(draft);
	size_t len = strnlen(text, DRAFT_SIZE - 1 - used);

	memcpy(draft + used, text, len);
	draft[used + len] = '\0';
}

static void keep(struct err *e, const char *draft)
{
	size_t len = utf8_prefix(draft, strlen(draft), ERR_TEXT_MAX - 1);

	memcpy(e->text, draft, len);
	e->text[len] = '\0';
}

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	char draft[DRAFT_SIZE]; /* the arguments may point into e->text */
	va_list args;

	va_start(args, fmt);
	vsnprintf(draft, sizeof(draft), fmt, args);
	va_end(args);
	e->code = code;
	keep(e, draft);
	return -1;
}

int err_set_errno(struct err *e, enum err_code code, int errnum, const char *fmt, ...)
{
	char draft[DRAFT_SIZE];
	char reason[128];
	va_list args;

	va_start(args, fmt);
	vsnprintf(draft, sizeof(draft), fmt, args);
	va_end(args);
	append(draft, ": ");
	append(draft, strerror_r(errnum, reason, sizeof(reason)));
	e->code = code;
	keep(e, draft);
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char draft[DRAFT_SIZE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(draft, sizeof(draft), fmt, args);
	va_end(args);
	append(draft, ": ");
	append(draft, e->text);
	keep(e, draft);
	return -1;
}

const char *err_code_name(enum err_code code)
{
	switch (code) {
	case ERR_NONE:
		return "none";
	case ERR_IO:
		return "io";
	case ERR_INVALID:
		return "invalid";
	case ERR_NOT_FOUND:
		return "not_found";
	case ERR_CONFLICT:
		return "conflict";
	case ERR_FULL:
		return "full";
	case ERR_CORRUPT:
		return "corrupt";
	case ERR_CLOSED:
		return "closed";
	case ERR_TIMEOUT:
		return "timeout";
	}
	return "unknown";
}
