#include <check.h>

#include "worker/retry.h"

Suite *retry_suite(void);

static const struct retry_policy policy = {500, 60000, 10};

START_TEST(the_ceiling_doubles_up_to_the_maximum)
{
	ck_assert_int_eq(retry_ceiling_ms(&policy, 1), 500);
	ck_assert_int_eq(retry_ceiling_ms(&policy, 2), 1000);
	ck_assert_int_eq(retry_ceiling_ms(&policy, 7), 32000);
	ck_assert_int_eq(retry_ceiling_ms(&policy, 8), 60000);
	ck_assert_int_eq(retry_ceiling_ms(&policy, 1000000), 60000);
}
END_TEST

START_TEST(waits_are_spread_over_the_upper_half)
{
	bool low = false, high = false;

	for (int i = 0; i < 1000; i++) {
		int64_t ms = retry_wait_ms(&policy, 3, -1);

		ck_assert_int_ge(ms, 1000);
		ck_assert_int_le(ms, 2000);
		low |= ms < 1250;
		high |= ms > 1750;
	}
	ck_assert(low && high);
}
END_TEST

START_TEST(a_429_waits_as_long_as_told)
{
	for (int i = 0; i < 1000; i++) {
		int64_t ms = retry_wait_ms(&policy, 1, 30);

		ck_assert_int_ge(ms, 30000);
		ck_assert_int_le(ms, 33000);
	}
	ck_assert_int_ge(retry_wait_ms(&policy, 1, 86400), 86400000);
}
END_TEST

START_TEST(a_retry_after_of_nothing_changes_nothing)
{
	for (int i = 0; i < 100; i++)
		ck_assert_int_le(retry_wait_ms(&policy, 1, 0), 500);
}
END_TEST

START_TEST(the_last_attempt_is_the_last)
{
	ck_assert(!retry_exhausted(&policy, 9));
	ck_assert(retry_exhausted(&policy, 10));
	ck_assert(retry_exhausted(&policy, 11));
}
END_TEST

Suite *retry_suite(void)
{
	Suite *s = suite_create("retry");
	TCase *t = tcase_create("retry");

	tcase_add_test(t, the_ceiling_doubles_up_to_the_maximum);
	tcase_add_test(t, waits_are_spread_over_the_upper_half);
	tcase_add_test(t, a_429_waits_as_long_as_told);
	tcase_add_test(t, a_retry_after_of_nothing_changes_nothing);
	tcase_add_test(t, the_last_attempt_is_the_last);
	suite_add_tcase(s, t);
	return s;
}
