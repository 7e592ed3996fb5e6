#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "io/transfer.h"
#include "transfer_server.h"

Suite *mail_suite(void);

enum { RESULTS_MAX = 64 };

static struct loop *loop;
static struct transfer_engine *engine;
static struct transfer_server *server;
static struct err e;

static struct transfer_result results[RESULTS_MAX]; /* in the order of their coming */
static intptr_t numbers[RESULTS_MAX];
static int came, awaited;

static void set_up(void)
{
	signal(SIGPIPE, SIG_IGN);
	loop = loop_new();
	engine = transfer_engine_new(loop, &(struct transfer_engine_settings){2, ""});
	server = NULL;
	came = 0;
}

static void tear_down(void)
{
	transfer_engine_free(engine);
	loop_free(loop);
	transfer_server_free(server);
}

static void on_result(void *arg, const struct transfer_result *result)
{
	results[came] = *result;
	numbers[came] = (intptr_t)arg;
	if (++came == awaited)
		loop_stop(loop);
}

static void stop_loop(void *arg)
{
	loop_stop(loop);
}

static void run_for(int ms)
{
	struct loop_timer *t = loop_timer_new(loop, stop_loop, NULL);

	loop_timer_start(t, ms, 0);
	loop_run(loop);
	loop_timer_free(t);
}

static void await(int count)
{
	awaited = came + count;
	loop_run(loop);
}

static void expect_answer(int i, int status)
{
	ck_assert_int_eq(results[i].outcome, TRANSFER_ANSWERED);
	ck_assert_int_eq(results[i].status, status);
}

static struct transfer_request mail(const char *text)
{
	static char url[64];

	snprintf(url, sizeof(url), "smtp://127.0.0.1:%d", transfer_server_port(server));
	return (struct transfer_request){.url = url,
					 .hello = "client.example",
					 .mail_from = "bank@example.com",
					 .mail_to = "bob@example.org",
					 .body = text,
					 .body_len = strlen(text),
					 .connect_timeout_ms = 2000,
					 .timeout_ms = 5000};
}

static struct transfer *start_numbered(struct transfer_request request, intptr_t number)
{
	struct transfer *x =
		transfer_start(engine, &request, on_result, (void *)number, &e);

	ck_assert_msg(x != NULL, "%s", e.text);
	return x;
}

static void start(struct transfer_request request)
{
	start_numbered(request, 0);
}

static void begin(const struct play *const *scripts)
{
	server = transfer_server_start(scripts);
}

static const char *got(int connection)
{
	transfer_server_stop(server);
	return transfer_server_got(server, connection);
}

#define SAY(text)                                                                        \
	{                                                                                \
		PLAY_SEND, text, 0                                                       \
	}
#define HEAR(text)                                                                       \
	{                                                                                \
		PLAY_READ, text, 0                                                       \
	}
#define END                                                                              \
	{                                                                                \
		PLAY_END, NULL, 0                                                        \
	}
#define HANG                                                                             \
	{                                                                                \
		PLAY_HANG, NULL, 0                                                       \
	}
#define GREET       SAY("220 mx.example ESMTP\r\n"), HEAR("EHLO client.example\r\n")
#define PIPELINES   GREET, SAY("250-mx.example\r\n250-PIPELINING\r\n250 SIZE 1000000\r\n")
#define ONE_BY_ONE  GREET, SAY("250 mx.example\r\n")
#define UP_TO_DATA  HEAR("DATA\r\n"), SAY("250 ok\r\n250 ok\r\n354 go on\r\n")
#define TAKE(reply) UP_TO_DATA, HEAR("\r\n.\r\n"), SAY(reply)
#define DELIVER     TAKE("250 2.0.0 queued\r\n")

START_TEST(a_mail_goes_out)
{
	static const struct play script[] = {PIPELINES, DELIVER, HANG};

	begin((const struct play *const[]){script, NULL});
	start(mail("Subject: x\r\n\r\nHello\r\n.\r\n..two\r\nlast"));
	ck_assert_int_eq(came, 0);
	await(1);
	expect_answer(0, 250);
	ck_assert_int_eq(results[0].retry_after_s, -1);
	ck_assert_str_eq(results[0].body, "");
	ck_assert(!results[0].reused);
	ck_assert_str_eq(got(0),
			 "EHLO client.example\r\n"
			 "MAIL FROM:<bank@example.com> SIZE=37\r\n"
			 "RCPT TO:<bob@example.org>\r\n"
			 "DATA\r\n"
			 "Subject: x\r\n\r\nHello\r\n..\r\n...two\r\nlast\r\n.\r\n");
}
END_TEST

START_TEST(without_pipelining_each_command_waits)
{
	static const struct play script[] = {ONE_BY_ONE,
					     HEAR("MAIL FROM:<bank@example.com>\r\n"),
					     {PLAY_PAUSE, NULL, 30},
					     SAY("250 ok\r\n"),
					     HEAR("RCPT TO:<bob@example.org>\r\n"),
					     SAY("250-yes\r\n250 "),
					     {PLAY_PAUSE, NULL, 30},
					     SAY("he is here\r\n"),
					     HEAR("DATA\r\n"),
					     SAY("354\r\n"),
					     HEAR("\r\n.\r\n"),
					     SAY("250\r\n"),
					     HANG};

	begin((const struct play *const[]){script, NULL});
	start(mail("x"));
	await(1);
	expect_answer(0, 250);
	ck_assert_str_eq(got(0), "EHLO client.example\r\n"
				 "MAIL FROM:<bank@example.com>\r\n"
				 "RCPT TO:<bob@example.org>\r\nDATA\r\nx\r\n.\r\n");
}
END_TEST

START_TEST(a_session_is_used_again)
{
	static const struct play script[] = {PIPELINES, DELIVER, DELIVER, DELIVER, HANG};

	begin((const struct play *const[]){script, NULL});
	for (int i = 0; i < 3; i++) {
		start(mail("x"));
		await(1);
		expect_answer(i, 250);
		ck_assert_int_eq(results[i].reused, i > 0);
		run_for(5);
	}
	ck_assert_int_eq(transfer_server_connections(server), 1);
	ck_assert_ptr_null(strstr(got(0), "RSET"));
}
END_TEST

/* 451 and 550 for one message; the session stays good for the next. */
START_TEST(a_refused_message_leaves_the_session_usable)
{
	static const struct play script[] = {
		PIPELINES,
		HEAR("DATA\r\n"), /* the recipient is greylisted */
		SAY("250 ok\r\n451 4.7.1 later\r\n554 no valid recipients\r\n"),
		HEAR("RSET\r\nMAIL FROM:<bank@example.com>"),
		HEAR("DATA\r\n"), /* the sender is refused */
		SAY("250 reset\r\n550 5.7.1 no\r\n503 need MAIL\r\n503 need RCPT\r\n"),
		HEAR("RSET\r\nMAIL FROM:<bank@example.com>"),
		SAY("250 reset\r\n"),
		TAKE("552 5.2.2 too much\r\n"), /* the text is refused */
		DELIVER,
		HANG};

	begin((const struct play *const[]){script, NULL});
	for (int i = 0; i < 4; i++) {
		start(mail("x"));
		await(1);
	}
	expect_answer(0, 451);
	expect_answer(1, 550);
	expect_answer(2, 552);
	expect_answer(3, 250);
	ck_assert_int_eq(transfer_server_connections(server), 1);
	ck_assert_ptr_null(strstr(strstr(got(0), "\r\n.\r\n"), "RSET"));
}
END_TEST

START_TEST(a_refusal_without_pipelining_stops_there)
{
	static const struct play script[] = {ONE_BY_ONE,        HEAR("MAIL"),
					     SAY("250 ok\r\n"), HEAR("RCPT"),
					     SAY("550 no\r\n"), HEAR("RSET\r\n"),
					     SAY("250 ok\r\n"), HEAR("MAIL"),
					     SAY("451 no\r\n"), HANG};

	begin((const struct play *const[]){script, NULL});
	start(mail("x"));
	await(1);
	start(mail("x"));
	await(1);
	expect_answer(0, 550);
	expect_answer(1, 451);
	ck_assert_ptr_null(strstr(got(0), "DATA"));
}
END_TEST

START_TEST(a_text_that_is_asked_for_after_a_refusal_is_empty)
{
	static const struct play script[] = {PIPELINES,
					     HEAR("DATA\r\n"),
					     SAY("250 ok\r\n550 no\r\n354 go on\r\n"),
					     HEAR(".\r\n"),
					     SAY("554 no recipients\r\n"),
					     HANG};

	begin((const struct play *const[]){script, NULL});
	start(mail("secret"));
	await(1);
	expect_answer(0, 550);
	ck_assert_ptr_null(strstr(got(0), "secret"));
}
END_TEST

START_TEST(a_silence_after_the_final_dot_leaves_it_open)
{
	static const struct play silent[] = {PIPELINES, UP_TO_DATA, HEAR("\r\n.\r\n"),
					     HANG};
	static const struct play good[] = {PIPELINES, DELIVER, HANG};
	struct transfer_request request;
	int64_t before_us = clock_mono_us();

	begin((const struct play *const[]){silent, good, NULL});
	request = mail("x");
	request.timeout_ms = 1500;
	start_numbered(request, 1);
	run_for(300);
	start_numbered(request, 2); /* and meanwhile others go on */
	await(1);
	ck_assert_int_lt(clock_mono_us() - before_us, 1400000);
	ck_assert_int_eq(numbers[0], 2);
	expect_answer(0, 250);
	await(1);
	ck_assert_int_eq(results[1].outcome, TRANSFER_AMBIGUOUS);
	ck_assert_int_eq(results[1].status, 0);
	ck_assert_int_ge(results[1].took_us, 1500000);
}
END_TEST

START_TEST(an_end_after_the_final_dot_leaves_it_open)
{
	static const struct play closes[] = {PIPELINES, UP_TO_DATA, HEAR("\r\n.\r\n"),
					     END};
	static const struct play resets[] = {
		PIPELINES, DELIVER, UP_TO_DATA, HEAR("\r\n.\r\n"), {PLAY_RESET, NULL, 0}};

	begin((const struct play *const[]){closes, resets, NULL});
	for (int i = 0; i < 3; i++) {
		start(mail("x"));
		await(1);
	}
	ck_assert_int_eq(results[0].outcome, TRANSFER_AMBIGUOUS);
	expect_answer(1, 250);
	ck_assert_int_eq(results[2].outcome, TRANSFER_AMBIGUOUS);
	ck_assert_int_eq(transfer_server_connections(server), 2);
}
END_TEST

START_TEST(before_the_final_dot_nothing_was_done)
{
	static const struct play closes[] = {PIPELINES, HEAR("DATA\r\n"), END};
	static const struct play silent[] = {PIPELINES, HEAR("DATA\r\n"), HANG};
	static const struct play mute[] = {HANG, END};
	struct transfer_request request;

	begin((const struct play *const[]){closes, silent, mute, NULL});
	request = mail("x");
	request.timeout_ms = 200;
	start(request);
	await(1);
	ck_assert_int_eq(results[0].outcome, TRANSFER_LOST);
	start(request);
	await(1);
	ck_assert_int_eq(results[1].outcome, TRANSFER_TIMEOUT);
	request.connect_timeout_ms = 100;
	start(request);
	await(1);
	ck_assert_int_eq(results[2].outcome, TRANSFER_NO_CONNECT);
}
END_TEST

START_TEST(a_text_that_is_not_taken_was_not_done)
{
	static char text[3 << 20];
	static const struct play silent[] = {PIPELINES, UP_TO_DATA, HANG};
	struct transfer_request request;

	memset(text, 'x', sizeof(text) - 1);
	begin((const struct play *const[]){silent, NULL});
	request = mail(text);
	request.timeout_ms = 300;
	start(request);
	await(1);
	ck_assert_int_eq(results[0].outcome, TRANSFER_TIMEOUT);
}
END_TEST

START_TEST(a_large_text_arrives_whole)
{
	static char text[3 << 20];
	static const struct play script[] = {PIPELINES, DELIVER, HANG};

	memset(text, 'x', sizeof(text) - 1);
	begin((const struct play *const[]){script, NULL});
	start(mail(text));
	await(1);
	expect_answer(0, 250);
	ck_assert_ptr_nonnull(strstr(got(0), text));
}
END_TEST

START_TEST(a_session_that_ended_meanwhile_is_replaced)
{
	static const struct play closes[] = {PIPELINES, DELIVER, END};
	static const struct play leaves[] = {PIPELINES, DELIVER, HEAR("DATA\r\n"),
					     SAY("421 4.4.2 too long idle\r\n"), END};
	static const struct play dies[] = {PIPELINES, DELIVER, HEAR("MAIL"), END};
	static const struct play last[] = {PIPELINES, DELIVER, HANG};

	begin((const struct play *const[]){closes, leaves, dies, last, NULL});
	for (int i = 0; i < 4; i++) {
		start(mail("x"));
		await(1);
		expect_answer(i, 250);
		run_for(i == 0 ? 50 : 0);
	}
	ck_assert_int_eq(transfer_server_connections(server), 4);
}
END_TEST

START_TEST(a_server_that_turns_everyone_away_is_no_connect)
{
	static const struct play greets[] = {SAY("554 no service here\r\n"), END};
	static const struct play busy[] = {SAY("421 busy\r\n"), END};
	static const struct play clear[] = {ONE_BY_ONE, HANG};
	static const struct play login[] = {GREET,
					    SAY("250-mx\r\n250 AUTH PLAIN\r\n"),
					    HEAR("AUTH PLAIN"),
					    SAY("535 5.7.8 no\r\n"),
					    HEAR("\r\n"),
					    END};
	struct transfer_request request;

	begin((const struct play *const[]){greets, busy, clear, login, NULL});
	request = mail("x");
	for (int i = 0; i < 2; i++) {
		start(request);
		await(1);
		ck_assert_int_eq(results[i].outcome, TRANSFER_NO_CONNECT);
	}
	ck_assert_int_eq(results[0].status, 554);
	ck_assert_int_eq(results[1].status, 421);
	request.starttls_required = true;
	start(request);
	await(1);
	ck_assert_int_eq(results[2].outcome, TRANSFER_NO_CONNECT);
	ck_assert_int_eq(results[2].status, 0);
	request.starttls_required = false;
	request.username = "user";
	request.password = "wrong";
	start(request);
	await(1);
	ck_assert_int_eq(results[3].outcome, TRANSFER_NO_CONNECT);
	ck_assert_int_eq(results[3].status, 535);
}
END_TEST

START_TEST(a_login_comes_first)
{
	static const struct play script[] = {
		GREET,
		SAY("250-mx\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n"),
		HEAR("AUTH PLAIN AHVzZXIAcGFzcw==\r\n"),
		SAY("235 welcome\r\n"),
		DELIVER,
		HANG};
	static const struct play other[] = {PIPELINES, DELIVER, HANG};
	struct transfer_request request;

	begin((const struct play *const[]){script, other, NULL});
	request = mail("x");
	request.username = "user";
	request.password = "pass";
	start(request);
	await(1);
	expect_answer(0, 250);
	start(mail("x")); /* not with somebody else's login */
	await(1);
	expect_answer(1, 250);
	ck_assert_int_eq(transfer_server_connections(server), 2);
}
END_TEST

START_TEST(what_is_not_smtp_is_a_bad_answer)
{
	static const struct play words[] = {PIPELINES, HEAR("DATA\r\n"), SAY("hello\r\n"),
					    HANG};
	static const struct play early[] = {PIPELINES, HEAR("DATA\r\n"),
					    SAY("354 go\r\n"), HANG};
	static const struct play more[] = {PIPELINES, TAKE("250 ok\r\n250 more\r\n"),
					   HANG};
	static const struct play last[] = {PIPELINES, DELIVER, HANG};

	begin((const struct play *const[]){words, early, more, last, NULL});
	for (int i = 0; i < 4; i++) {
		start(mail("x"));
		await(1);
		run_for(10);
	}
	ck_assert_int_eq(results[0].outcome, TRANSFER_BAD_ANSWER);
	ck_assert_int_eq(results[1].outcome, TRANSFER_BAD_ANSWER);
	expect_answer(2, 250);
	expect_answer(3, 250);
	ck_assert_int_eq(transfer_server_connections(server), 4);
}
END_TEST

START_TEST(more_mails_than_sessions_wait_in_order)
{
	static const struct play script[] = {PIPELINES, DELIVER, DELIVER, DELIVER,
					     DELIVER,   DELIVER, DELIVER, DELIVER,
					     DELIVER,   HANG};

	begin((const struct play *const[]){script, NULL});
	transfer_engine_free(engine);
	engine = transfer_engine_new(loop, &(struct transfer_engine_settings){1, ""});
	for (int i = 0; i < 6; i++)
		start_numbered(mail("x"), i);
	await(2);
	start_numbered(mail("x"), 6); /* behind those that wait */
	start_numbered(mail("x"), 7);
	ck_assert_uint_eq(transfer_running(engine), 6);
	await(6);
	for (int i = 0; i < 8; i++) {
		expect_answer(i, 250);
		ck_assert_int_eq(numbers[i], i);
	}
	ck_assert_int_eq(transfer_server_connections(server), 1);
}
END_TEST

START_TEST(a_waiting_mail_is_timed_and_cancelled_too)
{
	static const struct play hangs[] = {PIPELINES, HANG};
	struct transfer_request request;
	struct transfer *waiting;

	begin((const struct play *const[]){hangs, hangs, NULL});
	request = mail("x");
	request.timeout_ms = 400;
	start_numbered(request, 1);
	start_numbered(request, 2);
	waiting = start_numbered(request, 3);
	request.timeout_ms = 100;
	start_numbered(request, 4);
	await(1);
	ck_assert_int_eq(numbers[0], 4);
	ck_assert_int_eq(results[0].outcome, TRANSFER_TIMEOUT);
	transfer_cancel(waiting);
	await(2);
	ck_assert_uint_eq(transfer_running(engine), 0);
	run_for(50);
	ck_assert_int_eq(came, 3);
	start(mail("x")); /* the engine is freed under it */
	run_for(10);
}
END_TEST

START_TEST(a_wrong_mail_is_refused_at_once)
{
	const char *addresses[] = {"",   "a b@example.com", "a@b\r\nDATA", "<a@b>",
				   NULL, "\xc3\xa4@b"};
	const char *hellos[] = {"a b", "a/b", "a\r\nb", "a@b"};

	begin((const struct play *const[]){NULL});
	for (int i = 0; i < 6; i++) {
		struct transfer_request request = mail("x");

		request.mail_to = addresses[i];
		ck_assert_ptr_null(transfer_start(engine, &request, on_result, NULL, &e));
		ck_assert_int_eq(e.code, ERR_INVALID);
	}
	for (int i = 0; i < 4; i++) {
		struct transfer_request request = mail("x");

		request.hello = hellos[i];
		ck_assert_ptr_null(transfer_start(engine, &request, on_result, NULL, &e));
	}
	ck_assert_uint_eq(transfer_running(engine), 0);
}
END_TEST

Suite *mail_suite(void)
{
	Suite *s = suite_create("mail");
	TCase *good = tcase_create("good"), *faults = tcase_create("faults");

	tcase_add_checked_fixture(good, set_up, tear_down);
	tcase_set_timeout(good, 20);
	tcase_add_test(good, a_mail_goes_out);
	tcase_add_test(good, without_pipelining_each_command_waits);
	tcase_add_test(good, a_session_is_used_again);
	tcase_add_test(good, a_large_text_arrives_whole);
	tcase_add_test(good, a_login_comes_first);
	tcase_add_test(good, more_mails_than_sessions_wait_in_order);
	tcase_add_test(good, a_wrong_mail_is_refused_at_once);
	suite_add_tcase(s, good);
	tcase_add_checked_fixture(faults, set_up, tear_down);
	tcase_set_timeout(faults, 20);
	tcase_add_test(faults, a_refused_message_leaves_the_session_usable);
	tcase_add_test(faults, a_refusal_without_pipelining_stops_there);
	tcase_add_test(faults, a_text_that_is_asked_for_after_a_refusal_is_empty);
	tcase_add_test(faults, a_silence_after_the_final_dot_leaves_it_open);
	tcase_add_test(faults, an_end_after_the_final_dot_leaves_it_open);
	tcase_add_test(faults, before_the_final_dot_nothing_was_done);
	tcase_add_test(faults, a_text_that_is_not_taken_was_not_done);
	tcase_add_test(faults, a_session_that_ended_meanwhile_is_replaced);
	tcase_add_test(faults, a_server_that_turns_everyone_away_is_no_connect);
	tcase_add_test(faults, what_is_not_smtp_is_a_bad_answer);
	tcase_add_test(faults, a_waiting_mail_is_timed_and_cancelled_too);
	suite_add_tcase(s, faults);
	return s;
}
