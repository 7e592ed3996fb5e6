#include "backend/housekeeper.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/monitor.h"

#define PAUSE_MS     500
#define SAY_EVERY_MS 5000
/* A RESTART waits for the readers with the writer's lock in its hand: for so long and no
 * longer, then the next round tries again. */
#define RESTART_BUSY_MS 50
#define FORGET_EVERY_MS 60000
#define FORGET_LIMIT    500
/* A page of 4,096 and its header: sqlite.org/fileformat2.html section 4. */
#define WAL_FRAME_BYTES  4120
#define WAL_CYCLE_FRAMES 4096 /* 16 MB */
#define WAL_REST_FRAMES  1024 /* moved within a few milliseconds */

struct housekeeper {
	struct housekeeper_settings settings;
	struct books books;
	pthread_t thread;
	struct monitor monitor; /* over `stopping` */
	bool stopping;
	struct log_limit failed_limit;
	int64_t forgot_at_us;
};

static struct metric wal_bytes, checkpoint_seconds, restarts_total;

/* A job that the thread waits for: it owns the storage, so nothing is allocated. */
struct chore {
	struct job job;
	const char *channel; /* NULL: forget old keys */
	int64_t floor;
	int forgotten;
	sem_t done;
};

static int chore_apply(struct job *j, struct books *b, int64_t now_us, struct err *e)
{
	struct chore *c = container_of(j, struct chore, job);

	if (c->channel != NULL)
		return channels_set_floor(b->channels, c->channel, c->floor, e);
	c->forgotten = ledger_forget(b->ledger, now_us, FORGET_LIMIT, e);
	return c->forgotten < 0 ? -1 : 0;
}

static void chore_finish(struct job *j, enum job_outcome outcome)
{
	(void)outcome; /* what failed is found again next time */
	sem_post(&container_of(j, struct chore, job)->done);
}

static void chore_run(struct housekeeper *h, struct chore *c)
{
	c->job.apply = chore_apply;
	c->job.finish = chore_finish;
	sem_init(&c->done, 0, 0);
	if (committer_put(h->settings.committer, COMMITTER_BACK, &c->job))
		while (sem_wait(&c->done) != 0)
			;
	sem_destroy(&c->done);
}

static void raise_floor(struct housekeeper *h, const char *channel)
{
	struct chore chore = {.channel = channel};
	struct err e = ERR_INIT;
	int64_t floor = channels_floor(h->books.channels, channel, &e);

	chore.floor =
		floor < 0 ? -1
			  : channels_scan_floor(h->books.channels, channel, floor, &e);
	if (chore.floor < 0)
		log_warn("housekeeper.floor", "channel=%s error=\"%s\"", channel, e.text);
	else if (chore.floor > floor)
		chore_run(h, &chore);
}

static void forget_keys(struct housekeeper *h)
{
	struct chore chore = {.channel = NULL};
	int64_t now_us = clock_mono_us();

	if (now_us - h->forgot_at_us < FORGET_EVERY_MS * US_PER_MS)
		return;
	chore_run(h, &chore);
	/* More than one slice is old: go on at once the next time. */
	if (chore.forgotten < FORGET_LIMIT)
		h->forgot_at_us = now_us;
}

static int run_checkpoint(struct housekeeper *h, enum db_checkpoint mode, int *wal,
			  int *moved)
{
	int64_t began_us = clock_mono_us();
	struct err e = ERR_INIT;
	unsigned swallowed;
	struct claim *claim = h->settings.claim;
	int rc = claim->unsettled ? claim_settle(claim, h->settings.database, &e) : 0;

	if (rc == 0)
		rc = db_checkpoint(h->books.store.db, mode, wal, moved, &e);
	if (rc < 0)
		claim->unsettled = true;
	if (rc < 0 && log_limit_pass(&h->failed_limit, SAY_EVERY_MS, &swallowed))
		log_error("checkpoint.failed", "more=%u error=\"%s\"", swallowed, e.text);
	metric_observe_us(&checkpoint_seconds, clock_mono_us() - began_us);
	return rc;
}

/* The log is started from its beginning again when it has reached its maximum, and also
 * before that as soon as little is left to be moved: then the pause is short, and writing
 * over a file costs less to sync than making it longer. */
static bool wants_restart(struct housekeeper *h, int wal, int moved)
{
	if ((int64_t)wal * WAL_FRAME_BYTES >= h->settings.wal_max_bytes)
		return true;
	return wal >= WAL_CYCLE_FRAMES && wal - moved <= WAL_REST_FRAMES;
}

static void checkpoint(struct housekeeper *h)
{
	int wal = 0, moved = 0;
	int64_t bytes;

	if (run_checkpoint(h, DB_CHECKPOINT_PASSIVE, &wal, &moved) < 0)
		return;
	/* The second one finds only what was written during the first. */
	if (wal >= WAL_CYCLE_FRAMES &&
	    run_checkpoint(h, DB_CHECKPOINT_PASSIVE, &wal, &moved) < 0)
		return;
	bytes = (int64_t)wal * WAL_FRAME_BYTES;
	if (bytes >= h->settings.wal_max_bytes)
		checker_give_way(h->settings.checker);
	if (wants_restart(h, wal, moved)) {
		metric_add(&restarts_total, 1);
		if (run_checkpoint(h, DB_CHECKPOINT_RESTART, &wal, &moved) == 0)
			bytes = 0;
	}
	metric_set(&wal_bytes, bytes);
	committer_hold(h->settings.committer, bytes >= 2 * h->settings.wal_max_bytes);
}

static bool pause_or_stop(struct housekeeper *h)
{
	int64_t until_us = clock_mono_us() + PAUSE_MS * US_PER_MS;
	bool stopping;

	monitor_lock(&h->monitor);
	while (!h->stopping && monitor_wait_until(&h->monitor, until_us))
		;
	stopping = h->stopping;
	monitor_unlock(&h->monitor);
	return !stopping;
}

static void *run(void *arg)
{
	struct housekeeper *h = arg;

	while (pause_or_stop(h)) {
		checkpoint(h);
		for (int i = 0; i < h->settings.channels->count; i++)
			raise_floor(h, h->settings.channels->names[i]);
		forget_keys(h);
	}
	return NULL;
}

static void register_metrics(void)
{
	metrics_register(&wal_bytes, METRIC_GAUGE, "paybell_wal_bytes", NULL,
			 "Size of the write-ahead log in use, at the last checkpoint.");
	metrics_register(&checkpoint_seconds, METRIC_HISTOGRAM,
			 "paybell_checkpoint_seconds", NULL,
			 "How long checkpoints took.");
	metrics_register(&restarts_total, METRIC_COUNTER,
			 "paybell_checkpoint_restarts_total", NULL,
			 "Checkpoints that made the committer pause, because the log had "
			 "reached its maximum.");
}

int housekeeper_start(struct housekeeper **out,
		      const struct housekeeper_settings *settings, struct err *e)
{
	struct housekeeper *h = mem_alloc(sizeof *h);

	h->settings = *settings;
	register_metrics();
	/* A second writer's connection: a checkpoint is a write, and a reader's may not.
	 */
	if (books_open_second(&h->books, settings->database, e) < 0) {
		mem_free(h);
		return -1;
	}
	db_set_busy_ms(h->books.store.db, RESTART_BUSY_MS);
	monitor_init(&h->monitor);
	if (pthread_create(&h->thread, NULL, run, h) != 0) {
		books_close(&h->books);
		monitor_release(&h->monitor);
		mem_free(h);
		return err_set(e, ERR_IO, "the housekeeper's thread cannot be started");
	}
	*out = h;
	return 0;
}

void housekeeper_stop(struct housekeeper *h)
{
	if (h == NULL)
		return;
	monitor_lock(&h->monitor);
	h->stopping = true;
	monitor_wake(&h->monitor);
	monitor_unlock(&h->monitor);
	pthread_join(h->thread, NULL);
	books_close(&h->books);
	monitor_release(&h->monitor);
	mem_free(h);
}
