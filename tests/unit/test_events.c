#include <check.h>
#include <string.h>

#include "base/random.h"
#include "ledger_fixture.h"

Suite *events_suite(void);

#define PAYMENTS 3000
#define PEOPLE   3

static struct ledger_fixture f;
static struct transaction made;
static struct problem problem;
static struct err e;
static const char *const USERS[PEOPLE] = {"alice", "bob", "carol"};
static const char *const CURRENCIES[] = {"USD", "EUR", "JPY"};

static void setup(void)
{
	ledger_fixture_init(&f);
	for (int i = 0; i < PEOPLE; i++)
		ledger_fixture_add_user(&f, USERS[i]);
}

static void teardown(void)
{
	ledger_fixture_release(&f);
}

/* Many payments in several currencies, so that a user's events are merged from several
 * chains, each longer than many strides. */
static void fill(void)
{
	ledger_fixture_begin(&f);
	for (int i = 0; i < PAYMENTS; i++) {
		const char *currency = CURRENCIES[random_below(3)];
		uint64_t to = random_below(PEOPLE);

		if (ledger_fixture_pay(&f, USERS[(to + 1) % PEOPLE], USERS[to], 1,
				       currency, &made, &problem) != 0)
			ledger_fixture_pay(&f, "", USERS[to], 100, currency, &made,
					   &problem);
	}
	ledger_fixture_commit(&f);
}

struct seen {
	int64_t sequences[2 * PAYMENTS];
	int count;
};

static void see(void *arg, const struct event *ev)
{
	struct seen *s = arg;

	s->sequences[s->count++] = ev->sequence;
}

/* What a plain query says. */
static void expect(const char *user, struct seen *s)
{
	struct db_stmt *stmt;

	s->count = 0;
	ck_assert_int_eq(db_prepare(f.store.db, &stmt,
				    "SELECT sequence FROM events WHERE user_id = ?1 "
				    "ORDER BY sequence",
				    &e),
			 0);
	db_bind_text(stmt, 1, user);
	while (db_step(stmt, &e) == 1)
		s->sequences[s->count++] = db_int(stmt, 0);
	db_finalize(stmt);
}

START_TEST(a_users_events_come_in_order_from_any_place_with_any_limit)
{
	static struct seen want, got;
	static const int LIMITS[] = {1, 2, 63, 64, 65, 100, 1000};

	fill();
	expect("alice", &want);
	ck_assert_int_gt(want.count, 1000);
	for (int round = 0; round < 300; round++) {
		int limit = LIMITS[random_below(7)],
		    at = (int)random_below((uint64_t)want.count + 1),
		    rest = want.count - at;
		int64_t after = at == 0 ? 0 : want.sequences[at - 1];

		got.count = 0;
		ck_assert_int_eq(
			events_of_user(f.events, "alice", after, limit, see, &got, &e),
			rest < limit ? rest : limit);
		ck_assert_int_eq(memcmp(got.sequences, want.sequences + at,
					(size_t)got.count * sizeof(int64_t)),
				 0);
	}
}
END_TEST

START_TEST(pages_put_one_after_the_other_are_everything_once)
{
	static struct seen want, got;
	int64_t after = 0;

	fill();
	expect("bob", &want);
	got.count = 0;
	while (events_of_user(f.events, "bob", after, 37, see, &got, &e) > 0)
		after = got.sequences[got.count - 1];
	ck_assert_int_eq(got.count, want.count);
	ck_assert_int_eq(memcmp(got.sequences, want.sequences,
				(size_t)got.count * sizeof(int64_t)),
			 0);
}
END_TEST

static void see_transaction(void *arg, const struct transaction *t, int64_t sequence)
{
	struct seen *s = arg;

	ck_assert(sequence >= t->first_event &&
		  sequence < t->first_event + t->event_count);
	s->sequences[s->count++] = sequence;
}

START_TEST(transactions_come_newest_first_below_any_cursor)
{
	static struct seen want, got;

	fill();
	expect("carol", &want);
	for (int round = 0; round < 100; round++) {
		int at = (int)random_below((uint64_t)want.count),
		    limit = 1 + (int)random_below(200);
		int64_t before = want.sequences[at];

		got.count = 0;
		events_transactions(f.events, "carol", before, limit, see_transaction,
				    &got, &e);
		ck_assert_int_eq(got.count, at < limit ? at : limit);
		for (int i = 0; i < got.count; i++)
			ck_assert_int_eq(got.sequences[i], want.sequences[at - 1 - i]);
	}
}
END_TEST

START_TEST(a_user_without_events_has_none)
{
	static struct seen got;

	ck_assert_int_eq(events_of_user(f.events, "alice", 0, 10, see, &got, &e), 0);
	ck_assert_int_eq(events_of_user(f.events, "nobody", 0, 10, see, &got, &e), 0);
	ck_assert_int_eq(events_transactions(f.events, "alice", INT64_MAX, 10,
					     see_transaction, &got, &e),
			 0);
	ck_assert_int_eq(events_head(f.events, &e), 0);
}
END_TEST

START_TEST(a_transaction_is_found_by_its_whole_id_only)
{
	struct transaction found;
	char id[ID_SIZE];

	ledger_fixture_pay_alone(&f, "", "alice", 5, "KWD", &made, &problem);
	ck_assert_int_eq(events_transaction(f.events, made.id, &found, &e), 1);
	ck_assert_str_eq(found.currency, "KWD");
	strcpy(id, made.id);
	id[ID_SIZE - 2] = id[ID_SIZE - 2] == '0' ? '1' : '0';
	ck_assert_int_eq(events_transaction(f.events, id, &found, &e), 0);
	ck_assert_int_eq(events_transaction(f.events, "txn_", &found, &e), 0);
}
END_TEST

START_TEST(a_recipient_says_who_and_whether_it_has_ended)
{
	static struct recipient r;
	struct attempt a = {.sequence = 1,
			    .channel = "sms",
			    .attempt = 1,
			    .status = ATTEMPT_DELIVERED,
			    .final = true,
			    .provider = "test",
			    .worker = "test",
			    .started_us = 5,
			    .took_us = 1};
	bool foreign;

	ledger_fixture_pay_alone(&f, "", "alice", 5, "USD", &made, &problem);
	ck_assert_int_eq(events_recipient(f.events, 1, "sms", true, &r, &e), 1);
	ck_assert_str_eq(r.user.email, "alice@example.org");
	strcpy(a.event_id, r.event.id);
	ck_assert(!r.ended && !r.deleted);
	ledger_fixture_begin(&f);
	ck_assert_int_eq(deliveries_record(f.deliveries, &a, &foreign, &e), 1);
	ledger_fixture_commit(&f);
	ck_assert_int_eq(events_recipient(f.events, 1, "sms", true, &r, &e), 1);
	ck_assert(r.ended);
	ck_assert_int_eq(events_recipient(f.events, 1, "email", true, &r, &e), 1);
	ck_assert(!r.ended);
	ck_assert_int_eq(events_recipient(f.events, 2, "email", true, &r, &e), 0);
}
END_TEST

Suite *events_suite(void)
{
	Suite *s = suite_create("events");
	TCase *t = tcase_create("events");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_users_events_come_in_order_from_any_place_with_any_limit);
	tcase_add_test(t, pages_put_one_after_the_other_are_everything_once);
	tcase_add_test(t, transactions_come_newest_first_below_any_cursor);
	tcase_add_test(t, a_user_without_events_has_none);
	tcase_add_test(t, a_transaction_is_found_by_its_whole_id_only);
	tcase_add_test(t, a_recipient_says_who_and_whether_it_has_ended);
	suite_add_tcase(s, t);
	return s;
}
