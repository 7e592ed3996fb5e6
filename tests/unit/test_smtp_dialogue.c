#include <check.h>
#include <stdio.h>
#include <string.h>

#include "exact.h"
#include "io/smtp_dialogue.h"

Suite *smtp_dialogue_suite(void);

static struct smtp_dialogue d;

static void init(const char *body, size_t len)
{
	char *copy = exact_copy(body, len);

	ck_assert(smtp_dialogue_init(&d, "a@b", "c@d", copy, len, 100000));
	free(copy);
}

static void tell(const char *text)
{
	char *copy = exact_copy(text, strlen(text));

	smtp_dialogue_read(&d, copy, strlen(text));
	free(copy);
}

/* What it wants to write, taken. */
static const char *take(void)
{
	static char out[4096];
	size_t len;
	const char *bytes = smtp_dialogue_pending(&d, &len);

	ck_assert_uint_lt(len, sizeof(out));
	memcpy(out, bytes, len);
	out[len] = '\0';
	smtp_dialogue_wrote(&d, len);
	return out;
}

START_TEST(lines_end_in_crlf_and_dots_are_doubled)
{
	static const struct {
		const char *body, *wire;
		size_t size;
	} cases[] = {
		{"", ".\r\n", 0},
		{"a", "a\r\n.\r\n", 3},
		{"a\r\n", "a\r\n.\r\n", 3},
		{".", "..\r\n.\r\n", 3},
		{"..", "...\r\n.\r\n", 4},
		{"a.\r\n.b\r\n", "a.\r\n..b\r\n.\r\n", 8},
		{"a\nb", "a\r\nb\r\n.\r\n", 6},
		{"a\rb", "a\r\nb\r\n.\r\n", 6},
		{"a\r\rb", "a\r\n\r\nb\r\n.\r\n", 8},
		{"a\n.\nb", "a\r\n..\r\nb\r\n.\r\n", 9},
		{"a\r.\r\nb", "a\r\n..\r\nb\r\n.\r\n", 9},
		{"a\r\n.\rMAIL FROM:<x>\n", "a\r\n..\r\nMAIL FROM:<x>\r\n.\r\n", 21},
		{"\n\n", "\r\n\r\n.\r\n", 4},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		init(cases[i].body, strlen(cases[i].body));
		ck_assert_str_eq(d.text.data, cases[i].wire);
		ck_assert_uint_eq(d.size, cases[i].size);
		smtp_dialogue_release(&d);
	}
}
END_TEST

START_TEST(a_text_that_does_not_fit_is_refused)
{
	ck_assert(smtp_dialogue_init(&d, "a@b", "c@d", "12345", 5, 10));
	smtp_dialogue_release(&d);
	ck_assert(!smtp_dialogue_init(&d, "a@b", "c@d", "123456", 6, 10));
}
END_TEST

START_TEST(a_message_goes_byte_by_byte)
{
	const char *replies = "250 ok\r\n250-a\r\n250-b\r\n250 c\r\n354 go\r\n";

	init("hi", 2);
	smtp_dialogue_begin(&d, SMTP_PIPELINING, false);
	ck_assert_str_eq(take(), "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
	for (const char *p = replies; *p != '\0'; p++) {
		ck_assert(!d.in_text);
		smtp_dialogue_read(&d, p, 1);
	}
	ck_assert(d.in_text);
	ck_assert(!smtp_dialogue_whole(&d));
	ck_assert_str_eq(take(), "hi\r\n.\r\n");
	ck_assert(smtp_dialogue_whole(&d));
	ck_assert(!d.done);
	tell("250 queued\r\n");
	ck_assert(d.done && !d.bad && !d.closing && !d.must_reset);
	ck_assert_int_eq(d.status, 250);
	smtp_dialogue_release(&d);
}
END_TEST

START_TEST(commands_go_one_by_one_where_they_must)
{
	init("hi", 2);
	smtp_dialogue_begin(&d, SMTP_SIZE, true);
	ck_assert_str_eq(take(), "RSET\r\n");
	ck_assert_str_eq(take(), "");
	tell("250 ok\r\n");
	ck_assert_str_eq(take(), "MAIL FROM:<a@b> SIZE=4\r\n");
	tell("250 ok\r\n");
	ck_assert_str_eq(take(), "RCPT TO:<c@d>\r\n");
	tell("251 ok\r\n");
	ck_assert_str_eq(take(), "DATA\r\n");
	tell("354 ok\r\n");
	ck_assert_str_eq(take(), "hi\r\n.\r\n");
	smtp_dialogue_release(&d);
}
END_TEST

START_TEST(the_first_refusal_decides)
{
	static const struct {
		const char *replies;
		int status;
		bool done, closing, must_reset;
	} cases[] = {
		{"550 a\r\n", 550, false, false, false},
		{"550 a\r\n503 b\r\n503 c\r\n", 550, true, false, true},
		{"250 a\r\n451 b\r\n554 c\r\n", 451, true, false, true},
		{"250 a\r\n250 b\r\n452 c\r\n", 452, true, false, true},
		{"250 a\r\n421 b\r\n", 421, true, true, false},
		{"550 a\r\n421 b\r\n", 550, true, true, false},
		{"250 a\r\n250 b\r\n354 c\r\n552 d\r\n", 552, true, true, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		init("hi", 2);
		smtp_dialogue_begin(&d, SMTP_PIPELINING, false);
		take();
		tell(cases[i].replies);
		ck_assert_int_eq(d.status, cases[i].status);
		ck_assert_int_eq(d.done, cases[i].done);
		ck_assert_int_eq(d.closing, cases[i].closing);
		ck_assert_int_eq(d.must_reset, cases[i].must_reset);
		ck_assert(!d.bad);
		smtp_dialogue_release(&d);
	}
}
END_TEST

START_TEST(what_is_no_reply_is_bad)
{
	const char *bad[] = {"\r\n",      "25\r\n",    "hello\r\n",    "150 a\r\n",
			     "650 a\r\n", "2x0 a\r\n", "2500 a\r\n",   "250_a\r\n",
			     "354 a\r\n", "\n",        "250 a\r\n354", NULL};
	static char endless[SMTP_LINE_MAX + 10];

	memset(endless, 'x', sizeof(endless) - 1);
	memcpy(endless, "250 ", 4);
	for (int i = 0; bad[i] != NULL; i++) {
		init("hi", 2);
		smtp_dialogue_begin(&d, SMTP_PIPELINING, false);
		tell(bad[i]);
		if (strchr(bad[i], '\n') == strrchr(bad[i], '\n') &&
		    bad[i][strlen(bad[i]) - 1] == '\n')
			ck_assert_msg(d.bad && d.done && d.closing, "%s", bad[i]);
		else
			ck_assert(!d.bad);
		smtp_dialogue_release(&d);
	}
	init("hi", 2);
	smtp_dialogue_begin(&d, 0, false);
	tell(endless);
	ck_assert(d.bad && d.done);
	smtp_dialogue_release(&d);
}
END_TEST

START_TEST(extensions_are_read_from_ehlo)
{
	static const struct {
		const char *line;
		int extension;
	} cases[] = {{"250-PIPELINING\r\n", SMTP_PIPELINING},
		     {"250 pipelining", SMTP_PIPELINING},
		     {"250-SIZE 1000\r\n", SMTP_SIZE},
		     {"250 SIZE\r\n", SMTP_SIZE},
		     {"250-SIZES\r\n", 0},
		     {"250-mx PIPELINING\r\n", 0},
		     {"220 PIPELINING\r\n", 0},
		     {"250", 0},
		     {"250-", 0},
		     {"", 0}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *line = exact_copy(cases[i].line, strlen(cases[i].line));

		ck_assert_int_eq(smtp_extension(line, strlen(cases[i].line)),
				 cases[i].extension);
		free(line);
	}
}
END_TEST

Suite *smtp_dialogue_suite(void)
{
	Suite *s = suite_create("smtp_dialogue");
	TCase *t = tcase_create("dialogue");

	tcase_add_test(t, lines_end_in_crlf_and_dots_are_doubled);
	tcase_add_test(t, a_text_that_does_not_fit_is_refused);
	tcase_add_test(t, a_message_goes_byte_by_byte);
	tcase_add_test(t, commands_go_one_by_one_where_they_must);
	tcase_add_test(t, the_first_refusal_decides);
	tcase_add_test(t, what_is_no_reply_is_bad);
	tcase_add_test(t, extensions_are_read_from_ehlo);
	suite_add_tcase(s, t);
	return s;
}
