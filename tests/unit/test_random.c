#include <check.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"

Suite *random_suite(void);

START_TEST(bytes_differ_from_call_to_call_at_every_size)
{
	static const size_t sizes[] = {16, 100, 128, 129, 512, 4000};
	unsigned char a[4000], b[4000];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (int round = 0; round < 20; round++) {
			random_bytes(a, sizes[i]);
			random_bytes(b, sizes[i]);
			ck_assert_mem_ne(a, b, sizes[i]);
		}
	}
	random_bytes(a, 0);
}
END_TEST

START_TEST(every_bit_is_sometimes_set_and_sometimes_not)
{
	unsigned char any[16] = {0}, all[16];

	memset(all, 0xff, sizeof(all));
	for (int i = 0; i < 200; i++) {
		unsigned char bytes[16];

		random_bytes(bytes, sizeof(bytes));
		for (size_t j = 0; j < sizeof(bytes); j++) {
			any[j] |= bytes[j];
			all[j] &= bytes[j];
		}
	}
	for (size_t j = 0; j < sizeof(any); j++) {
		ck_assert_uint_eq(any[j], 0xff);
		ck_assert_uint_eq(all[j], 0);
	}
}
END_TEST

START_TEST(a_fork_does_not_repeat_its_parent)
{
	struct {
		unsigned char bytes[16];
		uint64_t below;
	} mine, child;
	int ends[2];
	pid_t pid;

	random_bytes(mine.bytes, 16); /* so that there is a stock to inherit */
	random_below(10);
	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	random_bytes(mine.bytes, 16);
	mine.below = random_below(UINT64_MAX);
	if (pid == 0)
		_exit(write(ends[1], &mine, sizeof(mine)) == sizeof(mine) ? 0 : 1);
	ck_assert_int_eq(read(ends[0], &child, sizeof(child)), sizeof(child));
	waitpid(pid, NULL, 0);
	ck_assert_mem_ne(mine.bytes, child.bytes, 16);
	ck_assert_uint_ne(mine.below, child.below);
}
END_TEST

static void *draw(void *out)
{
	random_bytes(out, 16);
	return NULL;
}

START_TEST(threads_draw_from_stocks_of_their_own)
{
	unsigned char bytes[8][16];
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, draw, bytes[i]), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 8; i++) {
		for (int j = 0; j < i; j++)
			ck_assert_mem_ne(bytes[i], bytes[j], 16);
	}
}
END_TEST

START_TEST(below_stays_below_and_is_even)
{
	int seen[10] = {0};

	for (int i = 0; i < 100000; i++) {
		uint64_t x = random_below(10);

		if (x >= 10)
			ck_abort_msg("%llu", (unsigned long long)x);
		seen[x]++;
	}
	/* 10,000 each with a deviation of 95: ten of those. */
	for (int i = 0; i < 10; i++) {
		ck_assert_int_gt(seen[i], 9050);
		ck_assert_int_lt(seen[i], 10950);
	}
	ck_assert_uint_eq(random_below(1), 0);
}
END_TEST

START_TEST(a_bound_of_three_quarters_of_the_range_is_even_too)
{
	const uint64_t bound = UINT64_C(3) << 62;
	int low = 0;

	/* By the plain remainder the lowest third would come half of the time. */
	for (int i = 0; i < 30000; i++)
		low += random_below(bound) < bound / 3;
	ck_assert_int_gt(low, 9200);
	ck_assert_int_lt(low, 10800);
}
END_TEST

START_TEST(a_text_has_two_digits_for_each_byte_and_ends_behind_them)
{
	char text[48], other[48];

	for (size_t len = 0; len <= 20; len++) {
		memset(text, 'x', sizeof(text));
		random_hex(text, len);
		ck_assert_uint_eq(strlen(text), 2 * len);
		ck_assert_uint_eq(strspn(text, "0123456789abcdef"), 2 * len);
		ck_assert_int_eq(text[2 * len + 1], 'x');
	}
	random_hex(other, 20);
	ck_assert_str_ne(text, other);
}
END_TEST

Suite *random_suite(void)
{
	Suite *s = suite_create("random");
	TCase *t = tcase_create("random");

	tcase_add_test(t, bytes_differ_from_call_to_call_at_every_size);
	tcase_add_test(t, every_bit_is_sometimes_set_and_sometimes_not);
	tcase_add_test(t, a_fork_does_not_repeat_its_parent);
	tcase_add_test(t, threads_draw_from_stocks_of_their_own);
	tcase_add_test(t, below_stays_below_and_is_even);
	tcase_add_test(t, a_bound_of_three_quarters_of_the_range_is_even_too);
	tcase_add_test(t, a_text_has_two_digits_for_each_byte_and_ends_behind_them);
	suite_add_tcase(s, t);
	return s;
}
