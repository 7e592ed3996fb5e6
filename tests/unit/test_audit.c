/* The audit against a real Redis and a real ledger: what is lost is found, and nothing
 * else, at whatever moment it is caught. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "app/audit.h"
#include "app/cursor.h"
#include "app/sequences.h"
#include "app/suspects.h"
#include "base/clock.h"
#include "base/mem.h"
#include "ledger_fixture.h"
#include "redis_server.h"

Suite *audit_suite(void);

#define LOG_WAIT_MS 400
#define EVENTS      6
#define LARGE       20000

static struct err e;

/* ---- the set ---- */

START_TEST(a_set_has_what_was_added_in_any_order_and_nothing_else)
{
	static const int64_t values[] = {5, 7, 7, 9, 2, 11, 3, 2, 12, 1};
	struct sequences s;

	sequences_init(&s);
	sequences_seal(&s);
	ck_assert(!sequences_have(&s, 5));
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		ck_assert(sequences_add(&s, values[i]));
	sequences_seal(&s);
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		ck_assert(sequences_have(&s, values[i]));
	ck_assert(!sequences_have(&s, 4) && !sequences_have(&s, 10));
	ck_assert(!sequences_have(&s, 0) && !sequences_have(&s, 13));
	ck_assert_uint_eq(sequences_count(&s), 10);
	sequences_clear(&s);
	ck_assert(!sequences_have(&s, 5));
	sequences_release(&s);
}
END_TEST

START_TEST(a_large_set_with_strays_everywhere_is_exact)
{
	struct sequences s;

	int wrong = 0;

	sequences_init(&s);
	for (int64_t i = 0; i < LARGE; i++)
		wrong += !sequences_add(&s, i % 7 == 0 ? (LARGE - i) * 2 : i * 2);
	sequences_seal(&s);
	for (int64_t i = 0; i < LARGE; i++) {
		wrong += !sequences_have(&s, i % 7 == 0 ? (LARGE - i) * 2 : i * 2);
		wrong += sequences_have(&s, i * 2 + 1);
	}
	ck_assert_int_eq(wrong, 0);
	sequences_release(&s);
}
END_TEST

START_TEST(a_cursor_is_read_and_told_apart_from_others)
{
	ck_assert_int_eq(cursor_read("abc:17", "abc"), 17);
	ck_assert_int_eq(cursor_read("abc:0", "abc"), 0);
	ck_assert_int_eq(cursor_read("", "abc"), CURSOR_MISSING);
	ck_assert_int_eq(cursor_read("abd:17", "abc"), CURSOR_FOREIGN);
	ck_assert_int_eq(cursor_read("abcd:17", "abc"), CURSOR_FOREIGN);
	ck_assert_int_eq(cursor_read("abc", "abc"), CURSOR_FOREIGN);
	ck_assert_int_eq(cursor_read("abc:-1", "abc"), CURSOR_FOREIGN);
	ck_assert_int_eq(cursor_read("abc:x", "abc"), CURSOR_FOREIGN);
}
END_TEST

/* ---- a ledger, a Redis, an audit ---- */

static struct ledger_fixture f;
static struct redis_server server;
static struct store store; /* the audit's reader */
static struct loop *loop;
static struct redis *redis, *hand;
static struct loop_timer *later;
static struct bus bus;
static struct audit *audit;
static int ups;
static bool over;
static size_t found_count, entries;
static int64_t found[16], cursor;
static char why[ERR_TEXT_MAX];

static void on_up(void *arg)
{
	(void)arg;
	if (++ups >= 2)
		loop_stop(loop);
}

static void on_down(void *arg)
{
	(void)arg;
	if (audit != NULL)
		audit_lost(audit);
}

static void on_end(void *arg, const struct audit_result *r, const struct err *error)
{
	(void)arg;
	over = true;
	why[0] = '\0';
	if (r == NULL) {
		mem_copy_text(why, sizeof why, error->text);
	} else {
		found_count = r->found_count;
		entries = r->entries;
		cursor = r->cursor;
		memcpy(found, r->found, (found_count < 16 ? found_count : 16) * 8);
	}
	loop_stop(loop);
}

static void connect_redis(struct redis **out, redis_state_fn *down)
{
	struct redis_settings s = {.url = server.url,
				   .client_name = "tester",
				   .connect_timeout_ms = 2000,
				   .command_timeout_ms = 5000};

	ck_assert_int_eq(redis_new(out, loop, &s, on_up, down, NULL, &e), 0);
}

static void on_done(void *arg, const struct redisReply *reply, const struct err *error)
{
	(void)arg;
	(void)error;
	ck_assert_msg(redis_kind(reply) != REDIS_KIND_ERROR, "%s",
		      redis_text(reply, NULL));
	loop_stop(loop);
}

/* One command with up to three words behind, by another connection; while an audit goes
 * on nobody waits for it. */
static void tell(const char *a, const char *b, const char *c, const char *d)
{
	bool wait = !audit_goes_on(audit);

	ck_assert_int_eq(redis_sendl(hand, wait ? on_done : NULL, NULL, a, b, c, d, NULL),
			 0);
	if (wait)
		loop_run(loop);
}

static void put_entry(int64_t sequence)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)sequence);
	redis_sendl(hand, NULL, NULL, "XADD", "queue:push", "*", "s", text, NULL);
}

static void put_cursor(int64_t sequence)
{
	char text[64];

	snprintf(text, sizeof text, "%s:%lld", f.store.ledger_id, (long long)sequence);
	redis_sendl(hand, NULL, NULL, "SET", "cursor:push", text, NULL);
}

/* As if it had just been fed: all open, all in the stream. */
static void feed_all(void)
{
	for (int64_t i = 1; i <= EVENTS; i++)
		put_entry(i);
	put_cursor(EVENTS);
	tell("PING", NULL, NULL, NULL);
}

static void record(int64_t sequence, enum attempt_status status, bool final,
		   int64_t next_at_us)
{
	static int64_t started_us;
	struct attempt a = {.sequence = sequence,
			    .channel = "push",
			    .attempt = 1,
			    .status = status,
			    .final = final,
			    .provider = "fcm",
			    .worker = "w",
			    .started_us = ++started_us,
			    .took_us = 1,
			    .next_at_us = next_at_us};
	struct event event;
	bool foreign;

	ck_assert_int_eq(events_one(f.events, sequence, &event, &e), 1);
	mem_copy_text(a.event_id, sizeof a.event_id, event.id);
	ledger_fixture_begin(&f);
	ck_assert_int_eq(deliveries_record(f.deliveries, &a, &foreign, &e), 1);
	ledger_fixture_commit(&f);
}

static void setup_ledger(void)
{
	static const char *const CHANNELS[] = {"push", NULL};
	struct transaction made;
	struct problem p;

	ledger_fixture_init(&f);
	ledger_fixture_add_user(&f, "alice");
	ledger_fixture_begin(&f);
	ck_assert_int_eq(channels_declare(f.channels, CHANNELS, 0, &e), 0);
	for (int i = 0; i < EVENTS; i++)
		ledger_fixture_pay(&f, "", "alice", 100, "USD", &made, &p);
	ledger_fixture_commit(&f);
	ck_assert_msg(store_open_reader(&store, f.path, &e) == 0, "%s", e.text);
}

static void setup(void)
{
	struct audit_settings s = {
		.bus = &bus, .store = &store, .log_wait_ms = LOG_WAIT_MS, .fn = on_end};

	setup_ledger();
	redis_server_init(&server);
	redis_server_start(&server, NULL);
	loop = s.loop = loop_new();
	bus_init(&bus, "");
	ups = 0;
	audit = NULL;
	connect_redis(&redis, on_down);
	connect_redis(&hand, NULL);
	s.redis = redis;
	ck_assert_int_eq(audit_new(&audit, &s, &e), 0);
	loop_run(loop);
	feed_all();
}

static void teardown(void)
{
	redis_free(redis);
	redis_free(hand);
	audit_free(audit);
	loop_timer_free(later);
	later = NULL;
	loop_free(loop);
	redis_server_release(&server);
	store_close(&store);
	ledger_fixture_release(&f);
}

/* The audit, with fn called after so long. */
static void run_with(int after_ms, loop_fn *fn)
{
	over = false;
	found_count = 99;
	audit_start(audit, "push");
	if (fn != NULL) {
		loop_timer_free(later);
		later = loop_timer_new(loop, fn, NULL);
		loop_timer_start(later, after_ms, 0);
	}
	while (!over)
		loop_run(loop);
	ck_assert(!audit_goes_on(audit));
}

static void run(void)
{
	run_with(0, NULL);
}

static void lose_entry(int64_t sequence)
{
	static const char script[] =
		"for _, entry in ipairs(redis.call('XRANGE', 'queue:push', '-', '+')) do "
		"if entry[2][2] == ARGV[1] then redis.call('XDEL', 'queue:push', "
		"entry[1]) end end return 1";
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)sequence);
	ck_assert_int_eq(redis_sendl(hand, NULL, NULL, "EVAL", script, "0", text, NULL),
			 0);
}

static void settle(void)
{
	tell("PING", NULL, NULL, NULL);
}

START_TEST(nothing_is_found_when_all_is_in_the_stream)
{
	run();
	ck_assert_str_eq(why, "");
	ck_assert_uint_eq(found_count, 0);
	ck_assert_uint_eq(entries, EVENTS);
	ck_assert_int_eq(cursor, EVENTS);
}
END_TEST

START_TEST(what_was_deleted_by_hand_is_found)
{
	lose_entry(2);
	lose_entry(5);
	settle();
	run();
	ck_assert_str_eq(why, "");
	ck_assert_uint_eq(found_count, 2);
	ck_assert_int_eq(found[0], 2);
	ck_assert_int_eq(found[1], 5);
}
END_TEST

START_TEST(what_is_ahead_of_the_cursor_or_ended_or_waits_is_not_found)
{
	record(1, ATTEMPT_DELIVERED, true, 0);
	record(2, ATTEMPT_RETRYING, false, 3600 * US_PER_S);
	record(3, ATTEMPT_SUPPRESSED, true, 0);
	for (int64_t i = 1; i <= EVENTS; i++)
		if (i != 4)
			lose_entry(i);
	put_cursor(4);
	settle();
	run();
	ck_assert_str_eq(why, "");
	ck_assert_uint_eq(found_count, 0);
	ck_assert_uint_eq(entries, 1);
}
END_TEST

static void on_taken_in(void *arg)
{
	(void)arg;
	record(2, ATTEMPT_DELIVERED, true, 0);
	tell("DEL", "attempts:log", NULL, NULL);
}

static void put_log(void)
{
	redis_sendl(hand, on_done, NULL, "XADD", "attempts:log", "*", "attempt", "{}",
		    NULL);
	loop_run(loop);
}

START_TEST(an_outcome_in_the_log_is_waited_for_and_counts)
{
	lose_entry(2);
	put_log();
	run_with(150, on_taken_in);
	ck_assert_str_eq(why, "");
	ck_assert_uint_eq(found_count, 0);
}
END_TEST

START_TEST(a_log_that_is_not_taken_in_ends_the_audit)
{
	put_log();
	run();
	ck_assert_ptr_nonnull(strstr(why, "takes no attempt records in"));
}
END_TEST

/* The log holds the audit between the stream and the ledger. */
static void on_handed_out(void *arg)
{
	struct due due = {.sequence = 3, .next_at_us = 3600 * US_PER_S};

	(void)arg;
	put_entry(3);
	ledger_fixture_begin(&f);
	ck_assert_int_eq(deliveries_handed_out(f.deliveries, "push", &due, &e), 0);
	ledger_fixture_commit(&f);
	tell("DEL", "attempts:log", NULL, NULL);
}

START_TEST(what_is_handed_out_between_stream_and_ledger_is_not_found)
{
	lose_entry(3);
	record(3, ATTEMPT_RETRYING, false, 3600 * US_PER_S);
	put_log();
	run_with(150, on_handed_out);
	ck_assert_str_eq(why, "");
	ck_assert_uint_eq(found_count, 0);
}
END_TEST

/* Handed out, tried, and waiting again: between both passes it is in no stream. */
static void on_tried_again(void *arg)
{
	(void)arg;
	lose_entry(3);
	record(3, ATTEMPT_RETRYING, false, 7200 * US_PER_S);
	tell("DEL", "attempts:log", NULL, NULL);
}

START_TEST(a_record_that_comes_in_meanwhile_clears_a_suspect)
{
	struct suspects *s;
	struct sequences none;
	struct due due = {.sequence = 3, .next_at_us = 7200 * US_PER_S};
	size_t count;

	sequences_init(&none);
	for (int64_t i = 1; i <= EVENTS; i++)
		if (i != 3)
			sequences_add(&none, i);
	sequences_seal(&none);
	ck_assert_int_eq(suspects_new(&s, &store, &e), 0);
	suspects_begin(s, "push", EVENTS);
	ck_assert_int_eq(suspects_walk(s, &none, &e), 0);
	ck_assert_int_eq(suspects_mark(s, &e), 0);
	suspects_left(s, &count);
	ck_assert_uint_eq(count, 1);
	/* It waited while the stream was read, and does not any more. */
	on_tried_again(NULL);
	ledger_fixture_begin(&f);
	ck_assert_int_eq(deliveries_handed_out(f.deliveries, "push", &due, &e), 0);
	ledger_fixture_commit(&f);
	ck_assert_int_eq(suspects_prove(s, &none, &e), 0);
	suspects_left(s, &count);
	ck_assert_uint_eq(count, 0);
	suspects_free(s);
	sequences_release(&none);
}
END_TEST

START_TEST(a_suspect_that_stays_as_it_is_is_proven)
{
	struct suspects *s;
	struct sequences none;
	size_t count;

	sequences_init(&none);
	record(1, ATTEMPT_DELIVERED, true, 0);
	ck_assert_int_eq(suspects_new(&s, &store, &e), 0);
	suspects_begin(s, "push", 3);
	ck_assert_int_eq(suspects_walk(s, &none, &e), 0);
	ck_assert_int_eq(suspects_open(s), 2);
	ck_assert_int_eq(suspects_mark(s, &e), 0);
	ck_assert_int_eq(suspects_prove(s, &none, &e), 0);
	ck_assert_int_eq(suspects_left(s, &count)[0], 2);
	ck_assert_uint_eq(count, 2);
	suspects_free(s);
}
END_TEST

/* Its outcome stood in the log; the feed has filled the stream again. */
static void on_wiped(void *arg)
{
	(void)arg;
	tell("FLUSHALL", NULL, NULL, NULL);
	for (int64_t i = 1; i <= EVENTS; i++)
		put_entry(i);
	put_cursor(EVENTS);
}

START_TEST(a_redis_that_was_wiped_meanwhile_ends_the_audit)
{
	lose_entry(2);
	put_log();
	run_with(150, on_wiped);
	ck_assert_ptr_nonnull(strstr(why, "wiped"));
}
END_TEST

static void on_set_back(void *arg)
{
	(void)arg;
	put_cursor(2);
	tell("DEL", "attempts:log", NULL, NULL);
}

START_TEST(a_cursor_that_goes_back_ends_the_audit)
{
	put_log();
	run_with(150, on_set_back);
	ck_assert_ptr_nonnull(strstr(why, "went back"));
}
END_TEST

static void on_cut(void *arg)
{
	(void)arg;
	redis_reconnect(redis, "the test");
}

START_TEST(a_connection_that_was_lost_ends_the_audit)
{
	put_log();
	run_with(150, on_cut);
	ck_assert_ptr_nonnull(strstr(why, "lost"));
}
END_TEST

START_TEST(without_a_cursor_or_with_anothers_there_is_no_audit)
{
	tell("DEL", "cursor:push", NULL, NULL);
	run();
	ck_assert_ptr_nonnull(strstr(why, "no cursor"));
	tell("SET", "cursor:push", "0123456789abcdef0123456789abcdef:3", NULL);
	run();
	ck_assert_ptr_nonnull(strstr(why, "another ledger"));
}
END_TEST

START_TEST(a_stream_of_several_pages_is_read_to_its_end)
{
	for (int i = 0; i < 2500; i++)
		put_entry(1);
	lose_entry(6);
	put_entry(6);
	settle();
	run();
	ck_assert_str_eq(why, "");
	ck_assert_uint_eq(found_count, 0);
	ck_assert_uint_eq(entries, 2500 + EVENTS);
}
END_TEST

START_TEST(nothing_of_the_audit_stays_in_redis)
{
	run();
	redis_sendl(hand, on_done, NULL, "EVAL",
		    "if #redis.call('KEYS', '*') ~= 2 then return "
		    "redis.error_reply('more keys') end return 1",
		    "0", NULL);
	loop_run(loop);
}
END_TEST

Suite *audit_suite(void)
{
	Suite *s = suite_create("audit");
	TCase *pure = tcase_create("pure"), *real = tcase_create("real");

	tcase_add_test(pure, a_set_has_what_was_added_in_any_order_and_nothing_else);
	tcase_add_test(pure, a_large_set_with_strays_everywhere_is_exact);
	tcase_add_test(pure, a_cursor_is_read_and_told_apart_from_others);
	suite_add_tcase(s, pure);
	tcase_add_checked_fixture(real, setup, teardown);
	tcase_set_timeout(real, 20);
	tcase_add_test(real, nothing_is_found_when_all_is_in_the_stream);
	tcase_add_test(real, what_was_deleted_by_hand_is_found);
	tcase_add_test(real, what_is_ahead_of_the_cursor_or_ended_or_waits_is_not_found);
	tcase_add_test(real, an_outcome_in_the_log_is_waited_for_and_counts);
	tcase_add_test(real, a_log_that_is_not_taken_in_ends_the_audit);
	tcase_add_test(real, what_is_handed_out_between_stream_and_ledger_is_not_found);
	tcase_add_test(real, a_record_that_comes_in_meanwhile_clears_a_suspect);
	tcase_add_test(real, a_suspect_that_stays_as_it_is_is_proven);
	tcase_add_test(real, a_redis_that_was_wiped_meanwhile_ends_the_audit);
	tcase_add_test(real, a_cursor_that_goes_back_ends_the_audit);
	tcase_add_test(real, a_connection_that_was_lost_ends_the_audit);
	tcase_add_test(real, without_a_cursor_or_with_anothers_there_is_no_audit);
	tcase_add_test(real, a_stream_of_several_pages_is_read_to_its_end);
	tcase_add_test(real, nothing_of_the_audit_stays_in_redis);
	suite_add_tcase(s, real);
	return s;
}
