#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger_fixture.h"
#include "store/backup.h"

Suite *backup_suite(void);

static struct ledger_fixture f;
static struct err e;
static char file[128], partial[160];

static void pay(int count)
{
	static struct transaction made;
	struct problem p;

	ledger_fixture_begin(&f);
	for (int i = 0; i < count; i++)
		ledger_fixture_pay(&f, "", "alice", 100, "USD", &made, &p);
	ledger_fixture_commit(&f);
}

/* More pages than two steps copy: a row of this size fills one. */
static void grow(void)
{
	ck_assert_msg(db_exec(f.store.db,
			      "CREATE TABLE filler (bytes BLOB); WITH RECURSIVE n(i) AS "
			      "(VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2500) "
			      "INSERT INTO filler SELECT randomblob(3000) FROM n",
			      &e) == 0,
		      "%s", e.text);
}

static void setup(void)
{
	ledger_fixture_init(&f);
	ledger_fixture_add_user(&f, "alice");
	pay(10);
	snprintf(file, sizeof file, "%s/copy.db", f.folder);
	snprintf(partial, sizeof partial, "%s.partial", file);
	e = (struct err)ERR_INIT;
}

static void teardown(void)
{
	unlink(file);
	ledger_fixture_release(&f);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* Nothing of it is left: neither the file nor what SQLite puts beside it. */
static void expect_gone(const char *path)
{
	static const char *const SUFFIXES[] = {"", "-wal", "-shm", "-journal"};
	char name[256];

	for (size_t i = 0; i < sizeof SUFFIXES / sizeof SUFFIXES[0]; i++) {
		snprintf(name, sizeof name, "%s%s", path, SUFFIXES[i]);
		ck_assert_msg(!exists(name), "%s is there", name);
	}
}

static void touch(const char *path)
{
	FILE *out = fopen(path, "w");

	ck_assert_ptr_nonnull(out);
	fputs("mine", out);
	fclose(out);
}

static int copy(struct backup *b)
{
	int64_t done, total, before = 0;
	int more;

	while ((more = backup_step(b, &done, &total, &e)) == 1) {
		ck_assert_int_gt(done, before);
		ck_assert_int_le(done, total);
		before = done;
	}
	return more;
}

static int back_up(const char *path, bool replace, struct backup_result *result)
{
	struct backup *b;
	int rc = backup_new(&b, f.path, path, replace, &e);

	if (rc < 0)
		return -1;
	rc = copy(b);
	if (rc == 0)
		rc = backup_finish(b, result, &e);
	backup_free(b);
	return rc;
}

static int64_t number(struct store *s, const char *sql)
{
	struct db_stmt *stmt;
	int64_t value;

	ck_assert_msg(db_prepare(s->db, &stmt, sql, &e) == 0, "%s", e.text);
	ck_assert_int_eq(db_step(stmt, &e), 1);
	value = db_int(stmt, 0);
	db_finalize(stmt);
	return value;
}

START_TEST(a_copy_is_one_file_with_all_events_and_a_ledger_id_of_its_own)
{
	struct backup_result result;
	struct store restored;
	struct stat there;

	ck_assert_msg(back_up(file, false, &result) == 0, "%s", e.text);
	ck_assert_int_eq(result.events, 10);
	ck_assert_int_eq(stat(file, &there), 0);
	ck_assert_int_eq(there.st_size, result.bytes);
	ck_assert_int_eq(there.st_mode & 07777, 0640);
	expect_gone(partial);
	ck_assert(!exists(strcat(strcpy(partial, file), "-wal")));
	ck_assert_msg(store_open_reader(&restored, file, &e) == 0, "%s", e.text);
	ck_assert_str_eq(restored.ledger_id, result.ledger_id);
	ck_assert_str_ne(restored.ledger_id, f.store.ledger_id);
	ck_assert_uint_eq(strlen(restored.ledger_id), LEDGER_ID_SIZE - 1);
	ck_assert_int_eq(number(&restored, "SELECT count(*) FROM events"), 10);
	ck_assert_int_eq(number(&restored, "SELECT balance_minor FROM accounts WHERE "
					   "user_id = 'alice'"),
			 1000);
	ck_assert(!exists(partial)); /* reading it makes no log either */
	store_close(&restored);
}
END_TEST

START_TEST(two_copies_are_two_ledgers)
{
	struct backup_result one, other;

	ck_assert_int_eq(back_up(file, false, &one), 0);
	ck_assert_int_eq(back_up(file, true, &other), 0);
	ck_assert_str_ne(one.ledger_id, other.ledger_id);
}
END_TEST

START_TEST(what_is_committed_while_it_copies_is_not_in_it)
{
	struct backup_result result;
	struct backup *b;
	int64_t done, total;

	grow();
	ck_assert_msg(backup_new(&b, f.path, file, false, &e) == 0, "%s", e.text);
	ck_assert_int_eq(backup_step(b, &done, &total, &e), 1);
	pay(100);
	ck_assert_int_eq(backup_step(b, &done, &total, &e), 1);
	ck_assert_int_eq(done, 2 * 1024 * 4096);
	pay(100);
	ck_assert_int_eq(copy(b), 0);
	ck_assert_msg(backup_finish(b, &result, &e) == 0, "%s", e.text);
	ck_assert_int_eq(result.events, 10);
	backup_free(b);
}
END_TEST

START_TEST(what_is_there_already_stays_unless_it_is_to_be_replaced)
{
	struct backup_result result;
	struct stat there;

	touch(file);
	ck_assert_int_eq(back_up(file, false, &result), -1);
	ck_assert_int_eq(e.code, ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(e.text, "--force"));
	ck_assert_int_eq(stat(file, &there), 0);
	ck_assert_int_eq(there.st_size, 4);
	expect_gone(partial);
	ck_assert_int_eq(back_up(file, true, &result), 0);
	ck_assert_int_eq(stat(file, &there), 0);
	ck_assert_int_eq(there.st_size, result.bytes);
}
END_TEST

START_TEST(what_appears_while_it_copies_stays_too)
{
	struct backup_result result;
	struct backup *b;
	struct stat there;

	ck_assert_int_eq(backup_new(&b, f.path, file, false, &e), 0);
	touch(file);
	ck_assert_int_eq(copy(b), 0);
	ck_assert_int_eq(backup_finish(b, &result, &e), -1);
	ck_assert_int_eq(e.code, ERR_CONFLICT);
	backup_free(b);
	ck_assert_int_eq(stat(file, &there), 0);
	ck_assert_int_eq(there.st_size, 4);
	expect_gone(partial);
}
END_TEST

START_TEST(the_database_itself_is_never_written_over)
{
	struct backup_result result;
	char other_name[160];

	ck_assert_int_eq(back_up(f.path, true, &result), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	snprintf(other_name, sizeof other_name, "%s/link", f.folder);
	ck_assert_int_eq(link(f.path, other_name), 0);
	ck_assert_int_eq(back_up(other_name, true, &result), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	unlink(other_name);
}
END_TEST

START_TEST(a_file_with_a_log_of_another_database_beside_it_is_refused)
{
	struct backup_result result;
	char log[160];

	snprintf(log, sizeof log, "%s-wal", file);
	touch(log);
	ck_assert_int_eq(back_up(file, true, &result), -1);
	ck_assert_int_eq(e.code, ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(e.text, "copy.db-wal"));
	unlink(log);
}
END_TEST

START_TEST(a_target_that_cannot_be_made_is_named)
{
	struct backup_result result;
	char elsewhere[160];

	snprintf(elsewhere, sizeof elsewhere, "%s/nowhere/copy.db", f.folder);
	ck_assert_int_eq(back_up(elsewhere, false, &result), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "nowhere/copy.db.partial"));
	ck_assert_int_eq(back_up(f.folder, true, &result), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
}
END_TEST

START_TEST(a_target_that_fails_in_the_middle_leaves_nothing)
{
	const struct rlimit limit = {6 << 20, 64 << 20};
	struct backup_result result;

	grow();
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(back_up(file, false, &result), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "copy.db"));
	expect_gone(partial);
	expect_gone(file);
}
END_TEST

START_TEST(a_database_that_is_not_there_or_not_one_is_refused)
{
	struct backup *b;
	char other[160];

	snprintf(other, sizeof other, "%s/other", f.folder);
	ck_assert_int_eq(backup_new(&b, other, file, false, &e), -1);
	ck_assert_int_eq(e.code, ERR_NOT_FOUND);
	touch(other);
	ck_assert_int_eq(backup_new(&b, other, file, false, &e), -1);
	unlink(other);
	expect_gone(partial);
}
END_TEST

START_TEST(one_that_is_stopped_leaves_nothing)
{
	struct backup *b;
	int64_t done, total;

	grow();
	ck_assert_int_eq(backup_new(&b, f.path, file, false, &e), 0);
	ck_assert_int_eq(backup_step(b, &done, &total, &e), 1);
	ck_assert(exists(partial));
	backup_stop(b);
	ck_assert_int_eq(backup_step(b, &done, &total, &e), -1);
	ck_assert_int_eq(e.code, ERR_CLOSED);
	backup_free(b);
	expect_gone(partial);
	expect_gone(file);
}
END_TEST

START_TEST(two_to_one_name_do_not_disturb_each_other)
{
	struct backup_result result;
	struct backup *b;

	touch(partial); /* what one that was killed has left */
	ck_assert_int_eq(backup_new(&b, f.path, file, false, &e), 0);
	ck_assert_int_eq(back_up(file, false, &result), -1);
	ck_assert_int_eq(e.code, ERR_CONFLICT);
	ck_assert(exists(partial));
	ck_assert_int_eq(copy(b), 0);
	ck_assert_msg(backup_finish(b, &result, &e) == 0, "%s", e.text);
	ck_assert_int_eq(result.events, 10);
	backup_free(b);
}
END_TEST

static void damage(const char *path)
{
	FILE *out = fopen(path, "r+");
	char junk[512];

	memset(junk, 0xa5, sizeof junk);
	fseek(out, -4096 * 3, SEEK_END);
	fwrite(junk, sizeof junk, 1, out);
	fclose(out);
}

START_TEST(a_copy_that_is_damaged_is_no_backup)
{
	struct backup_result result;
	struct backup *b;
	int wal, moved;

	grow();
	ck_assert_int_eq(
		db_checkpoint(f.store.db, DB_CHECKPOINT_TRUNCATE, &wal, &moved, &e), 0);
	damage(f.path);
	ck_assert_int_eq(backup_new(&b, f.path, file, false, &e), 0);
	ck_assert_int_eq(copy(b), 0);
	ck_assert_int_eq(backup_finish(b, &result, &e), -1);
	ck_assert_int_eq(e.code, ERR_CORRUPT);
	backup_free(b);
	expect_gone(partial);
	expect_gone(file);
}
END_TEST

Suite *backup_suite(void)
{
	Suite *s = suite_create("backup");
	TCase *t = tcase_create("backup");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_copy_is_one_file_with_all_events_and_a_ledger_id_of_its_own);
	tcase_add_test(t, two_copies_are_two_ledgers);
	tcase_add_test(t, what_is_committed_while_it_copies_is_not_in_it);
	tcase_add_test(t, what_is_there_already_stays_unless_it_is_to_be_replaced);
	tcase_add_test(t, what_appears_while_it_copies_stays_too);
	tcase_add_test(t, the_database_itself_is_never_written_over);
	tcase_add_test(t, a_file_with_a_log_of_another_database_beside_it_is_refused);
	tcase_add_test(t, a_target_that_cannot_be_made_is_named);
	tcase_add_test(t, a_target_that_fails_in_the_middle_leaves_nothing);
	tcase_add_test(t, a_database_that_is_not_there_or_not_one_is_refused);
	tcase_add_test(t, one_that_is_stopped_leaves_nothing);
	tcase_add_test(t, two_to_one_name_do_not_disturb_each_other);
	tcase_add_test(t, a_copy_that_is_damaged_is_no_backup);
	suite_add_tcase(s, t);
	return s;
}
