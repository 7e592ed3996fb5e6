#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "cli/doctor.h"
#include "wire/json.h"

#define NAME_WIDTH   10
#define COLUMN_WIDTH 12

static const char *const NAMES[DOCTOR_CHECKS] = {
	[DOCTOR_SEQUENCE] = "sequence", [DOCTOR_COUNTS] = "counts",
	[DOCTOR_FINALS] = "finals",     [DOCTOR_MONEY] = "money",
	[DOCTOR_PLACED] = "placed",     [DOCTOR_CURSORS] = "cursors",
	[DOCTOR_WORKERS] = "workers",   [DOCTOR_LOG] = "log",
	[DOCTOR_PENDING] = "pending",
};

/* ---- what is found ---- */

void doctor_found(struct doctor *d, enum doctor_check check, const char *fmt, ...)
{
	struct doctor_findings *f = &d->checks[check];
	va_list args;

	if (f->count++ >= DOCTOR_LISTED)
		return;
	va_start(args, fmt);
	vsnprintf(f->lines[f->count - 1], DOCTOR_LINE, fmt, args);
	va_end(args);
}

void doctor_failed(struct doctor *d, enum doctor_check check, const struct err *e)
{
	mem_copy_text(d->checks[check].failed, DOCTOR_LINE, e->text);
}

void doctor_summary(struct doctor *d, enum doctor_check check, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(d->checks[check].summary, DOCTOR_LINE, fmt, args);
	va_end(args);
}

void doctor_forget(struct doctor *d, enum doctor_check check)
{
	d->checks[check].count = 0;
	d->checks[check].failed[0] = '\0';
}

static int64_t count_found(const struct doctor *d, int *failed)
{
	int64_t count = 0;

	*failed = 0;
	for (int i = 0; i < DOCTOR_CHECKS; i++) {
		count += d->checks[i].count;
		*failed += d->checks[i].failed[0] != '\0';
	}
	return count;
}

bool doctor_is_well(const struct doctor *d)
{
	int failed;

	return count_found(d, &failed) == 0 && failed == 0;
}

/* ---- for people ---- */

/* -1: not known. */
static void put_number(struct ink *k, int64_t number)
{
	if (number < 0)
		ink_rawf(k, "%*s", COLUMN_WIDTH, "?");
	else
		ink_rawf(k, "%*lld", COLUMN_WIDTH, (long long)number);
}

static void print_table(struct doctor *d)
{
	static const char *const heads[] = {"accepted", "delivered", "suppressed",
					    "failed",   "open",      "waiting",
					    "in stream"};
	struct ink *k = &d->cli->ink;

	ink_rawf(k, "\n%-*s", NAME_WIDTH, "channel");
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
		ink_rawf(k, "%*s", COLUMN_WIDTH, heads[i]);
	ink_raw(k, "\n");
	for (int i = 0; i < d->channel_count; i++) {
		const struct doctor_channel *c = &d->channels[i];
		const int64_t columns[] = {
			d->head - c->first_event,
			c->counts.delivered,
			c->counts.suppressed,
			c->counts.failed,
			c->counts.open,
			c->counts.waiting,
			c->entries,
		};

		ink_cell(k, TINT_STRONG, c->name, NAME_WIDTH);
		for (size_t j = 0; j < sizeof columns / sizeof *columns; j++)
			put_number(k, columns[j]);
		ink_raw(k, "\n");
	}
	ink_raw(k, "\n");
}

static void print_check(struct doctor *d, enum doctor_check check)
{
	const struct doctor_findings *f = &d->checks[check];
	int64_t listed = f->count < DOCTOR_LISTED ? f->count : DOCTOR_LISTED;
	struct ink *k = &d->cli->ink;

	if (f->count > 0)
		ink_cell(k, TINT_BAD, "bad", 4);
	else if (f->failed[0] != '\0')
		ink_cell(k, TINT_WARN, "?", 4);
	else
		ink_cell(k, TINT_GOOD, "ok", 4);
	ink_cell(k, TINT_STRONG, NAMES[check], NAME_WIDTH);
	if (f->failed[0] != '\0') {
		ink_raw(k, "could not look: ");
		ink_text(k, TINT_NONE, f->failed);
	} else if (f->count == 0) {
		ink_text(k, TINT_NONE, f->summary);
	} else {
		ink_rawf(k, "%lld found", (long long)f->count);
	}
	ink_raw(k, "\n");
	for (int64_t i = 0; i < listed; i++) {
		ink_raw(k, "      ");
		ink_text(k, TINT_NONE, f->lines[i]);
		ink_raw(k, "\n");
	}
	if (f->count > listed)
		ink_rawf(k, "      and %lld more\n", (long long)(f->count - listed));
}

void doctor_print(struct doctor *d)
{
	struct ink *k = &d->cli->ink;
	int failed;
	int64_t count = count_found(d, &failed);

	ink_rawf(k, "ledger %s, events up to %lld, schema %d\n", d->store.ledger_id,
		 (long long)d->head, store_schema_version());
	print_table(d);
	for (int i = 0; i < DOCTOR_CHECKS; i++)
		print_check(d, (enum doctor_check)i);
	ink_raw(k, "\n");
	if (count > 0)
		ink_rawf(k, "%lld finding%s", (long long)count, count == 1 ? "" : "s");
	if (failed > 0)
		ink_rawf(k, "%s%d check%s could not be made", count > 0 ? ", and " : "",
			 failed, failed == 1 ? "" : "s");
	ink_raw(k, count == 0 && failed == 0 ? "all is well\n" : "\n");
}

/* ---- for programs ---- */

static void put_channel(struct json_writer *w, const struct doctor *d,
			const struct doctor_channel *c)
{
	json_open(w, NULL, '{');
	json_put_text(w, "channel", c->name);
	json_put_int(w, "accepted", d->head - c->first_event);
	json_put_int(w, "delivered", c->counts.delivered);
	json_put_int(w, "suppressed", c->counts.suppressed);
	json_put_int(w, "failed", c->counts.failed);
	json_put_int(w, "open", c->counts.open);
	json_put_int(w, "waiting", c->counts.waiting);
	if (c->entries >= 0)
		json_put_int(w, "entries", c->entries);
	json_close(w, '}');
}

static void put_check(struct json_writer *w, const char *name,
		      const struct doctor_findings *f)
{
	json_open(w, NULL, '{');
	json_put_text(w, "check", name);
	json_put_bool(w, "ok", f->count == 0 && f->failed[0] == '\0');
	json_put_int(w, "found", f->count);
	json_open(w, "findings", '[');
	for (int64_t i = 0; i < f->count && i < DOCTOR_LISTED; i++)
		json_put_text(w, NULL, f->lines[i]);
	json_close(w, ']');
	if (f->failed[0] != '\0')
		json_put_text(w, "could_not_look", f->failed);
	else if (f->count == 0)
		json_put_text(w, "summary", f->summary);
	json_close(w, '}');
}

void doctor_print_json(struct doctor *d)
{
	struct json_writer w;

	json_writer_init(&w, &d->cli->text);
	json_open(&w, NULL, '{');
	json_put_bool(&w, "ok", doctor_is_well(d));
	json_put_text(&w, "ledger_id", d->store.ledger_id);
	json_put_int(&w, "schema", store_schema_version());
	json_put_int(&w, "events", d->head);
	json_open(&w, "channels", '[');
	for (int i = 0; i < d->channel_count; i++)
		put_channel(&w, d, &d->channels[i]);
	json_close(&w, ']');
	json_open(&w, "checks", '[');
	for (int i = 0; i < DOCTOR_CHECKS; i++)
		put_check(&w, NAMES[i], &d->checks[i]);
	json_close(&w, ']');
	json_close(&w, '}');
	buf_add_char(&d->cli->text, '\n');
}
