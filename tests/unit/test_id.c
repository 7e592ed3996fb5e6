#include <check.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"

Suite *id_suite(void);

#define AT_US (1768728600LL * US_PER_S)

START_TEST(an_id_is_a_prefix_and_26_characters_of_base_32)
{
	char id[ID_SIZE];

	id_make(id, "evt", AT_US, 1042);
	ck_assert_uint_eq(strlen(id), 30);
	ck_assert_int_eq(strncmp(id, "evt_01KF", 8), 0);
	ck_assert_uint_eq(strspn(id + 4, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 26);
}
END_TEST

START_TEST(the_time_is_a_ulid_s)
{
	char id[ID_SIZE];

	/* The example of the ULID specification: 1469918176385 ms is 01ARYZ6S41. */
	id_make(id, "txn", 1469918176385LL * US_PER_MS + 999, 0);
	ck_assert_int_eq(strncmp(id, "txn_01ARYZ6S4100000000", 22), 0);
	id_make(id, "txn", ((INT64_C(1) << 48) - 1) * US_PER_MS, ID_KEY_MAX);
	ck_assert_int_eq(strncmp(id, "txn_7ZZZZZZZZZZZZZZZZZ", 22), 0);
}
END_TEST

START_TEST(the_key_comes_back)
{
	static const int64_t keys[] = {0, 1, 31, 32, 1042, ID_KEY_MAX - 1, ID_KEY_MAX};
	char id[ID_SIZE];

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		id_make(id, "dev", AT_US, keys[i]);
		ck_assert_int_eq(id_key(id, "dev"), keys[i]);
	}
}
END_TEST

START_TEST(ids_sort_by_time_and_do_not_repeat)
{
	char before[ID_SIZE], after[ID_SIZE];

	id_make(before, "evt", AT_US, 5);
	id_make(after, "evt", AT_US, 5);
	ck_assert_str_ne(before, after);
	for (int64_t us = AT_US; us < AT_US + 1000 * US_PER_MS; us += US_PER_MS) {
		id_make(after, "evt", us + US_PER_MS, 4);
		ck_assert_int_lt(strcmp(before, after), 0);
		memcpy(before, after, sizeof(before));
	}
}
END_TEST

START_TEST(only_the_exact_form_is_an_id)
{
	static const char *const rows[] = {
		"",
		"evt",
		"evt_",
		"evt_01KF8B7S00000000G2ABCDEFG",   /* one short */
		"evt_01KF8B7S00000000G2ABCDEFGHJ", /* one long */
		"txn_01KF8B7S00000000G2ABCDEFGH",  /* another prefix */
		"EVT_01KF8B7S00000000G2ABCDEFGH",
		"evt-01KF8B7S00000000G2ABCDEFGH",
		"evt_01kf8b7s00000000g2abcdefgh", /* lower case */
		"evt_01KF8B7S00000000G2ABCDEFGI", /* I, L, O, U */
		"evt_01KF8B7S0000000LG2ABCDEFGH",
		"evt_O1KF8B7S00000000G2ABCDEFGH",
		"evt_01KF8B7S00000U00G2ABCDEFGH",
		"evt_81KF8B7S00000000G2ABCDEFGH", /* 49 bits of time */
		"evt_01KF8B7S00 00000G2ABCDEFGH",
		"evt_01KF8B7S00\xc3\xa9"
		"000000G2ABCDEF",
	};

	ck_assert_int_ge(id_key("evt_01KF8B7S00000000G2ABCDEFGH", "evt"), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(id_key(rows[i], "evt") == -1, "%s", rows[i]);
}
END_TEST

START_TEST(user_ids_are_letters_digits_dot_underscore_dash)
{
	char longest[66];

	memset(longest, 'a', sizeof(longest));
	ck_assert(id_is_user("A-z.0_9", 7));
	ck_assert(id_is_user(longest, 1));
	ck_assert(id_is_user(longest, USER_ID_MAX));
	ck_assert(!id_is_user(longest, USER_ID_MAX + 1));
	ck_assert(!id_is_user("", 0));
	for (int c = 0; c < 256; c++) {
		char text[3] = {'a', (char)c, 'b'};
		const char *allowed =
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			"0123456789._-";

		ck_assert_int_eq(id_is_user(text, 3),
				 c != 0 && strchr(allowed, c) != NULL);
	}
}
END_TEST

Suite *id_suite(void)
{
	Suite *s = suite_create("id");
	TCase *t = tcase_create("id");

	tcase_add_test(t, an_id_is_a_prefix_and_26_characters_of_base_32);
	tcase_add_test(t, the_time_is_a_ulid_s);
	tcase_add_test(t, the_key_comes_back);
	tcase_add_test(t, ids_sort_by_time_and_do_not_repeat);
	tcase_add_test(t, only_the_exact_form_is_an_id);
	tcase_add_test(t, user_ids_are_letters_digits_dot_underscore_dash);
	suite_add_tcase(s, t);
	return s;
}
