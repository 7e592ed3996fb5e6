/* A committer alone with its database: nobody else keeps the log's index alive, so what a
 * COMMIT that failed has left in the log is found again when it is opened anew. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backend/committer.h"
#include "base/mem.h"

Suite *committer_suite(void);

/* ---- a sync that fails: it stands before libc's, for SQLite as well ---- */

static atomic_int failures;
static _Atomic int64_t cut_to = -1; /* what the log is cut to then; -1: nothing */

int fdatasync(int fd)
{
	if (atomic_load(&failures) <= 0)
		return (int)syscall(SYS_fdatasync, fd);
	atomic_fetch_sub(&failures, 1);
	if (cut_to >= 0)
		ck_assert_int_eq(ftruncate(fd, cut_to), 0);
	errno = EIO;
	return -1;
}

/* ---- a committer and its jobs ---- */

struct payment_job {
	struct job job;
	struct transaction_request asked;
	struct transaction made;
	struct idempotency key;
	enum job_outcome outcome;
	bool found;
	sem_t done;
};

static char folder[64], path[96];
static struct committer *committer;
static struct err e;
static atomic_int damages;

static int nothing_apply(struct job *j, struct books *b, int64_t now_us, struct err *err)
{
	(void)j;
	(void)b;
	(void)now_us;
	(void)err;
	return 0;
}

static int add_user_apply(struct job *j, struct books *b, int64_t now_us, struct err *err)
{
	struct user *u = mem_alloc(sizeof *u);
	int rc;

	(void)j;
	strcpy(u->id, "bob");
	strcpy(u->name, "Bob");
	rc = users_put(b->users, u, now_us, err);
	mem_free(u);
	return rc < 0 ? -1 : 0;
}

static int pay_apply(struct job *j, struct books *b, int64_t now_us, struct err *err)
{
	struct payment_job *p = container_of(j, struct payment_job, job);
	struct problem problem;

	ck_assert_int_eq(
		ledger_pay(b->ledger, &p->asked, now_us, &p->made, &problem, err), 0);
	return ledger_remember(b->ledger, &p->key, now_us, &p->made, &problem, err);
}

static int pay_lookup(struct job *j, struct books *b, int64_t now_us, struct err *err)
{
	struct payment_job *p = container_of(j, struct payment_job, job);
	struct problem problem;
	int rc = ledger_recall(b->ledger, &p->key, now_us, &p->made, &problem, err);

	p->found = rc == 1;
	return rc;
}

static void job_finish(struct job *j, enum job_outcome outcome)
{
	struct payment_job *p = container_of(j, struct payment_job, job);

	p->outcome = outcome;
	sem_post(&p->done);
}

static void after_batch(void *arg, int64_t head)
{
	(void)arg;
	(void)head;
}

static void on_damaged(void *arg, const struct err *err)
{
	(void)arg;
	(void)err;
	atomic_fetch_add(&damages, 1);
}

static void open_committer(struct job *first)
{
	struct committer_settings settings = {
		.database = path,
		.queue_max = 4,
		.batch_max = 4,
		.first = first,
		.after_batch = after_batch,
		.damaged = on_damaged,
	};

	ck_assert_msg(committer_open(&committer, &settings, &e) == 0, "%s", e.text);
}

static void setup(void)
{
	strcpy(folder, "/tmp/paybell-committer-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/paybell.db", folder);
	open_committer(&(struct job){.apply = add_user_apply});
	ck_assert_int_eq(committer_start(committer, &e), 0);
}

static void teardown(void)
{
	static const char *const SUFFIXES[] = {"", "-wal", "-shm"};
	char file[128];

	committer_close(committer, true);
	for (size_t i = 0; i < sizeof SUFFIXES / sizeof SUFFIXES[0]; i++) {
		snprintf(file, sizeof file, "%s%s", path, SUFFIXES[i]);
		unlink(file);
	}
	rmdir(folder);
}

static void pay(struct payment_job *p, char key, bool looked_up)
{
	memset(p, 0, sizeof *p);
	strcpy(p->asked.to, "bob");
	strcpy(p->asked.currency, "USD");
	p->asked.amount_minor = 100;
	memset(p->key.key, key, sizeof p->key.key);
	p->job.apply = pay_apply;
	p->job.lookup = looked_up ? pay_lookup : NULL;
	p->job.finish = job_finish;
	sem_init(&p->done, 0, 0);
	ck_assert(committer_put(committer, COMMITTER_FRONT, &p->job));
	while (sem_wait(&p->done) != 0)
		;
	sem_destroy(&p->done);
}

static int64_t log_bytes(void)
{
	struct stat s;
	char file[128];

	snprintf(file, sizeof file, "%s-wal", path);
	ck_assert_int_eq(stat(file, &s), 0);
	return s.st_size;
}

/* ---- tests ---- */

START_TEST(a_commit_whose_sync_failed_is_done_when_the_log_has_it)
{
	struct payment_job p;

	failures = 1;
	pay(&p, 'a', true);
	ck_assert_int_eq(failures, 0);
	ck_assert(p.found);
	ck_assert_int_eq(p.outcome, JOB_DONE);
	ck_assert_int_eq(committer_head(committer), 1);
	pay(&p, 'b', true);
	ck_assert_int_eq(committer_head(committer), 2);
}
END_TEST

START_TEST(a_commit_whose_sync_failed_was_not_done_when_the_log_has_lost_it)
{
	struct payment_job p;

	cut_to = log_bytes();
	failures = 1;
	pay(&p, 'a', true);
	ck_assert_int_eq(failures, 0);
	ck_assert(!p.found);
	ck_assert_int_eq(p.outcome, JOB_STORAGE);
	ck_assert_int_eq(committer_head(committer), 0);
	pay(&p, 'a', true);
	ck_assert_int_eq(p.outcome, JOB_DONE);
	ck_assert_int_eq(committer_head(committer), 1);
}
END_TEST

START_TEST(a_job_that_cannot_be_looked_up_ends_as_unknown)
{
	struct payment_job p;

	failures = 1;
	pay(&p, 'a', false);
	ck_assert_int_eq(p.outcome, JOB_UNKNOWN);
	ck_assert(!committer_away(committer));
}
END_TEST

START_TEST(trouble_is_said_until_a_batch_succeeds)
{
	char reason[200];
	struct payment_job p;

	ck_assert(committer_ready(committer, reason, sizeof reason));
	failures = 3; /* the commit, the log's settling, and once more */
	pay(&p, 'a', true);
	ck_assert(committer_ready(committer, reason, sizeof reason));
	ck_assert_int_eq(damages, 0);
}
END_TEST

START_TEST(closing_says_whether_the_log_is_empty)
{
	struct payment_job p;

	pay(&p, 'a', true);
	ck_assert_int_gt(log_bytes(), 0);
	ck_assert(committer_close(committer, true));
	ck_assert_int_eq(log_bytes(), 0);
	open_committer(&(struct job){.apply = nothing_apply});
	ck_assert_int_eq(committer_head(committer), 1);
	ck_assert(!committer_close(committer, false));
	committer = NULL;
}
END_TEST

Suite *committer_suite(void)
{
	Suite *s = suite_create("committer");
	TCase *t = tcase_create("committer");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_commit_whose_sync_failed_is_done_when_the_log_has_it);
	tcase_add_test(t,
		       a_commit_whose_sync_failed_was_not_done_when_the_log_has_lost_it);
	tcase_add_test(t, a_job_that_cannot_be_looked_up_ends_as_unknown);
	tcase_add_test(t, trouble_is_said_until_a_batch_succeeds);
	tcase_add_test(t, closing_says_whether_the_log_is_empty);
	suite_add_tcase(s, t);
	return s;
}
