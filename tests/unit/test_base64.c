#include <check.h>
#include <string.h>

#include "base/base64.h"
#include "exact.h"

Suite *base64_suite(void);

/* RFC 4648 section 10, and what has the alphabet's last two. */
static const struct {
	const char *bytes, *text;
} pairs[] = {
	{"", ""},
	{"f", "Zg=="},
	{"fo", "Zm8="},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy"},
	{"\xfb\xff\xfe", "+//+"},
};

START_TEST(both_ways_are_what_rfc_4648_says)
{
	size_t len = strlen(pairs[_i].bytes), text_len = strlen(pairs[_i].text);
	char *bytes = exact_copy(pairs[_i].bytes, len);
	char *text = exact_copy(pairs[_i].text, text_len);
	struct buf b;

	buf_init(&b, 64);
	base64_encode(&b, bytes, len);
	ck_assert_str_eq(buf_text(&b), pairs[_i].text);
	ck_assert_uint_eq(base64_length(len), text_len);
	buf_clear(&b);
	ck_assert_int_eq(base64_decode(&b, text, text_len), 0);
	ck_assert_uint_eq(b.len, len);
	ck_assert_int_eq(memcmp(buf_text(&b), pairs[_i].bytes, len), 0);
	buf_release(&b);
	free(bytes);
	free(text);
}
END_TEST

static const char *const bad[] = {
	"Z",    "Zg",       "Zg=",      "Zg===",    "====",
	"=Zg=", "Zg==Zg==", "Zm9v Zg=", "Zm9\n",    "Zm-_",
	"Zh==", "Zm9=",     "Z===",     "Zm9v====", "\xc3\xa4\xc3\xa4"};

START_TEST(anything_else_is_refused_and_adds_nothing)
{
	size_t len = strlen(bad[_i]);
	char *text = exact_copy(bad[_i], len);
	struct buf b;

	buf_init(&b, 64);
	buf_add_text(&b, "as it was");
	ck_assert_int_eq(base64_decode(&b, text, len), -1);
	ck_assert_str_eq(buf_text(&b), "as it was");
	buf_release(&b);
	free(text);
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
	struct buf b;

	buf_init(&b, 5);
	ck_assert_int_eq(base64_decode(&b, "Zm9vYmE=", 8), 0);
	buf_clear(&b);
	ck_assert_int_eq(base64_decode(&b, "Zm9vYmFy", 8), -1);
	buf_clear(&b);
	base64_encode(&b, "foo", 3);
	ck_assert_str_eq(buf_text(&b), "Zm9v");
	buf_clear(&b);
	base64_encode(&b, "foob", 4);
	ck_assert(b.overflowed && b.len == 0);
	buf_release(&b);
}
END_TEST

Suite *base64_suite(void)
{
	Suite *s = suite_create("base64");
	TCase *c = tcase_create("base64");

	tcase_add_loop_test(c, both_ways_are_what_rfc_4648_says, 0,
			    sizeof(pairs) / sizeof(pairs[0]));
	tcase_add_loop_test(c, anything_else_is_refused_and_adds_nothing, 0,
			    sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(c, what_does_not_fit_is_refused);
	suite_add_tcase(s, c);
	return s;
}
