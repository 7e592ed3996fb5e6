#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

/* The newline included. A pipe takes up to 4,096 bytes in one piece. */
#define LINE_MAX_BYTES 2048

static const char *log_service = "paybell";
static enum log_level log_least = LOG_INFO;

static const char *const LEVELS[] = {"debug", "info", "warn", "error"};

/* A cursor into fixed storage that takes a unit (a character or an escape) whole or not
 * at all. */
struct sink {
	char *out;
	size_t len, max;
};

static bool sink_add(struct sink *s, const char *unit, size_t len)
{
	if (len > s->max - s->len)
		return false;
	memcpy(s->out + s->len, unit, len);
	s->len += len;
	return true;
}

static bool sink_add_hex(struct sink *s, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";
	char unit[4] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};

	return sink_add(s, unit, sizeof(unit));
}

/* C1 controls too: U+009B begins a terminal's escape sequences. */
static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f);
}

/* Adds one character of text (escaped where it must be) and returns its length there; 0:
 * full. */
static size_t sink_add_next(struct sink *s, const char *text, size_t left)
{
	uint32_t c;
	size_t step = utf8_decode(text, left, &c);

	if (step == 0)
		return sink_add_hex(s, (unsigned char)text[0]) ? 1 : 0;
	if (!is_control(c))
		return sink_add(s, text, step) ? step : 0;
	for (size_t i = 0; i < step; i++) {
		if (!sink_add_hex(s, (unsigned char)text[i]))
			return 0;
	}
	return step;
}

void log_init(const char *service, enum log_level least)
{
	log_service = service;
	log_least = least;
}

bool log_level_parse(const char *word, enum log_level *out)
{
	for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
		if (strcmp(word, LEVELS[i]) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

static void write_line(const char *line, size_t len)
{
	ssize_t n;

	do {
		n = write(STDERR_FILENO, line, len);
	} while (n < 0 && errno == EINTR);
	/* Any other failure: there is nowhere left to say it. */
}

void log_write(enum log_level level, const char *name, const char *fmt, ...)
{
	char draft[LINE_MAX_BYTES +
		   8]; /* longer than a line, so that a cut is the sink's */
	char line[LINE_MAX_BYTES];
	char ts[CLOCK_RFC3339_SIZE];
	struct sink s = {line, 0, LINE_MAX_BYTES - 1};
	int saved = errno;
	size_t len, step;
	va_list args;

	if (level < log_least)
		return;
	clock_rfc3339(ts, clock_utc_us());
	snprintf(draft, sizeof(draft), "ts=%s level=%s service=%s msg=%s ", ts,
		 LEVELS[level], log_service, name);
	len = strlen(draft);
	va_start(args, fmt);
	vsnprintf(draft + len, sizeof(draft) - len, fmt, args);
	va_end(args);
	len = strlen(draft);
	if (draft[len - 1] == ' ') /* no fields */
		len--;
	for (size_t at = 0; at < len; at += step) {
		step = sink_add_next(&s, draft + at, len - at);
		if (step == 0)
			break;
	}
	line[s.len++] = '\n';
	write_line(line, s.len);
	errno = saved;
}

const char *log_quote(struct log_quote *q, const char *text)
{
	struct sink s = {q->text, 0,
			 LOG_QUOTE_SIZE - 2}; /* room for the last quote and NUL */
	size_t left = text != NULL ? strlen(text) : 0;

	sink_add(&s, "\"", 1);
	while (left > 0) {
		size_t step = 1;

		if (*text == '"')
			step = sink_add(&s, "\\\"", 2);
		else if (*text == '\\')
			step = sink_add(&s, "\\\\", 2);
		else
			step = sink_add_next(&s, text, left);
		if (step == 0)
			break;
		text += step;
		left -= step;
	}
	q->text[s.len++] = '"';
	q->text[s.len] = '\0';
	return q->text;
}

bool log_limit_pass(struct log_limit *l, int every_ms, unsigned *swallowed)
{
	int64_t now_us = clock_mono_us();

	if (l->last_us != 0 && now_us - l->last_us < every_ms * US_PER_MS) {
		l->swallowed++;
		return false;
	}
	*swallowed = l->swallowed;
	l->swallowed = 0;
	l->last_us = now_us;
	return true;
}
