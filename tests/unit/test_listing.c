#include <check.h>
#include <stdio.h>
#include <string.h>

#include "ledger_fixture.h"
#include "store/listing.h"

Suite *listing_suite(void);

#define EVENTS 25

static struct ledger_fixture f;
static struct listing *listing;
static struct err e;
static const char *const ALL[] = {"email", "push", "sms", NULL};
static const char *const PUSH[] = {"push", NULL};

static void exec(const char *sql)
{
	ck_assert_msg(db_exec(f.store.db, sql, &e) == 0, "%s", e.text);
}

static void pay(int count)
{
	struct transaction made;
	struct problem problem;

	ledger_fixture_begin(&f);
	for (int i = 0; i < count; i++)
		ledger_fixture_pay(&f, "", "alice", 100, "USD", &made, &problem);
	ledger_fixture_commit(&f);
}

static void setup(void)
{
	ledger_fixture_init(&f);
	ledger_fixture_add_user(&f, "alice");
	ck_assert_int_eq(listing_new(&listing, &f.store, f.channels, f.deliveries, &e),
			 0);
	ledger_fixture_begin(&f);
	ck_assert_int_eq(channels_declare(f.channels, ALL, 0, &e), 0);
	ledger_fixture_commit(&f);
	pay(EVENTS);
}

static void teardown(void)
{
	listing_free(listing);
	ledger_fixture_release(&f);
}

/* What the pages gave: "25.sms 25.push …". */
struct seen {
	char text[4096];
	int count, pages;
};

static void see(void *arg, const struct standing *s)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	ck_assert_int_eq(id_key(s->event.id, "evt"), s->event.sequence);
	snprintf(seen->text + len, sizeof seen->text - len, "%lld.%s ",
		 (long long)s->event.sequence, s->channel);
	seen->count++;
}

static struct seen *read_all(const char *const *channels, enum listing_status status,
			     int limit)
{
	static struct seen seen;
	struct listing_query q = {channels, status, LISTING_START, limit};

	seen = (struct seen){.count = 0};
	do {
		int count = listing_page(listing, &q, &q.after, see, &seen, &e);

		ck_assert_msg(count >= 0, "%s", e.text);
		ck_assert_int_le(count, limit);
		ck_assert_int_le(++seen.pages, 1000);
	} while (q.after.sequence > 0);
	return &seen;
}

static void fail_all(void)
{
	exec("INSERT INTO deliveries (sequence, channel, status, reason, attempts, "
	     "ended_us) SELECT sequence, channel, 'failed', 'rejected', 1, 5 FROM "
	     "events, channels");
}

START_TEST(pages_of_any_size_put_together_are_everything_once_newest_first)
{
	char want[4096] = "";

	fail_all();
	for (int i = EVENTS; i > 0; i--)
		snprintf(want + strlen(want), sizeof want - strlen(want),
			 "%d.sms %d.push %d.email ", i, i, i);
	for (int limit = 1; limit <= 3 * EVENTS + 1; limit += limit < 10 ? 1 : 13)
		ck_assert_str_eq(read_all(ALL, LISTING_FAILED, limit)->text, want);
}
END_TEST

START_TEST(one_channel_and_one_status_are_that_alone)
{
	fail_all();
	exec("UPDATE deliveries SET status = 'suppressed' WHERE sequence = 7");
	exec("UPDATE deliveries SET status = 'delivered' WHERE sequence IN (8, 20)");
	ck_assert_str_eq(read_all(PUSH, LISTING_SUPPRESSED, 1)->text, "7.push ");
	ck_assert_str_eq(read_all(PUSH, LISTING_DELIVERED, 1)->text, "20.push 8.push ");
	ck_assert_str_eq(read_all(ALL, LISTING_DELIVERED, 2)->text,
			 "20.sms 20.push 20.email 8.sms 8.push 8.email ");
	ck_assert_int_eq(read_all(PUSH, LISTING_FAILED, 4)->count, EVENTS - 3);
	ck_assert_int_eq(read_all(PUSH, LISTING_RETRYING, 4)->count, 0);
}
END_TEST

START_TEST(open_is_whatever_has_not_ended_with_a_row_or_without)
{
	exec("INSERT INTO deliveries (sequence, channel, status, attempts, ended_us)"
	     " SELECT sequence, 'push', 'delivered', 1, 5 FROM events"
	     " WHERE sequence <= 20");
	exec("UPDATE deliveries SET status = 'retrying', ended_us = NULL WHERE sequence "
	     "IN (2, 9)");
	exec("UPDATE deliveries SET status = 'ambiguous', ended_us = NULL WHERE sequence "
	     "= 5");
	exec("UPDATE channels SET reported_through = 10 WHERE channel = 'push'");
	for (int limit = 1; limit < 10; limit++)
		ck_assert_str_eq(read_all(PUSH, LISTING_OPEN, limit)->text,
				 "25.push 24.push 23.push 22.push 21.push 9.push 5.push "
				 "2.push ");
	ck_assert_int_eq(read_all(ALL, LISTING_OPEN, 7)->count, 2 * EVENTS + 8);
}
END_TEST

/* One page looks at 10,000 rows: those that are wanted lie below. */
START_TEST(a_page_may_be_short_or_empty_and_still_lead_on)
{
	struct seen *seen;

	pay(25000);
	exec("INSERT INTO deliveries (sequence, channel, status, attempts, ended_us)"
	     " SELECT sequence, 'push', 'delivered', 1, 5 FROM events");
	exec("UPDATE deliveries SET status = 'suppressed' WHERE sequence IN (3, 4)");
	exec("DELETE FROM deliveries WHERE sequence IN (11, 12)");
	seen = read_all(PUSH, LISTING_SUPPRESSED, 1);
	ck_assert_str_eq(seen->text, "4.push 3.push ");
	ck_assert_int_eq(seen->pages, 5);
	seen = read_all(PUSH, LISTING_OPEN, 5);
	ck_assert_str_eq(seen->text, "12.push 11.push ");
	ck_assert_int_eq(seen->pages, 3);
	ck_assert_int_eq(read_all(PUSH, LISTING_FAILED, 5)->pages, 1);
}
END_TEST

START_TEST(statuses_are_known_by_name)
{
	ck_assert_int_eq(listing_status_parse("failed"), LISTING_FAILED);
	ck_assert_int_eq(listing_status_parse("delivered"), LISTING_DELIVERED);
	ck_assert_int_eq(listing_status_parse("open"), LISTING_OPEN);
	ck_assert_int_eq(listing_status_parse("dead"), -1);
	ck_assert_int_eq(listing_status_parse(""), -1);
}
END_TEST

Suite *listing_suite(void)
{
	Suite *s = suite_create("listing");
	TCase *t = tcase_create("listing");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t,
		       pages_of_any_size_put_together_are_everything_once_newest_first);
	tcase_add_test(t, one_channel_and_one_status_are_that_alone);
	tcase_add_test(t, open_is_whatever_has_not_ended_with_a_row_or_without);
	tcase_add_test(t, a_page_may_be_short_or_empty_and_still_lead_on);
	tcase_add_test(t, statuses_are_known_by_name);
	suite_add_tcase(s, t);
	return s;
}
