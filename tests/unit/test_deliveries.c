#include <check.h>
#include <string.h>

#include "ledger_fixture.h"

Suite *deliveries_suite(void);

static struct ledger_fixture f;
static struct transaction made;
static struct problem problem;
static struct err e;
static const char *const CHANNELS[] = {"push", "sms", NULL};

static void setup(void)
{
	ledger_fixture_init(&f);
	ledger_fixture_add_user(&f, "alice");
	ledger_fixture_begin(&f);
	ck_assert_int_eq(deliveries_declare(f.deliveries, CHANNELS, 0, &e), 0);
	for (int i = 0; i < 10; i++)
		ledger_fixture_pay(&f, "", "alice", 100, "USD", &made, &problem);
	ledger_fixture_commit(&f);
}

static void teardown(void)
{
	ledger_fixture_release(&f);
}

static struct attempt record(int64_t sequence, enum attempt_status status, bool final,
			     int64_t started_us)
{
	struct attempt a = {.sequence = sequence,
			    .channel = "push",
			    .attempt = 1,
			    .status = status,
			    .final = final,
			    .provider = "fcm",
			    .worker = "w",
			    .started_us = started_us,
			    .took_us = 1000};

	return a;
}

static int take(struct attempt a)
{
	int rc;

	ledger_fixture_begin(&f);
	rc = deliveries_record(f.deliveries, &a, &e);
	ledger_fixture_commit(&f);
	ck_assert_msg(rc >= 0, "%s", e.text);
	return rc;
}

static int open_after(int64_t after, int64_t *out, int limit)
{
	int64_t scanned;

	return deliveries_open_after(f.deliveries, "push", after, out, limit, &scanned,
				     &e);
}

START_TEST(what_has_ended_is_not_open_any_more)
{
	int64_t open[16];

	ck_assert_int_eq(open_after(0, open, 16), 10);
	take(record(3, ATTEMPT_DELIVERED, true, 1));
	take(record(4, ATTEMPT_RETRYING, false, 1));
	ck_assert_int_eq(open_after(0, open, 16), 9);
	ck_assert_int_eq(open[2], 4);
	ck_assert_int_eq(open_after(4, open, 3), 3);
	ck_assert_int_eq(open[0], 5);
}
END_TEST

START_TEST(the_same_record_twice_is_taken_once)
{
	ck_assert_int_eq(take(record(1, ATTEMPT_DELIVERED, true, 1)), 1);
	ck_assert_int_eq(take(record(1, ATTEMPT_DELIVERED, true, 1)), 0);
}
END_TEST

static const char *status_of(int64_t sequence)
{
	static char status[32];
	struct db_stmt *s;

	ck_assert_int_eq(db_prepare(f.store.db, &s,
				    "SELECT status FROM deliveries WHERE sequence = ?1",
				    &e),
			 0);
	db_bind_int(s, 1, sequence);
	ck_assert_int_eq(db_step(s, &e), 1);
	db_copy_text(s, 0, status, sizeof status);
	db_finalize(s);
	return status;
}

START_TEST(what_ended_stays_ended_whatever_comes_late)
{
	take(record(1, ATTEMPT_DELIVERED, true, 5));
	take(record(1, ATTEMPT_RETRYING, false, 2));
	take(record(1, ATTEMPT_FAILED, true, 9));
	ck_assert_str_eq(status_of(1), "delivered");
}
END_TEST

START_TEST(a_device_alone_does_not_end_its_channel)
{
	struct attempt a = record(1, ATTEMPT_DELIVERED, true, 1);
	int64_t open[16];

	strcpy(a.device_id, "dev_1");
	take(a);
	ck_assert_int_eq(open_after(0, open, 16), 10);
}
END_TEST

START_TEST(a_long_wait_leaves_the_stream_and_comes_due)
{
	struct attempt a = record(2, ATTEMPT_RETRYING, false, 1000);
	int64_t out[16];

	a.next_at_us = 1000 + 1000 + ATTEMPT_LEDGER_WAIT_US + 1;
	take(a);
	ck_assert_int_eq(open_after(0, out, 16), 9);
	ck_assert_int_eq(
		deliveries_due(f.deliveries, "push", a.next_at_us - 1, out, 16, &e), 0);
	ck_assert_int_eq(deliveries_due(f.deliveries, "push", a.next_at_us, out, 16, &e),
			 1);
	ck_assert_int_eq(out[0], 2);
	ledger_fixture_begin(&f);
	ck_assert_int_eq(deliveries_handed_out(f.deliveries, "push", 2, &e), 0);
	ledger_fixture_commit(&f);
	ck_assert_int_eq(deliveries_due(f.deliveries, "push", a.next_at_us, out, 16, &e),
			 0);
	ck_assert_int_eq(open_after(0, out, 16), 10);
}
END_TEST

START_TEST(a_short_wait_stays_with_the_worker)
{
	struct attempt a = record(2, ATTEMPT_RETRYING, false, 1000);
	int64_t out[16];

	a.next_at_us = 1000 + 1000 + ATTEMPT_LEDGER_WAIT_US;
	take(a);
	ck_assert_int_eq(deliveries_due(f.deliveries, "push", INT64_MAX, out, 16, &e), 0);
}
END_TEST

START_TEST(the_floor_rises_to_the_lowest_open_event)
{
	take(record(1, ATTEMPT_DELIVERED, true, 1));
	take(record(2, ATTEMPT_SUPPRESSED, true, 1));
	take(record(4, ATTEMPT_FAILED, true, 1));
	ck_assert_int_eq(deliveries_floor(f.deliveries, "push", &e), 0);
	ck_assert_int_eq(deliveries_scan_floor(f.deliveries, "push", 0, &e), 2);
	ledger_fixture_begin(&f);
	ck_assert_int_eq(deliveries_set_floor(f.deliveries, "push", 2, &e), 0);
	ledger_fixture_commit(&f);
	ck_assert_int_eq(deliveries_floor(f.deliveries, "push", &e), 2);
	ck_assert_int_eq(deliveries_floor(f.deliveries, "sms", &e), 0);
	ck_assert_int_eq(deliveries_floor(f.deliveries, "fax", &e), -1);
}
END_TEST

START_TEST(a_batchs_times_are_found_for_each_of_its_events)
{
	int64_t committed, published;

	ledger_fixture_begin(&f);
	ck_assert_int_eq(deliveries_committed(f.deliveries, 4, 40, &e), 0);
	ck_assert_int_eq(deliveries_committed(f.deliveries, 9, 90, &e), 0);
	ck_assert_int_eq(deliveries_published(f.deliveries, 6, 66, &e), 0);
	ledger_fixture_commit(&f);
	ck_assert_int_eq(deliveries_times(f.deliveries, 4, &committed, &published, &e),
			 0);
	ck_assert_int_eq(committed, 40);
	ck_assert_int_eq(published, 66);
	deliveries_times(f.deliveries, 7, &committed, &published, &e);
	ck_assert_int_eq(committed, 90);
	ck_assert_int_eq(published, 0);
}
END_TEST

static void count_channel(void *arg, const char *channel)
{
	int *count = arg;

	ck_assert_str_eq(channel, "push");
	++*count;
}

START_TEST(what_is_open_for_a_removed_channel_ends_and_says_why)
{
	static const char *const LEFT[] = {"sms", NULL};
	int64_t open[16];
	int count = 0;

	take(record(1, ATTEMPT_DELIVERED, true, 1));
	take(record(2, ATTEMPT_RETRYING, false, 1));
	ck_assert_int_eq(
		deliveries_undeclared(f.deliveries, LEFT, count_channel, &count, &e), 1);
	ck_assert_int_eq(count, 1);
	ledger_fixture_begin(&f);
	ck_assert_int_eq(deliveries_remove_channel(f.deliveries, "push", 77, &e), 0);
	ledger_fixture_commit(&f);
	ck_assert_int_eq(open_after(0, open, 16), 0);
	ck_assert_str_eq(status_of(1), "delivered");
	ck_assert_str_eq(status_of(2), "failed");
	ck_assert_str_eq(status_of(9), "failed");
	ck_assert_int_eq(
		deliveries_undeclared(f.deliveries, LEFT, count_channel, &count, &e), 0);
}
END_TEST

Suite *deliveries_suite(void)
{
	Suite *s = suite_create("deliveries");
	TCase *t = tcase_create("deliveries");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_has_ended_is_not_open_any_more);
	tcase_add_test(t, the_same_record_twice_is_taken_once);
	tcase_add_test(t, what_ended_stays_ended_whatever_comes_late);
	tcase_add_test(t, a_device_alone_does_not_end_its_channel);
	tcase_add_test(t, a_long_wait_leaves_the_stream_and_comes_due);
	tcase_add_test(t, a_short_wait_stays_with_the_worker);
	tcase_add_test(t, the_floor_rises_to_the_lowest_open_event);
	tcase_add_test(t, a_batchs_times_are_found_for_each_of_its_events);
	tcase_add_test(t, what_is_open_for_a_removed_channel_ends_and_says_why);
	suite_add_tcase(s, t);
	return s;
}
