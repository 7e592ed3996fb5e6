/* Against a redis-server of its own; that the connection comes up is the sign that the
 * server is ready. */
#include <check.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/redis.h"
#include "redis_server.h"

Suite *redis_suite(void);

enum { WAIT_MS = 10000, COMMAND_TIMEOUT_MS = 300 };

static struct redis_server server;
static struct loop *loop;
static struct redis *redis;
static int ups, downs;

static void set_up_server(void)
{
	redis_server_init(&server);
	loop = loop_new();
	redis_server_start(&server, NULL);
}

static void tear_down_server(void)
{
	redis_free(redis);
	loop_free(loop);
	redis_server_release(&server);
}

/* ---- waiting ---- */

static const int *awaited;
static int awaited_value;
static int64_t deadline_us;

static void look(void *arg)
{
	ck_assert_msg(clock_mono_us() < deadline_us, "waited too long");
	if (*awaited >= awaited_value)
		loop_stop(loop);
}

static void wait_until(const int *counter, int value)
{
	struct loop_timer *t = loop_timer_new(loop, look, NULL);

	awaited = counter;
	awaited_value = value;
	deadline_us = clock_mono_us() + WAIT_MS * US_PER_MS;
	loop_timer_start(t, 0, 1);
	loop_run(loop);
	loop_timer_free(t);
}

static void end_pause(void *arg)
{
	loop_stop(loop);
}

static void run_for(int ms)
{
	struct loop_timer *t = loop_timer_new(loop, end_pause, NULL);

	loop_timer_start(t, ms, 0);
	loop_run(loop);
	loop_timer_free(t);
}

static void count_up(void *arg)
{
	ups++;
}

static void count_down(void *arg)
{
	ck_assert(!redis_is_up(redis));
	ck_assert_uint_eq(redis_pending(redis), 0);
	downs++;
}

static void open_url(const char *where)
{
	struct redis_settings settings = {.url = where,
					  .client_name = "tester",
					  .connect_timeout_ms = 2000,
					  .command_timeout_ms = COMMAND_TIMEOUT_MS};
	struct err e;

	ck_assert_int_eq(
		redis_new(&redis, loop, &settings, count_up, count_down, NULL, &e), 0);
}

static void connect_and_wait(void)
{
	open_url(server.url);
	wait_until(&ups, 1);
	downs = 0; /* those before the server was ready */
}

/* ---- replies that are kept for looking at ---- */

struct answer {
	int calls;
	bool has_reply;
	enum redis_kind kind;
	char text[256];
	int64_t number;
	size_t count;
	enum err_code code;
	int place; /* in the order of all answers */
};

static int places;

static void keep(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct answer *a = arg;

	ck_assert((reply != NULL) != (e != NULL));
	a->calls++;
	a->place = ++places;
	a->has_reply = reply != NULL;
	a->kind = redis_kind(reply);
	mem_copy_text(a->text, sizeof(a->text), redis_text(reply, NULL));
	a->number = redis_int(reply);
	a->count = redis_count(reply);
	a->code = e != NULL ? e->code : ERR_NONE;
}

START_TEST(replies_come_in_the_order_of_the_commands_and_in_all_kinds)
{
	struct answer a[6] = {{0}};

	connect_and_wait();
	ck_assert(redis_is_up(redis));
	ck_assert_int_eq(redis_sendl(redis, keep, &a[0], "SET", "k", "41", NULL), 0);
	ck_assert_int_eq(redis_sendl(redis, keep, &a[1], "GET", "k", NULL), 0);
	ck_assert_int_eq(redis_sendl(redis, keep, &a[2], "INCR", "k", NULL), 0);
	ck_assert_int_eq(redis_sendl(redis, keep, &a[3], "GET", "none", NULL), 0);
	ck_assert_int_eq(redis_sendl(redis, keep, &a[4], "LPUSH", "k", "x", NULL), 0);
	ck_assert_int_eq(redis_sendl(redis, NULL, NULL, "PING", NULL), 0);
	ck_assert_int_eq(redis_sendl(redis, keep, &a[5], "MGET", "k", "none", NULL), 0);
	ck_assert_uint_eq(redis_pending(redis), 7);
	ck_assert_int_eq(a[0].calls, 0);
	wait_until(&a[5].calls, 1);
	ck_assert_uint_eq(redis_pending(redis), 0);
	for (int i = 0; i < 6; i++) {
		ck_assert_int_eq(a[i].calls, 1);
		ck_assert_int_eq(a[i].place, i + 1);
	}
	ck_assert_int_eq(a[0].kind, REDIS_KIND_TEXT);
	ck_assert_str_eq(a[0].text, "OK");
	ck_assert_str_eq(a[1].text, "41");
	ck_assert_int_eq(a[1].number, 41);
	ck_assert_int_eq(a[2].kind, REDIS_KIND_INT);
	ck_assert_int_eq(a[2].number, 42);
	ck_assert_int_eq(a[3].kind, REDIS_KIND_NIL);
	ck_assert(a[3].has_reply);
	ck_assert_int_eq(a[4].kind, REDIS_KIND_ERROR);
	ck_assert_int_eq(a[5].kind, REDIS_KIND_ARRAY);
	ck_assert_uint_eq(a[5].count, 2);
}
END_TEST

static int looked;

static void look_at_array(void *arg, const struct redisReply *v, const struct err *e)
{
	size_t len;

	ck_assert_uint_eq(redis_count(v), 4);
	ck_assert_str_eq(redis_text(redis_at(redis_at(v, 0), 0), &len), "a");
	ck_assert_uint_eq(len, 1);
	ck_assert_str_eq(redis_text(redis_at(redis_at(v, 0), 1), NULL), "b");
	ck_assert_mem_eq(redis_text(redis_at(v, 1), &len), "x\0y", 4);
	ck_assert_uint_eq(len, 3);
	ck_assert_int_eq(redis_int(redis_at(v, 2)), -7);
	ck_assert(redis_is_error(redis_at(v, 3), "NOGROUP"));
	ck_assert(redis_is_error(redis_at(v, 3), ""));
	ck_assert(!redis_is_error(redis_at(v, 3), "NO"));
	ck_assert(!redis_is_error(redis_at(v, 2), ""));
	ck_assert_ptr_null(redis_at(v, 4));
	ck_assert_ptr_null(redis_at(redis_at(v, 2), 0));
	ck_assert_int_eq(redis_kind(NULL), REDIS_KIND_NIL);
	ck_assert_str_eq(redis_text(NULL, &len), "");
	ck_assert_int_eq(redis_int(redis_at(v, 1)), 0);
	looked++;
}

START_TEST(nested_replies_and_bytes_are_read_as_they_are)
{
	struct redis_args *a = redis_args_new();

	connect_and_wait();
	redis_args_text(a, "EVAL");
	redis_args_text(a, "return {{'a', ARGV[1]}, ARGV[2], tonumber(ARGV[3]), "
			   "redis.error_reply('NOGROUP none')}");
	redis_args_int(a, 0);
	redis_args_textf(a, "%c", 'b');
	redis_args_bytes(a, "x\0y", 3);
	redis_args_int(a, -7);
	ck_assert_int_eq(redis_send(redis, a, look_at_array, NULL), 0);
	redis_args_clear(a);
	redis_args_free(a);
	redis_args_free(NULL);
	wait_until(&looked, 1);
}
END_TEST

START_TEST(a_command_while_down_is_refused_and_never_called)
{
	struct answer a = {0};

	redis_server_stop(&server, SIGKILL);
	open_url(server.url);
	ck_assert_int_eq(redis_sendl(redis, keep, &a, "PING", NULL), -1);
	wait_until(&downs, 2);
	ck_assert_int_eq(ups, 0);
	ck_assert_int_eq(redis_sendl(redis, keep, &a, "PING", NULL), -1);
	redis_server_start(&server, NULL);
	wait_until(&ups, 1);
	run_for(20);
	ck_assert_int_eq(a.calls, 0);
}
END_TEST

START_TEST(a_killed_server_fails_what_is_pending_and_the_next_one_is_found)
{
	struct answer a[2] = {{0}}, b = {0};

	connect_and_wait();
	kill(server.pid, SIGSTOP);
	redis_sendl(redis, keep, &a[0], "INCR", "k", NULL);
	redis_sendl(redis, keep, &a[1], "INCR", "k", NULL);
	run_for(20);
	ck_assert_uint_eq(redis_pending(redis), 2);
	redis_server_stop(&server, SIGKILL);
	wait_until(&downs, 1);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(a[i].calls, 1);
		ck_assert(!a[i].has_reply);
		ck_assert_int_eq(a[i].place, i + 1);
		ck_assert_int_eq(a[i].code, ERR_IO);
	}
	redis_server_start(&server, NULL);
	wait_until(&ups, 2);
	redis_sendl(redis, keep, &b, "PING", NULL);
	wait_until(&b.calls, 1);
	ck_assert_str_eq(b.text, "PONG");
}
END_TEST

static struct answer too_late;

/* The answer arrives and the server leaves while this sleeps; the write then fails. */
static void outlive_server(void *arg)
{
	usleep(200000);
	redis_server_stop(&server, SIGKILL);
	ck_assert_int_eq(redis_sendl(redis, keep, &too_late, "INCR", "k", NULL), 0);
}

START_TEST(answers_given_before_the_server_left_are_not_lost)
{
	struct loop_timer *t = loop_timer_new(loop, outlive_server, NULL);
	struct answer a = {0};

	connect_and_wait();
	redis_sendl(redis, keep, &a, "DEBUG", "SLEEP", "0.05", NULL);
	loop_timer_start(t, 10, 0);
	wait_until(&downs, 1);
	ck_assert_str_eq(a.text, "OK");
	ck_assert_int_eq(too_late.calls, 1);
	ck_assert(!too_late.has_reply);
	loop_timer_free(t);
}
END_TEST

START_TEST(a_hung_server_is_left_after_the_command_timeout)
{
	struct answer a = {0}, b = {0};
	int64_t began_us;

	connect_and_wait();
	redis_sendl(redis, keep, &b, "PING", NULL);
	run_for(COMMAND_TIMEOUT_MS / 2); /* the timer runs for that one by now */
	ck_assert(b.has_reply);
	kill(server.pid, SIGSTOP);
	began_us = clock_mono_us();
	redis_sendl(redis, keep, &a, "PING", NULL);
	wait_until(&downs, 1);
	ck_assert_int_eq(a.calls, 1);
	ck_assert_int_eq(a.code, ERR_TIMEOUT);
	ck_assert_int_ge(clock_mono_us() - began_us, COMMAND_TIMEOUT_MS * US_PER_MS);
	ck_assert_int_lt(clock_mono_us() - began_us, 2 * COMMAND_TIMEOUT_MS * US_PER_MS);
	kill(server.pid, SIGCONT);
	wait_until(&ups, 2);
}
END_TEST

START_TEST(a_server_that_hangs_before_it_greets_is_a_failed_try)
{
	struct redis_settings settings = {server.url, "tester", 100, COMMAND_TIMEOUT_MS};
	struct err e;

	connect_and_wait();
	redis_free(redis);
	ups = 0;
	kill(server.pid, SIGSTOP);
	ck_assert_int_eq(
		redis_new(&redis, loop, &settings, count_up, count_down, NULL, &e), 0);
	wait_until(&downs, 2);
	ck_assert_int_eq(ups, 0);
	kill(server.pid, SIGCONT);
	wait_until(&ups, 1);
}
END_TEST

static void sleep_long(void *arg)
{
	usleep(2 * COMMAND_TIMEOUT_MS * 1000);
}

START_TEST(answers_that_waited_while_this_process_slept_are_no_timeout)
{
	struct loop_timer *t = loop_timer_new(loop, sleep_long, NULL);
	struct answer a = {0};

	connect_and_wait();
	redis_sendl(redis, keep, &a, "DEBUG", "SLEEP", "0.1", NULL);
	loop_timer_start(t, 20, 0);
	wait_until(&a.calls, 1);
	ck_assert(a.has_reply);
	ck_assert_int_eq(downs, 0);
	loop_timer_free(t);
}
END_TEST

static struct answer slow_sender;

static void send_and_sleep(void *arg)
{
	redis_sendl(redis, keep, &slow_sender, "PING", NULL);
	usleep(2 * COMMAND_TIMEOUT_MS * 1000);
}

START_TEST(a_command_is_not_late_before_it_was_written)
{
	struct loop_timer *t = loop_timer_new(loop, send_and_sleep, NULL);

	connect_and_wait();
	loop_timer_start(t, 0, 0);
	wait_until(&slow_sender.calls, 1);
	ck_assert(slow_sender.has_reply);
	loop_timer_free(t);
}
END_TEST

START_TEST(a_connection_that_is_used_all_the_time_does_not_time_out)
{
	connect_and_wait();
	for (int64_t end_us = clock_mono_us() + 3 * COMMAND_TIMEOUT_MS * US_PER_MS;
	     clock_mono_us() < end_us;) {
		struct answer a = {0};

		ck_assert_int_eq(redis_sendl(redis, keep, &a, "PING", NULL), 0);
		wait_until(&a.calls, 1);
		ck_assert(a.has_reply);
	}
	run_for(2 * COMMAND_TIMEOUT_MS); /* nor one that is not used at all */
	ck_assert_int_eq(downs, 0);
}
END_TEST

START_TEST(a_wrong_password_is_a_failed_try_until_it_is_right)
{
	char port[8], url[160];
	const char *options[] = {"--port", port, "--requirepass", "s@cret/1", NULL};
	struct answer info = {0}, right = {0};

	snprintf(port, sizeof(port), "%d", free_port());
	redis_server_stop(&server, SIGKILL);
	redis_server_start(&server, options);
	snprintf(url, sizeof(url), "redis://:s%%40cret%%2F1@127.0.0.1:%s/3", port);
	open_url(url);
	wait_until(&ups, 1);
	redis_sendl(redis, keep, &info, "CLIENT", "INFO", NULL);
	redis_sendl(redis, keep, &right, "CONFIG", "SET", "requirepass", "other", NULL);
	wait_until(&right.calls, 1);
	ck_assert_str_eq(right.text, "OK");
	ck_assert_ptr_nonnull(strstr(info.text, " name=tester "));
	ck_assert_ptr_nonnull(strstr(info.text, " db=3 "));
	downs = 0;
	redis_reconnect(redis, "the password was changed");
	ck_assert_int_eq(downs, 1);
	wait_until(&downs, 3);
	ck_assert_int_eq(ups, 1);
	redis_free(redis);
	redis = NULL;
	snprintf(url, sizeof(url), "redis://default:other@127.0.0.1:%s", port);
	open_url(url);
	wait_until(&ups, 2);
}
END_TEST

START_TEST(a_server_that_is_still_loading_is_a_failed_try)
{
	static const char *const slow[] = {"--key-load-delay", "1000",
					   "--loading-process-events-interval-bytes",
					   "1024", NULL};
	struct answer saved = {0}, size = {0};

	connect_and_wait();
	redis_sendl(redis, NULL, NULL, "DEBUG", "POPULATE", "1000", "key", "100", NULL);
	redis_sendl(redis, keep, &saved, "SAVE", NULL);
	wait_until(&saved.calls, 1);
	redis_server_stop(&server, SIGKILL);
	redis_server_start(&server, slow);
	wait_until(&downs, 3); /* the loss, and tries while it loads */
	wait_until(&ups, 2);
	redis_sendl(redis, keep, &size, "DBSIZE", NULL);
	wait_until(&size.calls, 1);
	ck_assert_int_eq(size.number, 1000);
}
END_TEST

static struct answer later[3];

static void reconnect_now(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct answer *a = arg;

	ck_assert_int_eq(ups, 1);
	ck_assert_ptr_nonnull(reply);
	redis_reconnect(redis, "the test says so");
	ck_assert(!redis_is_up(redis));
	ck_assert_int_eq(redis_sendl(redis, keep, a, "PING", NULL), -1);
	ck_assert_int_eq(a[0].calls + a[1].calls + a[2].calls, 3);
	ck_assert_str_eq(redis_text(reply, NULL), "PONG"); /* still to be read */
}

START_TEST(a_reply_callback_may_tear_the_connection_down)
{
	connect_and_wait();
	redis_sendl(redis, reconnect_now, later, "PING", NULL);
	for (int i = 0; i < 3; i++)
		redis_sendl(redis, keep, &later[i], "PING", NULL);
	wait_until(&ups, 2);
	ck_assert_int_eq(downs, 1);
	for (int i = 0; i < 3; i++) {
		ck_assert(!later[i].has_reply);
		ck_assert_int_eq(later[i].code, ERR_CLOSED);
		ck_assert_int_eq(later[i].place, i + 1);
	}
}
END_TEST

START_TEST(freeing_calls_what_is_pending_with_closed)
{
	struct answer a[2] = {{0}};

	connect_and_wait();
	redis_sendl(redis, keep, &a[0], "PING", NULL);
	redis_sendl(redis, keep, &a[1], "PING", NULL);
	redis_free(redis);
	redis = NULL;
	ck_assert_int_eq(a[0].code, ERR_CLOSED);
	ck_assert_int_eq(a[1].code, ERR_CLOSED);
	ck_assert_int_eq(a[1].place, 2);
	ck_assert_int_eq(downs, 0);
	redis_free(NULL);
}
END_TEST

START_TEST(a_connection_that_the_server_kills_comes_back)
{
	struct answer a = {0};

	connect_and_wait();
	redis_sendl(redis, keep, &a, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no",
		    NULL);
	wait_until(&downs, 1);
	ck_assert_int_eq(a.number, 1); /* it answers before it closes */
	wait_until(&ups, 2);
}
END_TEST

static int64_t reads_processed;

static void take_reads(void *arg, const struct redisReply *reply, const struct err *e)
{
	const char *field = strstr(redis_text(reply, NULL), "total_reads_processed:");

	ck_assert_ptr_nonnull(field);
	reads_processed = strtoll(field + strlen("total_reads_processed:"), NULL, 10);
	looked++;
}

START_TEST(the_commands_of_one_iteration_go_out_in_one_write)
{
	struct answer last = {0};
	int64_t before;

	connect_and_wait();
	redis_sendl(redis, take_reads, NULL, "INFO", "stats", NULL);
	wait_until(&looked, 1);
	before = reads_processed;
	for (int i = 0; i < 100; i++)
		redis_sendl(redis, i == 99 ? keep : NULL, &last, "INCR", "k", NULL);
	wait_until(&last.calls, 1);
	ck_assert_int_eq(last.number, 100);
	redis_sendl(redis, take_reads, NULL, "INFO", "stats", NULL);
	wait_until(&looked, 2);
	ck_assert_int_eq(reads_processed - before, 2); /* the hundred, and INFO */
}
END_TEST

enum { LARGE = 3000000 };

static char *large;

static void compare_large(void *arg, const struct redisReply *reply, const struct err *e)
{
	size_t len;
	const char *bytes = redis_text(reply, &len);

	ck_assert_uint_eq(len, LARGE);
	ck_assert_mem_eq(bytes, large, LARGE);
	looked++;
}

START_TEST(what_is_larger_than_every_buffer_arrives_whole)
{
	struct redis_args *a = redis_args_new();

	large = mem_alloc(LARGE);
	for (size_t i = 0; i < LARGE; i++)
		large[i] = (char)(i * 31 + i / 7);
	connect_and_wait();
	for (int i = 0; i < 5; i++) {
		redis_args_clear(a);
		redis_args_text(a, "SET");
		redis_args_textf(a, "large:%d:%0300d", i, i);
		redis_args_bytes(a, large, LARGE);
		ck_assert_int_eq(redis_send(redis, a, NULL, NULL), 0);
		redis_args_clear(a);
		redis_args_text(a, "GET");
		redis_args_textf(a, "large:%d:%0300d", i, i);
		ck_assert_int_eq(redis_send(redis, a, compare_large, NULL), 0);
	}
	wait_until(&looked, 5);
	redis_args_free(a);
	mem_free(large);
}
END_TEST

START_TEST(too_much_to_write_is_refused_and_ends_the_connection)
{
	struct redis_args *a = redis_args_new();
	struct answer first = {0}, refused = {0};
	const size_t size = 15 << 20;
	int accepted = 0;

	large = mem_alloc(size);
	connect_and_wait();
	kill(server.pid, SIGSTOP);
	redis_args_text(a, "PUBLISH");
	redis_args_text(a, "nobody");
	redis_args_bytes(a, large, size);
	while (redis_send(redis, a, accepted == 0 ? keep : NULL, &first) == 0)
		accepted++;
	ck_assert_int_eq(accepted, 4);
	ck_assert(!redis_is_up(redis));
	ck_assert_int_eq(redis_sendl(redis, keep, &refused, "PING", NULL), -1);
	ck_assert_int_eq(first.calls, 0); /* not inside of redis_send */
	wait_until(&downs, 1);
	ck_assert_int_eq(first.code, ERR_FULL);
	kill(server.pid, SIGCONT);
	wait_until(&ups, 2);
	ck_assert_int_eq(refused.calls, 0);
	redis_args_free(a);
	mem_free(large);
}
END_TEST

START_TEST(a_url_or_name_that_is_wrong_is_told_at_once)
{
	struct redis_settings settings = {"redis:/x", "tester", 1, 1};
	struct err e = ERR_INIT;

	ck_assert_int_eq(redis_new(&redis, loop, &settings, NULL, NULL, NULL, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	settings.url = server.url;
	settings.client_name = "a name";
	ck_assert_int_eq(redis_new(&redis, loop, &settings, NULL, NULL, NULL, &e), -1);
	ck_assert_ptr_null(redis);
}
END_TEST

/* ---- subscribers ---- */

static const char *const CHANNELS[] = {"bell", "head", NULL};
static struct redis *publisher;
static int messages;
static char last_channel[32], last_message[32];

static void take_message(void *arg, const char *channel, const char *bytes, size_t len)
{
	ck_assert_ptr_eq(arg, &messages);
	ck_assert_uint_eq(strlen(bytes), len);
	mem_copy_text(last_channel, sizeof(last_channel), channel);
	mem_copy_text(last_message, sizeof(last_message), bytes);
	messages++;
}

static void subscribe_and_wait(int silence_ms)
{
	open_url(server.url);
	ck_assert_int_eq(
		redis_subscribe(redis, CHANNELS, take_message, &messages, silence_ms), 0);
	ck_assert_int_eq(
		redis_subscribe(redis, CHANNELS, take_message, &messages, silence_ms),
		-1);
	wait_until(&ups, 1);
	downs = 0;
}

START_TEST(a_subscriber_hears_its_channels_and_again_after_a_restart)
{
	struct redis_settings settings = {server.url, "publisher", 2000,
					  COMMAND_TIMEOUT_MS};
	struct answer heard = {0};
	struct err e;

	subscribe_and_wait(0);
	ck_assert_int_eq(redis_new(&publisher, loop, &settings, NULL, NULL, NULL, &e), 0);
	for (int round = 1; round <= 2; round++) {
		while (!redis_is_up(publisher))
			run_for(1);
		redis_sendl(publisher, keep, &heard, "PUBLISH", "bell", "ding", NULL);
		redis_sendl(publisher, NULL, NULL, "PUBLISH", "other", "no", NULL);
		redis_sendl(publisher, NULL, NULL, "PUBLISH", "head", "0042", NULL);
		wait_until(&messages, 2 * round);
		wait_until(&heard.calls, round);
		ck_assert_int_eq(heard.number, 1);
		ck_assert_str_eq(last_channel, "head");
		ck_assert_str_eq(last_message, "0042");
		if (round == 2)
			break;
		redis_server_stop(&server, SIGKILL);
		wait_until(&downs, 1);
		redis_server_start(&server, NULL);
		wait_until(&ups, 2); /* by then it is subscribed */
	}
	redis_free(publisher);
}
END_TEST

START_TEST(a_subscriber_refuses_commands)
{
	struct answer a = {0};

	subscribe_and_wait(0);
	ck_assert(redis_is_up(redis));
	ck_assert_int_eq(redis_sendl(redis, keep, &a, "PING", NULL), -1);
}
END_TEST

START_TEST(a_connection_that_is_up_can_become_a_subscriber)
{
	connect_and_wait();
	ck_assert_int_eq(redis_subscribe(redis, CHANNELS, take_message, &messages, 0), 0);
	ck_assert_int_eq(downs, 1);
	wait_until(&ups, 2);
}
END_TEST

START_TEST(a_subscriber_to_quiet_channels_stays_connected)
{
	subscribe_and_wait(100);
	run_for(600);
	ck_assert_int_eq(downs, 0);
	ck_assert(redis_is_up(redis));
}
END_TEST

START_TEST(a_subscriber_of_a_hung_server_is_made_anew_after_the_silence)
{
	int64_t began_us;

	subscribe_and_wait(200);
	kill(server.pid, SIGSTOP);
	began_us = clock_mono_us();
	wait_until(&downs, 1);
	ck_assert_int_ge(clock_mono_us() - began_us, 90 * US_PER_MS);
	ck_assert_int_lt(clock_mono_us() - began_us, 400 * US_PER_MS);
	kill(server.pid, SIGCONT);
	wait_until(&ups, 2);
}
END_TEST

static TCase *connection_tests(void)
{
	TCase *t = tcase_create("connection");

	tcase_add_checked_fixture(t, set_up_server, tear_down_server);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, a_url_or_name_that_is_wrong_is_told_at_once);
	tcase_add_test(t, a_command_while_down_is_refused_and_never_called);
	tcase_add_test(t,
		       a_killed_server_fails_what_is_pending_and_the_next_one_is_found);
	tcase_add_test(t, answers_given_before_the_server_left_are_not_lost);
	tcase_add_test(t, a_hung_server_is_left_after_the_command_timeout);
	tcase_add_test(t, a_server_that_hangs_before_it_greets_is_a_failed_try);
	tcase_add_test(t, answers_that_waited_while_this_process_slept_are_no_timeout);
	tcase_add_test(t, a_command_is_not_late_before_it_was_written);
	tcase_add_test(t, a_connection_that_is_used_all_the_time_does_not_time_out);
	tcase_add_test(t, a_wrong_password_is_a_failed_try_until_it_is_right);
	tcase_add_test(t, a_server_that_is_still_loading_is_a_failed_try);
	tcase_add_test(t, a_connection_that_the_server_kills_comes_back);
	tcase_add_test(t, a_reply_callback_may_tear_the_connection_down);
	tcase_add_test(t, freeing_calls_what_is_pending_with_closed);
	return t;
}

static TCase *command_tests(void)
{
	TCase *t = tcase_create("commands");

	tcase_add_checked_fixture(t, set_up_server, tear_down_server);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, replies_come_in_the_order_of_the_commands_and_in_all_kinds);
	tcase_add_test(t, nested_replies_and_bytes_are_read_as_they_are);
	tcase_add_test(t, the_commands_of_one_iteration_go_out_in_one_write);
	tcase_add_test(t, what_is_larger_than_every_buffer_arrives_whole);
	tcase_add_test(t, too_much_to_write_is_refused_and_ends_the_connection);
	return t;
}

static TCase *subscriber_tests(void)
{
	TCase *t = tcase_create("subscribers");

	tcase_add_checked_fixture(t, set_up_server, tear_down_server);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, a_subscriber_hears_its_channels_and_again_after_a_restart);
	tcase_add_test(t, a_subscriber_refuses_commands);
	tcase_add_test(t, a_connection_that_is_up_can_become_a_subscriber);
	tcase_add_test(t, a_subscriber_to_quiet_channels_stays_connected);
	tcase_add_test(t, a_subscriber_of_a_hung_server_is_made_anew_after_the_silence);
	return t;
}

Suite *redis_suite(void)
{
	Suite *s = suite_create("redis");

	suite_add_tcase(s, connection_tests());
	suite_add_tcase(s, command_tests());
	suite_add_tcase(s, subscriber_tests());
	return s;
}
