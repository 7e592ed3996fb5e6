#include <check.h>
#include <string.h>

#include "exact.h"
#include "wire/form.h"

Suite *form_suite(void);

START_TEST(pairs_are_put_and_taken_again)
{
	static const char *const pairs[][2] = {{"To", "+4366012345678"},
					       {"Body", "a b&c=d%\r\n\xf0\x9f\x8e\x89"},
					       {"e", ""}};
	struct buf out, key, value;
	const char *at;
	struct err e = ERR_INIT;
	size_t len;

	buf_init(&out, 1024);
	buf_init(&key, 64);
	buf_init(&value, 64);
	for (size_t i = 0; i < 3; i++)
		form_put(&out, pairs[i][0], pairs[i][1]);
	ck_assert_str_eq(buf_text(&out),
			 "To=%2B4366012345678&Body=a+b%26c%3Dd%25%0D%0A%F0%9F"
			 "%8E%89&e=");
	at = buf_text(&out);
	len = out.len;
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(form_next(&at, &len, &key, &value, &e), 1);
		ck_assert_str_eq(buf_text(&key), pairs[i][0]);
		ck_assert_str_eq(buf_text(&value), pairs[i][1]);
	}
	ck_assert_int_eq(form_next(&at, &len, &key, &value, &e), 0);
	buf_release(&out);
	buf_release(&key);
	buf_release(&value);
}
END_TEST

static const struct {
	const char *text;
	int rc;
	const char *key, *value;
} cases[] = {
	{"", 0, "", ""},
	{"&&&", 0, "", ""},
	{"a", 1, "a", ""},
	{"=b", 1, "", "b"},
	{"a=b=c", 1, "a", "b=c"},
	{"&&a=b&", 1, "a", "b"},
	{"a=%4a%4A", 1, "a", "JJ"},
	{"%61+=+", 1, "a ", " "},
	{"a=%", -1, "", ""},
	{"a=%4", -1, "", ""},
	{"a=%4&", -1, "", ""},
	{"a=%4g", -1, "", ""},
	{"a%00=b", -1, "", ""},
	{"a=%00", -1, "", ""},
	{"a=123456789", -1, "", ""},
};

START_TEST(odd_pairs_are_taken_or_refused)
{
	size_t len = strlen(cases[_i].text);
	char *bytes = exact_copy(cases[_i].text, len);
	const char *at = bytes;
	struct buf key, value;
	struct err e;

	buf_init(&key, 8);
	buf_init(&value, 8);
	ck_assert_int_eq(form_next(&at, &len, &key, &value, &e), cases[_i].rc);
	if (cases[_i].rc == 1) {
		ck_assert_str_eq(buf_text(&key), cases[_i].key);
		ck_assert_str_eq(buf_text(&value), cases[_i].value);
	}
	buf_release(&key);
	buf_release(&value);
	free(bytes);
}
END_TEST

Suite *form_suite(void)
{
	Suite *s = suite_create("form");
	TCase *c = tcase_create("form");

	tcase_add_test(c, pairs_are_put_and_taken_again);
	tcase_add_loop_test(c, odd_pairs_are_taken_or_refused, 0,
			    sizeof(cases) / sizeof(cases[0]));
	suite_add_tcase(s, c);
	return s;
}
