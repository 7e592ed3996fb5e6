#include "store/reads.h"

#include <check.h>

#include "base/random.h"
#include "ledger_fixture.h"

Suite *reads_suite(void);

#define PAYMENTS 1000

static struct ledger_fixture f;
static struct reads *reads;
static struct err e;

static void setup(void)
{
	ledger_fixture_init(&f);
	ledger_fixture_add_user(&f, "alice");
	ledger_fixture_add_user(&f, "bob");
	ck_assert_msg(reads_new(&reads, &f.store, &e) == 0, "%s", e.text);
}

static void teardown(void)
{
	reads_free(reads);
	ledger_fixture_release(&f);
}

/* Events of two users in two currencies, each chain longer than several strides. */
static void fill(void)
{
	static const char *const USERS[] = {"alice", "bob"};
	static const char *const CURRENCIES[] = {"USD", "EUR"};
	struct transaction made;
	struct problem problem;

	ledger_fixture_begin(&f);
	for (int i = 0; i < PAYMENTS; i++)
		ledger_fixture_pay(&f, "", USERS[random_below(2)], 100,
				   CURRENCIES[random_below(2)], &made, &problem);
	ledger_fixture_commit(&f);
}

static int64_t ask(const char *sql, int64_t parameter)
{
	struct db_stmt *s;
	int64_t value;

	ck_assert_msg(db_prepare(f.store.db, &s, sql, &e) == 0, "%s", e.text);
	db_bind_int(s, 1, parameter);
	ck_assert_int_eq(db_step(s, &e), 1);
	value = db_int(s, 0);
	db_finalize(s);
	return value;
}

static int64_t above(int64_t mark)
{
	return ask("SELECT count(*) FROM events WHERE user_id = 'alice' AND sequence > "
		   "?1",
		   mark);
}

static int64_t mark_of_alice(void)
{
	return ask("SELECT coalesce(max(sequence), 0) FROM reads WHERE user_id = "
		   "'alice' OR ?1",
		   0);
}

START_TEST(what_is_unread_is_exact_at_every_mark)
{
	fill();
	ck_assert_int_eq(reads_unread(reads, "alice", &e), above(0));
	for (int64_t mark = 1; mark <= PAYMENTS; mark++) {
		ck_assert_int_eq(reads_move(reads, "alice", mark, 1, &e), 1);
		ck_assert_int_eq(reads_unread(reads, "alice", &e), above(mark));
	}
	ck_assert_int_eq(reads_unread(reads, "alice", &e), 0);
}
END_TEST

START_TEST(a_mark_moves_forward_only_and_not_beyond_the_newest_event)
{
	fill();
	ck_assert_int_eq(reads_move(reads, "alice", PAYMENTS + 1, 1, &e), 0);
	ck_assert_int_eq(mark_of_alice(), 0);
	ck_assert_int_eq(reads_move(reads, "alice", 500, 1, &e), 1);
	ck_assert_int_eq(reads_move(reads, "alice", 499, 2, &e), 0);
	ck_assert_int_eq(reads_move(reads, "alice", 500, 2, &e), 0);
	ck_assert_int_eq(reads_move(reads, "alice", PAYMENTS + 1, 2, &e), 0);
	ck_assert_int_eq(mark_of_alice(), 500);
	ck_assert_int_eq(ask("SELECT seen_us FROM reads WHERE ?1 = 0", 0), 1);
}
END_TEST

START_TEST(nobody_has_anything_unread_before_the_first_event)
{
	ck_assert_int_eq(reads_move(reads, "alice", 1, 1, &e), 0);
	ck_assert_int_eq(reads_unread(reads, "alice", &e), 0);
	ck_assert_int_eq(reads_unread(reads, "nobody", &e), 0);
}
END_TEST

Suite *reads_suite(void)
{
	Suite *s = suite_create("reads");
	TCase *c = tcase_create("reads");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, what_is_unread_is_exact_at_every_mark);
	tcase_add_test(c, a_mark_moves_forward_only_and_not_beyond_the_newest_event);
	tcase_add_test(c, nobody_has_anything_unread_before_the_first_event);
	suite_add_tcase(s, c);
	return s;
}
