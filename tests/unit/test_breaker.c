#include <check.h>

#include "worker/breaker.h"

Suite *breaker_suite(void);

#define SECOND 1000000LL

static struct breaker b;

static void setup(void)
{
	breaker_init(&b, 1000, 8000, 32);
}

/* Fails as often as it takes; the number. */
static int break_it(int64_t now_us)
{
	for (int i = 1; i <= BREAKER_RUN; i++) {
		if (breaker_failed(&b, false, -1, now_us))
			return i;
	}
	return 0;
}

START_TEST(a_run_of_failures_opens_it)
{
	ck_assert(breaker_may_start(&b, 31, 0));
	ck_assert(!breaker_may_start(&b, 32, 0));
	ck_assert_int_eq(break_it(0), BREAKER_RUN);
	ck_assert(b.open);
	ck_assert(!breaker_may_start(&b, 0, 0));
}
END_TEST

START_TEST(a_slow_run_opens_it_sooner)
{
	for (int i = 0; i < BREAKER_RUN_SLOW - 1; i++)
		ck_assert(!breaker_failed(&b, false, -1, i));
	ck_assert(!breaker_failed(&b, false, -1, BREAKER_SPAN_US - 1));
	ck_assert(breaker_failed(&b, false, -1, BREAKER_SPAN_US));
}
END_TEST

START_TEST(few_failures_over_a_long_time_do_not)
{
	for (int i = 0; i < BREAKER_RUN_SLOW - 1; i++)
		ck_assert(!breaker_failed(&b, false, -1, i * 60 * SECOND));
}
END_TEST

START_TEST(a_success_in_between_starts_the_run_over)
{
	unsigned run = b.run;

	for (int i = 0; i < 1000; i++) {
		ck_assert(!breaker_failed(&b, false, -1, i * SECOND));
		ck_assert(!breaker_worked(&b, false));
	}
	ck_assert(!b.open);
	ck_assert_uint_ne(b.run, run);
	run = b.run;
	breaker_worked(&b, false);
	ck_assert_uint_eq(b.run, run);
}
END_TEST

START_TEST(one_probe_at_a_time_and_twice_as_long_each_time)
{
	static const int64_t waits_s[] = {1, 2, 4, 8, 8};
	int64_t now_us = 0;

	break_it(0);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(breaker_wait_us(&b, now_us), waits_s[i] * SECOND);
		now_us += waits_s[i] * SECOND;
		ck_assert(!breaker_may_start(&b, 0, now_us - 1));
		ck_assert(breaker_may_start(&b, 500, now_us));
		ck_assert(breaker_start(&b));
		ck_assert(!breaker_may_start(&b, 0, now_us + 3600 * SECOND));
		ck_assert_int_eq(breaker_wait_us(&b, now_us), -1);
		ck_assert(!breaker_failed(&b, true, -1, now_us));
	}
}
END_TEST

START_TEST(what_was_under_way_moves_no_probe)
{
	break_it(0);
	breaker_failed(&b, false, -1, SECOND / 2);
	ck_assert_int_eq(breaker_wait_us(&b, 0), SECOND);
	ck_assert(breaker_start(&b));
	breaker_failed(&b, false, -1, SECOND);
	ck_assert_int_eq(breaker_wait_us(&b, SECOND), -1);
}
END_TEST

START_TEST(a_probe_that_was_not_sent_leaves_its_turn_to_another)
{
	break_it(0);
	ck_assert(breaker_start(&b));
	breaker_unsent(&b);
	ck_assert(breaker_may_start(&b, 0, SECOND));
}
END_TEST

START_TEST(a_provider_may_say_when_to_ask_again_within_bounds)
{
	for (int i = 0; i < BREAKER_RUN; i++)
		breaker_failed(&b, false, 120, 0);
	ck_assert_int_eq(breaker_wait_us(&b, 0), 120 * SECOND);
	ck_assert(breaker_start(&b));
	breaker_failed(&b, true, 86400, 120 * SECOND);
	ck_assert_int_eq(breaker_wait_us(&b, 120 * SECOND), BREAKER_TOLD_MAX_S * SECOND);
}
END_TEST

START_TEST(a_sign_of_life_closes_it_and_it_opens_up_slowly)
{
	break_it(0);
	ck_assert(breaker_start(&b));
	ck_assert(breaker_worked(&b, true));
	ck_assert(!b.open);
	for (int allowed = 2; allowed < 32; allowed++) {
		ck_assert(breaker_may_start(&b, allowed - 1, SECOND));
		ck_assert(!breaker_may_start(&b, allowed, SECOND));
		ck_assert(!breaker_worked(&b, false));
	}
	breaker_worked(&b, false);
	ck_assert(breaker_may_start(&b, 31, SECOND));
	ck_assert(!breaker_may_start(&b, 32, SECOND));
}
END_TEST

START_TEST(the_next_outage_is_probed_from_the_beginning)
{
	break_it(0);
	for (int i = 0; i < 4; i++) {
		breaker_start(&b);
		breaker_failed(&b, true, -1, 0);
	}
	breaker_worked(&b, false);
	break_it(100 * SECOND);
	ck_assert_int_eq(breaker_wait_us(&b, 100 * SECOND), SECOND);
}
END_TEST

START_TEST(one_request_at_once_is_enough_for_it)
{
	breaker_init(&b, 1000, 8000, 1);
	break_it(0);
	breaker_start(&b);
	breaker_worked(&b, true);
	ck_assert(breaker_may_start(&b, 0, 0));
	ck_assert(!breaker_may_start(&b, 1, 0));
}
END_TEST

Suite *breaker_suite(void)
{
	Suite *s = suite_create("breaker");
	TCase *t = tcase_create("breaker");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, a_run_of_failures_opens_it);
	tcase_add_test(t, a_slow_run_opens_it_sooner);
	tcase_add_test(t, few_failures_over_a_long_time_do_not);
	tcase_add_test(t, a_success_in_between_starts_the_run_over);
	tcase_add_test(t, one_probe_at_a_time_and_twice_as_long_each_time);
	tcase_add_test(t, what_was_under_way_moves_no_probe);
	tcase_add_test(t, a_probe_that_was_not_sent_leaves_its_turn_to_another);
	tcase_add_test(t, a_provider_may_say_when_to_ask_again_within_bounds);
	tcase_add_test(t, a_sign_of_life_closes_it_and_it_opens_up_slowly);
	tcase_add_test(t, the_next_outage_is_probed_from_the_beginning);
	tcase_add_test(t, one_request_at_once_is_enough_for_it);
	suite_add_tcase(s, t);
	return s;
}
