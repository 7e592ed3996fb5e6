#include "worker/wording.h"

#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"

enum {
	USER_NAME,
	AMOUNT,
	CURRENCY,
	COUNTERPARTY,
	DESCRIPTION,
	BALANCE,
	TIME,
	TRANSACTION_ID,
	USER_ID,
	SEQUENCE,
	CREDIT,
	DEBIT,
	HAS_COUNTERPARTY,
	HAS_DESCRIPTION,
};

const char *const wording_names[WORDING_COUNT + 1] = {
	[USER_NAME] = "user_name",
	[AMOUNT] = "amount",
	[CURRENCY] = "currency",
	[COUNTERPARTY] = "counterparty",
	[DESCRIPTION] = "description",
	[BALANCE] = "balance",
	[TIME] = "time",
	[TRANSACTION_ID] = "transaction_id",
	[USER_ID] = "user_id",
	[SEQUENCE] = "sequence",
	[CREDIT] = "credit",
	[DEBIT] = "debit",
	[HAS_COUNTERPARTY] = "has_counterparty",
	[HAS_DESCRIPTION] = "has_description",
};

#define FSI "\xe2\x81\xa8" /* U+2068 FIRST STRONG ISOLATE */
#define PDI "\xe2\x81\xa9" /* U+2069 POP DIRECTIONAL ISOLATE */

/* All values together: names and descriptions have their maxima, and marks at most double
 * nothing. */
#define TEXT_MAX_BYTES 8192

void wording_init(struct wording *w)
{
	buf_init(&w->text, TEXT_MAX_BYTES);
}

void wording_release(struct wording *w)
{
	buf_release(&w->text);
}

static bool reorders(uint32_t c)
{
	return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* The blocks that hold right-to-left scripts (Unicode, DerivedBidiClass.txt: the default
 * of these is R or AL), and the right-to-left mark. */
static bool is_right_to_left(uint32_t c)
{
	return (c >= 0x0590 && c <= 0x08ff) || c == 0x200f ||
	       (c >= 0xfb1d && c <= 0xfdff) || (c >= 0xfe70 && c <= 0xfeff) ||
	       (c >= 0x10800 && c <= 0x10fff) || (c >= 0x1e800 && c <= 0x1efff);
}

static void put(struct wording *w, int name, const char *text)
{
	w->offsets[name] = w->text.len;
	buf_add(&w->text, text, strlen(text) + 1);
}

static bool has_right_to_left(const char *text, size_t len)
{
	uint32_t c;

	for (size_t at = 0, step; at < len; at += step) {
		step = utf8_decode(text + at, len - at, &c);
		if (step == 0)
			return false;
		if (is_right_to_left(c))
			return true;
	}
	return false;
}

static void put_from_people(struct wording *w, int name, const char *text, bool html)
{
	size_t len = strlen(text);
	bool isolate = !html && has_right_to_left(text, len);
	uint32_t c;

	w->offsets[name] = w->text.len;
	if (isolate)
		buf_add_text(&w->text, FSI);
	for (size_t at = 0, step; at < len; at += step) {
		step = utf8_decode(text + at, len - at, &c);
		if (step == 0)
			break;
		if (!reorders(c))
			buf_add(&w->text, text + at, step);
	}
	if (isolate)
		buf_add_text(&w->text, PDI);
	buf_add(&w->text, "", 1);
}

static void put_flag(struct wording *w, int name, bool value)
{
	put(w, name, value ? "1" : "");
}

/* "2026-01-18 09:30 UTC" */
static void put_time(struct wording *w, int64_t time_us)
{
	char text[CLOCK_RFC3339_SIZE];

	clock_rfc3339(text, time_us);
	w->offsets[TIME] = w->text.len;
	buf_addf(&w->text, "%.10s %.5s UTC", text, text + 11);
	buf_add(&w->text, "", 1);
}

void wording_fill(struct wording *w, const struct recipient *r, bool html)
{
	const struct event *ev = &r->event;
	char money[MONEY_TEXT_SIZE], sequence[EVENT_SEQUENCE_SIZE];

	buf_clear(&w->text);
	put_from_people(w, USER_NAME, r->user.name, html);
	put(w, AMOUNT, money_format(money, ev->amount_minor, ev->currency));
	put(w, CURRENCY, ev->currency);
	put(w, COUNTERPARTY, ev->counterparty);
	put_from_people(w, DESCRIPTION, ev->description, html);
	put(w, BALANCE, money_format(money, ev->balance_minor, ev->currency));
	put_time(w, ev->time_us);
	put(w, TRANSACTION_ID, ev->transaction_id);
	put(w, USER_ID, ev->user_id);
	sequence_format(sequence, ev->sequence);
	put(w, SEQUENCE, sequence);
	put_flag(w, CREDIT, ev->direction == DIRECTION_CREDIT);
	put_flag(w, DEBIT, ev->direction == DIRECTION_DEBIT);
	put_flag(w, HAS_COUNTERPARTY, ev->counterparty[0] != '\0');
	put_flag(w, HAS_DESCRIPTION, ev->description[0] != '\0');
	for (int i = 0; i < WORDING_COUNT; i++)
		w->values[i] = w->text.data + w->offsets[i];
}
