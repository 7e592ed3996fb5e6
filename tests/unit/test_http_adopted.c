#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/http_server.h"

/* An HTTP server without a listener: it is given sockets. One end is the server's, the
 * other one is the test's. */

Suite *http_adopted_suite(void);

enum { WAIT_S = 10, MOST = 8, FILE_BYTES = 300000 };

static struct http_server *server;
static char file_path[] = "/tmp/test-adopted-XXXXXX";
static atomic_int handled;
static struct http_request *held;
static atomic_bool is_held;

/* ---- the server's side ---- */

static void answer_file(struct http_request *r, uint64_t size)
{
	int fd = open(file_path, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	http_answer_file(r, &(struct http_answer){.status = 200, .content_type = "x/y"},
			 fd, size);
}

static void handle(void *arg, struct http_request *r)
{
	const char *path = http_path(r);

	atomic_fetch_add(&handled, 1);
	if (strcmp(path, "/file") == 0) {
		answer_file(r, FILE_BYTES);
	} else if (strcmp(path, "/shorter") == 0) {
		answer_file(r, FILE_BYTES + 1000);
	} else if (strcmp(path, "/endless") == 0) {
		int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

		http_answer_file(r, &(struct http_answer){.status = 200}, fd, 1 << 30);
	} else if (strcmp(path, "/hold") == 0) {
		held = r;
		atomic_store(&is_held, true);
	} else {
		http_answer(r, &(struct http_answer){
				       .status = 200, .body = "hello", .body_len = 5});
	}
}

static void start_server(int idle_s, int life_s, struct loop *loop)
{
	const struct http_server_settings settings = {.loop = loop,
						      .threads = 1,
						      .max_connections = MOST,
						      .max_body_bytes = 1000,
						      .idle_timeout_s = idle_s,
						      .life_s = life_s,
						      .handler = handle};
	struct err e = ERR_INIT;

	if (http_server_start(&server, &settings, &e) < 0)
		ck_abort_msg("%s", e.text);
}

static void write_file(void)
{
	static char bytes[FILE_BYTES];
	int fd = mkstemp(file_path);

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)('a' + i % 23);
	ck_assert_int_eq(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(fd);
}

static void set_up(void)
{
	write_file();
	start_server(WAIT_S, 60, NULL);
}

static void tear_down(void)
{
	http_server_stop(server);
	server = NULL;
	unlink(file_path);
}

/* ---- the client's side ---- */

static void limit_waiting(int fd)
{
	struct timeval limit = {.tv_sec = WAIT_S};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

static void make_pair(int fds[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	limit_waiting(fds[0]);
}

static void make_tcp_pair(int fds[2])
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&at, &len);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fds[0], (struct sockaddr *)&at, sizeof(at)), 0);
	fds[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(fds[1], 0);
	close(listener);
	limit_waiting(fds[0]);
}

/* A connection that the server has; the test's end of it. */
static int connect_adopted(void)
{
	int fds[2];

	make_pair(fds);
	ck_assert(http_server_adopt(server, fds[1]));
	return fds[0];
}

static void send_text(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL),
			 (ssize_t)strlen(text));
}

/* All that comes until the end: how much, and its beginning as text. */
static size_t read_all(int fd, char *text, size_t size)
{
	char part[65536];
	size_t total = 0, kept = 0;
	ssize_t got;

	while ((got = recv(fd, part, sizeof(part), 0)) > 0) {
		size_t keep =
			(size_t)got < size - 1 - kept ? (size_t)got : size - 1 - kept;

		memcpy(text + kept, part, keep);
		kept += keep;
		total += (size_t)got;
	}
	ck_assert_msg(got == 0 || errno == ECONNRESET, "it was not closed");
	text[kept] = '\0';
	close(fd);
	return total;
}

static void expect_closing(int fd, int status)
{
	char text[4096], line[32];

	read_all(fd, text, sizeof(text));
	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	ck_assert_msg(strncmp(text, line, strlen(line)) == 0, "%d: \"%s\"", status, text);
	ck_assert_msg(strcasestr(text, "\r\nConnection: close\r\n") != NULL, "%s", text);
}

static int descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(d) != NULL)
		count++;
	closedir(d);
	return count;
}

/* ---- one request, one answer ---- */

START_TEST(an_adopted_connection_is_answered_once_and_closed)
{
	char text[4096];
	int fds[2];

	for (int tcp = 0; tcp < 2; tcp++) {
		if (tcp)
			make_tcp_pair(fds);
		else
			make_pair(fds);
		send_text(fds[0], "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
				  "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
		ck_assert(http_server_adopt(server, fds[1]));
		read_all(fds[0], text, sizeof(text));
		ck_assert(strncmp(text, "HTTP/1.1 200 ", 13) == 0);
		ck_assert_ptr_nonnull(strcasestr(text, "\r\nConnection: close\r\n"));
		ck_assert_str_eq(strstr(text, "\r\n\r\n") + 4, "hello");
	}
	ck_assert_int_eq(atomic_load(&handled), 2);
}
END_TEST

START_TEST(what_the_door_refuses_itself_says_close_too)
{
	char line[1100];
	int fd = connect_adopted();

	send_text(fd, "what is this\r\n\r\n");
	expect_closing(fd, 400);
	fd = connect_adopted();
	send_text(fd, "GET / HTTP/1.1\r\n\r\n"); /* no Host */
	expect_closing(fd, 400);
	fd = connect_adopted();
	send_text(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
	expect_closing(fd, 413);
	fd = connect_adopted();
	send_text(fd, "GET / HTTP/1.1\r\nHost: x\r\n");
	for (int i = 0; i < 30; i++) {
		snprintf(line, sizeof(line), "X-%d: %01000d\r\n", i, 0);
		if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
			break;
	}
	expect_closing(fd, 431);
	ck_assert_int_eq(atomic_load(&handled), 0);
}
END_TEST

START_TEST(an_answer_may_come_from_another_thread_later)
{
	int fd = connect_adopted();

	send_text(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	while (!atomic_load(&is_held))
		usleep(200);
	http_answer(held, &(struct http_answer){.status = 201});
	expect_closing(fd, 201);
}
END_TEST

/* ---- files ---- */

START_TEST(a_file_is_an_answer_with_its_length_and_a_head_has_no_body)
{
	char text[4096];
	int fd = connect_adopted();
	size_t total;

	send_text(fd, "GET /file HTTP/1.1\r\nHost: x\r\n\r\n");
	total = read_all(fd, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "\r\nContent-Length: 300000\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "\r\nContent-Type: x/y\r\n"));
	ck_assert_uint_eq(total, strstr(text, "\r\n\r\n") + 4 - text + FILE_BYTES);
	ck_assert(strncmp(strstr(text, "\r\n\r\n") + 4, "abcdefg", 7) == 0);
	fd = connect_adopted();
	send_text(fd, "HEAD /file HTTP/1.1\r\nHost: x\r\n\r\n");
	total = read_all(fd, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "\r\nContent-Length: 300000\r\n"));
	ck_assert_uint_eq(total, strstr(text, "\r\n\r\n") + 4 - text);
}
END_TEST

START_TEST(a_file_that_became_shorter_ends_the_connection)
{
	int64_t start_us = clock_mono_us();
	int fd = connect_adopted();
	char text[4096];
	size_t total;

	send_text(fd, "GET /shorter HTTP/1.1\r\nHost: x\r\n\r\n");
	total = read_all(fd, text, sizeof(text));
	ck_assert_uint_le(total, strstr(text, "\r\n\r\n") + 4 - text + FILE_BYTES);
	ck_assert_int_lt(clock_mono_us() - start_us, 5 * US_PER_S);
}
END_TEST

START_TEST(files_are_closed_whatever_becomes_of_their_answers)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	int before = descriptors(), fds[2];

	for (int i = 0; i < 50; i++) {
		make_tcp_pair(fds);
		send_text(fds[0], "GET /file HTTP/1.1\r\nHost: x\r\n\r\n");
		setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		while (!http_server_adopt(server, fds[1]))
			usleep(200);
		if (i % 2)
			usleep(1000);
		close(fds[0]);
	}
	for (int i = 0; descriptors() != before; i++) {
		ck_assert_int_lt(i, 1000);
		usleep(5000);
	}
}
END_TEST

/* ---- limits ---- */

START_TEST(more_than_the_maximum_are_not_taken_until_one_has_gone)
{
	int fds[MOST], extra[2];

	for (int i = 0; i < MOST; i++)
		fds[i] = connect_adopted();
	make_pair(extra);
	ck_assert(!http_server_adopt(server, extra[1]));
	ck_assert_int_eq(send(extra[1], "mine", 4, 0), 4); /* still the caller's */
	send_text(fds[0], "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	expect_closing(fds[0], 200);
	for (int i = 0; !http_server_adopt(server, extra[1]); i++) {
		ck_assert_int_lt(i, 1000);
		usleep(1000);
	}
	for (int i = 1; i < MOST; i++)
		close(fds[i]);
	close(extra[0]);
}
END_TEST

/* Data and end come to the server together: it must not take the first for all. */
START_TEST(who_sends_half_a_request_and_leaves_is_gone_in_two_seconds)
{
	int before = descriptors(), fds[2];
	int64_t start_us = clock_mono_us();

	for (int tcp = 0; tcp < 2; tcp++) {
		for (int i = 0; i < MOST / 2; i++) {
			if (tcp)
				make_tcp_pair(fds);
			else
				make_pair(fds);
			send_text(fds[0], "POST / HTTP/1.1\r\nHost: x\r\n"
					  "Content-Length: 9\r\n\r\nhalf");
			close(fds[0]);
			ck_assert(http_server_adopt(server, fds[1]));
		}
	}
	while (descriptors() != before)
		usleep(5000);
	ck_assert_int_lt(clock_mono_us() - start_us, 5 * US_PER_S);
	ck_assert_int_eq(atomic_load(&handled), 0);
}
END_TEST

START_TEST(who_has_sent_all_and_shut_its_end_gets_its_answer)
{
	int fds[2];

	make_tcp_pair(fds);
	send_text(fds[0], "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	shutdown(fds[0], SHUT_WR);
	ck_assert(http_server_adopt(server, fds[1]));
	while (!atomic_load(&is_held))
		usleep(200);
	usleep(1500000); /* it was looked after meanwhile */
	http_answer(held, &(struct http_answer){.status = 201});
	expect_closing(fds[0], 201);
}
END_TEST

static int64_t time_to_close_us(int fd, const char *piece)
{
	int64_t start_us = clock_mono_us();
	char byte;

	limit_waiting(fd);
	while (recv(fd, &byte, 1, piece != NULL ? MSG_DONTWAIT : 0) < 0 &&
	       errno == EAGAIN && piece != NULL) {
		send(fd, piece, 1, MSG_NOSIGNAL);
		usleep(50000);
		ck_assert_int_lt(clock_mono_us() - start_us, WAIT_S * US_PER_S);
	}
	close(fd);
	return clock_mono_us() - start_us;
}

START_TEST(half_a_request_ends_with_the_idle_timeout)
{
	int fd;

	write_file();
	start_server(1, 60, NULL);
	fd = connect_adopted();
	send_text(fd, "GET /half HTTP/1.1\r\nHo");
	ck_assert_int_lt(time_to_close_us(fd, NULL), 4 * US_PER_S);
	fd = connect_adopted(); /* not a byte */
	ck_assert_int_lt(time_to_close_us(fd, NULL), 4 * US_PER_S);
	tear_down();
}
END_TEST

START_TEST(a_byte_now_and_then_ends_with_the_life)
{
	int64_t took_us;
	int fd;

	write_file();
	start_server(WAIT_S, 1, NULL);
	fd = connect_adopted();
	send_text(fd, "GET /slow");
	took_us = time_to_close_us(fd, "x");
	ck_assert_int_ge(took_us, US_PER_S - 50 * US_PER_MS);
	ck_assert_int_lt(took_us, 4 * US_PER_S);
	tear_down();
}
END_TEST

START_TEST(who_does_not_read_its_answer_ends_with_the_life)
{
	int64_t start_us = clock_mono_us();
	char text[64];
	int fd;

	write_file();
	start_server(WAIT_S, 1, NULL);
	fd = connect_adopted();
	send_text(fd, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
	usleep(1500000);
	ck_assert_uint_lt(read_all(fd, text, sizeof(text)), 64 << 20);
	ck_assert_int_lt(clock_mono_us() - start_us, 5 * US_PER_S);
	tear_down();
}
END_TEST

START_TEST(who_left_before_it_was_adopted_leaves_nothing_behind)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	int before = descriptors(), fds[2];

	for (int i = 0; i < 50; i++) {
		make_tcp_pair(fds);
		if (i % 2)
			setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fds[0]);
		while (!http_server_adopt(server, fds[1]))
			usleep(200);
	}
	for (int i = 0; descriptors() != before; i++) {
		ck_assert_int_lt(i, 1000);
		usleep(5000);
	}
}
END_TEST

/* ---- stopping, threads, a loop ---- */

START_TEST(stopping_closes_all_of_them)
{
	int before = descriptors(), fds[MOST];

	for (int round = 0; round < 20; round++) {
		write_file();
		start_server(WAIT_S, 60, NULL);
		ck_assert_str_eq(http_server_address(server), "");
		for (int i = 0; i < MOST; i++) {
			fds[i] = connect_adopted(); /* perhaps not out of the mailbox */
			if (i % 2)
				send_text(fds[i], "GET / HT");
		}
		if (round % 2)
			http_server_quiesce(server);
		tear_down();
		for (int i = 0; i < MOST; i++)
			ck_assert_int_lt(time_to_close_us(fds[i], NULL), US_PER_S);
		memcpy(file_path + sizeof(file_path) - 7, "XXXXXX", 6);
	}
	ck_assert_int_eq(descriptors(), before);
}
END_TEST

static void *give_many(void *arg)
{
	for (int i = 0; i < 200; i++) {
		char text[4096];
		int fds[2];

		make_pair(fds);
		send_text(fds[0], "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
		while (!http_server_adopt(server, fds[1]))
			usleep(50);
		read_all(fds[0], text, sizeof(text));
		ck_assert(strncmp(text, "HTTP/1.1 200 ", 13) == 0);
	}
	return NULL;
}

START_TEST(several_threads_may_give)
{
	pthread_t givers[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&givers[i], NULL, give_many, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(givers[i], NULL);
	ck_assert_int_eq(atomic_load(&handled), 800);
}
END_TEST

static void *give_and_stop(void *arg)
{
	give_many(NULL);
	loop_stop(arg);
	return NULL;
}

START_TEST(on_a_callers_loop_it_adopts_too)
{
	struct loop *loop = loop_new();
	pthread_t giver;

	write_file();
	start_server(WAIT_S, 60, loop);
	pthread_create(&giver, NULL, give_and_stop, loop);
	loop_run(loop);
	pthread_join(giver, NULL);
	tear_down();
	loop_free(loop);
}
END_TEST

Suite *http_adopted_suite(void)
{
	Suite *s = suite_create("http_adopted");
	TCase *served = tcase_create("served");
	TCase *alone = tcase_create("alone");

	tcase_add_checked_fixture(served, set_up, tear_down);
	tcase_set_timeout(served, 60);
	tcase_add_test(served, an_adopted_connection_is_answered_once_and_closed);
	tcase_add_test(served, what_the_door_refuses_itself_says_close_too);
	tcase_add_test(served, an_answer_may_come_from_another_thread_later);
	tcase_add_test(served,
		       a_file_is_an_answer_with_its_length_and_a_head_has_no_body);
	tcase_add_test(served, a_file_that_became_shorter_ends_the_connection);
	tcase_add_test(served, files_are_closed_whatever_becomes_of_their_answers);
	tcase_add_test(served, more_than_the_maximum_are_not_taken_until_one_has_gone);
	tcase_add_test(served, who_left_before_it_was_adopted_leaves_nothing_behind);
	tcase_add_test(served,
		       who_sends_half_a_request_and_leaves_is_gone_in_two_seconds);
	tcase_add_test(served, who_has_sent_all_and_shut_its_end_gets_its_answer);
	tcase_add_test(served, several_threads_may_give);
	suite_add_tcase(s, served);

	tcase_set_timeout(alone, 60);
	tcase_add_test(alone, half_a_request_ends_with_the_idle_timeout);
	tcase_add_test(alone, a_byte_now_and_then_ends_with_the_life);
	tcase_add_test(alone, who_does_not_read_its_answer_ends_with_the_life);
	tcase_add_test(alone, stopping_closes_all_of_them);
	tcase_add_test(alone, on_a_callers_loop_it_adopts_too);
	suite_add_tcase(s, alone);
	return s;
}
