/* Group commit.
 *
 * The problem: a 201 promises that the payment is on disk, and an fsync takes longer than
 * everything else. The idea: nobody fsyncs alone. While one batch is on its way to the
 * disk the next one gathers, so the batch grows exactly as the load does, and no timer is
 * needed. The promise: a job is finished as DONE only after its COMMIT returned. When
 * COMMIT fails, nobody knows; the connection is closed and opened anew (what SQLite
 * thinks of the file afterwards is then read from the disk), the batch is finished as
 * UNKNOWN, and a client that asks again with its key finds out what happened from the
 * ledger itself. Refused: a transaction a request (six times slower), a timer that waits
 * for more (adds its length to every quiet payment). */
#include "backend/committer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

#define NOTES_MAX 64

/* How long a batch's time may stay unwritten. */
#define NOTE_WAIT_MS 20

struct committer {
	struct committer_settings settings;
	struct books books;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct list front, back;
	int front_count, back_count;
	int64_t back_since_us; /* the oldest job in the back has waited from here on, or
				  since the last batch */
	bool stopping, running;
	atomic_bool hold;
	atomic_int load;
	_Atomic int64_t head;
	/* A batch's own time is known after it. Later ones write it down, many at once: a
	 * row in each batch would be a page more in each. */
	struct note {
		int64_t head, committed_us;
	} notes[NOTES_MAX];
	int note_count;
	int64_t noted_since_us; /* monotonic: the oldest */
	bool closing;           /* the thread's own copy of `stopping` */
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
			 NULL, "Jobs refused because the queue or the WAL was full.");
	metrics_register(&commit_seconds, METRIC_HISTOGRAM, "paybell_commit_seconds",
			 NULL, "From BEGIN to the end of COMMIT.");
	metrics_register(&load_jobs, METRIC_GAUGE, "paybell_commit_queue_jobs", NULL,
			 "Jobs that wait or are being committed.");
}

/* Moves up to `most` jobs behind the batch. */
static int take(struct list *from, int *count, struct list *batch, int most)
{
	struct list *node;
	int taken = 0;

	while (taken < most && (node = list_pop(from)) != NULL) {
		list_append(batch, node);
		taken++;
	}
	*count -= taken;
	return taken;
}

#define BACK_ALONE_MAX 8 /* jobs from the back in a batch without clients */

/* How long the back waits for a batch of clients that it can go along with: an fsync of
 * its own costs more than its rows. */
#define BACK_WAIT_MS 15

static bool notes_are_due(const struct committer *c)
{
	return c->note_count == NOTES_MAX ||
	       (c->note_count > 0 &&
		(c->closing ||
		 clock_mono_us() >= c->noted_since_us + NOTE_WAIT_MS * US_PER_MS));
}

static void wait_until(struct committer *c, int64_t mono_us)
{
	struct timespec until = {mono_us / US_PER_S, mono_us % US_PER_S * 1000};

	pthread_cond_timedwait(&c->wake, &c->lock, &until);
}

/* Until a client's job is there, the back has waited long enough, or only a note is left
 * to write. */
static void wait_for_work(struct committer *c)
{
	while (!c->stopping && list_empty(&c->front)) {
		int64_t now_us = clock_mono_us();

		if (!list_empty(&c->back)) {
			if (c->back_count >= BACK_ALONE_MAX ||
			    now_us >= c->back_since_us + BACK_WAIT_MS * US_PER_MS)
				return;
			wait_until(c, c->back_since_us + BACK_WAIT_MS * US_PER_MS);
		} else if (c->note_count > 0) {
			if (notes_are_due(c))
				return;
			wait_until(c, c->noted_since_us + NOTE_WAIT_MS * US_PER_MS);
		} else {
			pthread_cond_wait(&c->wake, &c->lock);
		}
	}
}

/* The next batch; empty: only a note is to be written. False: stop. */
static bool gather(struct committer *c, struct list *batch, int *count)
{
	bool go_on;

	list_init(batch);
	pthread_mutex_lock(&c->lock);
	wait_for_work(c);
	*count = take(&c->front, &c->front_count, batch, c->settings.batch_max);
	*count += take(&c->back, &c->back_count, batch, *count > 0 ? 1 : BACK_ALONE_MAX);
	c->back_since_us = clock_mono_us();
	c->closing = c->stopping;
	go_on = *count > 0 || !c->stopping || c->note_count > 0;
	pthread_mutex_unlock(&c->lock);
	return go_on;
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

/* Until it works: without its database the committer has nothing to do, and the full
 * queue says so to the clients. */
static void reopen(struct committer *c)
{
	struct err e = ERR_INIT;
	struct timespec pause = {0, 200 * 1000000L};
	struct log_limit limit = {0};
	unsigned swallowed;

	while (books_reopen_writer(&c->books, c->settings.database, &e) < 0) {
		if (log_limit_pass(&limit, 5000, &swallowed))
			log_error("commit.reopen_failed", "error=\"%s\"", e.text);
		nanosleep(&pause, NULL);
	}
	atomic_store(&c->head, ledger_head(c->books.ledger));
	log_warn("commit.reopened", "head=%lld", (long long)ledger_head(c->books.ledger));
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
	return JOB_UNKNOWN;
}

static void finish_all(struct list *batch, enum job_outcome outcome)
{
	struct list *node;

	while ((node = list_pop(batch)) != NULL) {
		struct job *j = container_of(node, struct job, link);

		j->finish(j, outcome);
	}
}

static void note(struct committer *c, int64_t head)
{
	if (c->note_count == 0)
		c->noted_since_us = clock_mono_us();
	c->notes[c->note_count++] = (struct note){head, clock_utc_us()};
	atomic_store(&c->head, head);
}

static void after_commit(struct committer *c, int count, bool with_notes,
			 int64_t began_us)
{
	int64_t head = ledger_head(c->books.ledger);

	if (with_notes)
		c->note_count = 0;
	if (head != atomic_load(&c->head))
		note(c, head);
	metric_add(&batches_total, 1);
	metric_add(&jobs_total, count);
	metric_observe_us(&commit_seconds, clock_mono_us() - began_us);
}

static void run_batch(struct committer *c, struct list *batch, int count)
{
	struct err e = ERR_INIT;
	bool with_notes = notes_are_due(c);
	int64_t began_us = clock_mono_us();
	enum job_outcome outcome = commit(c, batch, with_notes, &e);

	if (outcome == JOB_DONE) {
		after_commit(c, count, with_notes, began_us);
	} else {
		metric_add(&failures_total, 1);
		log_error("commit.failed", "outcome=%s jobs=%d error=\"%s\"",
			  outcome == JOB_UNKNOWN ? "unknown" : "nothing_done", count,
			  e.text);
	}
	/* At the end there is no later batch for them. */
	if (outcome != JOB_DONE && c->closing)
		c->note_count = 0;
	if (outcome == JOB_UNKNOWN)
		reopen(c);
	finish_all(batch, outcome);
	metric_set(&load_jobs, atomic_fetch_sub(&c->load, count) - count);
	c->settings.after_batch(c->settings.arg, atomic_load(&c->head));
}

static void *run(void *arg)
{
	struct committer *c = arg;
	struct list batch;
	int count;

	while (gather(c, &batch, &count)) {
		if (count > 0 || notes_are_due(c))
			run_batch(c, &batch, count);
	}
	return NULL;
}

static void init_locks(struct committer *c)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&c->wake, &attributes);
	pthread_condattr_destroy(&attributes);
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
	list_init(&c->front);
	list_init(&c->back);
	register_metrics();
	if (books_open_writer(&c->books, settings->database, e) < 0) {
		mem_free(c);
		return -1;
	}
	init_locks(c);
	if (commit_first(c, e) < 0) {
		committer_close(c);
		return -1;
	}
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
	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	c->running = false;
}

void committer_close(struct committer *c)
{
	if (c == NULL)
		return;
	committer_drain(c);
	books_close(&c->books);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	mem_free(c);
}

bool committer_put(struct committer *c, enum committer_queue queue, struct job *j)
{
	bool front = queue == COMMITTER_FRONT, taken;

	pthread_mutex_lock(&c->lock);
	taken = !c->stopping &&
		(front ? c->front_count : c->back_count) < c->settings.queue_max &&
		!(front && atomic_load_explicit(&c->hold, memory_order_relaxed));
	if (taken) {
		if (!front && list_empty(&c->back))
			c->back_since_us = clock_mono_us();
		list_append(front ? &c->front : &c->back, &j->link);
		*(front ? &c->front_count : &c->back_count) += 1;
		atomic_fetch_add(&c->load, 1);
		pthread_cond_signal(&c->wake);
	}
	pthread_mutex_unlock(&c->lock);
	if (!taken)
		metric_add(&refused_total, 1);
	return taken;
}

int committer_load(const struct committer *c)
{
	return atomic_load(&c->load);
}

void committer_hold(struct committer *c, bool hold)
{
	atomic_store(&c->hold, hold);
}

const char *committer_ledger_id(const struct committer *c)
{
	return c->books.store.ledger_id;
}

int64_t committer_head(const struct committer *c)
{
	return atomic_load(&c->head);
}
