#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

Suite *clock_suite(void);

/* 2026-01-18T09:30:00Z by `date -ud … +%s`. */
#define JANUARY_US (1768728600LL * US_PER_S)
#define LAST_US    (253402300799LL * US_PER_S + 999999)

START_TEST(rfc3339_has_six_decimals_and_a_z)
{
	char text[CLOCK_RFC3339_SIZE];

	clock_rfc3339(text, JANUARY_US + 123456);
	ck_assert_str_eq(text, "2026-01-18T09:30:00.123456Z");
	clock_rfc3339(text, 0);
	ck_assert_str_eq(text, "1970-01-01T00:00:00.000000Z");
	clock_rfc3339(text, LAST_US);
	ck_assert_str_eq(text, "9999-12-31T23:59:59.999999Z");
}
END_TEST

START_TEST(times_outside_are_moved_inside)
{
	char text[CLOCK_RFC3339_SIZE];

	clock_rfc3339(text, -1);
	ck_assert_str_eq(text, "1970-01-01T00:00:00.000000Z");
	clock_rfc3339(text, INT64_MIN);
	ck_assert_str_eq(text, "1970-01-01T00:00:00.000000Z");
	clock_rfc3339(text, INT64_MAX);
	ck_assert_str_eq(text, "9999-12-31T23:59:59.999999Z");
}
END_TEST

START_TEST(mail_dates_name_the_weekday)
{
	char text[CLOCK_RFC5322_SIZE];

	clock_rfc5322(text, JANUARY_US);
	ck_assert_str_eq(text, "Sun, 18 Jan 2026 09:30:00 +0000");
	clock_rfc5322(text, 0);
	ck_assert_str_eq(text, "Thu, 01 Jan 1970 00:00:00 +0000");
}
END_TEST

START_TEST(the_calendar_agrees_with_the_c_library)
{
	char ours[CLOCK_RFC5322_SIZE], theirs[80], back[CLOCK_RFC3339_SIZE];
	int64_t parsed;

	/* A day and some seconds at a time: all weekdays, leap years and centuries. */
	for (time_t t = 0; t < 253402300800LL; t += 13 * 86400 + 4567) {
		struct tm tm;

		gmtime_r(&t, &tm);
		strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S +0000", &tm);
		clock_rfc5322(ours, t * US_PER_S);
		if (strcmp(ours, theirs) != 0)
			ck_abort_msg("%s is not %s", ours, theirs);
		clock_rfc3339(back, t * US_PER_S + 7);
		if (clock_parse_rfc3339(back, &parsed) != 0 || parsed != t * US_PER_S + 7)
			ck_abort_msg("%s does not come back", back);
	}
}
END_TEST

START_TEST(parsing_takes_decimals_and_offsets)
{
	static const struct {
		const char *text;
		int64_t us;
	} rows[] = {
		{"2026-01-18T09:30:00Z", JANUARY_US},
		{"2026-01-18T09:30:00.5Z", JANUARY_US + 500000},
		{"2026-01-18T09:30:00.123456789Z", JANUARY_US + 123456},
		{"2026-01-18T10:30:00+01:00", JANUARY_US},
		{"2026-01-18T00:00:00-09:30", JANUARY_US},
		{"2026-01-18T09:30:00-00:00", JANUARY_US},
		{"2024-02-29T00:00:00Z", 1709164800LL * US_PER_S},
		{"2000-02-29T00:00:00Z", 951782400LL * US_PER_S},
		{"9999-12-31T23:59:59.999999Z", LAST_US},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t us = -1;

		ck_assert_msg(clock_parse_rfc3339(rows[i].text, &us) == 0, "%s",
			      rows[i].text);
		ck_assert_int_eq(us, rows[i].us);
	}
}
END_TEST

START_TEST(anything_else_is_refused)
{
	static const char *const rows[] = {
		"",
		"2026",
		"2026-01-18",
		"2026-01-18T09:30:00",
		"2026-01-18 09:30:00Z",
		"2026-01-18t09:30:00z",
		"2026-01-18T09:30:00Z ",
		" 2026-01-18T09:30:00Z",
		"2026-01-18T09:30:00.Z",
		"2026-01-18T09:30:00.1234567890Z",
		"2026-01-18T09:30:00+0100",
		"2026-01-18T09:30:00+24:00",
		"2026-01-18T09:30:00+01:60",
		"2026-01-18T09:30:00+01",
		"2026-01-18T24:00:00Z",
		"2026-01-18T09:60:00Z",
		"2026-12-31T23:59:60Z",
		"2026-00-18T09:30:00Z",
		"2026-13-18T09:30:00Z",
		"2026-01-00T09:30:00Z",
		"2026-04-31T09:30:00Z",
		"2026-02-29T09:30:00Z",
		"2100-02-29T09:30:00Z",
		"+026-01-18T09:30:00Z",
		"2026-1-18T09:30:00Z",
		"1969-12-31T23:59:59Z",
		"1970-01-01T00:00:00+00:01",
		"9999-12-31T23:59:59-00:01",
		"0000-01-01T00:00:00Z",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t us = 77;

		ck_assert_msg(clock_parse_rfc3339(rows[i], &us) == -1, "%s", rows[i]);
		ck_assert_int_eq(us, 77);
	}
}
END_TEST

START_TEST(both_clocks_run)
{
	int64_t before = clock_mono_us();
	char text[CLOCK_RFC3339_SIZE];

	clock_rfc3339(text, clock_utc_us());
	ck_assert_int_ge(clock_mono_us(), before);
	ck_assert_int_eq(llabs(clock_utc_us() / US_PER_S - time(NULL)) <= 1, 1);
	ck_assert_uint_eq(strlen(text), CLOCK_RFC3339_SIZE - 1);
}
END_TEST

Suite *clock_suite(void)
{
	Suite *s = suite_create("clock");
	TCase *t = tcase_create("clock");

	tcase_add_test(t, rfc3339_has_six_decimals_and_a_z);
	tcase_add_test(t, times_outside_are_moved_inside);
	tcase_add_test(t, mail_dates_name_the_weekday);
	tcase_add_test(t, the_calendar_agrees_with_the_c_library);
	tcase_add_test(t, parsing_takes_decimals_and_offsets);
	tcase_add_test(t, anything_else_is_refused);
	tcase_add_test(t, both_clocks_run);
	suite_add_tcase(s, t);
	return s;
}
