/* Who may write a database, whether it was left clean, and whether it is sound. */
#include "store/claim.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ledger_fixture.h"
#include "store/check.h"
#include "store/wal.h"

Suite *claim_suite(void);

static struct ledger_fixture f;
static struct err e;

static void setup(void)
{
	ledger_fixture_init(&f);
	for (int i = 0; i < 60; i++) {
		char id[16];

		snprintf(id, sizeof id, "user%d", i);
		ledger_fixture_add_user(&f, id);
	}
}

static void teardown(void)
{
	ledger_fixture_release(&f);
}

/* As after a stop: all of it in the file, nobody has it open. */
static void let_go(void)
{
	int frames, moved;

	ck_assert_int_eq(
		db_checkpoint(f.store.db, DB_CHECKPOINT_TRUNCATE, &frames, &moved, &e),
		0);
	ledger_free(f.ledger);
	users_free(f.users);
	events_free(f.events);
	deliveries_free(f.deliveries);
	channels_free(f.channels);
	store_close(&f.store);
	memset(&f.ledger, 0, sizeof f - offsetof(struct ledger_fixture, ledger));
}

static void invert(const char *path, off_t at, size_t len)
{
	unsigned char bytes[64];
	int fd = open(path, O_RDWR);

	ck_assert_int_eq(pread(fd, bytes, len, at), len);
	for (size_t i = 0; i < len; i++)
		bytes[i] ^= 0xff;
	ck_assert_int_eq(pwrite(fd, bytes, len, at), len);
	close(fd);
}

static void mark(void)
{
	struct claim c;

	ck_assert_int_eq(claim_take(&c, f.path, &e), 0);
	ck_assert_int_eq(claim_mark_clean(&c, f.path, &e), 0);
	claim_release(&c);
}

static bool is_clean(void)
{
	struct claim c;
	bool clean;

	ck_assert_msg(claim_take(&c, f.path, &e) == 0, "%s", e.text);
	clean = c.clean;
	claim_release(&c);
	return clean;
}

START_TEST(a_claim_is_held_by_one)
{
	struct claim c;

	ck_assert_int_eq(claim_take(&c, f.path, &e), -1);
	ck_assert_int_eq(e.code, ERR_CONFLICT);
	claim_release(&c);
}
END_TEST

START_TEST(a_mark_holds_once_and_for_the_file_as_it_was)
{
	let_go();
	ck_assert(!is_clean());
	mark();
	ck_assert(is_clean());
	ck_assert(!is_clean());
	mark();
	invert(f.path, 4096, 1);
	invert(f.path, 4096, 1); /* the same again, but somebody was at it */
	ck_assert(!is_clean());
	mark();
	ck_assert_int_eq(unlink(f.path), 0);
	ck_assert(is_clean());
}
END_TEST

START_TEST(settling_changes_nothing_that_can_be_read)
{
	struct claim c = {.fd = -1, .database_fd = -1, .unsettled = true};
	int frames, moved;

	ck_assert_int_eq(
		db_checkpoint(f.store.db, DB_CHECKPOINT_PASSIVE, &frames, &moved, &e), 0);
	ledger_fixture_add_user(&f, "late");
	ck_assert_int_eq(wal_settle(f.path, &e), 0);
	ck_assert_int_eq(claim_settle(&c, f.path, &e), 0);
	ck_assert(!c.unsettled);
	ledger_fixture_add_user(&f, "later");
	let_go();
	claim_release(&c);
	ck_assert_int_eq(store_open_writer(&f.store, f.path, &e), 0);
	ck_assert_int_eq(users_new(&f.users, &f.store, &e), 0);
	ck_assert_int_eq(wal_settle("/nonexistent/paybell.db", &e), 0);
}
END_TEST

static off_t where_users_are(void)
{
	struct db_stmt *s;
	int64_t page;

	ck_assert_int_eq(db_prepare(f.store.db, &s,
				    "SELECT rootpage FROM sqlite_schema"
				    " WHERE name = 'users'",
				    &e),
			 0);
	ck_assert_int_eq(db_step(s, &e), 1);
	page = db_int(s, 0);
	db_finalize(s);
	return (off_t)(page - 1) * 4096;
}

static int check_each(struct check *c)
{
	int rc;

	do
		rc = check_step(c, &e);
	while (rc == 1);
	return rc;
}

START_TEST(a_check_finds_a_page_that_is_none)
{
	off_t at = where_users_are();
	struct check *c;

	let_go();
	ck_assert_int_eq(check_new(&c, f.path, &e), 0);
	ck_assert_int_eq(check_all(c, &e), 0);
	ck_assert_int_eq(check_each(c), 0);
	ck_assert_int_eq(check_step(c, &e), 0);
	check_free(c);
	invert(f.path, at, 16);
	ck_assert_int_eq(check_new(&c, f.path, &e), 0);
	ck_assert_int_eq(check_all(c, &e), -1);
	ck_assert_int_eq(e.code, ERR_CORRUPT);
	ck_assert_int_eq(check_each(c), -1);
	ck_assert_int_eq(e.code, ERR_CORRUPT);
	ck_assert_str_eq(check_table(c), "users");
	check_free(c);
}
END_TEST

START_TEST(damage_is_explained_and_other_errors_are_not)
{
	err_set(&e, ERR_CORRUPT, "page 7");
	ck_assert_int_eq(store_explain("/x/paybell.db", &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "/x/paybell.db is damaged"));
	ck_assert_ptr_nonnull(strstr(e.text, "page 7"));
	err_set(&e, ERR_FULL, "no room");
	ck_assert_int_eq(store_explain("/x/paybell.db", &e), -1);
	ck_assert_str_eq(e.text, "no room");
}
END_TEST

Suite *claim_suite(void)
{
	Suite *s = suite_create("claim");
	TCase *t = tcase_create("claim");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_claim_is_held_by_one);
	tcase_add_test(t, a_mark_holds_once_and_for_the_file_as_it_was);
	tcase_add_test(t, settling_changes_nothing_that_can_be_read);
	tcase_add_test(t, a_check_finds_a_page_that_is_none);
	tcase_add_test(t, damage_is_explained_and_other_errors_are_not);
	suite_add_tcase(s, t);
	return s;
}
