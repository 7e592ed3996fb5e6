#include <check.h>
#include <string.h>

#include "ledger_fixture.h"

Suite *channels_suite(void);

static struct ledger_fixture f;
static struct err e;
static const char *const CHANNELS[] = {"push", "sms", NULL};

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
	ledger_fixture_begin(&f);
	ck_assert_int_eq(channels_declare(f.channels, CHANNELS, 0, &e), 0);
	ledger_fixture_commit(&f);
	pay(10);
}

static void teardown(void)
{
	ledger_fixture_release(&f);
}

static void take_wait(int64_t sequence, enum attempt_status status, bool final,
		      int64_t next_at_us)
{
	struct attempt a = {.sequence = sequence,
			    .channel = "push",
			    .attempt = 1,
			    .status = status,
			    .final = final,
			    .provider = "fcm",
			    .worker = "w",
			    .started_us = 1,
			    .took_us = 1,
			    .next_at_us = next_at_us};
	struct event event;
	bool foreign;

	ck_assert_int_eq(events_one(f.events, sequence, &event, &e), 1);
	strcpy(a.event_id, event.id);
	ledger_fixture_begin(&f);
	ck_assert_int_eq(deliveries_record(f.deliveries, &a, &foreign, &e), 1);
	ledger_fixture_commit(&f);
}

static void take(int64_t sequence, enum attempt_status status, bool final)
{
	take_wait(sequence, status, final, 0);
}

static void set_floor(int64_t floor)
{
	ledger_fixture_begin(&f);
	ck_assert_int_eq(channels_set_floor(f.channels, "push", floor, &e), 0);
	ledger_fixture_commit(&f);
}

static int64_t scanned;

static int open_after(int64_t after, int64_t *out, int limit)
{
	int rc = channels_open_after(f.channels, "push", after, out, limit, &scanned, &e);

	ck_assert_msg(rc >= 0, "%s", e.text);
	return rc;
}

START_TEST(what_has_ended_is_not_open_any_more)
{
	int64_t open[16];

	ck_assert_int_eq(open_after(0, open, 16), 10);
	take(3, ATTEMPT_DELIVERED, true);
	take(4, ATTEMPT_RETRYING, false);
	ck_assert_int_eq(open_after(0, open, 16), 9);
	ck_assert_int_eq(open[2], 4);
	ck_assert_int_eq(open_after(4, open, 3), 3);
	ck_assert_int_eq(open[0], 5);
	ck_assert_int_eq(scanned, 7);
}
END_TEST

START_TEST(the_floor_rises_over_what_has_a_row_open_or_not)
{
	take(1, ATTEMPT_DELIVERED, true);
	take(2, ATTEMPT_RETRYING, false);
	take(3, ATTEMPT_AMBIGUOUS, false);
	take(5, ATTEMPT_FAILED, true);
	ck_assert_int_eq(channels_floor(f.channels, "push", &e), 0);
	ck_assert_int_eq(channels_scan_floor(f.channels, "push", 0, &e), 3);
	set_floor(3);
	ck_assert_int_eq(channels_floor(f.channels, "push", &e), 3);
	take(4, ATTEMPT_SUPPRESSED, true);
	ck_assert_int_eq(channels_scan_floor(f.channels, "push", 3, &e), 5);
	ck_assert_int_eq(channels_floor(f.channels, "sms", &e), 0);
	ck_assert_int_eq(channels_floor(f.channels, "fax", &e), -1);
	ck_assert_int_eq(e.code, ERR_NOT_FOUND);
}
END_TEST

/* 1 delivered, 2 retrying, 3 waits in the ledger, 4 ambiguous, 5 failed; floor 5. */
static void fill_below(void)
{
	take(1, ATTEMPT_DELIVERED, true);
	take(2, ATTEMPT_RETRYING, false);
	take_wait(3, ATTEMPT_RETRYING, false, 3 + ATTEMPT_LEDGER_WAIT_US);
	take(4, ATTEMPT_AMBIGUOUS, false);
	take(5, ATTEMPT_FAILED, true);
	set_floor(5);
}

START_TEST(below_the_floor_open_rows_are_found_and_above_it_open_events)
{
	int64_t open[16];

	fill_below();
	ck_assert_int_eq(open_after(0, open, 16), 2);
	ck_assert_int_eq(open[0], 2);
	ck_assert_int_eq(open[1], 4);
	ck_assert_int_eq(scanned, 5);
	ck_assert_int_eq(open_after(2, open, 16), 1);
	ck_assert_int_eq(open[0], 4);
	ck_assert_int_eq(open_after(5, open, 16), 5);
	ck_assert_int_eq(open[0], 6);
	ck_assert_int_eq(scanned, 10);
}
END_TEST

START_TEST(a_limit_below_the_floor_stops_before_what_is_left)
{
	int64_t open[1];

	fill_below();
	ck_assert_int_eq(open_after(0, open, 1), 1);
	ck_assert_int_eq(open[0], 2);
	ck_assert_int_eq(scanned, 2);
	ck_assert_int_eq(open_after(2, open, 1), 1);
	ck_assert_int_eq(open[0], 4);
	ck_assert_int_eq(scanned, 4);
	ck_assert_int_eq(open_after(4, open, 1), 0);
	ck_assert_int_eq(scanned, 5);
}
END_TEST

START_TEST(after_a_wipe_feeding_starts_below_the_lowest_open_row)
{
	int64_t open[16];

	ck_assert_int_eq(channels_start(f.channels, "push", &e), 0);
	take(1, ATTEMPT_DELIVERED, true);
	take(2, ATTEMPT_FAILED, true);
	take(3, ATTEMPT_SUPPRESSED, true);
	set_floor(3);
	ck_assert_int_eq(channels_start(f.channels, "push", &e), 3);
	ledger_fixture_begin(&f);
	ck_assert_int_eq(deliveries_reopen(f.deliveries, 2, "push", 50, &e), 1);
	ledger_fixture_commit(&f);
	ck_assert_int_eq(channels_start(f.channels, "push", &e), 1);
	ck_assert_int_eq(open_after(1, open, 16), 0);
	ledger_fixture_begin(&f);
	ck_assert_int_eq(deliveries_handed_out(f.deliveries, "push",
					       &(struct due){2, 50, true}, &e),
			 0);
	ledger_fixture_commit(&f);
	ck_assert_int_eq(open_after(1, open, 16), 1);
	ck_assert_int_eq(open[0], 2);
}
END_TEST

/* As many rows that wait as one call looks at, and one more that is open. */
START_TEST(a_call_looks_at_a_bounded_number_of_rows)
{
	int64_t open[16];
	int count = 0, calls = 0;

	pay(CHANNELS_SCAN_MAX);
	ck_assert_int_eq(db_exec(f.store.db,
				 "INSERT INTO deliveries (sequence, channel, status, "
				 "attempts, next_at_us) SELECT sequence, 'push', "
				 "'retrying', 1, 1 FROM events",
				 &e),
			 0);
	ck_assert_int_eq(db_exec(f.store.db,
				 "UPDATE deliveries SET next_at_us = NULL WHERE "
				 "sequence = 10005",
				 &e),
			 0);
	set_floor(10010);
	for (scanned = 0; scanned < 10010; calls++)
		count += open_after(scanned, open, 16);
	ck_assert_int_eq(count, 1);
	ck_assert_int_eq(open[0], 10005);
	ck_assert_int_eq(calls, 2);
}
END_TEST

static void count_channel(void *arg, const char *channel)
{
	int *count = arg;

	ck_assert_str_eq(channel, "push");
	++*count;
}

static struct standing standing(int64_t sequence)
{
	static struct standing s;

	ck_assert_int_eq(deliveries_standing(f.deliveries, sequence, "push", &s, &e), 1);
	return s;
}

START_TEST(what_is_open_for_a_removed_channel_ends_and_says_why)
{
	static const char *const LEFT[] = {"sms", NULL};
	int count = 0;

	fill_below();
	take(7, ATTEMPT_RETRYING, false);
	take(8, ATTEMPT_DELIVERED, true);
	ck_assert_int_eq(channels_undeclared(f.channels, LEFT, count_channel, &count, &e),
			 1);
	ck_assert_int_eq(count, 1);
	ledger_fixture_begin(&f);
	ck_assert_int_eq(channels_remove(f.channels, "push", 77, &e), 0);
	ledger_fixture_commit(&f);
	for (int64_t i = 1; i <= 10; i++) {
		struct standing s = standing(i);
		bool delivered = i == 1 || i == 8;

		ck_assert_int_eq(s.status,
				 delivered ? ATTEMPT_DELIVERED : ATTEMPT_FAILED);
		if (!delivered && i != 5)
			ck_assert_int_eq(s.reason, REASON_CHANNEL_REMOVED);
		ck_assert_int_eq(s.next_at_us, 0);
	}
	ck_assert_int_eq(channels_undeclared(f.channels, LEFT, count_channel, &count, &e),
			 0);
	ck_assert_int_eq(channels_first_event(f.channels, "push", &e), -1);
}
END_TEST

Suite *channels_suite(void)
{
	Suite *s = suite_create("channels");
	TCase *t = tcase_create("channels");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_has_ended_is_not_open_any_more);
	tcase_add_test(t, the_floor_rises_over_what_has_a_row_open_or_not);
	tcase_add_test(t, below_the_floor_open_rows_are_found_and_above_it_open_events);
	tcase_add_test(t, a_limit_below_the_floor_stops_before_what_is_left);
	tcase_add_test(t, after_a_wipe_feeding_starts_below_the_lowest_open_row);
	tcase_add_test(t, a_call_looks_at_a_bounded_number_of_rows);
	tcase_add_test(t, what_is_open_for_a_removed_channel_ends_and_says_why);
	suite_add_tcase(s, t);
	return s;
}
