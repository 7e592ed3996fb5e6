#include <check.h>
#include <string.h>

#include "base/utf8.h"
#include "wire/problem.h"

Suite *problem_suite(void);

START_TEST(a_problem_is_encoded_with_its_field)
{
	struct problem p;
	struct buf out;

	buf_init(&out, 1024);
	ck_assert_int_eq(
		problem_set(&p, PROBLEM_INSUFFICIENT_FUNDS, "amount", "has %d \"x\"", 3),
		-1);
	problem_encode(&p, &out);
	ck_assert_str_eq(
		buf_text(&out),
		"{\"type\":\"urn:paybell:problem:insufficient-funds\","
		"\"title\":\"The payer's balance does not suffice\",\"status\":422,"
		"\"detail\":\"has 3 \\\"x\\\"\",\"field\":\"amount\"}");
	buf_release(&out);
}
END_TEST

START_TEST(every_kind_has_a_status_and_a_name_of_its_own)
{
	for (int i = PROBLEM_MALFORMED; i <= PROBLEM_OUTCOME_UNKNOWN; i++) {
		ck_assert_int_ge(problem_status((enum problem_kind)i), 400);
		ck_assert_int_lt(problem_status((enum problem_kind)i), 600);
		for (int j = PROBLEM_MALFORMED; j < i; j++)
			ck_assert_str_ne(problem_name((enum problem_kind)i),
					 problem_name((enum problem_kind)j));
	}
}
END_TEST

START_TEST(long_text_is_cut_where_a_character_ends)
{
	char text[1024];
	struct problem p;

	for (size_t shift = 0; shift < 4; shift++) {
		memset(text, 'x', shift);
		for (size_t i = shift; i + 4 < sizeof(text); i += 4)
			memcpy(text + i, "\xf0\x9f\x8e\x89", 5);
		problem_set(&p, PROBLEM_VALIDATION, text, "%s", text);
		ck_assert(utf8_valid(p.field, strlen(p.field)));
		ck_assert(utf8_valid(p.detail, strlen(p.detail)));
		ck_assert_uint_gt(strlen(p.detail), PROBLEM_DETAIL_MAX - 5);
		ck_assert_uint_gt(strlen(p.field), PROBLEM_FIELD_MAX - 5);
	}
}
END_TEST

Suite *problem_suite(void)
{
	Suite *s = suite_create("problem");
	TCase *c = tcase_create("problem");

	tcase_add_test(c, a_problem_is_encoded_with_its_field);
	tcase_add_test(c, every_kind_has_a_status_and_a_name_of_its_own);
	tcase_add_test(c, long_text_is_cut_where_a_character_ends);
	suite_add_tcase(s, c);
	return s;
}
