/* What the rows prove, and that each kind of damage shows. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ledger_fixture.h"
#include "store/proof.h"

Suite *proof_suite(void);

static struct ledger_fixture f;
static struct proof *proof;
static struct err e;
static const char *const CHANNELS[] = {"push", "sms", NULL};

static void pay(const char *from, const char *to, int64_t minor)
{
	struct transaction made;
	struct problem p;

	ck_assert_int_eq(ledger_fixture_pay_alone(&f, from, to, minor, "USD", &made, &p),
			 0);
}

static void setup(void)
{
	ledger_fixture_init(&f);
	ledger_fixture_add_user(&f, "alice");
	ledger_fixture_add_user(&f, "bob");
	ledger_fixture_begin(&f);
	ck_assert_int_eq(channels_declare(f.channels, CHANNELS, 0, &e), 0);
	ledger_fixture_commit(&f);
	pay("", "alice", 1000);
	pay("alice", "bob", 250);
	pay("bob", "", 50);
	ck_assert_msg(proof_new(&proof, &f.store, &e) == 0, "%s", e.text);
}

static void teardown(void)
{
	proof_free(proof);
	ledger_fixture_release(&f);
}

static void damage(const char *sql)
{
	ck_assert_msg(db_exec(f.store.db, sql, &e) == 0, "%s", e.text);
}

static void record(int64_t sequence, enum attempt_status status, bool final,
		   int64_t started_us, int64_t next_at_us)
{
	struct attempt a = {.sequence = sequence,
			    .channel = "push",
			    .attempt = 1,
			    .status = status,
			    .final = final,
			    .provider = "fcm",
			    .worker = "w",
			    .started_us = started_us,
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

/* ---- deliveries ---- */

START_TEST(deliveries_are_counted_by_how_they_stand)
{
	struct proof_counts c = {.events = 0};

	record(1, ATTEMPT_DELIVERED, true, 1, 0);
	record(2, ATTEMPT_SUPPRESSED, true, 1, 0);
	record(3, ATTEMPT_RETRYING, false, 1, 1 + 3600 * US_PER_S);
	ck_assert_int_eq(proof_count(proof, "push", 0, 4, &c, &e), 0);
	ck_assert_int_eq(c.events, 4);
	ck_assert_int_eq(c.delivered, 1);
	ck_assert_int_eq(c.suppressed, 1);
	ck_assert_int_eq(c.failed, 0);
	ck_assert_int_eq(c.open, 2);
	ck_assert_int_eq(c.waiting, 1);
	ck_assert_int_eq(proof_count(proof, "sms", 3, 4, &c, &e), 0);
	ck_assert_int_eq(c.events, 5);
	ck_assert_int_eq(c.open, 3);
}
END_TEST

static int64_t odd_sequence, odd_finals;

static void take_odd(void *arg, const struct proof_odd *odd)
{
	(void)arg;
	odd_sequence = odd->sequence;
	odd_finals = odd->finals;
}

START_TEST(a_row_that_contradicts_itself_is_counted_nowhere_and_found)
{
	struct proof_counts c = {.events = 0};

	record(1, ATTEMPT_DELIVERED, true, 1, 0);
	record(2, ATTEMPT_RETRYING, false, 1, 0);
	ck_assert_int_eq(proof_contradictions(proof, "push", 0, 4, take_odd, NULL, &e),
			 0);
	damage("UPDATE deliveries SET ended_us = NULL WHERE sequence = 1");
	ck_assert_int_eq(proof_count(proof, "push", 0, 4, &c, &e), 0);
	ck_assert_int_eq(c.delivered, 0);
	ck_assert_int_eq(c.open, 3);
	ck_assert_int_eq(proof_contradictions(proof, "push", 0, 4, take_odd, NULL, &e),
			 1);
	ck_assert_int_eq(odd_sequence, 1);
}
END_TEST

static int unfinal(void)
{
	odd_sequence = odd_finals = -1;
	return proof_unfinal(proof, "push", 0, 4, take_odd, NULL, &e);
}

START_TEST(a_delivery_that_ended_without_its_final_record_is_found)
{
	record(1, ATTEMPT_DELIVERED, true, 1, 0);
	record(2, ATTEMPT_FAILED, true, 1, 0);
	ck_assert_int_eq(unfinal(), 0);
	damage("DELETE FROM attempts WHERE sequence = 2");
	ck_assert_int_eq(unfinal(), 1);
	ck_assert_int_eq(odd_sequence, 2);
	ck_assert_int_eq(odd_finals, 0);
}
END_TEST

START_TEST(a_final_record_that_says_something_else_is_none)
{
	record(1, ATTEMPT_DELIVERED, true, 1, 0);
	damage("UPDATE deliveries SET status = 'failed' WHERE sequence = 1");
	ck_assert_int_eq(unfinal(), 1);
	ck_assert_int_eq(odd_finals, 0);
}
END_TEST

START_TEST(two_final_records_are_told_apart_from_none)
{
	record(1, ATTEMPT_DELIVERED, true, 1, 0);
	record(1, ATTEMPT_DELIVERED, true, 2, 0);
	ck_assert_int_eq(unfinal(), 1);
	ck_assert_int_eq(odd_finals, 2);
}
END_TEST

START_TEST(after_a_replay_the_final_record_from_before_does_not_count)
{
	record(1, ATTEMPT_FAILED, true, 1, 0);
	ledger_fixture_begin(&f);
	ck_assert_int_eq(deliveries_reopen(f.deliveries, 1, "push", 1000, &e), 1);
	ledger_fixture_commit(&f);
	ck_assert_int_eq(unfinal(), 0);
	record(1, ATTEMPT_FAILED, true, 2000, 0);
	ck_assert_int_eq(unfinal(), 0);
	damage("DELETE FROM attempts WHERE started_us = 2000");
	ck_assert_int_eq(unfinal(), 1);
}
END_TEST

START_TEST(what_a_removed_channel_left_has_no_final_record_and_needs_none)
{
	ledger_fixture_begin(&f);
	ck_assert_int_eq(channels_remove(f.channels, "push", 5, &e), 0);
	ledger_fixture_commit(&f);
	ck_assert_int_eq(unfinal(), 0);
}
END_TEST

static int64_t first_events;

static void take_channel(void *arg, const char *channel, int64_t first_event)
{
	snprintf(arg, 32, "%s", channel);
	first_events += first_event;
}

START_TEST(the_channels_are_those_of_the_database)
{
	char last[32];

	first_events = 0;
	ck_assert_int_eq(proof_channels(proof, take_channel, last, &e), 2);
	ck_assert_str_eq(last, "sms");
	ck_assert_int_eq(first_events, 0);
}
END_TEST

START_TEST(a_mark_shows_whatever_was_recorded_meanwhile)
{
	struct proof_mark mark;

	ck_assert_int_eq(proof_mark(proof, 1, "push", &mark, &e), 1);
	ck_assert(mark.open && mark.records == 0 && mark.replayed_us == 0);
	record(1, ATTEMPT_RETRYING, false, 1, 0);
	ck_assert_int_eq(proof_mark(proof, 1, "push", &mark, &e), 1);
	ck_assert(mark.open && mark.records == 1);
	record(1, ATTEMPT_RETRYING, false, 2, 2 + 3600 * US_PER_S);
	ck_assert_int_eq(proof_mark(proof, 1, "push", &mark, &e), 1);
	ck_assert(!mark.open && mark.records == 2);
	record(1, ATTEMPT_FAILED, true, 3, 0);
	ledger_fixture_begin(&f);
	ck_assert_int_eq(deliveries_reopen(f.deliveries, 1, "push", 77, &e), 1);
	ledger_fixture_commit(&f);
	ck_assert_int_eq(proof_mark(proof, 1, "push", &mark, &e), 1);
	ck_assert(!mark.open && mark.records == 3 && mark.replayed_us == 77);
	ck_assert_int_eq(proof_mark(proof, 5, "push", &mark, &e), 0);
}
END_TEST

/* ---- money ---- */

static int64_t world;

static void take_world(void *arg, const char *currency, int64_t balance_minor)
{
	(void)arg;
	ck_assert_str_eq(currency, "USD");
	world = balance_minor;
}

START_TEST(the_head_comes_with_what_the_outside_world_had_then)
{
	ck_assert_int_eq(proof_head(proof, take_world, NULL, &e), 4);
	ck_assert_int_eq(world, -950);
}
END_TEST

static struct proof_event last;

static void take_event(void *arg, const struct proof_event *ev)
{
	(void)arg;
	last = *ev;
}

START_TEST(an_event_comes_with_its_transaction)
{
	ck_assert_int_eq(proof_events(proof, 0, 4, 2, take_event, NULL, &e), 2);
	ck_assert_int_eq(last.sequence, 2);
	ck_assert_str_eq(last.user_id, "alice");
	ck_assert_int_eq(last.direction, DIRECTION_DEBIT);
	ck_assert_int_eq(last.balance_minor, 750);
	ck_assert_int_eq(last.number, 2);
	ck_assert_int_eq(last.previous, 1);
	ck_assert(last.paid);
	ck_assert_str_eq(last.to, "bob");
	ck_assert_int_eq(last.amount_minor, 250);
	ck_assert_int_eq(last.first_event, 2);
	ck_assert_int_eq(last.event_count, 2);
	ck_assert_int_eq(proof_events(proof, 2, 3, 10, take_event, NULL, &e), 1);
	damage("DELETE FROM transactions WHERE key = 3");
	ck_assert_int_eq(proof_events(proof, 3, 9, 10, take_event, NULL, &e), 1);
	ck_assert(!last.paid);
}
END_TEST

static struct proof_account account;

static void take_account(void *arg, const struct proof_account *a)
{
	(void)arg;
	account = *a;
}

START_TEST(an_account_comes_with_its_newest_event)
{
	ck_assert_int_eq(proof_accounts(proof, "", "", 1, take_account, NULL, &e), 1);
	ck_assert_str_eq(account.user_id, "alice");
	ck_assert(account.has_event);
	ck_assert_int_eq(account.event_balance_minor, 750);
	ck_assert_int_eq(proof_accounts(proof, "alice", "USD", 9, take_account, NULL, &e),
			 1);
	ck_assert_str_eq(account.user_id, "bob");
	ck_assert_int_eq(account.balance_minor, 200);
	ck_assert_int_eq(account.event_number, 2);
	damage("UPDATE accounts SET last_event = 2 WHERE user_id = 'bob'");
	ck_assert_int_eq(proof_accounts(proof, "alice", "USD", 9, take_account, NULL, &e),
			 1);
	ck_assert(!account.has_event);
}
END_TEST

Suite *proof_suite(void)
{
	Suite *s = suite_create("proof");
	TCase *c = tcase_create("proof");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, deliveries_are_counted_by_how_they_stand);
	tcase_add_test(c, a_row_that_contradicts_itself_is_counted_nowhere_and_found);
	tcase_add_test(c, a_delivery_that_ended_without_its_final_record_is_found);
	tcase_add_test(c, a_final_record_that_says_something_else_is_none);
	tcase_add_test(c, two_final_records_are_told_apart_from_none);
	tcase_add_test(c, after_a_replay_the_final_record_from_before_does_not_count);
	tcase_add_test(c, what_a_removed_channel_left_has_no_final_record_and_needs_none);
	tcase_add_test(c, the_channels_are_those_of_the_database);
	tcase_add_test(c, a_mark_shows_whatever_was_recorded_meanwhile);
	tcase_add_test(c, the_head_comes_with_what_the_outside_world_had_then);
	tcase_add_test(c, an_event_comes_with_its_transaction);
	tcase_add_test(c, an_account_comes_with_its_newest_event);
	suite_add_tcase(s, c);
	return s;
}
