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
#include <stddef.h>
#include <stdint.h>

#include "backend/books.h"
#include "base/err.h"
#include "base/list.h"

enum job_outcome {
	JOB_DONE,    /* on disk */
	JOB_STORAGE, /* the disk refused: nothing was done */
	JOB_UNKNOWN, /* COMMIT failed: it is on disk or not */
};

/* The caller's storage, the committer's from committer_put() until finish(). */
struct job {
	struct list link;
	/* Inside of the batch. -1: the database failed, the whole batch is rolled back; a
	 * refusal is not a failure, the job remembers it. */
	int (*apply)(struct job *j, struct books *b, int64_t now_us, struct err *e);
	/* After a COMMIT that failed, when the database shows what has become of it: 1
	 * found as if apply() had just done it, 0 it is not there, -1 nobody knows. NULL:
	 * it cannot be found. */
	int (*lookup)(struct job *j, struct books *b, int64_t now_us, struct err *e);
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
	/* Once, on the committer's thread: the database contradicts itself. */
	void (*damaged)(void *arg, const struct err *e);
	void *arg;
};

/* Opens the database (the caller holds its claim; makes the schema) and commits `first`.
 * Jobs can be put from here on. */
int committer_open(struct committer **out, const struct committer_settings *settings,
		   struct err *e);
/* Starts the thread. */
int committer_start(struct committer *c, struct err *e);
/* Commits and finishes what is queued, takes nothing new, joins the thread. NULL does
 * nothing. */
void committer_drain(struct committer *c);
/* Drains, closes the database. empty_log: moves all of the log into it before; true when
 * that is done and no damage was met. NULL does nothing. */
bool committer_close(struct committer *c, bool empty_log);

/* False: the queue is full, the WAL has reached twice its maximum (front only), or the
 * database is away; nothing was taken. Any thread. */
bool committer_put(struct committer *c, enum committer_queue queue, struct job *j);

/* The database cannot be opened or written, for seconds already. Any thread. */
bool committer_away(struct committer *c);
/* False, and why: it is away, or has refused a batch within the last seconds. Any
 * thread. */
bool committer_ready(struct committer *c, char *reason, size_t size);

/* Jobs waiting or being committed. Any thread. */
int committer_load(const struct committer *c);

/* Set while the WAL is at its limit: the front takes nothing. Any thread. */
void committer_hold(struct committer *c, bool hold);

const char *committer_ledger_id(const struct committer *c); /* borrowed */
int64_t committer_head(const struct committer *c);          /* any thread */

#endif
