#include <check.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "io/transfer.h"
#include "transfer_server.h"

Suite *transfer_suite(void);

enum { RESULTS_MAX = 256, BIG = 3 << 20 };

static struct loop *loop;
static struct transfer_engine *engine;
static struct transfer_server *server;
static struct err e;

static struct transfer_result results[RESULTS_MAX]; /* in the order of their coming */
static char bodies[RESULTS_MAX][64];
static int came, awaited;

static void set_up(void)
{
	signal(SIGPIPE, SIG_IGN);
	loop = loop_new();
	engine = transfer_engine_new(loop, &(struct transfer_engine_settings){4, ""});
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
	snprintf(bodies[came], sizeof(bodies[came]), "%s", result->body);
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

/* Until so many more results have come. */
static void await(int count)
{
	awaited = came + count;
	loop_run(loop);
}

static const char *url_of(const char *scheme, const char *path)
{
	static char url[256];

	snprintf(url, sizeof(url), "%s://127.0.0.1:%d%s", scheme,
		 transfer_server_port(server), path);
	return url;
}

static struct transfer_request post(const char *body)
{
	return (struct transfer_request){
		.url = url_of("http", "/messages?a=b"),
		.method = "POST",
		.headers = {"Content-Type: text/plain", "X-Key: 1"},
		.body = body,
		.body_len = strlen(body),
		.connect_timeout_ms = 2000,
		.timeout_ms = 5000};
}

static struct transfer *start(struct transfer_request request)
{
	struct transfer *x = transfer_start(engine, &request, on_result, NULL, &e);

	ck_assert_msg(x != NULL, "%s", e.text);
	return x;
}

static void begin(const struct play *const *scripts)
{
	server = transfer_server_start(scripts);
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BEFORE(text)                                                                     \
	{PLAY_READ, text, 0},                                                            \
	{                                                                                \
		PLAY_SEND, OK, 0                                                         \
	}

/* ---- HTTP ---- */

START_TEST(a_post_carries_its_headers_and_body)
{
	static const struct play script[] = {BEFORE("the body"), {PLAY_END, NULL, 0}};
	const char *got;

	begin((const struct play *const[]){script, NULL});
	start(post("the body"));
	ck_assert_int_eq(came, 0);
	await(1);
	ck_assert_int_eq(results[0].outcome, TRANSFER_ANSWERED);
	ck_assert_int_eq(results[0].status, 200);
	ck_assert_str_eq(bodies[0], "ok");
	ck_assert_uint_eq(results[0].body_len, 2);
	ck_assert_int_eq(results[0].retry_after_s, -1);
	ck_assert(!results[0].reused);
	ck_assert_uint_eq(transfer_running(engine), 0);
	transfer_server_stop(server);
	got = transfer_server_got(server, 0);
	ck_assert_ptr_nonnull(strstr(got, "POST /messages?a=b HTTP/1.1\r\n"));
	ck_assert_ptr_nonnull(strstr(got, "Content-Type: text/plain\r\n"));
	ck_assert_ptr_nonnull(strstr(got, "X-Key: 1\r\n"));
	ck_assert_ptr_nonnull(strstr(got, "Content-Length: 8\r\n"));
	ck_assert_ptr_nonnull(strstr(got, "\r\n\r\nthe body"));
	ck_assert_ptr_null(strstr(got, "Expect"));
}
END_TEST

START_TEST(a_kept_connection_is_used_again)
{
	static const struct play script[] = {
		BEFORE("one"), BEFORE("two"), BEFORE("three"), {PLAY_END, NULL, 0}};

	begin((const struct play *const[]){script, NULL});
	start(post("one"));
	await(1);
	start(post("two"));
	await(1);
	run_for(20); /* also after a pause */
	start(post("three"));
	await(1);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(results[i].status, 200);
		ck_assert_int_eq(results[i].reused, i > 0);
	}
	ck_assert_int_eq(transfer_server_connections(server), 1);
}
END_TEST

START_TEST(a_handle_forgets_the_request_before)
{
	static const struct play script[] = {BEFORE("long body"), BEFORE("\r\n\r\n"),
					     BEFORE("\r\n\r\n"),  BEFORE("\r\n\r\n"),
					     BEFORE("last"),      {PLAY_END, NULL, 0}};
	struct transfer_request request;
	const char *got, *second;

	begin((const struct play *const[]){script, NULL});
	request = post("long body");
	request.username = "user";
	request.password = "pass";
	start(request);
	await(1);
	request = (struct transfer_request){.url = url_of("http", "/get"),
					    .method = "GET",
					    .connect_timeout_ms = 1000,
					    .timeout_ms = 1000};
	start(request);
	await(1);
	request.method = "DELETE";
	start(request);
	await(1);
	request.method = "POST"; /* without a body */
	start(request);
	await(1);
	start(post("last"));
	await(1);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(results[i].status, 200);
	transfer_server_stop(server);
	got = transfer_server_got(server, 0);
	second = strstr(got, "GET /get HTTP/1.1\r\n");
	ck_assert_ptr_nonnull(strstr(got, "Authorization: Basic dXNlcjpwYXNz\r\n"));
	ck_assert_ptr_nonnull(second);
	ck_assert_ptr_null(strstr(second, "Authorization"));
	ck_assert_ptr_nonnull(strstr(second, "DELETE /get HTTP/1.1\r\n"));
	ck_assert_ptr_nonnull(strstr(second, "POST /get HTTP/1.1\r\n"));
	ck_assert(strstr(second, "Content-Length") > strstr(second, "POST /get"));
	ck_assert(strstr(second, "X-Key") > strstr(second, "POST /messages"));
	ck_assert_ptr_nonnull(strstr(second, "Content-Length: 0\r\n"));
}
END_TEST

START_TEST(an_answer_without_a_body_is_the_whole_answer_to_head)
{
	static const struct play script[] = {
		{PLAY_READ, "\r\n\r\n", 0},
		{PLAY_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 0},
		BEFORE("after"),
		{PLAY_END, NULL, 0}};
	struct transfer_request request;

	begin((const struct play *const[]){script, NULL});
	request = post("ignored");
	request.method = "HEAD";
	start(request);
	await(1);
	start(post("after"));
	await(1);
	ck_assert_int_eq(results[0].outcome, TRANSFER_ANSWERED);
	ck_assert_uint_eq(results[0].body_len, 0);
	ck_assert_str_eq(bodies[1], "ok");
	ck_assert(results[1].reused);
}
END_TEST

START_TEST(many_share_few_connections)
{
	static const struct play script[] = {
		BEFORE("[x]"), {PLAY_AGAIN, NULL, 200}, {PLAY_END, NULL, 0}};

	begin((const struct play *const[]){script, script, script, script, NULL});
	for (int i = 0; i < 200; i++)
		start(post("[x]"));
	ck_assert_uint_eq(transfer_running(engine), 200);
	await(200);
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(results[i].status, 200);
	ck_assert_int_eq(transfer_server_connections(server), 4);
}
END_TEST

START_TEST(a_slow_answer_is_waited_for)
{
	static const struct play script[] = {{PLAY_READ, "[x]", 0},
					     {PLAY_PAUSE, NULL, 150},
					     {PLAY_SEND, "HTTP/1.1 202 A\r\nContent-", 0},
					     {PLAY_PAUSE, NULL, 50},
					     {PLAY_SEND, "Length: 4\r\n\r\nsl", 0},
					     {PLAY_PAUSE, NULL, 50},
					     {PLAY_SEND, "ow", 0},
					     {PLAY_END, NULL, 0}};

	begin((const struct play *const[]){script, NULL});
	start(post("[x]"));
	await(1);
	ck_assert_int_eq(results[0].status, 202);
	ck_assert_str_eq(bodies[0], "slow");
	ck_assert_int_ge(results[0].took_us, 250000);
}
END_TEST

START_TEST(nobody_there_is_no_connect)
{
	begin((const struct play *const[]){NULL});
	transfer_server_stop(server);
	start(post("[x]"));
	await(1);
	ck_assert_int_eq(results[0].outcome, TRANSFER_NO_CONNECT);
	ck_assert_int_eq(results[0].status, 0);
	ck_assert_ptr_nonnull(strstr(results[0].text, "refused"));
}
END_TEST

/* A listener whose queue is full: the kernel answers no SYN more. */
static int deaf_listener(int fds[4], int *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(fd, 0), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*port = ntohs(address.sin_port);
	for (int i = 0; i < 4; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		connect(fds[i], (struct sockaddr *)&address, len);
	}
	return fd;
}

START_TEST(a_connection_that_does_not_come_about_ends_in_time_and_harms_nobody)
{
	static const struct play script[] = {BEFORE("[x]"), {PLAY_END, NULL, 0}};
	struct transfer_request request;
	int fds[4], port, listener = deaf_listener(fds, &port);
	char url[64];

	begin((const struct play *const[]){script, NULL});
	request = post("[x]");
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);
	request.url = url;
	request.connect_timeout_ms = 100;
	for (int i = 0; i < 3; i++)
		start(request);
	await(3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(results[i].outcome, TRANSFER_NO_CONNECT);
	start(post("[x]"));
	await(1);
	ck_assert_int_eq(results[3].status, 200);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	close(listener);
}
END_TEST

START_TEST(a_name_that_is_not_is_no_connect)
{
	struct transfer_request request;

	begin((const struct play *const[]){NULL});
	request = post("[x]");
	request.url = "http://nobody.invalid/";
	request.timeout_ms = request.connect_timeout_ms = 3000;
	start(request);
	await(1);
	ck_assert_int_eq(results[0].outcome, TRANSFER_NO_CONNECT);
	ck_assert_ptr_null(strstr(results[0].text, "nobody"));
}
END_TEST

START_TEST(a_server_that_never_answers_leaves_it_open)
{
	static const struct play script[] = {{PLAY_HANG, NULL, 0}, {PLAY_END, NULL, 0}};
	struct transfer_request request;

	begin((const struct play *const[]){script, NULL});
	request = post("[x]");
	request.timeout_ms = 150;
	start(request);
	await(1);
	ck_assert_int_eq(results[0].outcome, TRANSFER_AMBIGUOUS);
	ck_assert_int_ge(results[0].took_us, 150000);
	ck_assert_int_lt(results[0].took_us, 1000000);
	run_for(20);
	ck_assert_int_eq(came, 1);
}
END_TEST

START_TEST(an_end_in_the_middle_of_the_answer_leaves_it_open)
{
	static const struct play reset[] = {
		{PLAY_READ, "[x]", 0},
		{PLAY_SEND, "HTTP/1.1 201 C\r\nContent-Length: 50\r\n\r\nhalf", 0},
		{PLAY_PAUSE, NULL, 50},
		{PLAY_RESET, NULL, 0}};
	static const struct play closed[] = {{PLAY_READ, "[x]", 0},
					     {PLAY_SEND, "HTTP/1.1 20", 0},
					     {PLAY_END, NULL, 0}};
	static const struct play silent[] = {{PLAY_READ, "[x]", 0}, {PLAY_END, NULL, 0}};
	static const struct play hangs[] = {
		{PLAY_READ, "[x]", 0},
		{PLAY_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 0},
		{PLAY_HANG, NULL, 0}};
	struct transfer_request request;

	begin((const struct play *const[]){reset, closed, silent, hangs, NULL});
	request = post("[x]");
	request.timeout_ms = 300;
	for (int i = 0; i < 4; i++) {
		start(request);
		await(1);
		ck_assert_int_eq(results[i].outcome, TRANSFER_AMBIGUOUS);
	}
	ck_assert_int_eq(results[0].status, 201);
}
END_TEST

static char *big_body(void)
{
	char *body = mem_alloc(BIG + 1);

	memset(body, 'b', BIG);
	return body;
}

START_TEST(a_body_that_is_not_taken_was_not_done)
{
	static const struct play hangs[] = {{PLAY_HANG, NULL, 0}, {PLAY_END, NULL, 0}};
	static const struct play breaks[] = {{PLAY_READ, "bbbb", 0},
					     {PLAY_RESET, NULL, 0}};
	char *body = big_body();
	struct transfer_request request;

	begin((const struct play *const[]){hangs, breaks, NULL});
	request = post(body);
	request.timeout_ms = 400;
	start(request);
	await(1);
	ck_assert_int_eq(results[0].outcome, TRANSFER_TIMEOUT);
	start(request);
	await(1);
	ck_assert_int_eq(results[1].outcome, TRANSFER_LOST);
	mem_free(body);
}
END_TEST

START_TEST(a_large_body_arrives_whole)
{
	static const struct play script[] = {BEFORE("end"), {PLAY_END, NULL, 0}};
	char *body = big_body();

	begin((const struct play *const[]){script, NULL});
	memcpy(body + BIG - 3, "end", 3);
	start(post(body));
	await(1);
	ck_assert_int_eq(results[0].status, 200);
	transfer_server_stop(server);
	ck_assert_ptr_nonnull(strstr(transfer_server_got(server, 0), body));
	mem_free(body);
}
END_TEST

START_TEST(an_answer_that_is_too_large_is_bad)
{
	static const struct play fits[] = {
		{PLAY_READ, "[x]", 0},
		{PLAY_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n", 0},
		{PLAY_FILL, NULL, 65536},
		{PLAY_READ, "[x]", 0},
		{PLAY_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n", 0},
		{PLAY_FILL, NULL, 65537},
		{PLAY_HANG, NULL, 0}};
	static const struct play endless[] = {
		{PLAY_READ, "[x]", 0},
		{PLAY_SEND, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", 0},
		{PLAY_FILL, NULL, 10 << 20},
		{PLAY_HANG, NULL, 0}};

	begin((const struct play *const[]){fits, endless, NULL});
	start(post("[x]"));
	await(1);
	ck_assert_int_eq(results[0].outcome, TRANSFER_ANSWERED);
	ck_assert_uint_eq(results[0].body_len, 65536);
	start(post("[x]"));
	await(1);
	ck_assert_int_eq(results[1].outcome, TRANSFER_BAD_ANSWER);
	start(post("[x]"));
	await(1);
	ck_assert_int_eq(results[2].outcome, TRANSFER_BAD_ANSWER);
}
END_TEST

START_TEST(what_is_not_http_is_a_bad_answer)
{
	static const struct play script[] = {{PLAY_READ, "[x]", 0},
					     {PLAY_SEND, "220 mail.example ESMTP\r\n", 0},
					     {PLAY_HANG, NULL, 0}};

	begin((const struct play *const[]){script, NULL});
	start(post("[x]"));
	await(1);
	ck_assert_int_eq(results[0].outcome, TRANSFER_BAD_ANSWER);
}
END_TEST

static void http_date(char out[64], int64_t after_s)
{
	time_t at = time(NULL) + after_s;
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(out, 64, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static int64_t retry_after(const char *status, const char *value)
{
	char answer[256];
	struct play script[] = {
		{PLAY_READ, "[x]", 0}, {PLAY_SEND, answer, 0}, {PLAY_END, NULL, 0}};
	int64_t seconds;

	snprintf(answer, sizeof(answer), "HTTP/1.1 %s\r\n%s%s%sContent-Length: 0\r\n\r\n",
		 status, value ? "retry-AFTER: " : "", value ? value : "",
		 value ? "\r\n" : "");
	begin((const struct play *const[]){script, NULL});
	start(post("[x]"));
	await(1);
	ck_assert_int_eq(results[came - 1].outcome, TRANSFER_ANSWERED);
	seconds = results[came - 1].retry_after_s;
	transfer_server_free(server);
	server = NULL;
	return seconds;
}

START_TEST(retry_after_is_seconds_or_a_date)
{
	char date[64];

	ck_assert_int_eq(retry_after("429 Slow", "120"), 120);
	ck_assert_int_eq(retry_after("503 Down", "0"), 0);
	ck_assert_int_eq(retry_after("503 Down", "86401"), 86400);
	ck_assert_int_eq(retry_after("503 Down", "99999999999999999999"), 86400);
	ck_assert_int_eq(retry_after("429 Slow", NULL), -1);
	ck_assert_int_eq(retry_after("429 Slow", "soon"), -1);
	ck_assert_int_eq(retry_after("429 Slow", "-5"), -1);
	ck_assert_int_eq(retry_after("429 Slow", "5 s"), -1);
	http_date(date, 100);
	ck_assert_int_ge(retry_after("429 Slow", date), 98);
	ck_assert_int_le(retry_after("429 Slow", date), 100);
	http_date(date, -100);
	ck_assert_int_eq(retry_after("429 Slow", date), 0);
	http_date(date, 1000000);
	ck_assert_int_eq(retry_after("429 Slow", date), 86400);
}
END_TEST

START_TEST(a_post_that_may_have_been_done_is_not_sent_again)
{
	static const struct play dies[] = {
		BEFORE("one"), {PLAY_READ, "two", 0}, {PLAY_END, NULL, 0}};
	static const struct play spare[] = {BEFORE("two"), {PLAY_END, NULL, 0}};

	begin((const struct play *const[]){dies, spare, NULL});
	start(post("one"));
	await(1);
	start(post("two"));
	await(1);
	ck_assert_int_eq(results[1].outcome, TRANSFER_AMBIGUOUS);
	transfer_server_stop(server);
	ck_assert_str_eq(transfer_server_got(server, 1), "");
}
END_TEST

START_TEST(a_get_is_sent_again)
{
	static const struct play dies[] = {
		BEFORE("one"), {PLAY_READ, "\r\n\r\n", 0}, {PLAY_END, NULL, 0}};
	static const struct play spare[] = {BEFORE("\r\n\r\n"), {PLAY_END, NULL, 0}};
	struct transfer_request request;

	begin((const struct play *const[]){dies, spare, NULL});
	start(post("one"));
	await(1);
	request = (struct transfer_request){.url = url_of("http", "/"),
					    .method = "GET",
					    .connect_timeout_ms = 1000,
					    .timeout_ms = 2000};
	start(request);
	await(1);
	ck_assert_int_eq(results[1].outcome, TRANSFER_ANSWERED);
	ck_assert_int_eq(transfer_server_connections(server), 2);
}
END_TEST

START_TEST(a_connection_that_was_closed_meanwhile_is_replaced)
{
	static const struct play closed[] = {BEFORE("one"), {PLAY_END, NULL, 0}};
	static const struct play reset[] = {
		BEFORE("two"), {PLAY_PAUSE, NULL, 20}, {PLAY_RESET, NULL, 0}};
	static const struct play spare[] = {BEFORE("three"), {PLAY_END, NULL, 0}};

	begin((const struct play *const[]){closed, reset, spare, NULL});
	start(post("one"));
	await(1);
	run_for(50);
	start(post("two"));
	await(1);
	run_for(80);
	start(post("three"));
	await(1);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(results[i].outcome, TRANSFER_ANSWERED);
		ck_assert(!results[i].reused);
	}
}
END_TEST

START_TEST(what_waits_for_a_connection_is_timed_too)
{
	static const struct play hangs[] = {{PLAY_HANG, NULL, 0}, {PLAY_END, NULL, 0}};
	struct transfer_request request;

	begin((const struct play *const[]){hangs, hangs, hangs, hangs, NULL});
	request = post("[x]");
	request.timeout_ms = 500;
	for (int i = 0; i < 4; i++)
		start(request);
	request.timeout_ms = 100;
	start(request);
	await(1);
	ck_assert_int_eq(results[0].outcome, TRANSFER_TIMEOUT);
	ck_assert_int_lt(results[0].took_us, 400000);
	await(4);
	for (int i = 1; i < 5; i++)
		ck_assert_int_eq(results[i].outcome, TRANSFER_AMBIGUOUS);
}
END_TEST

START_TEST(a_cancelled_one_calls_nobody)
{
	static const struct play script[] = {{PLAY_READ, "[x]", 0},
					     {PLAY_PAUSE, NULL, 50},
					     {PLAY_SEND, OK, 0},
					     {PLAY_END, NULL, 0}};
	struct transfer *first, *second;

	begin((const struct play *const[]){script, script, NULL});
	first = start(post("[x]"));
	transfer_cancel(first); /* before it began */
	second = start(post("[x]"));
	run_for(20);
	transfer_cancel(second);
	run_for(100);
	ck_assert_int_eq(came, 0);
	ck_assert_uint_eq(transfer_running(engine), 0);
	start(post("[x]")); /* the engine is freed under it */
	run_for(10);
}
END_TEST

START_TEST(a_wrong_request_is_refused_at_once)
{
	struct transfer_request good;
	const char *urls[] = {
		"",        "localhost",   "ftp://127.0.0.1/", "file:///etc/x",
		"http://", "http://a b/", "httpx://a/",       "http://127.0.0.1:99999/",
		NULL};
	const char *methods[] = {"", "get", "GET /", "GET\r\n", "ABCDEFGHIJKLMNOP", NULL};
	const char *headers[] = {"no colon", "A: b\r\nC: d", "A: b\nC: d"};

	begin((const struct play *const[]){NULL});
	good = post("[x]");
	for (int i = 0; urls[i] != NULL; i++) {
		struct transfer_request request = good;

		request.url = urls[i];
		ck_assert_msg(!transfer_start(engine, &request, on_result, NULL, &e),
			      "%s", urls[i]);
		ck_assert_int_eq(e.code, ERR_INVALID);
	}
	for (int i = 0; methods[i] != NULL; i++) {
		struct transfer_request request = good;

		request.method = methods[i];
		ck_assert_ptr_null(transfer_start(engine, &request, on_result, NULL, &e));
	}
	for (int i = 0; i < 3; i++) {
		struct transfer_request request = good;

		request.headers[1] = headers[i];
		ck_assert_ptr_null(transfer_start(engine, &request, on_result, NULL, &e));
	}
	good.body_len = TRANSFER_BODY_MAX + 1;
	ck_assert_ptr_null(transfer_start(engine, &good, on_result, NULL, &e));
	ck_assert_uint_eq(transfer_running(engine), 0);
}
END_TEST

static void start_another(void *arg, const struct transfer_result *result)
{
	on_result(arg, result);
	if (came < 3) {
		struct transfer_request request = post("[x]");

		ck_assert_ptr_nonnull(
			transfer_start(engine, &request, start_another, NULL, &e));
	}
}

START_TEST(a_callback_may_start_the_next)
{
	static const struct play script[] = {
		BEFORE("[x]"), {PLAY_AGAIN, NULL, 9}, {PLAY_END, NULL, 0}};
	struct transfer_request request;

	begin((const struct play *const[]){script, NULL});
	request = post("[x]");
	ck_assert_ptr_nonnull(transfer_start(engine, &request, start_another, NULL, &e));
	await(3);
	ck_assert_int_eq(results[2].status, 200);
	ck_assert_int_eq(transfer_server_connections(server), 1);
}
END_TEST

Suite *transfer_suite(void)
{
	Suite *s = suite_create("transfer");
	TCase *http = tcase_create("http"), *faults = tcase_create("faults");

	tcase_add_checked_fixture(http, set_up, tear_down);
	tcase_set_timeout(http, 20);
	tcase_add_test(http, a_post_carries_its_headers_and_body);
	tcase_add_test(http, a_kept_connection_is_used_again);
	tcase_add_test(http, a_handle_forgets_the_request_before);
	tcase_add_test(http, an_answer_without_a_body_is_the_whole_answer_to_head);
	tcase_add_test(http, many_share_few_connections);
	tcase_add_test(http, a_slow_answer_is_waited_for);
	tcase_add_test(http, a_large_body_arrives_whole);
	tcase_add_test(http, retry_after_is_seconds_or_a_date);
	tcase_add_test(http, a_callback_may_start_the_next);
	tcase_add_test(http, a_cancelled_one_calls_nobody);
	tcase_add_test(http, a_wrong_request_is_refused_at_once);
	suite_add_tcase(s, http);
	tcase_add_checked_fixture(faults, set_up, tear_down);
	tcase_set_timeout(faults, 20);
	tcase_add_test(faults, nobody_there_is_no_connect);
	tcase_add_test(
		faults,
		a_connection_that_does_not_come_about_ends_in_time_and_harms_nobody);
	tcase_add_test(faults, a_name_that_is_not_is_no_connect);
	tcase_add_test(faults, a_server_that_never_answers_leaves_it_open);
	tcase_add_test(faults, an_end_in_the_middle_of_the_answer_leaves_it_open);
	tcase_add_test(faults, a_body_that_is_not_taken_was_not_done);
	tcase_add_test(faults, an_answer_that_is_too_large_is_bad);
	tcase_add_test(faults, what_is_not_http_is_a_bad_answer);
	tcase_add_test(faults, a_post_that_may_have_been_done_is_not_sent_again);
	tcase_add_test(faults, a_get_is_sent_again);
	tcase_add_test(faults, a_connection_that_was_closed_meanwhile_is_replaced);
	tcase_add_test(faults, what_waits_for_a_connection_is_timed_too);
	suite_add_tcase(s, faults);
	return s;
}
