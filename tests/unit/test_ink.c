#include <check.h>
#include <string.h>

#include "cli/ink.h"
#include "exact.h"

Suite *ink_suite(void);

static struct buf out;

static void set_up(void)
{
	buf_init(&out, 1 << 16);
}

static void tear_down(void)
{
	buf_release(&out);
}

static const struct {
	const char *text, *shown;
} texts[] = {
	{"Lunch", "Lunch"},
	{"Grüße 🍕 שלום", "Grüße 🍕 שלום"},
	{"\x1b[2J", "\\x1b[2J"},
	{"a\nb\r\tc", "a\\x0ab\\x0d\\x09c"},
	{"\x7f", "\\x7f"},
	{"\xc2\x9b"
	 "31m",
	 "\\x9b31m"}, /* CSI as one C1 character */
	{"\xff\xc0\xaf", "\\xff\\xc0\\xaf"},
	{"cut \xe2\x82", "cut \\xe2\\x82"},
	{"pay \xe2\x80\xae"
	 "bob",
	 "pay \\u{202e}bob"},
	{"\xe2\x81\xa6|\xe2\x81\xa9|\xe2\x80\xa8", "\\u{2066}|\\u{2069}|\\u{2028}"},
	{"", ""},
};

START_TEST(text_from_outside_cannot_move_the_cursor)
{
	struct ink k = {&out, false};
	char *text = exact_copy(texts[_i].text, strlen(texts[_i].text) + 1);

	ink_text(&k, TINT_BAD, text);
	ck_assert_str_eq(buf_text(&out), texts[_i].shown);
	free(text);
}
END_TEST

START_TEST(colours_come_only_where_they_are_wanted)
{
	struct ink plain = {&out, false}, coloured = {&out, true};

	ink_text(&plain, TINT_GOOD, "a");
	ink_text(&coloured, TINT_NONE, "b");
	ink_cell(&coloured, TINT_GOOD, "c", 3);
	ink_cell(&coloured, TINT_BAD, "", 2);
	ck_assert_str_eq(buf_text(&out), "ab\x1b[32mc\x1b[0m    ");
}
END_TEST

static const struct {
	const char *json, *shown;
} documents[] = {
	{"{\"a\":\"b\"}\n", "{\"a\":\"b\"}"},
	{"{\n\t\"a\": 1\r\n}", "{  \"a\": 1  }"},
	{"\"\x7f\xc2\x9b\xe2\x80\xae\"", "\"\\u007f\\u009b\\u202e\""},
	{"\"\x1b\"", "\"\\u001b\""}, /* not JSON, but somebody may answer it */
	{"\"\xff\"", "\"\xef\xbf\xbd\""},
	{"\n\n", ""},
};

START_TEST(json_keeps_its_meaning_and_one_line)
{
	size_t len = strlen(documents[_i].json);
	char *json = exact_copy(documents[_i].json, len);

	ink_json(&out, json, len);
	ck_assert_str_eq(buf_text(&out), documents[_i].shown);
	free(json);
}
END_TEST

static const struct {
	int64_t us;
	const char *shown;
} spans[] = {
	{0, "0.0 ms"},
	{99, "0.0 ms"},
	{100, "0.1 ms"},
	{8349, "8.3 ms"},
	{999999, "999.9 ms"},
	{1000000, "1.000 s"},
	{59999999, "59.999 s"},
	{60000000, "1 min 0 s"},
	{3599000000, "59 min 59 s"},
	{3600000000, "1 h 0 min"},
	{-2500, "-2.5 ms"},
};

START_TEST(spans_have_the_unit_that_fits)
{
	char text[INK_SPAN_SIZE];

	ck_assert_str_eq(ink_span(text, spans[_i].us), spans[_i].shown);
}
END_TEST

START_TEST(times_are_utc_with_milliseconds)
{
	char text[INK_TIME_SIZE];
	int64_t at_us = 1768728600123456;

	ck_assert_str_eq(ink_time(text, at_us, true), "2026-01-18 09:30:00.123");
	ck_assert_str_eq(ink_time(text, at_us, false), "09:30:00.123");
}
END_TEST

Suite *ink_suite(void)
{
	Suite *s = suite_create("ink");
	TCase *c = tcase_create("ink");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_loop_test(c, text_from_outside_cannot_move_the_cursor, 0,
			    sizeof(texts) / sizeof(texts[0]));
	tcase_add_test(c, colours_come_only_where_they_are_wanted);
	tcase_add_loop_test(c, json_keeps_its_meaning_and_one_line, 0,
			    sizeof(documents) / sizeof(documents[0]));
	tcase_add_loop_test(c, spans_have_the_unit_that_fits, 0,
			    sizeof(spans) / sizeof(spans[0]));
	tcase_add_test(c, times_are_utc_with_milliseconds);
	suite_add_tcase(s, c);
	return s;
}
