#include <check.h>
#include <string.h>

#include "base/clock.h"
#include "ledger_fixture.h"

Suite *ledger_suite(void);

static struct ledger_fixture f;
static struct transaction made;
static struct problem problem;
static struct err e;

static void setup(void)
{
	ledger_fixture_init(&f);
	ledger_fixture_add_user(&f, "alice");
	ledger_fixture_add_user(&f, "bob");
	problem = (struct problem){.kind = PROBLEM_NONE};
}

static void teardown(void)
{
	ledger_fixture_release(&f);
}

static int64_t query(const char *sql)
{
	struct db_stmt *s;
	int64_t value;

	ck_assert_int_eq(db_prepare(f.store.db, &s, sql, &e), 0);
	ck_assert_int_eq(db_step(s, &e), 1);
	value = db_int(s, 0);
	db_finalize(s);
	return value;
}

START_TEST(a_payment_moves_the_balance_and_makes_an_event_a_side)
{
	struct event ev;

	ck_assert_int_eq(
		ledger_fixture_pay_alone(&f, "", "alice", 15800, "USD", &made, &problem),
		0);
	ck_assert_int_eq(made.event_count, 1);
	ck_assert_int_eq(ledger_fixture_pay_alone(&f, "alice", "bob", 1500, "USD", &made,
						  &problem),
			 0);
	ck_assert_int_eq(made.event_count, 2);
	ck_assert_int_eq(made.first_event, 2);
	ck_assert_int_eq(
		query("SELECT balance_minor FROM accounts WHERE user_id = 'alice'"),
		14300);
	ck_assert_int_eq(
		query("SELECT balance_minor FROM accounts WHERE user_id = 'bob'"), 1500);
	ck_assert_int_eq(events_one(f.events, 2, &ev, &e), 1);
	ck_assert_str_eq(ev.user_id, "alice");
	ck_assert_str_eq(ev.counterparty, "bob");
	ck_assert_int_eq(ev.direction, DIRECTION_DEBIT);
	ck_assert_int_eq(ev.balance_minor, 14300);
	ck_assert_int_eq(id_key(ev.id, "evt"), 2);
	ck_assert_int_eq(events_one(f.events, 3, &ev, &e), 1);
	ck_assert_str_eq(ev.user_id, "bob");
	ck_assert_int_eq(ev.direction, DIRECTION_CREDIT);
	ck_assert_str_eq(ev.transaction_id, made.id);
}
END_TEST

START_TEST(each_currency_sums_to_zero_with_the_outside_world)
{
	ledger_fixture_pay_alone(&f, "", "alice", 500, "USD", &made, &problem);
	ledger_fixture_pay_alone(&f, "", "alice", 700, "JPY", &made, &problem);
	ledger_fixture_pay_alone(&f, "alice", "", 200, "USD", &made, &problem);
	ledger_fixture_pay_alone(&f, "alice", "bob", 300, "JPY", &made, &problem);
	ck_assert_int_eq(
		query("SELECT sum(balance_minor) FROM accounts WHERE currency = 'USD'"),
		0);
	ck_assert_int_eq(
		query("SELECT sum(balance_minor) FROM accounts WHERE currency = 'JPY'"),
		0);
	ck_assert_int_eq(query("SELECT balance_minor FROM accounts WHERE user_id = '' "
			       "AND currency = 'USD'"),
			 -300);
}
END_TEST

START_TEST(an_overdraft_is_refused_and_changes_nothing)
{
	ledger_fixture_pay_alone(&f, "", "alice", 100, "USD", &made, &problem);
	ck_assert_int_eq(
		ledger_fixture_pay_alone(&f, "alice", "bob", 101, "USD", &made, &problem),
		1);
	ck_assert_int_eq(problem.kind, PROBLEM_INSUFFICIENT_FUNDS);
	ck_assert_str_eq(problem.field, "amount");
	ck_assert_int_eq(query("SELECT count(*) FROM transactions"), 1);
	ck_assert_int_eq(query("SELECT count(*) FROM events"), 1);
	ck_assert_int_eq(query("SELECT count(*) FROM accounts WHERE user_id = 'bob'"), 0);
	ck_assert_int_eq(
		ledger_fixture_pay_alone(&f, "alice", "bob", 100, "USD", &made, &problem),
		0);
	ck_assert_int_eq(made.first_event, 2);
}
END_TEST

START_TEST(an_unknown_user_is_named_with_its_field)
{
	ck_assert_int_eq(
		ledger_fixture_pay_alone(&f, "", "carol", 1, "USD", &made, &problem), 1);
	ck_assert_int_eq(problem.kind, PROBLEM_UNKNOWN_USER);
	ck_assert_str_eq(problem.field, "to");
	ck_assert_int_eq(
		ledger_fixture_pay_alone(&f, "carol", "bob", 1, "USD", &made, &problem),
		1);
	ck_assert_str_eq(problem.field, "from");
}
END_TEST

START_TEST(a_deleted_user_can_neither_pay_nor_be_paid)
{
	ledger_fixture_pay_alone(&f, "", "alice", 100, "USD", &made, &problem);
	ledger_fixture_begin(&f);
	ck_assert_int_eq(users_delete(f.users, "alice", clock_utc_us(), &e), 1);
	ledger_fixture_commit(&f);
	ck_assert_int_eq(
		ledger_fixture_pay_alone(&f, "alice", "bob", 1, "USD", &made, &problem),
		1);
	ck_assert_int_eq(problem.kind, PROBLEM_UNKNOWN_USER);
}
END_TEST

START_TEST(a_balance_has_a_limit)
{
	ck_assert_int_eq(ledger_fixture_pay_alone(&f, "", "alice", MONEY_MAX_MINOR, "USD",
						  &made, &problem),
			 0);
	ck_assert_int_eq(
		ledger_fixture_pay_alone(&f, "", "alice", 1, "USD", &made, &problem), 1);
	ck_assert_int_eq(problem.kind, PROBLEM_BALANCE_LIMIT);
}
END_TEST

START_TEST(a_rolled_back_batch_gives_its_numbers_back)
{
	ledger_fixture_pay_alone(&f, "", "alice", 100, "USD", &made, &problem);
	ledger_fixture_begin(&f);
	ck_assert_int_eq(
		ledger_fixture_pay(&f, "alice", "bob", 10, "USD", &made, &problem), 0);
	ck_assert_int_eq(made.first_event, 2);
	ledger_rollback(f.ledger);
	ck_assert_int_eq(ledger_head(f.ledger), 1);
	ledger_fixture_pay_alone(&f, "alice", "bob", 20, "USD", &made, &problem);
	ck_assert_int_eq(made.first_event, 2);
	ck_assert_int_eq(made.key, 2);
	ck_assert_int_eq(
		query("SELECT balance_minor FROM accounts WHERE user_id = 'alice'"), 80);
}
END_TEST

START_TEST(numbers_go_on_after_a_restart)
{
	struct ledger *again;

	ledger_fixture_pay_alone(&f, "", "alice", 100, "USD", &made, &problem);
	ck_assert_int_eq(ledger_new(&again, &f.store, &e), 0);
	ck_assert_int_eq(ledger_head(again), 1);
	ledger_free(again);
}
END_TEST

static const struct idempotency KEY = {.key = "key", .fingerprint = "one"};
static const struct idempotency OTHER_BODY = {.key = "key", .fingerprint = "two"};

START_TEST(a_kept_payment_is_recalled_as_it_was)
{
	struct transaction again;
	int64_t now_us = clock_utc_us();

	ledger_fixture_begin(&f);
	ck_assert_int_eq(ledger_recall(f.ledger, &KEY, now_us, &again, &problem, &e), 0);
	ledger_fixture_pay(&f, "", "alice", 100, "USD", &made, &problem);
	ck_assert_int_eq(ledger_remember(f.ledger, &KEY, now_us, &made, &problem, &e), 0);
	ledger_fixture_commit(&f);
	ck_assert_int_eq(ledger_recall(f.ledger, &KEY, now_us, &again, &problem, &e), 1);
	ck_assert_int_eq(problem.kind, PROBLEM_NONE);
	ck_assert_str_eq(again.id, made.id);
	ck_assert_int_eq(again.created_us, made.created_us);
	ck_assert_int_eq(
		ledger_recall(f.ledger, &OTHER_BODY, now_us, &again, &problem, &e), 1);
	ck_assert_int_eq(problem.kind, PROBLEM_KEY_REUSED);
}
END_TEST

START_TEST(a_kept_refusal_is_recalled_with_field_and_detail)
{
	struct problem again;
	int64_t now_us = clock_utc_us();

	ledger_fixture_begin(&f);
	ck_assert_int_eq(
		ledger_fixture_pay(&f, "alice", "bob", 100, "USD", &made, &problem), 1);
	ck_assert_int_eq(ledger_remember(f.ledger, &KEY, now_us, NULL, &problem, &e), 0);
	ledger_fixture_commit(&f);
	ck_assert_int_eq(ledger_recall(f.ledger, &KEY, now_us, &made, &again, &e), 1);
	ck_assert_int_eq(again.kind, PROBLEM_INSUFFICIENT_FUNDS);
	ck_assert_str_eq(again.field, problem.field);
	ck_assert_str_eq(again.detail, problem.detail);
}
END_TEST

START_TEST(a_key_is_kept_for_a_day_at_least_and_then_forgotten)
{
	const int64_t day_us = 86400 * US_PER_S;
	int64_t late_us = 20000 * day_us + day_us - 1; /* the last moment of a day */

	ledger_fixture_begin(&f);
	ledger_fixture_pay(&f, "", "alice", 100, "USD", &made, &problem);
	ledger_remember(f.ledger, &KEY, late_us, &made, &problem, &e);
	ck_assert_int_eq(ledger_forget(f.ledger, late_us + day_us, 10, &e), 0);
	ck_assert_int_eq(
		ledger_recall(f.ledger, &KEY, late_us + day_us, &made, &problem, &e), 1);
	ck_assert_int_eq(ledger_forget(f.ledger, late_us + 2 * day_us, 10, &e), 1);
	ck_assert_int_eq(ledger_recall(f.ledger, &KEY, late_us, &made, &problem, &e), 0);
	ledger_fixture_commit(&f);
}
END_TEST

START_TEST(a_second_writer_is_refused_and_a_reader_is_let_in)
{
	struct store second, reader;

	ck_assert_int_eq(store_open_writer(&second, f.path, &e), -1);
	ck_assert_int_eq(e.code, ERR_CONFLICT);
	ck_assert_int_eq(store_open_reader(&reader, f.path, &e), 0);
	ck_assert_str_eq(reader.ledger_id, f.store.ledger_id);
	ck_assert_int_eq(strlen(reader.ledger_id), LEDGER_ID_SIZE - 1);
	ck_assert_int_eq(db_exec(reader.db, "DELETE FROM users", &e), -1);
	store_close(&reader);
}
END_TEST

START_TEST(a_reader_waits_for_a_database_that_is_not_there)
{
	struct store reader;

	ck_assert_int_eq(store_open_reader(&reader, "/nonexistent/paybell.db", &e), -1);
	ck_assert_int_eq(e.code, ERR_NOT_FOUND);
}
END_TEST

START_TEST(a_newer_schema_is_refused)
{
	struct store again;

	ck_assert_int_eq(db_exec(f.store.db, "PRAGMA user_version = 999", &e), 0);
	ck_assert_int_eq(store_open_reader(&again, f.path, &e), -1);
	ck_assert_int_eq(e.code, ERR_NOT_FOUND);
}
END_TEST

Suite *ledger_suite(void)
{
	Suite *s = suite_create("ledger");
	TCase *t = tcase_create("ledger");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_payment_moves_the_balance_and_makes_an_event_a_side);
	tcase_add_test(t, each_currency_sums_to_zero_with_the_outside_world);
	tcase_add_test(t, an_overdraft_is_refused_and_changes_nothing);
	tcase_add_test(t, an_unknown_user_is_named_with_its_field);
	tcase_add_test(t, a_deleted_user_can_neither_pay_nor_be_paid);
	tcase_add_test(t, a_balance_has_a_limit);
	tcase_add_test(t, a_rolled_back_batch_gives_its_numbers_back);
	tcase_add_test(t, numbers_go_on_after_a_restart);
	tcase_add_test(t, a_kept_payment_is_recalled_as_it_was);
	tcase_add_test(t, a_kept_refusal_is_recalled_with_field_and_detail);
	tcase_add_test(t, a_key_is_kept_for_a_day_at_least_and_then_forgotten);
	tcase_add_test(t, a_second_writer_is_refused_and_a_reader_is_let_in);
	tcase_add_test(t, a_reader_waits_for_a_database_that_is_not_there);
	tcase_add_test(t, a_newer_schema_is_refused);
	suite_add_tcase(s, t);
	return s;
}
