#include "cli/ink.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"

static const char *const TINTS[] = {
	[TINT_NONE] = "",         [TINT_GOOD] = "\x1b[32m", [TINT_BAD] = "\x1b[31m",
	[TINT_WARN] = "\x1b[33m", [TINT_DIM] = "\x1b[2m",   [TINT_STRONG] = "\x1b[1m",
};
#define TINT_END "\x1b[0m"

static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f);
}

static bool is_separator_or_turn(uint32_t c)
{
	return (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

void ink_raw(struct ink *k, const char *text)
{
	buf_add_text(k->out, text);
}

void ink_rawf(struct ink *k, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	buf_addv(k->out, fmt, args);
	va_end(args);
}

static void add_escaped(struct buf *out, const char *text)
{
	size_t left = strlen(text), step;
	uint32_t c;

	for (; left > 0; text += step, left -= step) {
		step = utf8_decode(text, left, &c);
		if (step == 0) {
			buf_addf(out, "\\x%02x", (unsigned char)text[0]);
			step = 1;
		} else if (is_control(c)) {
			buf_addf(out, "\\x%02" PRIx32, c);
		} else if (is_separator_or_turn(c)) {
			buf_addf(out, "\\u{%" PRIx32 "}", c);
		} else {
			buf_add(out, text, step);
		}
	}
}

void ink_text(struct ink *k, enum tint tint, const char *text)
{
	bool tinted = k->colour && tint != TINT_NONE && text[0] != '\0';

	if (tinted)
		buf_add_text(k->out, TINTS[tint]);
	add_escaped(k->out, text);
	if (tinted)
		buf_add_text(k->out, TINT_END);
}

void ink_cell(struct ink *k, enum tint tint, const char *text, size_t width)
{
	ink_text(k, tint, text);
	for (size_t len = utf8_count(text, strlen(text)); len < width; len++)
		buf_add_char(k->out, ' ');
}

void ink_json(struct buf *out, const char *bytes, size_t len)
{
	size_t step;
	uint32_t c;

	while (len > 0 && (bytes[len - 1] == '\n' || bytes[len - 1] == '\r'))
		len--;
	for (; len > 0; bytes += step, len -= step) {
		step = utf8_decode(bytes, len, &c);
		if (step == 0) {
			buf_add_text(out, "\xef\xbf\xbd");
			step = 1;
		} else if (c == '\n' || c == '\r' || c == '\t') {
			buf_add_char(out, ' '); /* between tokens: nowhere else in JSON */
		} else if (is_control(c) || is_separator_or_turn(c)) {
			buf_addf(out, "\\u%04" PRIx32, c);
		} else {
			buf_add(out, bytes, step);
		}
	}
}

const char *ink_span(char out[INK_SPAN_SIZE], int64_t span_us)
{
	const char *sign = span_us < 0 ? "-" : "";
	int64_t us = span_us < 0 ? -span_us : span_us, ms = us / US_PER_MS,
		s = us / US_PER_S;

	if (s == 0)
		snprintf(out, INK_SPAN_SIZE, "%s%" PRId64 ".%lld ms", sign, ms,
			 us % US_PER_MS / 100);
	else if (s < 60)
		snprintf(out, INK_SPAN_SIZE, "%s%" PRId64 ".%03" PRId64 " s", sign, s,
			 ms % 1000);
	else if (s < 3600)
		snprintf(out, INK_SPAN_SIZE, "%s%" PRId64 " min %" PRId64 " s", sign,
			 s / 60, s % 60);
	else
		snprintf(out, INK_SPAN_SIZE, "%s%" PRId64 " h %" PRId64 " min", sign,
			 s / 3600, s % 3600 / 60);
	return out;
}

const char *ink_time(char out[INK_TIME_SIZE], int64_t utc_us, bool date)
{
	char full[CLOCK_RFC3339_SIZE]; /* 2026-01-18T09:30:00.123456Z */

	clock_rfc3339(full, utc_us);
	full[10] = ' ';
	full[23] = '\0';
	snprintf(out, INK_TIME_SIZE, "%s", date ? full : full + 11);
	return out;
}
