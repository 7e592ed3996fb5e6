#include "backend/intake.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "wire/attempt.h"

#define INTAKE_BATCH   128 /* records a job: about 2 ms of the committer's time */
#define INTAKE_RECORDS (INTAKE_BATCH + BUS_ATTEMPTS_MAX - 1)

struct intake_batch {
	struct log_batch batch;
	int record_count;
	int foreign_count; /* records of another ledger */
	struct attempt records[INTAKE_RECORDS];
};

static struct metric records_total, invalid_total;

static struct intake_batch *intake_batch(const struct log_batch *b)
{
	return (struct intake_batch *)container_of(b, struct intake_batch, batch);
}

/* ---- on the committer's thread ---- */

/* A device that the provider does not know any more is of no use to anybody. */
static int forget_device(struct books *b, const struct attempt *a, struct err *e)
{
	if (a->device_id[0] == '\0' || a->status != ATTEMPT_FAILED ||
	    a->reason != REASON_BAD_ADDRESS)
		return 0;
	return users_remove_device(b->users, a->user_id, a->device_id, e);
}

static int apply(struct log_batch *batch, struct books *b, int64_t now_us, struct err *e)
{
	struct intake_batch *w = intake_batch(batch);

	(void)now_us;
	w->foreign_count = 0;
	for (int i = 0; i < w->record_count; i++) {
		const struct attempt *a = &w->records[i];
		bool foreign;

		if (deliveries_record(b->deliveries, a, &foreign, e) < 0)
			return -1;
		w->foreign_count += foreign;
		if (!foreign && forget_device(b, a, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- on the loop ---- */

static void clear(struct log_batch *b)
{
	intake_batch(b)->record_count = 0;
}

static bool is_full(const struct log_batch *b)
{
	return intake_batch(b)->record_count >= INTAKE_BATCH;
}

/* Our workers put at most BUS_ATTEMPTS_MAX records into an entry, and there is room for
 * them; what else somebody wrote there is not taken. */
static void take_record(struct committer *c, struct intake_batch *w, const char *bytes,
			size_t len)
{
	struct attempt *a = &w->records[w->record_count];
	struct err e = ERR_INIT;

	if (w->record_count == INTAKE_RECORDS)
		err_set(&e, ERR_FULL, "an entry has more than %d records",
			BUS_ATTEMPTS_MAX);
	else if (attempt_decode(a, bytes, len, &e) == 0 &&
		 id_key(a->event_id, "evt") == a->sequence &&
		 a->sequence <= committer_head(c)) {
		w->record_count++;
		return;
	}
	metric_add(&invalid_total, 1);
	log_warn("intake.invalid", "error=\"%s\"",
		 e.code == ERR_NONE ? "it names an event that is not there" : e.text);
}

static void take(struct committer *c, struct log_batch *b,
		 const struct redisReply *fields)
{
	size_t len;

	for (size_t i = 0; i + 1 < redis_count(fields); i += 2) {
		const char *bytes = redis_text(redis_at(fields, i + 1), &len);

		if (strcmp(redis_text(redis_at(fields, i), NULL), BUS_FIELD_ATTEMPT) == 0)
			take_record(c, intake_batch(b), bytes, len);
	}
}

static void done(const struct log_batch *b)
{
	const struct intake_batch *w = intake_batch(b);

	metric_add(&records_total, w->record_count - w->foreign_count);
	metric_add(&invalid_total, w->foreign_count);
	if (w->foreign_count > 0)
		log_warn("intake.foreign", "records=%d", w->foreign_count);
}

static const struct log_kind kind = {
	.reader = "paybell-backend-intake",
	.acks = "paybell-backend-acks",
	.batch_size = sizeof(struct intake_batch),
	.clear = clear,
	.take = take,
	.is_full = is_full,
	.apply = apply,
	.done = done,
};

int intake_start(struct log_reader **out, const struct log_reader_settings *settings,
		 struct err *e)
{
	metrics_register(&records_total, METRIC_COUNTER, "paybell_attempt_records_total",
			 NULL, "Attempt records taken into the database.");
	metrics_register(&invalid_total, METRIC_COUNTER,
			 "paybell_attempt_records_invalid_total", NULL,
			 "Attempt records that could not be read or name no event; they "
			 "are dropped.");
	return log_reader_start(out, &kind, settings, e);
}
