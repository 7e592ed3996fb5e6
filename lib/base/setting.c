#include "base/setting.h"

#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/mem.h"

#define TEXT_MAX_BYTES 4096

const char *setting_flag(char out[SETTING_NAME_SIZE], const char *name)
{
	size_t i;

	out[0] = out[1] = '-';
	for (i = 2; *name != '\0' && i < SETTING_NAME_SIZE - 1; i++, name++) {
		char c = *name;

		if (c == '_')
			c = '-';
		else if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		out[i] = c;
	}
	out[i] = '\0';
	return out;
}

const char *setting_variable(char out[SETTING_NAME_SIZE], const char *name)
{
	const size_t len = sizeof(SETTING_PREFIX) - 1;

	memcpy(out, SETTING_PREFIX, len);
	mem_copy_text(out + len, SETTING_NAME_SIZE - len, name);
	return out;
}

bool setting_name(char out[SETTING_NAME_SIZE], const char *flag, size_t len)
{
	if (len == 0 || len >= SETTING_NAME_SIZE)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = flag[i];

		if (c == '-')
			c = '_';
		else if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		else if (c < '0' || c > '9')
			return false;
		out[i] = c;
	}
	out[len] = '\0';
	return true;
}

bool setting_bool(const char *text, bool *value)
{
	static const char *const words[] = {"false", "true", "no",  "yes",
					    "0",     "1",    "off", "on"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*value = i % 2 == 1;
			return true;
		}
	}
	return false;
}

/* ---- numbers with units ------------------------------------------------------------ */

struct unit {
	const char *suffix;
	int64_t factor;
};

/* From the largest down, so that the first that divides a number is the one to show it
 * in. */
static const struct unit DURATIONS[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
					{"s", 1000},     {"ms", 1},      {NULL, 0}};
static const struct unit SIZES[] = {
	{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}, {NULL, 0}};
static const struct unit PLAIN[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(enum setting_kind kind)
{
	if (kind == SETTING_DURATION)
		return DURATIONS;
	return kind == SETTING_SIZE ? SIZES : PLAIN;
}

static const char *number_form(enum setting_kind kind)
{
	if (kind == SETTING_DURATION)
		return "a duration: a number and its unit, ms s m h or d, like 30s";
	if (kind == SETTING_SIZE)
		return "a size: a number of bytes, or one with K, M or G, like 64K";
	return "a whole number";
}

/* A bare 0 needs no unit. False when it is not of that form or too large for an int64. */
static bool number_of(const struct unit *units, const char *text, int64_t *value)
{
	bool negative = *text == '-';
	const char *p = text + (negative ? 1 : 0);
	int64_t number = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, *p - '0', &number))
			return false;
	}
	if (negative)
		number = -number;
	*value = number;
	if (number == 0 && *p == '\0')
		return true;
	for (; units->suffix != NULL; units++) {
		if (strcmp(p, units->suffix) == 0)
			return !__builtin_mul_overflow(number, units->factor, value);
	}
	return false;
}

static void show_number(struct buf *out, enum setting_kind kind, int64_t value)
{
	const struct unit *u = units_of(kind);

	if (value == 0) {
		buf_add_char(out, '0');
		return;
	}
	while (value % u->factor != 0)
		u++;
	buf_addf(out, "%lld%s", (long long)(value / u->factor), u->suffix);
}

static bool is_unlimited(const struct setting *s)
{
	return s->min == 0 && s->max == 0;
}

static bool read_number(const struct setting *s, const char *text, int64_t *number,
			struct buf *why)
{
	struct log_quote quoted;

	if (!number_of(units_of(s->kind), text, number)) {
		buf_addf(why, "=%s is not %s", log_quote(&quoted, text),
			 number_form(s->kind));
		return false;
	}
	if (is_unlimited(s) || (*number >= s->min && *number <= s->max))
		return true;
	buf_addf(why, "=%s is out of range: ", log_quote(&quoted, text));
	setting_limits(why, s);
	return false;
}

/* ---- texts ------------------------------------------------------------------------- */

static int64_t text_max(const struct setting *s)
{
	return s->max > 0 ? s->max : TEXT_MAX_BYTES;
}

static bool read_text(const struct setting *s, const char *text, struct buf *why)
{
	int64_t len = (int64_t)strlen(text);

	if (len >= s->min && len <= text_max(s))
		return true;
	if (len == 0)
		buf_addf(why, " may not be empty: %s", s->help);
	else
		buf_addf(why, " has %lld bytes; %lld to %lld are allowed", (long long)len,
			 (long long)s->min, (long long)text_max(s));
	return false;
}

static bool word_is_listed(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = words;; p++) {
		size_t listed = strcspn(p, "|");

		if (listed == len && memcmp(p, word, len) == 0)
			return true;
		p += listed;
		if (*p == '\0')
			return false;
	}
}

/* ---- both -------------------------------------------------------------------------- */

bool setting_read(const struct setting *s, const char *text, int64_t *number,
		  struct buf *why)
{
	struct log_quote quoted;
	bool truth = false;

	switch (s->kind) {
	case SETTING_TEXT:
	case SETTING_SECRET:
		return read_text(s, text, why);
	case SETTING_INT:
	case SETTING_DURATION:
	case SETTING_SIZE:
		return read_number(s, text, number, why);
	case SETTING_BOOL:
		if (setting_bool(text, &truth)) {
			*number = truth;
			return true;
		}
		break;
	case SETTING_WORD:
		if (word_is_listed(s->words, text))
			return true;
		break;
	}
	buf_addf(why, "=%s is not one of: ", log_quote(&quoted, text));
	setting_limits(why, s);
	return false;
}

void setting_limits(struct buf *out, const struct setting *s)
{
	switch (s->kind) {
	case SETTING_TEXT:
	case SETTING_SECRET:
		if (s->min > 0)
			buf_addf(out, "%lld to ", (long long)s->min);
		else
			buf_add_text(out, "up to ");
		buf_addf(out, "%lld bytes", (long long)text_max(s));
		return;
	case SETTING_BOOL:
		buf_add_text(out, "true|false");
		return;
	case SETTING_WORD:
		buf_add_text(out, s->words);
		return;
	case SETTING_INT:
	case SETTING_DURATION:
	case SETTING_SIZE:
		break;
	}
	if (is_unlimited(s)) {
		buf_add_text(out, "any");
	} else if (s->max == INT64_MAX) {
		buf_add_text(out, "at least ");
		show_number(out, s->kind, s->min);
	} else {
		show_number(out, s->kind, s->min);
		buf_add_text(out, " to ");
		show_number(out, s->kind, s->max);
	}
}
