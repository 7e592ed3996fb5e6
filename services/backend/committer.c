/* Group commit.
 *
 * The problem: a 201 promises that the payment is on disk, and an fsync takes longer than
 * everything else. The idea: nobody fsyncs alone. While one batch is on its way to the
 * disk the next one gathers, so the batch grows exactly as the load does, and no timer is
 * needed. The promise: a job is finished as DONE only after its COMMIT returned. Refused:
 * a transaction a request (six times slower), a timer that waits for more (adds its
 * length to every quiet payment).
 *
 * When the disk refuses. Whatever fails before COMMIT is rolled back, and nothing was
 * done. So it is when COMMIT fails because the disk is full: SQLite marks a transaction
 * as committed in the last frame that it writes, so the frame for which there was no room
 * is that one, or comes before it. Any other COMMIT that fails leaves a question: its
 * frames may lie in the write-ahead log, whole and with good checksums, and SQLite, which
 * tells its index of them only after the fsync, does not look at them again until the
 * index is lost, as it is in a crash. Then recovery would find them: a batch that was
 * answered "nothing was done" would rise from the dead. So before anything is answered:
 *
 *  1. The connection is closed and opened anew: what SQLite shows then is what everybody
 *     else sees too.
 *  2. The log is made to be on disk as it can be read (wal.h): after a failed fsync the
 *     kernel's word for it is worth nothing.
 *  3. One small commit (store_seal) goes where the batch's frames were, if the index does
 *     not have them. Frames are chained by their checksums, so what is left of the batch
 *     behind it can never be taken for a part of the log again.
 *
 * From there on what the database shows is final, and each job is looked up in it by its
 * idempotency key: found means on disk, not found means that nothing was done, and that
 * is what its client is told. A job without a key ends as UNKNOWN.
 *
 * All this is repeated until it succeeds; that is how the process recovers by itself.
 * Nobody waits for it longer than PATIENCE_MS: then the batch ends as UNKNOWN, what is
 * queued as STORAGE (it was never begun), and nothing more is taken until the database is
 * there again. */
#include "backend/committer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "backend/queue.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/monitor.h"

/* How long jobs wait for a database that is away. */
#define PATIENCE_MS     5000
#define REOPEN_PAUSE_MS 200
#define SAY_EVERY_MS    5000

/* A batch that was refused keeps /readyz from saying yes for so long: the next one may
 * fare better, and somebody has to send it. */
#define TROUBLE_MS 10000

#define NOTES_MAX 64

/* How long a batch's time may stay unwritten, and how long after a failure. */
#define NOTE_WAIT_MS  20
#define NOTE_AGAIN_MS 1000

struct committer {
	struct committer_settings settings;
	struct books books;
	pthread_t thread;
	char ledger_id[LEDGER_ID_SIZE];
	struct queue queue;
	bool running;
	struct monitor monitor; /* over the next two */
	int64_t trouble_us;     /* monotonic: when a batch was refused; 0: never */
	struct err trouble;
	atomic_int load;
	_Atomic int64_t head;
	/* A batch's own time is known after it. Later ones write it down, many at once: a
	 * row in each batch would be a page more in each. */
	struct note {
		int64_t head, committed_us;
	} notes[NOTES_MAX];
	int note_count;
	int64_t notes_due_us; /* monotonic; when none is there: INT64_MAX */
	/* The thread's own. */
	bool closing; /* there is no batch after this one */
	bool damaged;
	struct log_limit failed_limit, reopen_limit;
};

static struct metric batches_total, jobs_total, failures_total, refused_total,
	commit_seconds, load_jobs;

static void register_metrics(void)
{
	metrics_register(&batches_total, METRIC_COUNTER, "paybell_commit_batches_total",
			 NULL, "Batches committed.");
	metrics_register(&jobs_total, METRIC_COUNTER, "paybell_commit_jobs_total", NULL,
			 "Jobs committed.");
	metrics_register(&failures_total, METRIC_COUNTER, "paybell_commit_failures_total",
			 NULL, "Batches that the database refused.");
	metrics_register(&refused_total, METRIC_COUNTER, "paybell_commit_refused_total",
			 NULL,
			 "Jobs refused because the queue or the WAL was full, or the "
			 "database was away.");
	metrics_register(&commit_seconds, METRIC_HISTOGRAM, "paybell_commit_seconds",
			 NULL, "From BEGIN to the end of COMMIT.");
	metrics_register(&load_jobs, METRIC_GAUGE, "paybell_commit_queue_jobs", NULL,
			 "Jobs that wait or are being committed.");
}

static bool notes_are_due(const struct committer *c)
{
	return c->note_count > 0 && (c->closing || clock_mono_us() >= c->notes_due_us);
}

static int write_notes(struct committer *c, struct err *e)
{
	for (int i = 0; i < c->note_count; i++) {
		if (deliveries_committed(c->books.deliveries, c->notes[i].head,
					 c->notes[i].committed_us, e) < 0)
			return -1;
	}
	return 0;
}

static int apply_all(struct committer *c, struct list *batch, bool with_notes,
		     struct err *e)
{
	int64_t now_us = clock_utc_us();

	for (struct list *n = batch->next; n != batch; n = n->next) {
		struct job *j = container_of(n, struct job, link);

		if (j->apply(j, &c->books, now_us, e) < 0)
			return -1;
	}
	return with_notes ? write_notes(c, e) : 0;
}

static enum job_outcome commit(struct committer *c, struct list *batch, bool with_notes,
			       struct err *e)
{
	struct ledger *ledger = c->books.ledger;

	if (ledger_begin(ledger, e) < 0)
		return JOB_STORAGE;
	if (apply_all(c, batch, with_notes, e) < 0) {
		ledger_rollback(ledger);
		return JOB_STORAGE;
	}
	if (ledger_commit(ledger, e) == 0)
		return JOB_DONE;
	if (e->code != ERR_FULL)
		return JOB_UNKNOWN;
	ledger_rollback(ledger);
	return JOB_STORAGE;
}

static void finish_all(struct list *batch, enum job_outcome outcome)
{
	struct list *node;

	while ((node = list_pop(batch)) != NULL) {
		struct job *j = container_of(node, struct job, link);

		j->finish(j, outcome);
	}
}

static void forget_notes(struct committer *c)
{
	c->note_count = 0;
	c->notes_due_us = INT64_MAX;
}

static void note(struct committer *c, int64_t head)
{
	/* More than that gather only while the disk refuses them. */
	int slot = c->note_count < NOTES_MAX ? c->note_count++ : NOTES_MAX - 1;

	if (slot == 0)
		c->notes_due_us = clock_mono_us() + NOTE_WAIT_MS * US_PER_MS;
	c->notes[slot] = (struct note){head, clock_utc_us()};
	atomic_store(&c->head, head);
}

/* The disk takes writes again. */
static void forget_trouble(struct committer *c)
{
	monitor_lock(&c->monitor);
	c->trouble_us = 0;
	monitor_unlock(&c->monitor);
}

static void after_commit(struct committer *c, int count, bool with_notes,
			 int64_t began_us)
{
	int64_t head = ledger_head(c->books.ledger);

	if (with_notes)
		forget_notes(c);
	if (head != atomic_load(&c->head))
		note(c, head);
	metric_add(&batches_total, 1);
	metric_add(&jobs_total, count);
	metric_observe_us(&commit_seconds, clock_mono_us() - began_us);
	if (c->trouble_us != 0) /* written by this thread alone */
		forget_trouble(c);
}

static void end_batch(struct committer *c, struct list *batch, int count,
		      enum job_outcome outcome)
{
	finish_all(batch, outcome);
	metric_set(&load_jobs, atomic_fetch_sub(&c->load, count) - count);
	c->settings.after_batch(c->settings.arg, atomic_load(&c->head));
}

/* ---- when the database fails ---- */

static void remember_trouble(struct committer *c, const struct err *e)
{
	struct err told = *e;

	store_explain(c->settings.database, &told);
	monitor_lock(&c->monitor);
	c->trouble_us = clock_mono_us();
	c->trouble = told;
	monitor_unlock(&c->monitor);
	/* Told once; the process ends, and the next start looks at all of it. */
	if (e->code != ERR_CORRUPT || c->damaged)
		return;
	c->damaged = true;
	c->settings.damaged(c->settings.arg, &told);
}

/* Whoever waits has waited long enough: nothing of theirs was begun. */
static void refuse_queued(struct committer *c)
{
	struct list queued;
	int count = queue_shut(&c->queue, &queued);

	end_batch(c, &queued, count, JOB_STORAGE);
}

/* Until it works. False: it was asked to end while the database is away. *batch is empty
 * when it took too long. */
static bool reopen(struct committer *c, struct list *batch, int *count)
{
	int64_t patience_us = clock_mono_us() + PATIENCE_MS * US_PER_MS;
	struct err e = ERR_INIT;
	unsigned swallowed;
	bool stopping = false;

	while (books_reopen_writer(&c->books, c->settings.database, &e) < 0) {
		remember_trouble(c, &e);
		if (log_limit_pass(&c->reopen_limit, SAY_EVERY_MS, &swallowed))
			log_error("commit.reopen_failed", "more=%u error=\"%s\"",
				  swallowed, e.text);
		if (stopping || clock_mono_us() >= patience_us) {
			end_batch(c, batch, *count, JOB_UNKNOWN);
			*count = 0;
			refuse_queued(c);
		}
		if (stopping)
			return false;
		stopping = queue_pause(&c->queue,
				       clock_mono_us() + REOPEN_PAUSE_MS * US_PER_MS);
	}
	queue_open(&c->queue);
	forget_trouble(c);
	log_warn("commit.reopened", "head=%lld", (long long)ledger_head(c->books.ledger));
	return true;
}

static enum job_outcome look_up(struct committer *c, struct job *j, int64_t now_us)
{
	struct err e = ERR_INIT;
	int rc = j->lookup == NULL ? -1 : j->lookup(j, &c->books, now_us, &e);

	if (rc < 0)
		return JOB_UNKNOWN;
	return rc == 1 ? JOB_DONE : JOB_STORAGE;
}

/* COMMIT failed: see above. */
static bool find_out(struct committer *c, struct list *batch, int count)
{
	int64_t now_us = clock_utc_us(), head;
	struct list *node;

	if (!reopen(c, batch, &count))
		return false;
	head = ledger_head(c->books.ledger);
	if (head != atomic_load(&c->head))
		note(c, head);
	while ((node = list_pop(batch)) != NULL) {
		struct job *j = container_of(node, struct job, link);

		j->finish(j, look_up(c, j, now_us));
	}
	end_batch(c, batch, count, JOB_UNKNOWN);
	return true;
}

static void say_failed(struct committer *c, enum job_outcome outcome, int count,
		       const struct err *e)
{
	unsigned swallowed;

	metric_add(&failures_total, 1);
	if (log_limit_pass(&c->failed_limit, SAY_EVERY_MS, &swallowed))
		log_error("commit.failed", "outcome=%s jobs=%d more=%u error=\"%s\"",
			  outcome == JOB_UNKNOWN ? "unknown" : "nothing_done", count,
			  swallowed, e->text);
	remember_trouble(c, e);
	/* At the end there is no later batch for them. */
	if (c->closing)
		forget_notes(c);
	else if (c->note_count > 0)
		c->notes_due_us = clock_mono_us() + NOTE_AGAIN_MS * US_PER_MS;
}

/* ---- the thread ---- */

/* False: it cannot go on. */
static bool run_batch(struct committer *c, struct list *batch, int count)
{
	struct err e = ERR_INIT;
	bool with_notes = notes_are_due(c);
	int64_t began_us = clock_mono_us();
	enum job_outcome outcome = commit(c, batch, with_notes, &e);

	if (outcome == JOB_DONE)
		after_commit(c, count, with_notes, began_us);
	else
		say_failed(c, outcome, count, &e);
	if (outcome == JOB_UNKNOWN)
		return find_out(c, batch, count);
	end_batch(c, batch, count, outcome);
	return true;
}

static void *run(void *arg)
{
	struct committer *c = arg;
	struct list batch;
	bool go_on = true;

	while (go_on) {
		int count = queue_take(&c->queue, c->settings.batch_max, c->notes_due_us,
				       &batch, &c->closing);

		if (count > 0 || notes_are_due(c))
			go_on = run_batch(c, &batch, count);
		else
			go_on = !c->closing;
	}
	return NULL;
}

static int commit_first(struct committer *c, struct err *e)
{
	struct job *j = c->settings.first;

	if (ledger_begin(c->books.ledger, e) < 0)
		return -1;
	if (j->apply(j, &c->books, clock_utc_us(), e) == 0)
		return ledger_commit(c->books.ledger, e);
	ledger_rollback(c->books.ledger);
	return -1;
}

int committer_open(struct committer **out, const struct committer_settings *settings,
		   struct err *e)
{
	struct committer *c = mem_alloc(sizeof *c);

	c->settings = *settings;
	register_metrics();
	if (books_open_writer(&c->books, settings->database, e) < 0) {
		mem_free(c);
		return -1;
	}
	c->notes_due_us = INT64_MAX;
	queue_init(&c->queue, settings->queue_max);
	monitor_init(&c->monitor);
	if (commit_first(c, e) < 0) {
		committer_close(c, false);
		return -1;
	}
	mem_copy_text(c->ledger_id, sizeof c->ledger_id, c->books.store.ledger_id);
	atomic_store(&c->head, ledger_head(c->books.ledger));
	*out = c;
	return 0;
}

int committer_start(struct committer *c, struct err *e)
{
	if (pthread_create(&c->thread, NULL, run, c) != 0)
		return err_set(e, ERR_IO, "the committer's thread cannot be started");
	c->running = true;
	return 0;
}

void committer_drain(struct committer *c)
{
	if (c == NULL || !c->running)
		return;
	queue_stop(&c->queue);
	pthread_join(c->thread, NULL);
	c->running = false;
}

/* Into the database file with all of it: then the log has nothing to add. */
static bool move_log(struct committer *c)
{
	struct err e = ERR_INIT;
	int frames, moved;

	return c->books.store.db != NULL && !c->damaged &&
	       db_checkpoint(c->books.store.db, DB_CHECKPOINT_TRUNCATE, &frames, &moved,
			     &e) == 0;
}

bool committer_close(struct committer *c, bool empty_log)
{
	bool clean;

	if (c == NULL)
		return false;
	committer_drain(c);
	clean = empty_log && move_log(c);
	books_close(&c->books);
	monitor_release(&c->monitor);
	queue_release(&c->queue);
	mem_free(c);
	return clean;
}

bool committer_put(struct committer *c, enum committer_queue queue, struct job *j)
{
	atomic_fetch_add(&c->load, 1);
	if (queue_put(&c->queue, queue == COMMITTER_FRONT, &j->link))
		return true;
	atomic_fetch_sub(&c->load, 1);
	metric_add(&refused_total, 1);
	return false;
}

bool committer_away(struct committer *c)
{
	return queue_is_shut(&c->queue);
}

bool committer_ready(struct committer *c, char *reason, size_t size)
{
	bool away = queue_is_shut(&c->queue), refused;

	monitor_lock(&c->monitor);
	refused = c->trouble_us != 0 &&
		  clock_mono_us() < c->trouble_us + TROUBLE_MS * US_PER_MS;
	if (away || refused)
		snprintf(reason, size, "%s: %s",
			 away ? "the database is away"
			      : "the database has refused a batch",
			 c->trouble.text);
	monitor_unlock(&c->monitor);
	return !away && !refused;
}

int committer_load(const struct committer *c)
{
	return atomic_load(&c->load);
}

void committer_hold(struct committer *c, bool hold)
{
	queue_hold(&c->queue, hold);
}

const char *committer_ledger_id(const struct committer *c)
{
	return c->ledger_id;
}

int64_t committer_head(const struct committer *c)
{
	return atomic_load(&c->head);
}
