#include <check.h>
#include <string.h>

#include "ledger_fixture.h"

Suite *deliveries_suite(void);

static struct ledger_fixture f;
static struct transaction made;
static struct problem problem;
static struct err e;
static bool foreign;
static const char *const CHANNELS[] = {"push", "sms", NULL};

static void setup(void)
{
	ledger_fixture_init(&f);
	ledger_fixture_add_user(&f, "alice");
	ledger_fixture_begin(&f);
	ck_assert_int_eq(channels_declare(f.channels, CHANNELS, 0, &e), 0);
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

/* Its event's id, unless the test says another one. */
static int take(struct attempt a)
{
	struct event event;
	int rc;

	if (a.event_id[0] == '\0') {
		ck_assert_int_eq(events_one(f.events, a.sequence, &event, &e), 1);
		strcpy(a.event_id, event.id);
	}
	ledger_fixture_begin(&f);
	rc = deliveries_record(f.deliveries, &a, &foreign, &e);
	ledger_fixture_commit(&f);
	ck_assert_msg(rc >= 0, "%s", e.text);
	return rc;
}

static int reopen(int64_t sequence, int64_t now_us)
{
	int rc;

	ledger_fixture_begin(&f);
	rc = deliveries_reopen(f.deliveries, sequence, "push", now_us, &e);
	ledger_fixture_commit(&f);
	ck_assert_msg(rc >= 0, "%s", e.text);
	return rc;
}

static struct standing standing(int64_t sequence)
{
	static struct standing s;

	ck_assert_int_eq(deliveries_standing(f.deliveries, sequence, "push", &s, &e), 1);
	return s;
}

static int find_due(int64_t now_us, int64_t through, struct due *out)
{
	return deliveries_due(f.deliveries, "push", now_us, through, out, 16, &e);
}

static void hand_out(const struct due *due)
{
	ledger_fixture_begin(&f);
	ck_assert_int_eq(deliveries_handed_out(f.deliveries, "push", due, &e), 0);
	ledger_fixture_commit(&f);
}

START_TEST(the_same_record_twice_is_taken_once)
{
	ck_assert_int_eq(take(record(1, ATTEMPT_DELIVERED, true, 1)), 1);
	ck_assert_int_eq(take(record(1, ATTEMPT_DELIVERED, true, 1)), 0);
}
END_TEST

START_TEST(what_ended_stays_ended_whatever_comes_late)
{
	take(record(1, ATTEMPT_DELIVERED, true, 5));
	take(record(1, ATTEMPT_RETRYING, false, 2));
	take(record(1, ATTEMPT_FAILED, true, 9));
	ck_assert_int_eq(standing(1).status, ATTEMPT_DELIVERED);
}
END_TEST

START_TEST(a_device_alone_does_not_end_its_channel)
{
	struct attempt a = record(1, ATTEMPT_DELIVERED, true, 1);

	strcpy(a.device_id, "dev_1");
	take(a);
	ck_assert_int_eq(standing(1).status, -1);
}
END_TEST

START_TEST(a_record_of_another_ledger_is_dropped_and_said_to_be)
{
	struct attempt a = record(3, ATTEMPT_DELIVERED, true, 1);

	id_make(a.event_id, "evt", 1, 3);
	ck_assert_int_eq(take(a), 0);
	ck_assert(foreign);
	ck_assert_int_eq(standing(3).status, -1);
	a.event_id[0] = '\0';
	ck_assert_int_eq(take(a), 1);
	ck_assert(!foreign);
	ck_assert_int_eq(take(a), 0);
	ck_assert(!foreign);
}
END_TEST

START_TEST(a_long_wait_leaves_the_stream_and_comes_due)
{
	struct attempt a = record(2, ATTEMPT_RETRYING, false, 1000);
	struct due due[16];

	a.next_at_us = 1000 + 1000 + ATTEMPT_LEDGER_WAIT_US + 1;
	take(a);
	ck_assert_int_eq(find_due(a.next_at_us - 1, 10, due), 0);
	ck_assert_int_eq(find_due(a.next_at_us, 1, due), 0);
	ck_assert_int_eq(find_due(a.next_at_us, 10, due), 1);
	ck_assert_int_eq(due[0].sequence, 2);
	ck_assert(!due[0].replay);
	hand_out(&due[0]);
	ck_assert_int_eq(find_due(a.next_at_us, 10, due), 0);
	ck_assert_int_eq(standing(2).next_at_us, 0);
}
END_TEST

START_TEST(a_wait_that_began_after_the_hand_out_is_kept)
{
	struct attempt a = record(2, ATTEMPT_RETRYING, false, 1000);
	struct due due[16];

	a.next_at_us = 1000 + 1000 + ATTEMPT_LEDGER_WAIT_US + 1;
	take(a);
	ck_assert_int_eq(find_due(a.next_at_us, 10, due), 1);
	a.started_us++;
	a.next_at_us += 5;
	take(a);
	hand_out(&due[0]);
	ck_assert_int_eq(standing(2).next_at_us, a.next_at_us);
}
END_TEST

START_TEST(a_short_wait_stays_with_the_worker)
{
	struct attempt a = record(2, ATTEMPT_RETRYING, false, 1000);
	struct due due[16];

	a.next_at_us = 1000 + 1000 + ATTEMPT_LEDGER_WAIT_US;
	take(a);
	ck_assert_int_eq(find_due(INT64_MAX, 10, due), 0);
}
END_TEST

START_TEST(a_replay_opens_what_has_failed_and_counts_from_one)
{
	struct attempt a = record(4, ATTEMPT_FAILED, true, 10);
	struct due due[16];
	struct standing s;

	a.attempt = 7;
	a.reason = REASON_REJECTED;
	take(a);
	ck_assert_int_eq(reopen(4, 5000), 1);
	s = standing(4);
	ck_assert_int_eq(s.status, ATTEMPT_RETRYING);
	ck_assert_int_eq(s.reason, REASON_NONE);
	ck_assert_int_eq(s.attempts, 0);
	ck_assert_int_eq(s.ended_us, 0);
	ck_assert_int_eq(s.next_at_us, 5000);
	ck_assert_int_eq(s.replayed_us, 5000);
	ck_assert_int_eq(find_due(5000, 10, due), 1);
	ck_assert(due[0].replay);
	hand_out(&due[0]);
	a = record(4, ATTEMPT_RETRYING, false, 6000);
	a.next_at_us = 7001 + ATTEMPT_LEDGER_WAIT_US;
	take(a);
	ck_assert_int_eq(standing(4).attempts, 1);
	ck_assert_int_eq(find_due(a.next_at_us, 10, due), 1);
	ck_assert_msg(!due[0].replay, "it was tried since");
}
END_TEST

START_TEST(only_what_ended_without_reaching_anybody_is_opened_again)
{
	take(record(1, ATTEMPT_DELIVERED, true, 10));
	take(record(2, ATTEMPT_RETRYING, false, 10));
	take(record(3, ATTEMPT_SUPPRESSED, true, 10));
	ck_assert_int_eq(reopen(1, 50), 0);
	ck_assert_int_eq(reopen(2, 50), 0);
	ck_assert_int_eq(reopen(3, 50), 1);
	ck_assert_int_eq(reopen(3, 60), 0);
	ck_assert_int_eq(reopen(4, 50), 0);
	ck_assert_int_eq(reopen(999, 50), 0);
	ck_assert_int_eq(standing(1).status, ATTEMPT_DELIVERED);
	ck_assert_int_eq(standing(3).replayed_us, 50);
}
END_TEST

START_TEST(a_record_from_before_a_replay_comes_late_and_changes_nothing)
{
	take(record(4, ATTEMPT_FAILED, true, 10));
	ck_assert_int_eq(reopen(4, 5000), 1);
	ck_assert_int_eq(take(record(4, ATTEMPT_FAILED, true, 4999)), 1);
	ck_assert_int_eq(take(record(4, ATTEMPT_RETRYING, false, 4998)), 1);
	ck_assert_int_eq(standing(4).ended_us, 0);
	ck_assert_int_eq(standing(4).attempts, 0);
	ck_assert_int_eq(standing(4).next_at_us, 5000);
	take(record(4, ATTEMPT_DELIVERED, true, 5000));
	ck_assert_int_eq(standing(4).status, ATTEMPT_DELIVERED);
	ck_assert_int_eq(standing(4).attempts, 1);
}
END_TEST

static void take_device(const char *id, enum attempt_status status, int64_t started_us)
{
	struct attempt a = record(1, status, true, started_us);

	strcpy(a.device_id, id);
	take(a);
}

static void note_device(void *arg, const struct attempt *a)
{
	char *names = arg;

	strcat(names, a->device_id);
	strcat(names, " ");
}

START_TEST(a_device_that_failed_before_a_replay_is_tried_again)
{
	char names[128] = "";

	take_device("dev_a", ATTEMPT_DELIVERED, 1);
	take_device("dev_b", ATTEMPT_FAILED, 2);
	take(record(1, ATTEMPT_FAILED, true, 3));
	ck_assert_int_eq(
		deliveries_devices(f.deliveries, 1, "push", note_device, names, &e), 2);
	ck_assert_str_eq(names, "dev_a dev_b ");
	ck_assert_int_eq(reopen(1, 100), 1);
	take_device("dev_c", ATTEMPT_FAILED, 101);
	names[0] = '\0';
	ck_assert_int_eq(
		deliveries_devices(f.deliveries, 1, "push", note_device, names, &e), 2);
	ck_assert_str_eq(names, "dev_a dev_c ");
	ck_assert_int_eq(
		deliveries_devices(f.deliveries, 1, "sms", note_device, names, &e), 0);
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

Suite *deliveries_suite(void)
{
	Suite *s = suite_create("deliveries");
	TCase *t = tcase_create("deliveries");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_same_record_twice_is_taken_once);
	tcase_add_test(t, what_ended_stays_ended_whatever_comes_late);
	tcase_add_test(t, a_device_alone_does_not_end_its_channel);
	tcase_add_test(t, a_record_of_another_ledger_is_dropped_and_said_to_be);
	tcase_add_test(t, a_long_wait_leaves_the_stream_and_comes_due);
	tcase_add_test(t, a_wait_that_began_after_the_hand_out_is_kept);
	tcase_add_test(t, a_short_wait_stays_with_the_worker);
	tcase_add_test(t, a_replay_opens_what_has_failed_and_counts_from_one);
	tcase_add_test(t, only_what_ended_without_reaching_anybody_is_opened_again);
	tcase_add_test(t, a_record_from_before_a_replay_comes_late_and_changes_nothing);
	tcase_add_test(t, a_device_that_failed_before_a_replay_is_tried_again);
	tcase_add_test(t, a_batchs_times_are_found_for_each_of_its_events);
	suite_add_tcase(s, t);
	return s;
}
