#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

Suite *mem_suite(void);

START_TEST(memory_comes_zeroed)
{
	unsigned char *p = mem_array(100, 7);

	for (int i = 0; i < 700; i++)
		ck_assert_uint_eq(p[i], 0);
	mem_free(p);
}
END_TEST

START_TEST(nothing_is_still_a_pointer)
{
	void *p = mem_alloc(0);
	void *q = mem_resize(NULL, 0, 8);

	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_nonnull(q);
	mem_free(p);
	mem_free(q);
	mem_free(NULL);
}
END_TEST

START_TEST(copies_end_with_a_nul)
{
	char *dup = mem_dup("ab\0cd", 5);
	char *text = mem_strdup("abc");

	ck_assert_mem_eq(dup, "ab\0cd\0", 6);
	ck_assert_str_eq(text, "abc");
	ck_assert_ptr_null(mem_strdup(NULL));
	mem_free(dup);
	mem_free(text);
}
END_TEST

START_TEST(resizing_keeps_what_is_there)
{
	int *p = mem_array(2, sizeof(*p));

	p[0] = 7;
	p[1] = 8;
	p = mem_resize(p, 1000, sizeof(*p));
	ck_assert_int_eq(p[0], 7);
	ck_assert_int_eq(p[1], 8);
	mem_free(p);
}
END_TEST

/* The line that is logged would only disturb the report. */
static void be_quiet(void)
{
	int fd = open("/dev/null", O_WRONLY);

	dup2(fd, STDERR_FILENO);
}

START_TEST(a_product_that_wraps_aborts)
{
	volatile size_t huge = SIZE_MAX / 4 + 2; /* times 4: 4 */

	be_quiet();
	if (_i == 0)
		mem_array(huge, 4);
	else
		mem_resize(NULL, huge, 4);
}
END_TEST

START_TEST(text_that_does_not_fit_is_cut_at_a_whole_code_point)
{
	char out[5];

	ck_assert(mem_copy_text(out, sizeof(out), "abcd"));
	ck_assert_str_eq(out, "abcd");
	ck_assert(!mem_copy_text(out, sizeof(out), "abcde"));
	ck_assert_str_eq(out, "abcd");
	ck_assert(!mem_copy_text(out, sizeof(out), "abc\xc3\xa9"));
	ck_assert_str_eq(out, "abc");
	ck_assert(!mem_copy_text(out, 1, "a"));
	ck_assert_str_eq(out, "");
	ck_assert(mem_copy_text(out, 1, ""));
}
END_TEST

START_TEST(container_of_finds_the_whole_from_its_part)
{
	struct whole {
		int a;
		char part;
	} w;

	ck_assert_ptr_eq(container_of(&w.part, struct whole, part), &w);
}
END_TEST

Suite *mem_suite(void)
{
	Suite *s = suite_create("mem");
	TCase *t = tcase_create("mem");

	tcase_add_test(t, memory_comes_zeroed);
	tcase_add_test(t, nothing_is_still_a_pointer);
	tcase_add_test(t, copies_end_with_a_nul);
	tcase_add_test(t, resizing_keeps_what_is_there);
#if !defined(__SANITIZE_ADDRESS__) &&                                                    \
	!defined(__SANITIZE_THREAD__) /* they abort in calloc */
	tcase_add_loop_test_raise_signal(t, a_product_that_wraps_aborts, SIGABRT, 0, 2);
#else
	tcase_add_loop_test_raise_signal(t, a_product_that_wraps_aborts, SIGABRT, 1, 2);
#endif
	tcase_add_test(t, text_that_does_not_fit_is_cut_at_a_whole_code_point);
	tcase_add_test(t, container_of_finds_the_whole_from_its_part);
	suite_add_tcase(s, t);
	return s;
}
