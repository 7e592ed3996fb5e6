/* The committer: the one thread that writes the database.
 *
 * Everything that changes something is a job. The committer takes all that wait, applies
 * them between one BEGIN IMMEDIATE and one COMMIT (one fsync for all), then finishes
 * each. Two queues: `front` for what a client waits for, `back` for what can wait
 * (attempt records, notes); a batch with clients in it takes at most one job from the
 * back. Both are bounded. */
#ifndef PAYBELL_BACKEND_COMMITTER_H
#define PAYBELL_BACKEND_COMMITTER_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/books.h"
#include "base/err.h"
#include "base/list.h"

enum job_outcome {
	JOB_DONE,    /* on disk */
	JOB_STORAGE, /* the disk refused: nothing was done */
	JOB_UNKNOWN, /* COMMIT failed: it may be on disk or not */
};

/* The caller's storage, the committer's from committer_put() until finish(). */
struct job {
	struct list link;
	/* Inside of the batch. -1: the database failed, the whole batch is rolled back; a
	 * refusal is not a failure, the job remembers it. */
	int (*apply)(struct job *j, struct books *b, int64_t now_us, struct err *e);
	/* After the batch; may free the job. Must not block. */
	void (*finish)(struct job *j, enum job_outcome outcome);
};

enum committer_queue { COMMITTER_FRONT, COMMITTER_BACK };

struct committer;

struct committer_settings {
	const char *database;
	int queue_max; /* jobs in front; the back holds as many */
	int batch_max; /* jobs of one batch */
	/* Committed by committer_open() before anything else; only its apply() is called.
	 */
	struct job *first;
	/* After each batch, on the committer's thread: head is the newest sequence on
	 * disk. */
	void (*after_batch)(void *arg, int64_t head);
	void *arg;
};

/* Opens the database (under its lock, makes the schema) and commits `first`. Jobs can be
 * put from here on. */
int committer_open(struct committer **out, const struct committer_settings *settings,
		   struct err *e);
/* Starts the thread. */
int committer_start(struct committer *c, struct err *e);
/* Commits and finishes what is queued, takes nothing new, joins the thread. NULL does
 * nothing. */
void committer_drain(struct committer *c);
/* Drains, closes the database. NULL does nothing. */
void committer_close(struct committer *c);

/* False: the queue is full, or the WAL has reached twice its maximum (front only);
 * nothing was taken. Any thread. */
bool committer_put(struct committer *c, enum committer_queue queue, struct job *j);

/* Jobs waiting or being committed. Any thread. */
int committer_load(const struct committer *c);

/* Set while the WAL is at its limit: the front takes nothing. Any thread. */
void committer_hold(struct committer *c, bool hold);

const char *committer_ledger_id(const struct committer *c); /* borrowed */
int64_t committer_head(const struct committer *c);          /* any thread */

#endif
