#include "store/deliveries.h"

#include "base/mem.h"
#include "store/rows.h"

enum {
	ADD_ATTEMPT,
	IS_EVENT,
	OPEN,
	END,
	REOPEN,
	STANDING,
	ATTEMPTS,
	DEVICES,
	COMMITTED,
	PUBLISHED,
	ADD_BATCH,
	ADD_PUBLICATION,
	DUE,
	HANDED_OUT,
	STMT_COUNT
};

/* What was tried before a replay says nothing about the delivery that it opened. */
#define STILL_OPEN "ended_us IS NULL AND ?7 >= coalesce(replayed_us, 0)"

static const char *const SQL[STMT_COUNT] = {
	/* The event is asked for its id: a record may be of another ledger. */
	[ADD_ATTEMPT] = "INSERT OR IGNORE INTO attempts (sequence, channel, device_id, "
			"started_us, worker, attempt, status, final,"
			" reason, provider, provider_id, code, took_us, next_at_us, late)"
			" SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
			"?13, ?14, ?15 FROM events WHERE sequence = ?1 AND id = ?16",
	[IS_EVENT] = "SELECT 1 FROM events WHERE sequence = ?1 AND id = ?2",
	[OPEN] = "INSERT INTO deliveries (sequence, channel, status, reason, attempts, "
		 "next_at_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
		 " ON CONFLICT (sequence, channel) DO UPDATE SET status = ?3, reason = "
		 "?4, attempts = max(attempts, ?5),"
		 " next_at_us = ?6 WHERE " STILL_OPEN,
	[END] = "INSERT INTO deliveries (sequence, channel, status, reason, attempts, "
		"ended_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
		" ON CONFLICT (sequence, channel) DO UPDATE SET status = ?3, reason = "
		"?4, attempts = max(attempts, ?5),"
		" ended_us = ?6, next_at_us = NULL WHERE " STILL_OPEN,
	[REOPEN] = "UPDATE deliveries SET status = 'retrying', reason = NULL, attempts "
		   "= 0, ended_us = NULL, next_at_us = ?3, replayed_us = ?3"
		   " WHERE sequence = ?1 AND channel = ?2 AND ended_us IS NOT NULL"
		   " AND status IN ('failed', 'suppressed')",
	[STANDING] =
		"SELECT " EVENT_COLUMNS ", d.status, d.reason, d.attempts, d.ended_us, "
		"d.next_at_us, d.replayed_us"
		" FROM events e JOIN transactions t ON t.key = e.transaction_key"
		" LEFT JOIN deliveries d ON d.sequence = e.sequence AND d.channel = ?2"
		" WHERE e.sequence = ?1",
	[ATTEMPTS] = "SELECT " ATTEMPT_COLUMNS
		     " FROM attempts a JOIN events e ON e.sequence = a.sequence"
		     " WHERE a.sequence = ?1 ORDER BY a.channel, a.started_us, "
		     "a.device_id = '', a.device_id",
	[DEVICES] = "SELECT " ATTEMPT_COLUMNS
		    " FROM attempts a JOIN events e ON e.sequence = a.sequence"
		    " LEFT JOIN deliveries d ON d.sequence = a.sequence"
		    " AND d.channel = a.channel"
		    " WHERE a.sequence = ?1 AND a.channel = ?2 AND a.device_id > ''"
		    " AND (a.status = 'delivered' OR (a.status = 'failed'"
		    " AND a.started_us >= coalesce(d.replayed_us, 0)))"
		    " ORDER BY a.started_us",
	[COMMITTED] = "SELECT committed_us FROM batches WHERE last_event >= ?1 ORDER BY "
		      "last_event LIMIT 1",
	[PUBLISHED] = "SELECT published_us FROM publications WHERE last_event >= ?1 "
		      "ORDER BY last_event LIMIT 1",
	[ADD_BATCH] = "INSERT OR IGNORE INTO batches (last_event, committed_us) VALUES "
		      "(?1, ?2)",
	[ADD_PUBLICATION] = "INSERT OR IGNORE INTO publications (last_event, "
			    "published_us) VALUES (?1, ?2)",
	/* A bounded number of rows is looked at: those above ?3 have to wait, and do not
	 * wait for ever. */
	[DUE] = "SELECT sequence, next_at_us, replay FROM (SELECT sequence, next_at_us,"
		" replayed_us IS NOT NULL AND attempts = 0 AS replay"
		" FROM deliveries WHERE channel = ?1 AND next_at_us <= ?2"
		" ORDER BY next_at_us LIMIT 10000) WHERE sequence <= ?3 LIMIT ?4",
	[HANDED_OUT] = "UPDATE deliveries SET next_at_us = NULL WHERE sequence = ?2 AND "
		       "channel = ?1 AND next_at_us = ?3",
};

struct deliveries {
	struct db *db;
	struct db_stmt *stmts[STMT_COUNT];
};

int deliveries_new(struct deliveries **out, struct store *s, struct err *e)
{
	struct deliveries *d = mem_alloc(sizeof *d);

	d->db = s->db;
	if (store_prepare(s, SQL, d->stmts, STMT_COUNT, e) < 0) {
		mem_free(d);
		return -1;
	}
	*out = d;
	return 0;
}

void deliveries_free(struct deliveries *d)
{
	if (d == NULL)
		return;
	store_finalize(d->stmts, STMT_COUNT);
	mem_free(d);
}

static int add_attempt(struct deliveries *d, const struct attempt *a, struct err *e)
{
	struct db_stmt *s = d->stmts[ADD_ATTEMPT];

	db_bind_int(s, 1, a->sequence);
	db_bind_text(s, 2, a->channel);
	db_bind_text(s, 3, a->device_id);
	db_bind_int(s, 4, a->started_us);
	db_bind_text(s, 5, a->worker);
	db_bind_int(s, 6, a->attempt);
	db_bind_text(s, 7, attempt_status_name(a->status));
	db_bind_int(s, 8, a->final);
	db_bind_text_or_null(s, 9, attempt_reason_name(a->reason));
	db_bind_text(s, 10, a->provider);
	db_bind_text_or_null(s, 11, a->provider_id);
	db_bind_int(s, 12, a->code);
	db_bind_int(s, 13, a->took_us);
	db_bind_int(s, 14, a->next_at_us);
	if (a->next_at_us == 0)
		db_bind_null(s, 14);
	db_bind_int(s, 15, a->late);
	db_bind_text(s, 16, a->event_id);
	if (db_run(s, e) < 0)
		return -1;
	return db_changes(d->db) > 0;
}

/* Only what was not taken is asked about. */
static int is_foreign(struct deliveries *d, const struct attempt *a, bool *foreign,
		      struct err *e)
{
	struct db_stmt *s = d->stmts[IS_EVENT];
	int rc;

	db_bind_int(s, 1, a->sequence);
	db_bind_text(s, 2, a->event_id);
	rc = db_run(s, e);
	*foreign = rc == 0;
	return rc < 0 ? -1 : 0;
}

/* How the channel stands with the event after this record. */
static int move_delivery(struct deliveries *d, const struct attempt *a, struct err *e)
{
	bool ends = a->final && a->device_id[0] == '\0';
	struct db_stmt *s = d->stmts[ends ? END : OPEN];

	db_bind_int(s, 1, a->sequence);
	db_bind_text(s, 2, a->channel);
	db_bind_text(s, 3, attempt_status_name(a->status));
	db_bind_text_or_null(s, 4, attempt_reason_name(a->reason));
	db_bind_int(s, 5, a->attempt);
	if (ends)
		db_bind_int(s, 6, a->started_us + a->took_us);
	else if (attempt_waits_in_ledger(a))
		db_bind_int(s, 6, a->next_at_us);
	else
		db_bind_null(s, 6);
	db_bind_int(s, 7, a->started_us);
	return db_run(s, e) < 0 ? -1 : 1;
}

int deliveries_record(struct deliveries *d, const struct attempt *a, bool *foreign,
		      struct err *e)
{
	int rc = add_attempt(d, a, e);

	*foreign = false;
	if (rc == 0)
		return is_foreign(d, a, foreign, e);
	/* What has ended on one device says nothing about the channel yet. */
	if (rc != 1 || (a->device_id[0] != '\0' && a->status != ATTEMPT_RETRYING &&
			a->status != ATTEMPT_AMBIGUOUS))
		return rc;
	return move_delivery(d, a, e);
}

int deliveries_reopen(struct deliveries *d, int64_t sequence, const char *channel,
		      int64_t now_us, struct err *e)
{
	struct db_stmt *s = d->stmts[REOPEN];

	db_bind_int(s, 1, sequence);
	db_bind_text(s, 2, channel);
	db_bind_int(s, 3, now_us);
	if (db_run(s, e) < 0)
		return -1;
	return db_changes(d->db) > 0;
}

static void read_standing(struct db_stmt *s, struct standing *out)
{
	int column = rows_event(s, 0, &out->event), reason;

	out->status = attempt_status_parse(db_text(s, column));
	reason = attempt_reason_parse(db_text(s, column + 1));
	out->reason = reason < 0 ? REASON_NONE : (enum attempt_reason)reason;
	out->attempts = (int)db_int(s, column + 2);
	out->ended_us = db_int(s, column + 3);
	out->next_at_us = db_int(s, column + 4);
	out->replayed_us = db_int(s, column + 5);
}

int deliveries_standing(struct deliveries *d, int64_t sequence, const char *channel,
			struct standing *out, struct err *e)
{
	struct db_stmt *s = d->stmts[STANDING];
	int rc;

	db_bind_int(s, 1, sequence);
	db_bind_text(s, 2, channel);
	rc = db_step(s, e);
	if (rc == 1)
		read_standing(s, out);
	db_reset(s);
	mem_copy_text(out->channel, sizeof out->channel, channel);
	return rc;
}

static int read_attempts(struct db_stmt *s, deliveries_fn *fn, void *arg, struct err *e)
{
	struct attempt a;
	int count = 0, rc;

	while ((rc = db_step(s, e)) == 1) {
		rows_attempt(s, 0, &a);
		fn(arg, &a);
		count++;
	}
	return rc < 0 ? -1 : count;
}

int deliveries_attempts(struct deliveries *d, int64_t sequence, deliveries_fn *fn,
			void *arg, struct err *e)
{
	db_bind_int(d->stmts[ATTEMPTS], 1, sequence);
	return read_attempts(d->stmts[ATTEMPTS], fn, arg, e);
}

int deliveries_devices(struct deliveries *d, int64_t sequence, const char *channel,
		       deliveries_fn *fn, void *arg, struct err *e)
{
	db_bind_int(d->stmts[DEVICES], 1, sequence);
	db_bind_text(d->stmts[DEVICES], 2, channel);
	return read_attempts(d->stmts[DEVICES], fn, arg, e);
}

static int read_time(struct db_stmt *s, int64_t sequence, int64_t *at_us, struct err *e)
{
	int rc;

	db_bind_int(s, 1, sequence);
	rc = db_step(s, e);
	*at_us = rc == 1 ? db_int(s, 0) : 0;
	db_reset(s);
	return rc < 0 ? -1 : 0;
}

int deliveries_times(struct deliveries *d, int64_t sequence, int64_t *committed_us,
		     int64_t *published_us, struct err *e)
{
	if (read_time(d->stmts[COMMITTED], sequence, committed_us, e) < 0)
		return -1;
	return read_time(d->stmts[PUBLISHED], sequence, published_us, e);
}

static int run_two(struct db_stmt *s, int64_t first, int64_t second, struct err *e)
{
	db_bind_int(s, 1, first);
	db_bind_int(s, 2, second);
	return db_run(s, e) < 0 ? -1 : 0;
}

int deliveries_committed(struct deliveries *d, int64_t last_event, int64_t committed_us,
			 struct err *e)
{
	return run_two(d->stmts[ADD_BATCH], last_event, committed_us, e);
}

int deliveries_published(struct deliveries *d, int64_t last_event, int64_t published_us,
			 struct err *e)
{
	return run_two(d->stmts[ADD_PUBLICATION], last_event, published_us, e);
}

int deliveries_due(struct deliveries *d, const char *channel, int64_t now_us,
		   int64_t through, struct due *out, int limit, struct err *e)
{
	struct db_stmt *s = d->stmts[DUE];
	int count = 0, rc = 0;

	db_bind_text(s, 1, channel);
	db_bind_int(s, 2, now_us);
	db_bind_int(s, 3, through);
	db_bind_int(s, 4, limit);
	while (count < limit && (rc = db_step(s, e)) == 1)
		out[count++] =
			(struct due){db_int(s, 0), db_int(s, 1), db_int(s, 2) != 0};
	db_reset(s);
	return rc < 0 ? -1 : count;
}

int deliveries_handed_out(struct deliveries *d, const char *channel,
			  const struct due *due, struct err *e)
{
	struct db_stmt *s = d->stmts[HANDED_OUT];

	db_bind_text(s, 1, channel);
	db_bind_int(s, 2, due->sequence);
	db_bind_int(s, 3, due->next_at_us);
	return db_run(s, e) < 0 ? -1 : 0;
}
