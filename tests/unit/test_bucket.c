#include <check.h>

#include "worker/bucket.h"

Suite *bucket_suite(void);

#define SECOND 1000000LL

static int take_all(struct bucket *b, int64_t now_us)
{
	int taken = 0;

	while (bucket_has(b, now_us)) {
		bucket_take(b, now_us);
		taken++;
	}
	return taken;
}

START_TEST(it_begins_full_and_fills_with_time_up_to_the_burst)
{
	struct bucket b;

	bucket_init(&b, 100, 20, 5 * SECOND);
	ck_assert_int_eq(take_all(&b, 5 * SECOND), 20);
	ck_assert_int_eq(take_all(&b, 5 * SECOND + SECOND / 10), 10);
	ck_assert_int_eq(take_all(&b, 3600 * SECOND), 20);
}
END_TEST

START_TEST(over_a_minute_it_gives_the_rate_to_the_token)
{
	struct bucket b;
	int taken = 0;

	bucket_init(&b, 7, 2, 0);
	take_all(&b, 0);
	for (int64_t now_us = 0; now_us <= 60 * SECOND; now_us += 997)
		taken += take_all(&b, now_us);
	ck_assert_int_ge(taken, 7 * 60 - 1);
	ck_assert_int_le(taken, 7 * 60);
}
END_TEST

START_TEST(a_debt_is_paid_back_before_the_next_token)
{
	struct bucket b;

	bucket_init(&b, 10, 1, 0);
	for (int i = 0; i < 4; i++)
		bucket_take(&b, 0);
	ck_assert(!bucket_has(&b, 3 * SECOND / 10));
	ck_assert_int_eq(bucket_wait_us(&b, 3 * SECOND / 10), SECOND / 10);
	ck_assert(bucket_has(&b, 4 * SECOND / 10));
	ck_assert_int_eq(bucket_wait_us(&b, 4 * SECOND / 10), 0);
}
END_TEST

START_TEST(what_is_added_counts_and_does_not_pass_the_burst)
{
	struct bucket b;

	bucket_init(&b, 0, 3, 0);
	ck_assert_int_eq(take_all(&b, 0), 3);
	ck_assert_int_eq(bucket_wait_us(&b, 0), -1);
	for (int i = 0; i < 5; i++)
		bucket_add(&b, BUCKET_TOKEN / 5);
	ck_assert_int_eq(take_all(&b, 0), 1);
	bucket_add(&b, 100 * (int64_t)BUCKET_TOKEN);
	ck_assert_int_eq(take_all(&b, 0), 3);
}
END_TEST

START_TEST(a_long_sleep_does_not_overflow_it)
{
	struct bucket b;

	bucket_init(&b, 1000000, 1000000, 0);
	ck_assert_int_eq(take_all(&b, 0), 1000000);
	ck_assert(bucket_has(&b, INT64_MAX / 2));
	ck_assert_int_eq(b.level_millionths, 1000000LL * BUCKET_TOKEN);
}
END_TEST

START_TEST(a_clock_that_stands_still_gives_nothing)
{
	struct bucket b;

	bucket_init(&b, 1000, 1, 100);
	bucket_take(&b, 100);
	ck_assert(!bucket_has(&b, 100));
	ck_assert(!bucket_has(&b, 50));
}
END_TEST

Suite *bucket_suite(void)
{
	Suite *s = suite_create("bucket");
	TCase *t = tcase_create("bucket");

	tcase_add_test(t, it_begins_full_and_fills_with_time_up_to_the_burst);
	tcase_add_test(t, over_a_minute_it_gives_the_rate_to_the_token);
	tcase_add_test(t, a_debt_is_paid_back_before_the_next_token);
	tcase_add_test(t, what_is_added_counts_and_does_not_pass_the_burst);
	tcase_add_test(t, a_long_sleep_does_not_overflow_it);
	tcase_add_test(t, a_clock_that_stands_still_gives_nothing);
	suite_add_tcase(s, t);
	return s;
}
