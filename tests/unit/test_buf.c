#include <check.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

Suite *buf_suite(void);

START_TEST(an_empty_one_takes_no_memory_and_reads_as_empty_text)
{
	struct buf b;

	buf_init(&b, 10);
	ck_assert_ptr_null(b.data);
	ck_assert_str_eq(buf_text(&b), "");
	buf_add(&b, NULL, 0);
	ck_assert_ptr_null(b.data);
	buf_release(&b);
}
END_TEST

START_TEST(parts_follow_each_other)
{
	struct buf b;

	buf_init(&b, 1000);
	buf_add_text(&b, "a=");
	buf_add_int(&b, -42);
	buf_add_char(&b, ' ');
	buf_addf(&b, "%s/%d", "x", 7);
	buf_add(&b, "\0z", 2);
	ck_assert_uint_eq(b.len, 11);
	ck_assert_mem_eq(b.data, "a=-42 x/7\0z\0", 12);
	ck_assert_int_eq(b.data[b.len], 0);
	buf_release(&b);
	ck_assert_uint_eq(b.max_bytes, 1000);
}
END_TEST

START_TEST(whole_numbers_are_written_to_both_ends)
{
	static const long long values[] = {0, 9, 10, -1, LLONG_MAX, LLONG_MIN};
	char expected[32];

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct buf b;

		buf_init(&b, 40);
		buf_add_int(&b, values[i]);
		snprintf(expected, sizeof(expected), "%lld", values[i]);
		ck_assert_str_eq(buf_text(&b), expected);
		buf_release(&b);
	}
}
END_TEST

START_TEST(exactly_the_maximum_fits_and_one_more_does_not)
{
	struct buf b;

	buf_init(&b, 100);
	for (int i = 0; i < 100; i++)
		buf_add_char(&b, 'x');
	ck_assert_uint_eq(b.len, 100);
	ck_assert(!b.overflowed);
	ck_assert_uint_le(b.capacity, 101);
	buf_add_char(&b, 'y');
	ck_assert_uint_eq(b.len, 100);
	ck_assert(b.overflowed);
	buf_release(&b);
}
END_TEST

START_TEST(after_an_overflow_nothing_is_added_until_it_is_cleared)
{
	struct buf b;

	buf_init(&b, 8);
	buf_add_text(&b, "12345");
	buf_addf(&b, "%s", "6789");
	buf_add_text(&b, "a");
	buf_addf(&b, "b");
	ck_assert_ptr_null(buf_reserve(&b, 1));
	ck_assert(b.overflowed);
	ck_assert_str_eq(buf_text(&b), "12345");
	buf_clear(&b);
	buf_addf(&b, "%s", "12345678");
	ck_assert(!b.overflowed);
	ck_assert_str_eq(buf_text(&b), "12345678");
	buf_release(&b);
}
END_TEST

START_TEST(a_maximum_of_all_memory_does_not_wrap)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	buf_add_text(&b, "x");
	ck_assert_ptr_null(buf_reserve(&b, SIZE_MAX));
	ck_assert(b.overflowed);
	ck_assert_str_eq(buf_text(&b), "x");
	buf_release(&b);
}
END_TEST

START_TEST(formatted_text_grows_over_every_boundary)
{
	char text[300];

	for (int len = 0; len < 299; len++) {
		struct buf b;

		memset(text, 'a', (size_t)len);
		text[len] = '\0';
		buf_init(&b, 400);
		buf_add_char(&b, '<');
		buf_addf(&b, "%s>", text);
		ck_assert_uint_eq(b.len, (size_t)len + 2);
		ck_assert_int_eq(b.data[b.len - 1], '>');
		ck_assert_uint_eq(strlen(b.data), b.len);
		buf_release(&b);
	}
}
END_TEST

START_TEST(reserved_room_counts_when_it_is_committed)
{
	struct buf b;
	char *room;

	buf_init(&b, 100);
	room = buf_reserve(&b, 50);
	memcpy(room, "hello!!!", 8);
	ck_assert_uint_eq(b.len, 0);
	buf_commit(&b, 5);
	ck_assert_str_eq(buf_text(&b), "hello");
	buf_release(&b);
}
END_TEST

START_TEST(consuming_moves_the_rest_to_the_front)
{
	struct buf b;

	buf_init(&b, 100);
	buf_consume(&b, 0);
	buf_add_text(&b, "hello world");
	buf_consume(&b, 6);
	ck_assert_str_eq(buf_text(&b), "world");
	buf_consume(&b, 5);
	ck_assert_str_eq(buf_text(&b), "");
	ck_assert_uint_eq(b.len, 0);
	buf_release(&b);
}
END_TEST

START_TEST(taking_hands_the_memory_over)
{
	struct buf b;
	size_t len = 99;
	char *text;

	buf_init(&b, 100);
	ck_assert_ptr_null(buf_take(&b, &len));
	ck_assert_uint_eq(len, 0);
	buf_add_text(&b, "mine");
	text = buf_take(&b, &len);
	ck_assert_str_eq(text, "mine");
	ck_assert_uint_eq(len, 4);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_ptr_null(b.data);
	buf_add_text(&b, "next");
	ck_assert_str_eq(text, "mine");
	mem_free(text);
	buf_release(&b);
}
END_TEST

Suite *buf_suite(void)
{
	Suite *s = suite_create("buf");
	TCase *t = tcase_create("buf");

	tcase_add_test(t, an_empty_one_takes_no_memory_and_reads_as_empty_text);
	tcase_add_test(t, parts_follow_each_other);
	tcase_add_test(t, whole_numbers_are_written_to_both_ends);
	tcase_add_test(t, exactly_the_maximum_fits_and_one_more_does_not);
	tcase_add_test(t, after_an_overflow_nothing_is_added_until_it_is_cleared);
	tcase_add_test(t, a_maximum_of_all_memory_does_not_wrap);
	tcase_add_test(t, formatted_text_grows_over_every_boundary);
	tcase_add_test(t, reserved_room_counts_when_it_is_committed);
	tcase_add_test(t, consuming_moves_the_rest_to_the_front);
	tcase_add_test(t, taking_hands_the_memory_over);
	suite_add_tcase(s, t);
	return s;
}
