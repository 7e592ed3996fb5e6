#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/utf8.h"

Suite *err_suite(void);

START_TEST(setting_fills_code_and_text_and_returns_minus_one)
{
	struct err e = ERR_INIT;

	ck_assert_int_eq(err_set(&e, ERR_FULL, "queue %s is full", "push"), -1);
	ck_assert_int_eq(e.code, ERR_FULL);
	ck_assert_str_eq(e.text, "queue push is full");
}
END_TEST

START_TEST(the_arguments_may_be_the_text_itself)
{
	struct err e = ERR_INIT;

	err_set(&e, ERR_IO, "inner");
	err_set(&e, ERR_CLOSED, "outer (%s)", e.text);
	ck_assert_str_eq(e.text, "outer (inner)");
}
END_TEST

START_TEST(errno_is_said_in_words)
{
	struct err e = ERR_INIT;

	ck_assert_int_eq(err_set_errno(&e, ERR_IO, ENOENT, "open %s", "x.db"), -1);
	ck_assert_str_eq(e.text, "open x.db: No such file or directory");
}
END_TEST

START_TEST(wrapping_adds_the_context_and_keeps_the_code)
{
	struct err e = ERR_INIT;

	err_set(&e, ERR_CORRUPT, "bad page");
	ck_assert_int_eq(err_wrap(&e, "report on %s", "a"), -1);
	ck_assert_int_eq(e.code, ERR_CORRUPT);
	ck_assert_str_eq(e.text, "report on a: bad page");
}
END_TEST

START_TEST(long_text_is_cut_at_a_whole_code_point)
{
	char text[700];
	struct err e = ERR_INIT;

	/* Two bytes each after one: the limit of 319 falls on a boundary with one in
	 * front, and inside a character without. */
	for (int lead = 0; lead < 2; lead++) {
		memset(text, 'x', (size_t)lead);
		for (int i = lead; i < 690; i += 2)
			memcpy(text + i, "\xc3\xa9\0", 3);
		err_set(&e, ERR_INVALID, "%s", text);
		ck_assert_uint_eq(strlen(e.text), lead == 1 ? 319 : 318);
		ck_assert(utf8_valid(e.text, strlen(e.text)));
		err_wrap(&e, "%s", "context");
		ck_assert_uint_lt(strlen(e.text), ERR_TEXT_MAX);
		ck_assert(utf8_valid(e.text, strlen(e.text)));
		ck_assert_int_eq(strncmp(e.text, "context: ", 9), 0);
	}
}
END_TEST

START_TEST(a_full_text_survives_wrapping_and_errno)
{
	char text[700];
	struct err e = ERR_INIT;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set_errno(&e, ERR_IO, EIO, "%s", text);
	ck_assert_uint_eq(strlen(e.text), ERR_TEXT_MAX - 1);
	err_wrap(&e, "%s", text);
	ck_assert_uint_eq(strlen(e.text), ERR_TEXT_MAX - 1);
}
END_TEST

START_TEST(every_code_has_a_word_of_its_own)
{
	for (int a = ERR_NONE; a <= ERR_TIMEOUT; a++) {
		ck_assert_str_ne(err_code_name((enum err_code)a), "unknown");
		for (int b = ERR_NONE; b < a; b++)
			ck_assert_str_ne(err_code_name((enum err_code)a),
					 err_code_name((enum err_code)b));
	}
}
END_TEST

Suite *err_suite(void)
{
	Suite *s = suite_create("err");
	TCase *t = tcase_create("err");

	tcase_add_test(t, setting_fills_code_and_text_and_returns_minus_one);
	tcase_add_test(t, the_arguments_may_be_the_text_itself);
	tcase_add_test(t, errno_is_said_in_words);
	tcase_add_test(t, wrapping_adds_the_context_and_keeps_the_code);
	tcase_add_test(t, long_text_is_cut_at_a_whole_code_point);
	tcase_add_test(t, a_full_text_survives_wrapping_and_errno);
	tcase_add_test(t, every_code_has_a_word_of_its_own);
	suite_add_tcase(s, t);
	return s;
}
