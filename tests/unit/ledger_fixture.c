#include "ledger_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

void ledger_fixture_init(struct ledger_fixture *f)
{
	struct err e = ERR_INIT;

	memset(f, 0, sizeof *f);
	strcpy(f->folder, "/tmp/paybell-ledger-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(f->folder));
	snprintf(f->path, sizeof f->path, "%s/paybell.db", f->folder);
	ck_assert_msg(store_open_writer(&f->store, f->path, &e) == 0, "%s", e.text);
	ck_assert_msg(ledger_new(&f->ledger, &f->store, &e) == 0, "%s", e.text);
	ck_assert_msg(users_new(&f->users, &f->store, &e) == 0, "%s", e.text);
	ck_assert_msg(events_new(&f->events, &f->store, &e) == 0, "%s", e.text);
	ck_assert_msg(deliveries_new(&f->deliveries, &f->store, &e) == 0, "%s", e.text);
	ck_assert_msg(channels_new(&f->channels, &f->store, &e) == 0, "%s", e.text);
}

void ledger_fixture_release(struct ledger_fixture *f)
{
	static const char *const SUFFIXES[] = {"", "-wal", "-shm", ".lock"};
	char path[128];

	ledger_free(f->ledger);
	users_free(f->users);
	events_free(f->events);
	deliveries_free(f->deliveries);
	channels_free(f->channels);
	store_close(&f->store);
	for (size_t i = 0; i < sizeof SUFFIXES / sizeof SUFFIXES[0]; i++) {
		snprintf(path, sizeof path, "%s%s", f->path, SUFFIXES[i]);
		unlink(path);
	}
	rmdir(f->folder);
}

void ledger_fixture_begin(struct ledger_fixture *f)
{
	struct err e = ERR_INIT;

	ck_assert_msg(ledger_begin(f->ledger, &e) == 0, "%s", e.text);
}

void ledger_fixture_commit(struct ledger_fixture *f)
{
	struct err e = ERR_INIT;

	ck_assert_msg(ledger_commit(f->ledger, &e) == 0, "%s", e.text);
}

void ledger_fixture_add_user(struct ledger_fixture *f, const char *id)
{
	struct user *u = mem_alloc(sizeof *u);
	struct err e = ERR_INIT;

	mem_copy_text(u->id, sizeof u->id, id);
	mem_copy_text(u->name, sizeof u->name, id);
	snprintf(u->email, sizeof u->email, "%s@example.org", id);
	ledger_fixture_begin(f);
	ck_assert_msg(users_put(f->users, u, clock_utc_us(), &e) >= 0, "%s", e.text);
	ledger_fixture_commit(f);
	mem_free(u);
}

int ledger_fixture_pay(struct ledger_fixture *f, const char *from, const char *to,
		       int64_t amount_minor, const char *currency, struct transaction *t,
		       struct problem *p)
{
	struct transaction_request r = {.amount_minor = amount_minor};
	struct err e = ERR_INIT;
	int rc;

	mem_copy_text(r.from, sizeof r.from, from);
	mem_copy_text(r.to, sizeof r.to, to);
	mem_copy_text(r.currency, sizeof r.currency, currency);
	rc = ledger_pay(f->ledger, &r, clock_utc_us(), t, p, &e);
	ck_assert_msg(rc >= 0, "%s", e.text);
	return rc;
}

int ledger_fixture_pay_alone(struct ledger_fixture *f, const char *from, const char *to,
			     int64_t amount_minor, const char *currency,
			     struct transaction *t, struct problem *p)
{
	int rc;

	ledger_fixture_begin(f);
	rc = ledger_fixture_pay(f, from, to, amount_minor, currency, t, p);
	ledger_fixture_commit(f);
	return rc;
}
