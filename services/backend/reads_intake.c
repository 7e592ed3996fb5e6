#include "backend/reads_intake.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

struct mark {
	char user_id[USER_ID_MAX + 1];
	int64_t sequence;
};

struct reads_batch {
	struct log_batch batch;
	int count;
	int moved;
	struct mark marks[LOG_ENTRIES];
};

static struct metric marks_total, invalid_total;

static struct reads_batch *reads_batch(const struct log_batch *b)
{
	return (struct reads_batch *)container_of(b, struct reads_batch, batch);
}

/* ---- on the committer's thread ---- */

static int apply(struct log_batch *batch, struct books *b, int64_t now_us, struct err *e)
{
	struct reads_batch *w = reads_batch(batch);

	w->moved = 0;
	for (int i = 0; i < w->count; i++) {
		const struct mark *m = &w->marks[i];
		int rc = reads_move(b->reads, m->user_id, m->sequence, now_us, e);

		if (rc < 0)
			return -1;
		w->moved += rc;
	}
	return 0;
}

/* ---- on the loop ---- */

static void clear(struct log_batch *b)
{
	reads_batch(b)->count = 0;
}

static void read_field(struct mark *m, const char *name, const struct redisReply *value)
{
	size_t len;
	const char *text = redis_text(value, &len);

	if (strcmp(name, BUS_FIELD_SEQUENCE) == 0)
		m->sequence = redis_int(value);
	else if (strcmp(name, BUS_FIELD_USER) == 0 && id_is_user(text, len))
		mem_copy_text(m->user_id, sizeof m->user_id, text);
}

static bool read_mark(struct mark *m, const struct redisReply *fields)
{
	*m = (struct mark){{0}, 0};
	for (size_t i = 0; i + 1 < redis_count(fields); i += 2)
		read_field(m, redis_text(redis_at(fields, i), NULL),
			   redis_at(fields, i + 1));
	return m->user_id[0] != '\0' && m->sequence > 0;
}

static void take(struct committer *c, struct log_batch *b,
		 const struct redisReply *fields)
{
	struct reads_batch *w = reads_batch(b);

	if (read_mark(&w->marks[w->count], fields) &&
	    w->marks[w->count].sequence <= committer_head(c)) {
		w->count++;
		return;
	}
	metric_add(&invalid_total, 1);
	log_warn("reads.invalid", "sequence=%lld",
		 (long long)w->marks[w->count].sequence);
}

static void done(const struct log_batch *b)
{
	metric_add(&marks_total, reads_batch(b)->moved);
}

static const struct log_kind kind = {
	.reader = "paybell-backend-reads",
	.acks = "paybell-backend-reads-acks",
	.batch_size = sizeof(struct reads_batch),
	.clear = clear,
	.take = take,
	.apply = apply,
	.done = done,
};

int reads_intake_start(struct log_reader **out,
		       const struct log_reader_settings *settings, struct err *e)
{
	metrics_register(&marks_total, METRIC_COUNTER, "paybell_read_marks_total", NULL,
			 "Read marks of users that were moved forward.");
	metrics_register(&invalid_total, METRIC_COUNTER,
			 "paybell_read_marks_invalid_total", NULL,
			 "Read marks that could not be read or are beyond the ledger's "
			 "newest event; they are dropped.");
	return log_reader_start(out, &kind, settings, e);
}
