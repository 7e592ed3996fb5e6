#include "cli/doctor_money.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#define STRIDE    64 /* schema/001_init.sql */
#define TEXT_SIZE 240

/* As its events up to now make it. */
struct account {
	char user_id[USER_ID_MAX + 1], currency[MONEY_CODE_SIZE];
	int64_t balance_minor, number, last_event, last_stride;
	bool has_row;
};

struct currency {
	char code[MONEY_CODE_SIZE];
	int64_t world_row_minor; /* as its row says */
	int64_t world_minor;     /* as the payments make it */
};

struct doctor_money {
	doctor_money_fn *fn;
	void *arg;
	struct map *accounts;   /* by "user currency" */
	struct map *currencies; /* by code */
};

struct doctor_money *doctor_money_new(doctor_money_fn *fn, void *arg)
{
	struct doctor_money *m = mem_alloc(sizeof *m);

	m->fn = fn;
	m->arg = arg;
	m->accounts = map_new();
	m->currencies = map_new();
	return m;
}

static void free_map(struct map *m)
{
	size_t cursor = 0, len;
	const char *key;
	void *value;

	while (map_next(m, &cursor, &key, &len, &value))
		mem_free(value);
	map_free(m);
}

void doctor_money_free(struct doctor_money *m)
{
	if (m == NULL)
		return;
	free_map(m->accounts);
	free_map(m->currencies);
	mem_free(m);
}

static void found(struct doctor_money *m, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void found(struct doctor_money *m, const char *fmt, ...)
{
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	m->fn(m->arg, text);
}

static struct account *find_account(const struct doctor_money *m, const char *user_id,
				    const char *currency)
{
	char key[USER_ID_MAX + MONEY_CODE_SIZE + 2];
	int len = snprintf(key, sizeof key, "%s %s", user_id, currency);

	return map_get(m->accounts, key, (size_t)len);
}

static struct account *account_of(struct doctor_money *m, const char *user_id,
				  const char *currency)
{
	struct account *a = find_account(m, user_id, currency);
	char key[USER_ID_MAX + MONEY_CODE_SIZE + 2];
	int len = snprintf(key, sizeof key, "%s %s", user_id, currency);

	if (a != NULL)
		return a;
	a = mem_alloc(sizeof *a);
	mem_copy_text(a->user_id, sizeof a->user_id, user_id);
	mem_copy_text(a->currency, sizeof a->currency, currency);
	map_put(m->accounts, key, (size_t)len, a);
	return a;
}

static struct currency *currency_of(struct doctor_money *m, const char *code)
{
	struct currency *c = map_get(m->currencies, code, strlen(code));

	if (c != NULL)
		return c;
	c = mem_alloc(sizeof *c);
	mem_copy_text(c->code, sizeof c->code, code);
	map_put(m->currencies, code, strlen(code), c);
	return c;
}

void doctor_money_world(struct doctor_money *m, const char *currency,
			int64_t balance_minor)
{
	currency_of(m, currency)->world_row_minor = balance_minor;
}

/* ---- events ---- */

static void check_side(struct doctor_money *m, const struct proof_event *ev)
{
	const char *side = ev->direction == DIRECTION_DEBIT ? ev->from : ev->to;

	if (strcmp(side, ev->user_id) != 0)
		found(m, "event %lld is %s's, and its transaction concerns \"%s\"",
		      (long long)ev->sequence, ev->user_id, side);
	if (ev->sequence < ev->first_event ||
	    ev->sequence >= ev->first_event + ev->event_count)
		found(m, "event %lld is none of the %lld from %lld on of its transaction",
		      (long long)ev->sequence, (long long)ev->event_count,
		      (long long)ev->first_event);
}

static void check_balance(struct doctor_money *m, const struct proof_event *ev,
			  const struct account *a)
{
	bool adds = ev->direction == DIRECTION_CREDIT;
	int64_t want = a->balance_minor + (adds ? ev->amount_minor : -ev->amount_minor);
	char is[MONEY_TEXT_SIZE], should[MONEY_TEXT_SIZE];

	if (ev->balance_minor != want)
		found(m, "event %lld: %s has %s %s after it, and should have %s",
		      (long long)ev->sequence, ev->user_id,
		      money_format(is, ev->balance_minor, ev->currency), ev->currency,
		      money_format(should, want, ev->currency));
}

static void check_chain(struct doctor_money *m, const struct proof_event *ev,
			const struct account *a)
{
	if (ev->number != a->number + 1)
		found(m, "event %lld: its number is %lld, and should be %lld",
		      (long long)ev->sequence, (long long)ev->number,
		      (long long)a->number + 1);
	if (ev->previous != a->last_event)
		found(m, "event %lld: its previous one is %lld, and should be %lld",
		      (long long)ev->sequence, (long long)ev->previous,
		      (long long)a->last_event);
	if (ev->stride != a->last_stride)
		found(m, "event %lld: its stride is %lld, and should be %lld",
		      (long long)ev->sequence, (long long)ev->stride,
		      (long long)a->last_stride);
}

void doctor_money_event(struct doctor_money *m, const struct proof_event *ev)
{
	struct currency *c;
	struct account *a;

	if (!ev->paid) {
		found(m, "event %lld: its transaction is not there",
		      (long long)ev->sequence);
		return;
	}
	c = currency_of(m, ev->currency);
	a = account_of(m, ev->user_id, ev->currency);
	check_side(m, ev);
	check_balance(m, ev, a);
	check_chain(m, ev, a);
	/* From here on as the row has it: what is wrong is said once. */
	a->balance_minor = ev->balance_minor;
	a->number = ev->number;
	a->last_event = ev->sequence;
	if (ev->number % STRIDE == 0)
		a->last_stride = ev->sequence;
	if (ev->sequence == ev->first_event && ev->from[0] == '\0')
		c->world_minor -= ev->amount_minor;
	if (ev->sequence == ev->first_event && ev->to[0] == '\0')
		c->world_minor += ev->amount_minor;
}

/* ---- accounts ---- */

static void check_row(struct doctor_money *m, const struct proof_account *row)
{
	char is[MONEY_TEXT_SIZE], should[MONEY_TEXT_SIZE];

	if (!row->has_event) {
		found(m, "account %s %s: its newest event, %lld, is not there or not its",
		      row->user_id, row->currency, (long long)row->last_event);
		return;
	}
	if (row->balance_minor != row->event_balance_minor)
		found(m, "account %s %s has %s, and %s by its newest event, %lld",
		      row->user_id, row->currency,
		      money_format(is, row->balance_minor, row->currency),
		      money_format(should, row->event_balance_minor, row->currency),
		      (long long)row->last_event);
	if (row->event_count != row->event_number)
		found(m, "account %s %s counts %lld events, and %lld by its newest",
		      row->user_id, row->currency, (long long)row->event_count,
		      (long long)row->event_number);
}

void doctor_money_account(struct doctor_money *m, const struct proof_account *row,
			  int64_t head)
{
	struct account *a = find_account(m, row->user_id, row->currency);

	check_row(m, row);
	if (a != NULL)
		a->has_row = true;
	if (row->last_event > head || !row->has_event)
		return;
	if (a == NULL || row->last_event != a->last_event)
		found(m, "account %s %s: its newest event is %lld, and not %lld",
		      row->user_id, row->currency,
		      a == NULL ? 0LL : (long long)a->last_event,
		      (long long)row->last_event);
	else if (row->last_stride != a->last_stride)
		found(m, "account %s %s: its stride is %lld, and should be %lld",
		      row->user_id, row->currency, (long long)row->last_stride,
		      (long long)a->last_stride);
}

/* ---- the end ---- */

/* What the users have in it, as their newest events say. */
static int64_t total_of(const struct doctor_money *m, const char *currency)
{
	size_t cursor = 0, len;
	int64_t total_minor = 0;
	const char *key;
	void *value;

	while (map_next(m->accounts, &cursor, &key, &len, &value)) {
		const struct account *a = value;

		if (strcmp(a->currency, currency) == 0)
			total_minor += a->balance_minor;
	}
	return total_minor;
}

static void check_currency(struct doctor_money *m, const struct currency *c)
{
	char is[MONEY_TEXT_SIZE], should[MONEY_TEXT_SIZE];
	int64_t total_minor = total_of(m, c->code);

	if (c->world_row_minor != c->world_minor)
		found(m, "the outside world has %s %s, and should have %s",
		      money_format(is, c->world_row_minor, c->code), c->code,
		      money_format(should, c->world_minor, c->code));
	if (total_minor + c->world_row_minor != 0)
		found(m, "all accounts in %s add up to %s, and should to 0", c->code,
		      money_format(is, total_minor + c->world_row_minor, c->code));
}

void doctor_money_end(struct doctor_money *m)
{
	size_t cursor = 0, len;
	const char *key;
	void *value;

	while (map_next(m->accounts, &cursor, &key, &len, &value)) {
		const struct account *a = value;

		if (!a->has_row)
			found(m, "account %s %s has events and no row", a->user_id,
			      a->currency);
	}
	cursor = 0;
	while (map_next(m->currencies, &cursor, &key, &len, &value))
		check_currency(m, value);
}

size_t doctor_money_accounts(const struct doctor_money *m)
{
	return map_count(m->accounts);
}

size_t doctor_money_currencies(const struct doctor_money *m)
{
	return map_count(m->currencies);
}
