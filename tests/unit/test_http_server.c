#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "io/http_server.h"

/* Raw sockets on one side, so that every byte and its moment are the test's. The handler
 * answers at once, or under /hold keeps the request until the test answers it. */

Suite *http_server_suite(void);

enum { BODY_MAX = 4096, HELD_MAX = 1024, WAIT_S = 10 };

static struct http_server *server;
static struct http_request *held[HELD_MAX];
static atomic_int held_count;
static atomic_int handled;
static atomic_int gate; /* 1: /gate holds up the server's thread; 2: it does so now */

/* ---- the server's side ---- */

static void answer_text(struct http_request *r, int status, const char *text, size_t len)
{
	http_answer(r, &(struct http_answer){
			       .status = status,
			       .content_type = "text/plain",
			       .body = text,
			       .body_len = len,
			       .headers = {{"X-First", "1"}, {"X-Second", "two"}}});
}

static void answer_echo(struct http_request *r)
{
	const char *q = http_query(r, "q");
	const char *header = http_header(r, "x-test");
	struct buf text;
	size_t len;
	const char *body = http_body(r, &len);

	buf_init(&text, SIZE_MAX);
	buf_addf(&text, "%s %s q=%s h=%s ", http_method(r), http_path(r),
		 q != NULL ? q : "-", header != NULL ? header : "-");
	buf_add(&text, body, len);
	answer_text(r, 200, buf_text(&text), text.len);
	buf_release(&text);
}

static void handle(void *arg, struct http_request *r)
{
	int at;

	ck_assert(http_received_us(r) > 0);
	ck_assert_ptr_null(http_context(r));
	atomic_fetch_add(&handled, 1);
	if (strcmp(http_path(r), "/gate") == 0) {
		for (atomic_store(&gate, 2); atomic_load(&gate) != 0;)
			usleep(100);
		answer_echo(r);
	} else if (strcmp(http_path(r), "/large") == 0) {
		char *large = mem_alloc(3 << 20);

		memset(large, 'x', 3 << 20);
		answer_text(r, 200, large, 3 << 20);
		mem_free(large);
	} else if (strncmp(http_path(r), "/hold", 5) == 0) {
		http_set_context(r, &handled);
		at = atomic_load(&held_count);
		ck_assert_int_lt(at, HELD_MAX);
		held[at] = r; /* one server thread in those tests */
		atomic_store(&held_count, at + 1);
	} else {
		answer_echo(r);
	}
}

static void on_fault(void *arg, struct http_request *r, int status)
{
	answer_text(r, status, "refused", 7);
}

static struct http_server_settings settings_of(const char *listen, int threads)
{
	return (struct http_server_settings){.listen = listen,
					     .threads = threads,
					     .max_connections = 2000,
					     .max_body_bytes = BODY_MAX,
					     .idle_timeout_s = WAIT_S,
					     .handler = handle,
					     .on_fault = on_fault};
}

static void start_server(const struct http_server_settings *settings)
{
	struct err e = ERR_INIT;

	if (http_server_start(&server, settings, &e) < 0)
		ck_abort_msg("%s", e.text);
}

static void set_up(void)
{
	struct http_server_settings settings = settings_of("127.0.0.1:0", 1);

	start_server(&settings);
}

static void tear_down(void)
{
	http_server_stop(server);
	server = NULL;
}

static void wait_held(int count)
{
	int64_t until_us = clock_mono_us() + WAIT_S * US_PER_S;

	while (atomic_load(&held_count) < count) {
		ck_assert(clock_mono_us() < until_us);
		usleep(200);
	}
}

/* All that is held, as a committer would: one ring for all. */
static void answer_held(void)
{
	char text[] = "later";
	struct http_answer a = {.status = 201, .body = text, .body_len = 5};
	int count = atomic_load(&held_count);

	atomic_store(&held_count, 0);
	for (int i = 0; i < count; i++) {
		ck_assert_ptr_eq(http_context(held[i]), &handled);
		http_answer_hold(held[i], &a);
	}
	memset(text, '?', 5); /* it was copied */
	http_answer_flush(server);
}

/* ---- the client's side ---- */

static int port_of(const struct http_server *s)
{
	return atoi(strrchr(http_server_address(s), ':') + 1);
}

static int dial_raw(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port_of(server)),
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct timeval limit = {.tv_sec = WAIT_S};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int dial(void)
{
	int fd = dial_raw();

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void send_text(int fd, const char *text)
{
	size_t len = strlen(text);

	ck_assert_int_eq(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* One response: its header block and its body by Content-Length (none for `head`).
 * Nothing of the next one is taken. */
struct response {
	int status;
	char headers[2048];
	char body[16384];
	size_t body_len;
};

static void read_headers(int fd, char *out, size_t size)
{
	size_t len = 0, take;
	ssize_t got;
	char *end;

	do {
		ck_assert_uint_lt(len, size - 1);
		got = recv(fd, out + len, size - 1 - len, MSG_PEEK);
		ck_assert_msg(got > 0, "no response: \"%s\"", out);
		end = strstr(out, "\r\n\r\n");
		take = end != NULL ? (size_t)(end + 4 - out) - len : (size_t)got;
		ck_assert_int_eq(recv(fd, out + len, take, 0), (ssize_t)take);
		len += take;
	} while (end == NULL);
	out[len] = '\0';
}

static struct response *read_response(int fd, bool head)
{
	static struct response r;
	const char *length;
	size_t want;

	memset(&r, 0, sizeof(r));
	read_headers(fd, r.headers, sizeof(r.headers));
	ck_assert_int_eq(sscanf(r.headers, "HTTP/1.1 %d ", &r.status), 1);
	length = strcasestr(r.headers, "\r\nContent-Length: ");
	want = length != NULL && !head ? strtoul(length + 18, NULL, 10) : 0;
	ck_assert_uint_lt(want, sizeof(r.body));
	while (r.body_len < want) {
		ssize_t got = recv(fd, r.body + r.body_len, want - r.body_len, 0);

		ck_assert_int_gt(got, 0);
		r.body_len += (size_t)got;
	}
	return &r;
}

static void expect_response(int fd, int status, const char *body)
{
	struct response *r = read_response(fd, false);

	ck_assert_int_eq(r->status, status);
	if (body != NULL)
		ck_assert_str_eq(r->body, body);
}

/* A FIN or a reset. */
static void expect_closed(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, 0);

	ck_assert(got == 0 || (got < 0 && errno == ECONNRESET));
	close(fd);
}

/* ---- requests ---- */

START_TEST(a_request_is_answered_with_its_body_and_headers)
{
	int fd = dial();
	struct response *r;

	send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nX-Test: here\r\n"
		      "Content-Length: 5\r\n\r\nhello");
	r = read_response(fd, false);
	ck_assert_int_eq(r->status, 200);
	ck_assert_str_eq(r->body, "POST /echo q=- h=here hello");
	ck_assert_ptr_nonnull(strstr(r->headers, "\r\nContent-Type: text/plain\r\n"));
	ck_assert_ptr_nonnull(strstr(r->headers, "\r\nX-First: 1\r\n"));
	ck_assert_ptr_nonnull(strstr(r->headers, "\r\nX-Second: two\r\n"));
	ck_assert_ptr_nonnull(strstr(r->headers, "\r\nDate: "));
	close(fd);
}
END_TEST

START_TEST(a_path_and_a_query_are_decoded_but_a_nul_never_is)
{
	int fd = dial();

	send_text(fd, "GET /a%41%2e?q=b%20c+d&x HTTP/1.1\r\nHost: x\r\n\r\n");
	expect_response(fd, 200, "GET /aA. q=b c d h=- ");
	send_text(fd, "GET /a%00b%zz%4?q= HTTP/1.1\r\nHost: x\r\n\r\n");
	expect_response(fd, 200, "GET /a%00b%zz%4 q= h=- ");
	close(fd);
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_their_order)
{
	int fd = dial();

	send_text(fd, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
		      "POST /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
		      "GET /3 HTTP/1.1\r\nHost: x\r\n\r\n"
		      "POST /4 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\ncd");
	expect_response(fd, 200, "GET /1 q=- h=- ");
	wait_held(1);
	ck_assert_int_eq(atomic_load(&handled), 2); /* the third waits its turn */
	answer_held();
	expect_response(fd, 201, "later");
	expect_response(fd, 200, "GET /3 q=- h=- ");
	expect_response(fd, 200, "POST /4 q=- h=- cd");
	close(fd);
}
END_TEST

START_TEST(a_request_may_come_one_byte_at_a_time)
{
	static const char text[] = "POST /slow?q=1 HTTP/1.1\r\nHost: x\r\n"
				   "Content-Length: 3\r\n\r\nabc";
	int fd = dial();

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		ck_assert_int_eq(send(fd, text + i, 1, 0), 1);
		usleep(500);
	}
	expect_response(fd, 200, "POST /slow q=1 h=- abc");
	close(fd);
}
END_TEST

START_TEST(head_is_given_as_get_and_its_answer_has_no_body)
{
	int fd = dial();
	struct response *r;

	send_text(fd, "HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n"
		      "GET /h HTTP/1.1\r\nHost: x\r\n\r\n");
	r = read_response(fd, true);
	ck_assert_int_eq(r->status, 200);
	ck_assert_ptr_nonnull(strstr(r->headers, "\r\nContent-Length: 15\r\n"));
	expect_response(fd, 200, "GET /h q=- h=- "); /* right behind it */
	close(fd);
}
END_TEST

START_TEST(a_chunked_body_is_gathered)
{
	int fd = dial();

	send_text(fd, "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		      "3\r\nabc\r\n");
	usleep(2000);
	send_text(fd, "4;x=y\r\ndefg\r\n0\r\n\r\n");
	expect_response(fd, 200, "POST /c q=- h=- abcdefg");
	close(fd);
}
END_TEST

START_TEST(a_client_that_expects_100_is_told_to_continue)
{
	int fd = dial();

	send_text(fd, "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
		      "Expect: 100-continue\r\n\r\n");
	ck_assert_int_eq(read_response(fd, true)->status, 100);
	send_text(fd, "ok");
	expect_response(fd, 200, "POST /e q=- h=- ok");
	close(fd);
}
END_TEST

START_TEST(a_large_answer_reaches_a_slow_reader)
{
	size_t total = 0;
	char part[65536];
	int fd = dial();
	ssize_t got;

	send_text(fd, "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	usleep(20000);
	while ((got = recv(fd, part, sizeof(part), 0)) > 0)
		total += (size_t)got;
	ck_assert_int_eq(got, 0);
	ck_assert_uint_gt(total, 3 << 20);
	close(fd);
}
END_TEST

/* ---- refusals ---- */

START_TEST(a_body_of_the_maximum_is_taken)
{
	char head[128], body[BODY_MAX + 1];
	int fd = dial();

	memset(body, 'b', BODY_MAX);
	body[BODY_MAX] = '\0';
	snprintf(head, sizeof(head),
		 "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", BODY_MAX);
	send_text(fd, head);
	send_text(fd, body);
	ck_assert_uint_eq(read_response(fd, false)->body_len,
			  BODY_MAX + strlen("POST / q=- h=- "));
	close(fd);
}
END_TEST

START_TEST(a_declared_length_over_the_maximum_is_413_before_its_body_comes)
{
	int fd = dial();

	send_text(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4097\r\n\r\n");
	expect_response(fd, 413, "refused");
	expect_closed(fd);
	fd = dial();
	send_text(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n"
		      "Expect: 100-continue\r\n\r\n");
	expect_response(fd, 413, "refused"); /* and no 100 */
	expect_closed(fd);
	ck_assert_int_eq(atomic_load(&handled), 0);
}
END_TEST

static void send_chunk(int fd, size_t len)
{
	char head[32];
	char *chunk = mem_alloc(len + 1);

	memset(chunk, 'c', len);
	snprintf(head, sizeof(head), "%zx\r\n", len);
	send_text(fd, head);
	send_text(fd, chunk);
	send_text(fd, "\r\n");
	mem_free(chunk);
}

START_TEST(a_chunked_body_over_the_maximum_is_413_and_the_connection_lives)
{
	int fd = dial();

	send_text(fd, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 10; i++)
		send_chunk(fd, 1000);
	send_text(fd, "0\r\n\r\n");
	expect_response(fd, 413, "refused");
	send_text(fd, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
	expect_response(fd, 200, "GET /next q=- h=- ");
	ck_assert_int_eq(atomic_load(&handled), 1);
	close(fd);
}
END_TEST

START_TEST(an_endless_chunked_body_is_cut)
{
	static char part[8 + 4096 + 2];
	bool cut = false;
	int fd = dial();

	memcpy(part, "001000\r\n", 8);
	memset(part + 8, 'c', 4096);
	memcpy(part + 8 + 4096, "\r\n", 2);
	send_text(fd, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 16384 && !cut; i++) /* 64 MiB */
		cut = send(fd, part, sizeof(part), MSG_NOSIGNAL) < 0;
	ck_assert(cut);
	close(fd);
	ck_assert_int_eq(atomic_load(&handled), 0);
}
END_TEST

START_TEST(a_body_whose_end_is_ambiguous_is_400)
{
	static const char *const heads[] = {
		"Content-Length: 1\r\nContent-Length: 2\r\n",
		"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
		"Transfer-Encoding: gzip, chunked\r\n",
	};
	char text[256];

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		int fd = dial();

		snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: x\r\n%s\r\n",
			 heads[i]);
		send_text(fd, text);
		expect_response(fd, 400, NULL);
		expect_closed(fd);
	}
	ck_assert_int_eq(atomic_load(&handled), 0);
}
END_TEST

START_TEST(what_is_not_http_is_400_and_too_many_headers_431)
{
	char line[1100];
	int fd = dial();

	send_text(fd, "what is this\r\n\r\n");
	expect_response(fd, 400, NULL);
	close(fd);
	fd = dial();
	send_text(fd, "GET / HTTP/1.1\r\n\r\n"); /* no Host */
	expect_response(fd, 400, NULL);
	close(fd);
	fd = dial();
	send_text(fd, "GET / HTTP/1.1\r\nHost: x\r\n");
	for (int i = 0; i < 30; i++) {
		snprintf(line, sizeof(line), "X-%d: %01000d\r\n", i, 0);
		if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
			break;
	}
	expect_response(fd, 431, NULL);
	close(fd);
	ck_assert_int_eq(atomic_load(&handled), 0);
}
END_TEST

START_TEST(connections_over_the_maximum_are_closed_at_once)
{
	struct http_server_settings settings = settings_of("127.0.0.1:0", 1);
	int fds[3], extra;

	settings.max_connections = 3;
	start_server(&settings);
	for (int i = 0; i < 3; i++) {
		fds[i] = dial();
		send_text(fds[i], "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
		expect_response(fds[i], 200, NULL);
	}
	extra = dial();
	expect_closed(extra);
	close(fds[0]);
	send_text(fds[1], "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
	expect_response(fds[1], 200, NULL);
	extra = dial(); /* there is room again */
	send_text(extra, "GET /c HTTP/1.1\r\nHost: x\r\n\r\n");
	expect_response(extra, 200, NULL);
	close(extra);
	close(fds[1]);
	close(fds[2]);
	tear_down();
}
END_TEST

/* ---- answers from elsewhere ---- */

START_TEST(a_request_whose_client_left_stays_valid_until_it_is_answered)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	int left = dial(), gone = dial(), stays = dial();

	send_text(left, "GET /hold/left HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_held(1);
	send_text(gone, "GET /hold/gone HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_held(2);
	send_text(stays, "GET /hold/stays HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_held(3);
	close(left);
	setsockopt(gone, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(gone);
	usleep(20000);
	ck_assert_str_eq(http_path(held[0]), "/hold/left");
	ck_assert_str_eq(http_path(held[1]), "/hold/gone");
	ck_assert_uint_eq(http_server_open_requests(server), 3);
	answer_held();
	ck_assert_uint_eq(http_server_open_requests(server), 0);
	expect_response(stays, 201, "later");
	close(stays);
}
END_TEST

START_TEST(a_client_that_leaves_in_the_middle_of_a_body_leaves_nothing_behind)
{
	for (int i = 0; i < 50; i++) {
		int fd = dial();

		send_text(fd,
			  "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhal");
		close(fd);
	}
	ck_assert_uint_eq(http_server_open_requests(server), 0);
}
END_TEST

/* libmicrohttpd 0.9.75 fetches 128 events at a time; its internal thread stands still
 * when a multiple of that is ready at once. Here the server's thread is held up until all
 * have become readable, so that it finds exactly so many; and all are resumed together.
 */
static void close_gate(int fd)
{
	atomic_store(&gate, 1);
	send_text(fd, "GET /gate HTTP/1.1\r\nHost: x\r\n\r\n");
	while (atomic_load(&gate) != 2)
		usleep(100);
}

static const int crowds[] = {1, 127, 128, 129, 256, 384, 512};

START_TEST(a_crowd_that_is_ready_at_the_same_moment_never_stalls)
{
	int count = crowds[_i];
	struct rlimit files = {4096, 4096};
	int64_t start_us;
	int fds[512], opener;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (int i = 0; i < count; i++)
		fds[i] = dial();
	opener = dial();
	for (int round = 0; round < 5; round++) {
		start_us = clock_mono_us();
		close_gate(opener);
		for (int i = 0; i < count; i++)
			send_text(fds[i], "POST /hold HTTP/1.1\r\nHost: x\r\n"
					  "Content-Length: 2\r\n\r\nab");
		atomic_store(&gate, 0);
		expect_response(opener, 200, NULL);
		wait_held(count);
		answer_held();
		for (int i = 0; i < count; i++)
			expect_response(fds[i], 201, "later");
		/* A stall lasts until the idle timeout, ten seconds. */
		ck_assert_int_lt(clock_mono_us() - start_us, 5 * US_PER_S);
	}
	close(opener);
	for (int i = 0; i < count; i++)
		close(fds[i]);
}
END_TEST

static void *answer_when_held(void *arg)
{
	while (!atomic_load((atomic_bool *)arg))
		if (atomic_load(&held_count) > 0)
			answer_held();
	return NULL;
}

START_TEST(an_answer_may_come_while_the_handler_still_runs)
{
	atomic_bool stop = false;
	pthread_t other;
	int fd = dial();

	pthread_create(&other, NULL, answer_when_held, &stop);
	for (int i = 0; i < 2000; i++) {
		send_text(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
		expect_response(fd, 201, "later");
	}
	atomic_store(&stop, true);
	pthread_join(other, NULL);
	close(fd);
}
END_TEST

/* ---- listening, draining, stopping ---- */

START_TEST(threads_share_a_port_that_a_second_server_is_refused)
{
	struct http_server_settings settings = settings_of("127.0.0.1:0", 4);
	struct http_server *second = NULL;
	char address[64];
	struct err e = ERR_INIT;

	start_server(&settings);
	for (int i = 0; i < 64; i++) {
		int fd = dial();

		send_text(fd, "GET /t HTTP/1.1\r\nHost: x\r\n\r\n");
		expect_response(fd, 200, "GET /t q=- h=- ");
		close(fd);
	}
	snprintf(address, sizeof(address), "%s", http_server_address(server));
	settings.listen = address;
	ck_assert_int_eq(http_server_start(&second, &settings, &e), -1);
	ck_assert_int_eq(e.code, ERR_CONFLICT);
	tear_down();
	ck_assert_int_eq(http_server_start(&second, &settings, &e), 0);
	http_server_stop(second);
}
END_TEST

START_TEST(an_address_that_cannot_be_read_is_refused_with_its_text)
{
	static const char *const bad[] = {"",         "8080",       ":8080",
					  "::1:80",   "127.0.0.1:", "127.0.0.1:http",
					  "unix:x/y", "[::1]",      "127.0.0.1:99999"};
	struct http_server_settings settings = settings_of("", 1);
	struct http_server *s = NULL;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		settings.listen = bad[i];
		ck_assert_int_eq(http_server_start(&s, &settings, &e), -1);
		ck_assert_msg(e.code == ERR_INVALID, "%s: %s", bad[i], e.text);
		ck_assert_ptr_nonnull(strstr(e.text, bad[i]));
	}
}
END_TEST

static int dial_unix(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

START_TEST(a_unix_socket_is_bound_0660_and_removed_and_a_stale_one_is_replaced)
{
	char folder[] = "/tmp/test-http-XXXXXX", path[64], listen[80];
	struct http_server_settings settings = settings_of(listen, 2);
	struct sockaddr_un stale = {.sun_family = AF_UNIX};
	struct http_server *second = NULL;
	struct err e = ERR_INIT;
	struct stat st;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	snprintf(listen, sizeof(listen), "unix:%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(stale.sun_path, sizeof(stale.sun_path), "%s", path);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&stale, sizeof(stale)), 0);
	close(fd); /* the file stays */

	start_server(&settings);
	ck_assert_str_eq(http_server_address(server), listen);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0660);
	fd = dial_unix(path);
	send_text(fd, "GET /u HTTP/1.1\r\nHost: x\r\n\r\n");
	expect_response(fd, 200, "GET /u q=- h=- ");
	close(fd);
	ck_assert_int_eq(http_server_start(&second, &settings, &e), -1);
	ck_assert_int_eq(e.code, ERR_CONFLICT);
	ck_assert_int_eq(stat(path, &st), 0); /* the first one's is untouched */
	tear_down();
	ck_assert_int_eq(stat(path, &st), -1);
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(quiesced_it_takes_nobody_new_and_says_goodbye_with_the_next_answer)
{
	int idle = dial(), busy = dial(), late;
	struct response *r;

	send_text(idle, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
	expect_response(idle, 200, NULL);
	send_text(busy, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_held(1);
	http_server_quiesce(server);
	for (int i = 0; (late = dial_raw()) >= 0; i++) { /* its thread takes a moment */
		close(late);
		ck_assert_int_lt(i, 1000);
		usleep(1000);
	}
	answer_held();
	r = read_response(busy, false);
	ck_assert_int_eq(r->status, 201);
	ck_assert_ptr_nonnull(strcasestr(r->headers, "\r\nConnection: close\r\n"));
	expect_closed(busy);
	send_text(idle, "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
	r = read_response(idle, false);
	ck_assert_str_eq(r->body, "GET /2 q=- h=- ");
	ck_assert_ptr_nonnull(strcasestr(r->headers, "\r\nConnection: close\r\n"));
	expect_closed(idle);
}
END_TEST

static void *answer_in_a_while(void *arg)
{
	usleep(50000);
	answer_held();
	return NULL;
}

START_TEST(stopping_waits_for_the_answer_and_lets_it_leave)
{
	pthread_t other;
	int fd = dial();

	send_text(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"
		      "GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_held(1);
	pthread_create(&other, NULL, answer_in_a_while, NULL);
	http_server_stop(server);
	pthread_join(other, NULL);
	server = NULL;
	expect_response(fd, 201, "later");
	expect_closed(fd); /* what came behind was not begun */
	ck_assert_int_eq(atomic_load(&handled), 1);
}
END_TEST

/* ---- on a caller's loop ---- */

static struct loop *loop;

static void answer_held_on_loop(void *arg)
{
	answer_held();
}

static void stop_loop(void *arg)
{
	loop_stop(loop);
}

static void *talk_to_loop(void *arg)
{
	int fd = dial();

	send_text(fd,
		  "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n"
		  "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	expect_response(fd, 200, "GET /1 q=- h=- ");
	expect_response(fd, 200, "GET /2 q=- h=- ");
	wait_held(1);
	loop_post(loop, answer_held_on_loop, NULL);
	expect_response(fd, 201, "later");
	send_text(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_held(1);
	answer_held(); /* from this thread */
	expect_response(fd, 201, "later");
	close(fd);
	loop_post(loop, stop_loop, NULL);
	return NULL;
}

START_TEST(on_a_callers_loop_it_needs_no_thread)
{
	struct http_server_settings settings = settings_of("127.0.0.1:0", 0);
	pthread_t client;

	loop = loop_new();
	settings.loop = loop;
	start_server(&settings);
	pthread_create(&client, NULL, talk_to_loop, NULL);
	loop_run(loop);
	pthread_join(client, NULL);
	tear_down();
	loop_free(loop);
}
END_TEST

Suite *http_server_suite(void)
{
	Suite *s = suite_create("http_server");
	TCase *served = tcase_create("served");
	TCase *alone = tcase_create("alone");

	tcase_add_checked_fixture(served, set_up, tear_down);
	tcase_set_timeout(served, 60);
	tcase_add_test(served, a_request_is_answered_with_its_body_and_headers);
	tcase_add_test(served, a_path_and_a_query_are_decoded_but_a_nul_never_is);
	tcase_add_test(served, pipelined_requests_are_answered_in_their_order);
	tcase_add_test(served, a_request_may_come_one_byte_at_a_time);
	tcase_add_test(served, head_is_given_as_get_and_its_answer_has_no_body);
	tcase_add_test(served, a_chunked_body_is_gathered);
	tcase_add_test(served, a_client_that_expects_100_is_told_to_continue);
	tcase_add_test(served, a_large_answer_reaches_a_slow_reader);
	tcase_add_test(served, a_body_of_the_maximum_is_taken);
	tcase_add_test(served,
		       a_declared_length_over_the_maximum_is_413_before_its_body_comes);
	tcase_add_test(served,
		       a_chunked_body_over_the_maximum_is_413_and_the_connection_lives);
	tcase_add_test(served, an_endless_chunked_body_is_cut);
	tcase_add_test(served, a_body_whose_end_is_ambiguous_is_400);
	tcase_add_test(served, what_is_not_http_is_400_and_too_many_headers_431);
	tcase_add_test(served,
		       a_request_whose_client_left_stays_valid_until_it_is_answered);
	tcase_add_test(
		served,
		a_client_that_leaves_in_the_middle_of_a_body_leaves_nothing_behind);
	tcase_add_loop_test(served, a_crowd_that_is_ready_at_the_same_moment_never_stalls,
			    0, sizeof(crowds) / sizeof(crowds[0]));
	tcase_add_test(served, an_answer_may_come_while_the_handler_still_runs);
	tcase_add_test(
		served,
		quiesced_it_takes_nobody_new_and_says_goodbye_with_the_next_answer);
	tcase_add_test(served, stopping_waits_for_the_answer_and_lets_it_leave);
	suite_add_tcase(s, served);

	tcase_set_timeout(alone, 60);
	tcase_add_test(alone, connections_over_the_maximum_are_closed_at_once);
	tcase_add_test(alone, threads_share_a_port_that_a_second_server_is_refused);
	tcase_add_test(alone, an_address_that_cannot_be_read_is_refused_with_its_text);
	tcase_add_test(
		alone,
		a_unix_socket_is_bound_0660_and_removed_and_a_stale_one_is_replaced);
	tcase_add_test(alone, on_a_callers_loop_it_needs_no_thread);
	suite_add_tcase(s, alone);
	return s;
}
