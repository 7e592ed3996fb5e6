#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"

Suite *log_suite(void);

static int log_end;
static char text[8192];

/* Each test runs in a process of its own, whose stderr is this pipe. A packet pipe gives
 * back one write(2) a read, so it shows how a line was written. */
static void setup(void)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_DIRECT | O_NONBLOCK), 0);
	dup2(ends[1], STDERR_FILENO);
	log_end = ends[0];
	log_init("push", LOG_INFO);
}

/* What one write(2) wrote; "" when nothing was. */
static const char *next_line(void)
{
	ssize_t n = read(log_end, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* The line behind its time, which is checked here. */
static const char *next_fields(void)
{
	char ts[CLOCK_RFC3339_SIZE];
	int64_t us;

	next_line();
	ck_assert_int_eq(strncmp(text, "ts=", 3), 0);
	memcpy(ts, text + 3, CLOCK_RFC3339_SIZE - 1);
	ts[CLOCK_RFC3339_SIZE - 1] = '\0';
	ck_assert_int_eq(clock_parse_rfc3339(ts, &us), 0);
	ck_assert_int_eq(text[3 + CLOCK_RFC3339_SIZE - 1], ' ');
	return text + 3 + CLOCK_RFC3339_SIZE;
}

START_TEST(a_line_is_time_level_service_name_and_fields)
{
	log_info("deliver.ok", "event=%s attempt=%d", "evt_1", 2);
	ck_assert_str_eq(next_fields(), "level=info service=push msg=deliver.ok "
					"event=evt_1 attempt=2\n");
	ck_assert_str_eq(next_line(), "");
}
END_TEST

START_TEST(a_line_without_fields_ends_with_its_name)
{
	log_warn("stop", "%s", "");
	ck_assert_str_eq(next_fields(), "level=warn service=push msg=stop\n");
}
END_TEST

START_TEST(lines_below_the_least_level_are_not_written)
{
	log_debug("a", "x=%d", 1);
	ck_assert_str_eq(next_line(), "");
	log_init("push", LOG_ERROR);
	log_warn("a", "x=%d", 1);
	ck_assert_str_eq(next_line(), "");
	log_error("a", "x=%d", 1);
	ck_assert_str_eq(next_fields(), "level=error service=push msg=a x=1\n");
}
END_TEST

START_TEST(nothing_from_outside_can_forge_a_line)
{
	log_info("a", "x=%s", "1\nts=2 level=error\r\x1b[2J\x7f\xc2\x9b");
	ck_assert_str_eq(next_fields(),
			 "level=info service=push msg=a x=1\\x0ats=2 level=error\\x0d"
			 "\\x1b[2J\\x7f\\xc2\\x9b\n");
}
END_TEST

START_TEST(invalid_utf8_is_escaped_and_valid_is_kept)
{
	log_info("a", "x=%s", "\xc3\xa9 \xff \xe2\x82 \xed\xa0\x80");
	ck_assert_str_eq(next_fields(), "level=info service=push msg=a x=\xc3\xa9 \\xff "
					"\\xe2\\x82 \\xed\\xa0\\x80\n");
}
END_TEST

START_TEST(a_long_line_is_cut_at_2048_bytes_and_a_whole_character)
{
	static const char *const units[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\n",
					    "\xff"};
	static char field[9000];

	for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		size_t len;

		field[0] = '\0';
		for (int i = 0; i < 2500; i++)
			strcpy(field + (size_t)i * strlen(units[u]), units[u]);
		log_info("a", "x=%s", field);
		next_line();
		len = strlen(text);
		ck_assert_uint_le(len, 2048);
		ck_assert_uint_ge(len, 2045);
		ck_assert_int_eq(text[len - 1], '\n');
		ck_assert_ptr_eq(strchr(text, '\n'), text + len - 1);
		ck_assert(utf8_valid(text, len));
		if (strlen(units[u]) > 1 && units[u][0] != '\xff')
			ck_assert_ptr_null(strstr(text, "\\x"));
		ck_assert_str_eq(next_line(), "");
	}
}
END_TEST

START_TEST(errno_survives_a_line)
{
	close(STDERR_FILENO);
	errno = ENOSPC;
	log_info("a", "x=%d", 1);
	ck_assert_int_eq(errno, ENOSPC);
}
END_TEST

START_TEST(levels_are_read_from_their_words)
{
	enum log_level level = LOG_INFO;

	ck_assert(log_level_parse("debug", &level) && level == LOG_DEBUG);
	ck_assert(log_level_parse("info", &level) && level == LOG_INFO);
	ck_assert(log_level_parse("warn", &level) && level == LOG_WARN);
	ck_assert(log_level_parse("error", &level) && level == LOG_ERROR);
	ck_assert(!log_level_parse("warning", &level));
	ck_assert(!log_level_parse("", &level));
}
END_TEST

START_TEST(quoting_makes_one_value_of_any_text)
{
	struct log_quote q;

	ck_assert_str_eq(log_quote(&q, "plain"), "\"plain\"");
	ck_assert_str_eq(log_quote(&q, "a \"b\" \n"), "\"a \\\"b\\\" \\x0a\"");
	ck_assert_str_eq(log_quote(&q, "c:\\d"), "\"c:\\\\d\"");
	ck_assert_str_eq(log_quote(&q, "\xff\xc3\xa9"), "\"\\xff\xc3\xa9\"");
	ck_assert_str_eq(log_quote(&q, ""), "\"\"");
	ck_assert_str_eq(log_quote(&q, NULL), "\"\"");
	ck_assert_ptr_eq(log_quote(&q, "x"), q.text);
}
END_TEST

START_TEST(a_quote_is_cut_to_fit_and_still_closed)
{
	static const char *const units[] = {"x", "\"", "\\", "\xc3\xa9", "\n"};
	char long_text[1025];
	struct log_quote q;

	for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		size_t len = strlen(units[u]);

		for (size_t i = 0; i + len < sizeof(long_text); i += len)
			strcpy(long_text + i, units[u]);
		log_quote(&q, long_text);
		ck_assert_uint_lt(strlen(q.text), LOG_QUOTE_SIZE);
		ck_assert_uint_ge(strlen(q.text), LOG_QUOTE_SIZE - 4);
		ck_assert_int_eq(q.text[strlen(q.text) - 1], '"');
		ck_assert(utf8_valid(q.text, strlen(q.text)));
		if (units[u][0] == '"' || units[u][0] == '\\') /* whole escapes only */
			ck_assert_uint_eq(strlen(q.text) % 2, 0);
	}
}
END_TEST

START_TEST(a_limit_lets_one_pass_and_counts_the_others)
{
	struct log_limit l = {0, 0};
	unsigned swallowed = 99;

	ck_assert(log_limit_pass(&l, 60000, &swallowed));
	ck_assert_uint_eq(swallowed, 0);
	for (int i = 0; i < 3; i++)
		ck_assert(!log_limit_pass(&l, 60000, &swallowed));
	l.last_us -= 60000 * US_PER_MS; /* a minute later */
	ck_assert(log_limit_pass(&l, 60000, &swallowed));
	ck_assert_uint_eq(swallowed, 3);
	ck_assert(!log_limit_pass(&l, 60000, &swallowed));
}
END_TEST

Suite *log_suite(void)
{
	Suite *s = suite_create("log");
	TCase *t = tcase_create("log");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, a_line_is_time_level_service_name_and_fields);
	tcase_add_test(t, a_line_without_fields_ends_with_its_name);
	tcase_add_test(t, lines_below_the_least_level_are_not_written);
	tcase_add_test(t, nothing_from_outside_can_forge_a_line);
	tcase_add_test(t, invalid_utf8_is_escaped_and_valid_is_kept);
	tcase_add_test(t, a_long_line_is_cut_at_2048_bytes_and_a_whole_character);
	tcase_add_test(t, errno_survives_a_line);
	tcase_add_test(t, levels_are_read_from_their_words);
	tcase_add_test(t, quoting_makes_one_value_of_any_text);
	tcase_add_test(t, a_quote_is_cut_to_fit_and_still_closed);
	tcase_add_test(t, a_limit_lets_one_pass_and_counts_the_others);
	suite_add_tcase(s, t);
	return s;
}
