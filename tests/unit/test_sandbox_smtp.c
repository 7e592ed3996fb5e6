#include <check.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/smtp_session.h"

Suite *sandbox_smtp_suite(void);

#define MAIL_MAX 500

static struct smtp_settings settings;
static struct smtp_budget budget;
static struct smtp_session s;
static int refusals;
static char message[4096]; /* the last one that was complete */
static char envelope[1024];

static void on_refusal(void *arg, int status, const char *text)
{
	(void)arg;
	(void)status;
	(void)text;
	refusals++;
}

static void setup(void)
{
	settings = (struct smtp_settings){.hostname = "sandbox",
					  .user = "",
					  .password = "",
					  .max_message_bytes = MAIL_MAX,
					  .max_recipients = 2,
					  .on_refusal = on_refusal};
	budget = (struct smtp_budget){0, 10000};
	refusals = 0;
	message[0] = envelope[0] = '\0';
	smtp_session_init(&s, &settings, &budget);
	buf_clear(&s.out);
}

static void teardown(void)
{
	smtp_session_release(&s);
	ck_assert_uint_eq(budget.used, 0);
}

/* Feeds all of it, takes messages with 250; the replies. */
static const char *say(const char *bytes)
{
	size_t len = strlen(bytes), used;
	enum smtp_event event = SMTP_MORE;

	buf_clear(&s.out);
	while (len > 0 && event != SMTP_CLOSE) {
		event = smtp_session_input(&s, bytes, len, &used);
		bytes += used;
		len -= used;
		if (event != SMTP_MESSAGE)
			continue;
		snprintf(message, sizeof(message), "%s", buf_text(&s.data));
		snprintf(envelope, sizeof(envelope), "%s>%s", s.sender,
			 buf_text(&s.recipients));
		smtp_session_finish(&s, 250, "2.0.0 Ok");
	}
	return buf_text(&s.out);
}

#define EXPECT(bytes, replies) ck_assert_str_eq(say(bytes), replies)

static void begin_message(void)
{
	EXPECT("HELO x\r\n", "250 sandbox\r\n");
	EXPECT("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n",
	       "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n"
	       "354 End data with <CR><LF>.<CR><LF>\r\n");
}

START_TEST(ehlo_names_the_extensions)
{
	EXPECT("EHLO client.example\r\n",
	       "250-sandbox\r\n250-PIPELINING\r\n250-SIZE 500\r\n250-AUTH PLAIN LOGIN\r\n"
	       "250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n");
	EXPECT("EHLO\r\n", "501 5.5.4 Syntax: EHLO hostname\r\n");
}
END_TEST

START_TEST(a_mail_arrives_without_its_doubled_dots)
{
	begin_message();
	EXPECT("Subject: x\r\n\r\n..one\r\n...two\r\nthree.\r\n.\r\n",
	       "250 2.0.0 Ok\r\n");
	ck_assert_str_eq(message, "Subject: x\r\n\r\n.one\r\n..two\r\nthree.\r\n");
	ck_assert_str_eq(envelope, "a@b.example>c@d.example");
	ck_assert_int_eq(refusals, 0);
}
END_TEST

START_TEST(a_whole_dialogue_can_be_pipelined_or_come_a_byte_at_a_time)
{
	static const char all[] =
		"EHLO x\r\nMAIL FROM:<a@b.example> SIZE=10 BODY=8BITMIME\r\n"
		"RCPT TO:<c@d.example>\r\nDATA\r\nhi\r\n.\r\nMAIL FROM:<>\r\n"
		"RCPT TO:<postmaster>\r\nDATA\r\n\xc3\xa4\r\n.\r\nNOOP\r\nQUIT\r\n";
	char whole[2048], one[2] = "";

	snprintf(whole, sizeof(whole), "%s", say(all));
	ck_assert_ptr_nonnull(strstr(whole, "554 5.6.1")); /* the second has no BODY */
	ck_assert_ptr_nonnull(strstr(whole, "221 2.0.0 Bye\r\n"));
	ck_assert_str_eq(message, "hi\r\n");
	teardown();
	setup();
	buf_clear(&s.out);
	for (const char *at = all; *at != '\0'; at++) {
		size_t used;

		one[0] = *at;
		if (smtp_session_input(&s, one, 1, &used) == SMTP_MESSAGE)
			smtp_session_finish(&s, 250, "2.0.0 Ok");
	}
	ck_assert_str_eq(buf_text(&s.out), whole);
}
END_TEST

START_TEST(commands_out_of_order_are_refused)
{
	EXPECT("MAIL FROM:<a@b.example>\r\n", "503 5.5.1 Say EHLO first\r\n");
	say("EHLO x\r\n");
	EXPECT("RCPT TO:<a@b.example>\r\n", "503 5.5.1 Need MAIL command\r\n");
	EXPECT("DATA\r\n", "503 5.5.1 Need MAIL command\r\n");
	EXPECT("MAIL FROM:<a@b.example>\r\n", "250 2.1.0 Ok\r\n");
	EXPECT("MAIL FROM:<a@b.example>\r\n", "503 5.5.1 Nested MAIL command\r\n");
	EXPECT("DATA\r\n", "503 5.5.1 Need RCPT command\r\n");
	EXPECT("RSET\r\n", "250 2.0.0 Ok\r\n");
	EXPECT("RCPT TO:<a@b.example>\r\n", "503 5.5.1 Need MAIL command\r\n");
	ck_assert_int_eq(refusals, 6);
}
END_TEST

START_TEST(bad_syntax_is_named)
{
	say("EHLO x\r\n");
	EXPECT("FOO\r\n", "500 5.5.2 Command unrecognized\r\n");
	EXPECT("EXPN x\r\n", "502 5.5.1 Command not implemented\r\n");
	EXPECT("MAIL FROM: <a@b.example>\r\n", "501 5.1.7 Bad sender address syntax\r\n");
	EXPECT("MAIL FROM:a@b.example\r\n", "501 5.1.7 Bad sender address syntax\r\n");
	EXPECT("MAIL FROM:<a@b..example>\r\n", "501 5.1.7 Bad sender address syntax\r\n");
	EXPECT("MAIL FROM:<a@b.example> X=1\r\n", "555 5.5.4 Unsupported option\r\n");
	EXPECT("MAIL FROM:<a@b.example> SIZE=a\r\n",
	       "501 5.5.4 SIZE must be a number\r\n");
	EXPECT("mail from:<a@b.example>\r\n", "250 2.1.0 Ok\r\n");
	EXPECT("RCPT TO:<>\r\n", "501 5.1.3 Bad recipient address syntax\r\n");
	EXPECT("RCPT TO:<x>\r\n", "501 5.1.3 Bad recipient address syntax\r\n");
	EXPECT("VRFY\r\n", "501 5.5.4 Syntax: VRFY address\r\n");
	EXPECT("VRFY x\r\n", "252 2.5.0 Send some mail and see\r\n");
	EXPECT("\xc3\xa4\r\n", "500 5.5.2 Commands are printable ASCII\r\n");
}
END_TEST

START_TEST(a_line_that_ends_in_lf_alone_ends_the_session)
{
	say("EHLO x\r\n");
	EXPECT("NOOP\nNOOP\r\n",
	       "521 5.5.2 A line ended in <LF> or held a <CR> alone\r\n");
}
END_TEST

START_TEST(a_dot_between_lone_line_ends_smuggles_nothing)
{
	begin_message();
	EXPECT("hi\r\n\n.\r\nMAIL FROM:<x@y.example>\r\n",
	       "521 5.5.2 A line ended in <LF> or held a <CR> alone\r\n");
	ck_assert_str_eq(message, "");
}
END_TEST

START_TEST(a_cr_alone_in_a_message_ends_the_session)
{
	begin_message();
	EXPECT("hi\r.\r\n", "521 5.5.2 A line ended in <LF> or held a <CR> alone\r\n");
}
END_TEST

START_TEST(command_lines_have_512_bytes)
{
	char line[600] = "NOOP ";

	memset(line + 5, 'x', 505);
	strcpy(line + 510, "\r\n");
	EXPECT(line, "250 2.0.0 Ok\r\n");
	strcpy(line + 510, "x\r\n");
	EXPECT(line, "500 5.5.2 Line too long\r\n");
	EXPECT("NOOP\r\n", "250 2.0.0 Ok\r\n");
}
END_TEST

START_TEST(message_lines_have_1000_bytes_and_the_rest_is_swallowed)
{
	char line[1100];

	settings.max_message_bytes = 4000;
	teardown();
	smtp_session_init(&s, &settings, &budget);
	begin_message();
	memset(line, '.', 999); /* a doubled dot does not count */
	strcpy(line + 999, "\r\n");
	say(line);
	EXPECT(".\r\n", "250 2.0.0 Ok\r\n");
	ck_assert_uint_eq(strlen(message), 1000);
	begin_message();
	memset(line, 'x', 999);
	say(line);
	EXPECT("MAIL FROM:<a@b.example>\r\n.\r\n",
	       "554 5.6.0 A line of the message has more than 1000 bytes\r\n");
	EXPECT("NOOP\r\n", "250 2.0.0 Ok\r\n");
}
END_TEST

START_TEST(a_message_that_is_too_large_is_refused_at_its_end)
{
	say("EHLO x\r\n");
	EXPECT("MAIL FROM:<a@b.example> SIZE=501\r\n",
	       "552 5.3.4 Message size exceeds fixed limit\r\n");
	begin_message();
	for (int i = 0; i < 20; i++)
		ck_assert_str_eq(say("0123456789012345678901234567890\r\n"), "");
	EXPECT(".\r\n", "552 5.3.4 Message size exceeds fixed limit\r\n");
	ck_assert_uint_eq(budget.used, 0);
	begin_message();
	EXPECT("hi\r\n.\r\n", "250 2.0.0 Ok\r\n");
}
END_TEST

START_TEST(all_sessions_share_one_budget)
{
	budget.max = 20;
	begin_message();
	say("0123456789\r\n");
	ck_assert_uint_eq(budget.used, 12);
	say("0123456789\r\n");
	ck_assert_uint_eq(budget.used, 0);
	EXPECT(".\r\n", "452 4.3.1 Insufficient system storage\r\n");
}
END_TEST

START_TEST(eight_bits_need_8bitmime)
{
	begin_message();
	EXPECT("\xc3\xa4\r\n.\r\n", "554 5.6.1 8-bit data without BODY=8BITMIME\r\n");
	say("EHLO x\r\nMAIL FROM:<a@b.example> BODY=8BITMIME\r\n"
	    "RCPT TO:<c@d.example>\r\nDATA\r\n");
	EXPECT("\xc3\xa4\r\n.\r\n", "250 2.0.0 Ok\r\n");
	ck_assert_str_eq(message, "\xc3\xa4\r\n");
}
END_TEST

START_TEST(recipients_are_counted)
{
	say("EHLO x\r\nMAIL FROM:<a@b.example>\r\n");
	say("RCPT TO:<c@d.example>\r\nRCPT TO:<e@f.example>\r\n");
	EXPECT("RCPT TO:<g@h.example>\r\n", "452 4.5.3 Too many recipients\r\n");
	say("DATA\r\nhi\r\n.\r\n");
	ck_assert_str_eq(envelope, "a@b.example>c@d.example,e@f.example");
}
END_TEST

START_TEST(a_mailbox_that_is_not_there_is_refused_and_the_others_are_not)
{
	say("EHLO x\r\nMAIL FROM:<a@b.example>\r\n");
	EXPECT("RCPT TO:<Unknown@d.example>\r\n", "550 5.1.1 No such mailbox here\r\n");
	EXPECT("DATA\r\n", "503 5.5.1 Need RCPT command\r\n");
	EXPECT("RCPT TO:<unknown.to.us@d.example>\r\n", "250 2.1.5 Ok\r\n");
	say("DATA\r\nhi\r\n.\r\n");
	ck_assert_str_eq(envelope, "a@b.example>unknown.to.us@d.example");
}
END_TEST

START_TEST(who_must_log_in_cannot_send_before)
{
	settings.user = "bob";
	settings.password = "secret";
	say("EHLO x\r\n");
	EXPECT("MAIL FROM:<a@b.example>\r\n", "530 5.7.0 Authentication required\r\n");
	EXPECT("AUTH PLAIN AGJvYgB3cm9uZw==\r\n",
	       "535 5.7.8 Authentication credentials invalid\r\n");
	EXPECT("AUTH PLAIN !\r\n", "501 5.5.2 Cannot decode response\r\n");
	EXPECT("AUTH CRAM-MD5\r\n", "504 5.5.4 Unrecognized authentication type\r\n");
	EXPECT("AUTH PLAIN\r\n", "334 \r\n");
	EXPECT("*\r\n", "501 5.7.0 Authentication aborted\r\n");
	EXPECT("AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n",
	       "235 2.7.0 Authentication successful\r\n");
	EXPECT("AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n",
	       "503 5.5.1 AUTH is not possible here\r\n");
	EXPECT("MAIL FROM:<a@b.example>\r\n", "250 2.1.0 Ok\r\n");
}
END_TEST

START_TEST(login_asks_twice)
{
	settings.user = "bob";
	settings.password = "secret";
	say("EHLO x\r\n");
	EXPECT("AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n");
	EXPECT("Ym9i\r\n", "334 UGFzc3dvcmQ6\r\n");
	EXPECT("c2VjcmV0\r\n", "235 2.7.0 Authentication successful\r\n");
}
END_TEST

START_TEST(too_many_errors_end_the_session)
{
	for (int i = 0; i < SMTP_ERRORS_MAX; i++)
		EXPECT("FOO\r\n", "500 5.5.2 Command unrecognized\r\n");
	EXPECT("FOO\r\nNOOP\r\n", "500 5.5.2 Command unrecognized\r\n"
				  "421 4.3.0 sandbox Too many errors\r\n");
	ck_assert_int_eq(s.state, SMTP_CLOSED);
}
END_TEST

START_TEST(a_421_verdict_closes)
{
	size_t used;

	begin_message();
	ck_assert_int_eq(smtp_session_input(&s, "hi\r\n.\r\nQUIT\r\n", 13, &used),
			 SMTP_MESSAGE);
	ck_assert_uint_eq(used, 7);
	ck_assert(smtp_session_finish(&s, 421, "4.3.2 Closing"));
}
END_TEST

Suite *sandbox_smtp_suite(void)
{
	Suite *suite = suite_create("sandbox_smtp");
	TCase *tc = tcase_create("session");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, ehlo_names_the_extensions);
	tcase_add_test(tc, a_mail_arrives_without_its_doubled_dots);
	tcase_add_test(tc, a_whole_dialogue_can_be_pipelined_or_come_a_byte_at_a_time);
	tcase_add_test(tc, commands_out_of_order_are_refused);
	tcase_add_test(tc, bad_syntax_is_named);
	tcase_add_test(tc, a_line_that_ends_in_lf_alone_ends_the_session);
	tcase_add_test(tc, a_dot_between_lone_line_ends_smuggles_nothing);
	tcase_add_test(tc, a_cr_alone_in_a_message_ends_the_session);
	tcase_add_test(tc, command_lines_have_512_bytes);
	tcase_add_test(tc, message_lines_have_1000_bytes_and_the_rest_is_swallowed);
	tcase_add_test(tc, a_message_that_is_too_large_is_refused_at_its_end);
	tcase_add_test(tc, all_sessions_share_one_budget);
	tcase_add_test(tc, eight_bits_need_8bitmime);
	tcase_add_test(tc, recipients_are_counted);
	tcase_add_test(tc, a_mailbox_that_is_not_there_is_refused_and_the_others_are_not);
	tcase_add_test(tc, who_must_log_in_cannot_send_before);
	tcase_add_test(tc, login_asks_twice);
	tcase_add_test(tc, too_many_errors_end_the_session);
	tcase_add_test(tc, a_421_verdict_closes);
	suite_add_tcase(suite, tc);
	return suite;
}
