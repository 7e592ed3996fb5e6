/* A log's reader: the entries of a stream in Redis on their way into the database.
 *
 * It reads its group (backend), hands what it read to the committer's back queue as one
 * job, and acknowledges and deletes the entries after the commit. Whatever is not known
 * to be acknowledged is read again, so what apply() does must be harmless when it is done
 * twice. What an entry means is the kind's. Loop thread only, but for apply(). */
#ifndef PAYBELL_BACKEND_LOG_READER_H
#define PAYBELL_BACKEND_LOG_READER_H

#include "app/bus.h"
#include "app/settings.h"
#include "backend/committer.h"
#include "io/loop.h"
#include "io/redis.h"

struct log_reader;

#define LOG_ENTRIES       64 /* of one read, and at most of one batch */
#define LOG_ENTRY_ID_SIZE 48

/* What becomes one job; a kind's own batch begins with it. */
struct log_batch {
	struct job job;
	struct list link; /* waiting to be tried again, or spare */
	struct log_reader *reader;
	enum job_outcome outcome;
	int entry_count;
	char ids[LOG_ENTRIES][LOG_ENTRY_ID_SIZE];
};

struct log_kind {
	const char *reader, *acks; /* what its two connections are called */
	size_t batch_size;         /* bytes of the kind's batch */
	/* It is new, or used again. */
	void (*clear)(struct log_batch *b);
	/* One entry's fields; what is not good is counted and left out. */
	void (*take)(struct committer *c, struct log_batch *b,
		     const struct redisReply *fields);
	/* No further entry is given to it: NULL when LOG_ENTRIES is the only limit. */
	bool (*is_full)(const struct log_batch *b);
	/* Inside of the committer's batch, on its thread. */
	int (*apply)(struct log_batch *b, struct books *books, int64_t now_us,
		     struct err *e);
	/* It is on disk. */
	void (*done)(const struct log_batch *b);
};

struct log_reader_settings {
	struct loop *loop;
	const struct common_settings *common;
	const char *stream; /* its name in Redis; borrowed */
	struct committer *committer;
};

/* kind: static. */
int log_reader_start(struct log_reader **out, const struct log_kind *kind,
		     const struct log_reader_settings *settings, struct err *e);
/* Reads no more; what the committer has is still written. */
void log_reader_drain(struct log_reader *r);
void log_reader_stop(struct log_reader *r); /* after the committer; NULL does nothing */

#endif
