#include "store/deliveries.h"

#include <string.h>

#include "base/mem.h"
#include "store/rows.h"

enum {
	ADD_ATTEMPT,
	OPEN,
	END,
	ATTEMPTS,
	COMMITTED,
	PUBLISHED,
	ADD_BATCH,
	ADD_PUBLICATION,
	DECLARE,
	CHANNELS,
	ABANDON,
	FORGET_CHANNEL,
	OPEN_AFTER,
	HEAD,
	FLOOR,
	LOWEST_OPEN,
	RAISE,
	DUE,
	HANDED_OUT,
	STMT_COUNT
};

/* The lists stop at DELIVERIES_SCAN_MAX rows, so that no reader holds its snapshot for
 * long. */
#define SCAN "10000"

static const char *const SQL[STMT_COUNT] = {
	[ADD_ATTEMPT] = "INSERT OR IGNORE INTO attempts (sequence, channel, device_id, "
			"started_us, worker, attempt, status, final,"
			" reason, provider, provider_id, code, took_us, next_at_us, late)"
			" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
			"?13, ?14, ?15)",
	[OPEN] = "INSERT INTO deliveries (sequence, channel, status, reason, attempts, "
		 "next_at_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
		 " ON CONFLICT (sequence, channel) DO UPDATE SET status = ?3, reason = "
		 "?4, attempts = max(attempts, ?5),"
		 " next_at_us = ?6 WHERE ended_us IS NULL",
	[END] = "INSERT INTO deliveries (sequence, channel, status, reason, attempts, "
		"ended_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
		" ON CONFLICT (sequence, channel) DO UPDATE SET status = ?3, reason = "
		"?4, attempts = max(attempts, ?5),"
		" ended_us = ?6, next_at_us = NULL WHERE ended_us IS NULL",
	[ATTEMPTS] = "SELECT " ATTEMPT_COLUMNS
		     " FROM attempts a JOIN events e ON e.sequence = a.sequence"
		     " WHERE a.sequence = ?1 ORDER BY a.channel, a.started_us, "
		     "a.device_id = '', a.device_id",
	[COMMITTED] = "SELECT committed_us FROM batches WHERE last_event >= ?1 ORDER BY "
		      "last_event LIMIT 1",
	[PUBLISHED] = "SELECT published_us FROM publications WHERE last_event >= ?1 "
		      "ORDER BY last_event LIMIT 1",
	[ADD_BATCH] = "INSERT OR IGNORE INTO batches (last_event, committed_us) VALUES "
		      "(?1, ?2)",
	[ADD_PUBLICATION] = "INSERT OR IGNORE INTO publications (last_event, "
			    "published_us) VALUES (?1, ?2)",
	[DECLARE] = "INSERT OR IGNORE INTO channels (channel, first_event, "
		    "reported_through) VALUES (?1, ?2, ?2)",
	[CHANNELS] = "SELECT channel FROM channels ORDER BY channel",
	[ABANDON] =
		"INSERT INTO deliveries (sequence, channel, status, reason, attempts, "
		"ended_us)"
		" SELECT e.sequence, ?1, 'failed', 'channel_removed', 0, ?2 FROM events e"
		" LEFT JOIN deliveries d ON d.sequence = e.sequence AND d.channel = ?1"
		" WHERE e.sequence > (SELECT reported_through FROM channels WHERE channel = "
		"?1)"
		" AND d.ended_us IS NULL"
		" ON CONFLICT (sequence, channel) DO UPDATE SET status = 'failed',"
		" reason = 'channel_removed', ended_us = ?2, next_at_us = NULL",
	[FORGET_CHANNEL] = "DELETE FROM channels WHERE channel = ?1",
	[OPEN_AFTER] = "SELECT e.sequence FROM events e LEFT JOIN deliveries d ON "
		       "d.sequence = e.sequence AND d.channel = ?1"
		       " WHERE e.sequence > ?2 AND e.sequence <= ?2 + " SCAN
		       " AND d.ended_us IS NULL AND d.next_at_us IS NULL ORDER BY "
		       "e.sequence LIMIT ?3",
	[HEAD] = "SELECT coalesce(max(sequence), 0) FROM events",
	[FLOOR] = "SELECT reported_through FROM channels WHERE channel = ?1",
	[LOWEST_OPEN] = "SELECT e.sequence FROM events e LEFT JOIN deliveries d ON "
			"d.sequence = e.sequence AND d.channel = ?1"
			" WHERE e.sequence > ?2 AND e.sequence <= ?2 + " SCAN
			" AND d.ended_us IS NULL ORDER BY e.sequence LIMIT 1",
	[RAISE] = "UPDATE channels SET reported_through = ?2 WHERE channel = ?1",
	[DUE] = "SELECT sequence FROM deliveries WHERE channel = ?1 AND next_at_us <= ?2 "
		"ORDER BY next_at_us LIMIT ?3",
	[HANDED_OUT] = "UPDATE deliveries SET next_at_us = NULL WHERE sequence = ?2 AND "
		       "channel = ?1",
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
	if (db_run(s, e) < 0)
		return -1;
	return db_changes(d->db) > 0;
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
	return db_run(s, e) < 0 ? -1 : 1;
}

int deliveries_record(struct deliveries *d, const struct attempt *a, struct err *e)
{
	int rc = add_attempt(d, a, e);

	/* What has ended on one device says nothing about the channel yet. */
	if (rc != 1 || (a->device_id[0] != '\0' && a->status != ATTEMPT_RETRYING &&
			a->status != ATTEMPT_AMBIGUOUS))
		return rc;
	return move_delivery(d, a, e);
}

int deliveries_attempts(struct deliveries *d, int64_t sequence, deliveries_fn *fn,
			void *arg, struct err *e)
{
	struct db_stmt *s = d->stmts[ATTEMPTS];
	struct attempt a;
	int count = 0, rc;

	db_bind_int(s, 1, sequence);
	while ((rc = db_step(s, e)) == 1) {
		rows_attempt(s, 0, &a);
		fn(arg, &a);
		count++;
	}
	return rc < 0 ? -1 : count;
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

static int run_channel(struct db_stmt *s, const char *channel, int64_t value,
		       struct err *e)
{
	db_bind_text(s, 1, channel);
	db_bind_int(s, 2, value);
	return db_run(s, e) < 0 ? -1 : 0;
}

int deliveries_declare(struct deliveries *d, const char *const *channels, int64_t head,
		       struct err *e)
{
	for (size_t i = 0; channels[i] != NULL; i++) {
		if (run_channel(d->stmts[DECLARE], channels[i], head, e) < 0)
			return -1;
	}
	return 0;
}

static bool is_among(const char *channel, const char *const *channels)
{
	for (size_t i = 0; channels[i] != NULL; i++) {
		if (strcmp(channels[i], channel) == 0)
			return true;
	}
	return false;
}

int deliveries_undeclared(struct deliveries *d, const char *const *channels,
			  deliveries_channel_fn *fn, void *arg, struct err *e)
{
	struct db_stmt *s = d->stmts[CHANNELS];
	int count = 0, rc;

	while ((rc = db_step(s, e)) == 1) {
		if (is_among(db_text(s, 0), channels))
			continue;
		fn(arg, db_text(s, 0));
		count++;
	}
	return rc < 0 ? -1 : count;
}

int deliveries_remove_channel(struct deliveries *d, const char *channel, int64_t now_us,
			      struct err *e)
{
	if (run_channel(d->stmts[ABANDON], channel, now_us, e) < 0)
		return -1;
	db_bind_text(d->stmts[FORGET_CHANNEL], 1, channel);
	return db_run(d->stmts[FORGET_CHANNEL], e) < 0 ? -1 : 0;
}

static int64_t head_of(struct deliveries *d, struct err *e)
{
	struct db_stmt *s = d->stmts[HEAD];
	int64_t head = db_step(s, e) == 1 ? db_int(s, 0) : -1;

	db_reset(s);
	return head;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int deliveries_open_after(struct deliveries *d, const char *channel, int64_t after,
			  int64_t *out, int limit, int64_t *scanned_to, struct err *e)
{
	struct db_stmt *s = d->stmts[OPEN_AFTER];
	int64_t head = head_of(d, e);
	int count = 0, rc = 0;

	if (head < 0)
		return -1;
	db_bind_text(s, 1, channel);
	db_bind_int(s, 2, after);
	db_bind_int(s, 3, limit);
	while (count < limit && (rc = db_step(s, e)) == 1)
		out[count++] = db_int(s, 0);
	db_reset(s);
	if (rc < 0)
		return -1;
	if (count == limit)
		*scanned_to = out[count - 1];
	else
		*scanned_to = least(after + DELIVERIES_SCAN_MAX, head);
	/* What was committed between the two statements is for the next call; what was
	 * given must not be below. */
	if (count > 0 && *scanned_to < out[count - 1])
		*scanned_to = out[count - 1];
	if (*scanned_to < after)
		*scanned_to = after;
	return count;
}

int64_t deliveries_floor(struct deliveries *d, const char *channel, struct err *e)
{
	struct db_stmt *s = d->stmts[FLOOR];
	int64_t floor = -1;
	int rc;

	db_bind_text(s, 1, channel);
	rc = db_step(s, e);
	if (rc == 1)
		floor = db_int(s, 0);
	db_reset(s);
	if (rc == 0)
		err_set(e, ERR_NOT_FOUND, "channel %s is not known to this ledger",
			channel);
	return floor;
}

int64_t deliveries_scan_floor(struct deliveries *d, const char *channel, int64_t floor,
			      struct err *e)
{
	struct db_stmt *s = d->stmts[LOWEST_OPEN];
	int64_t head = head_of(d, e), raised;
	int rc;

	if (head < 0)
		return -1;
	db_bind_text(s, 1, channel);
	db_bind_int(s, 2, floor);
	rc = db_step(s, e);
	raised = rc == 1 ? db_int(s, 0) - 1 : least(floor + DELIVERIES_SCAN_MAX, head);
	db_reset(s);
	return rc < 0 ? -1 : raised;
}

int deliveries_set_floor(struct deliveries *d, const char *channel, int64_t floor,
			 struct err *e)
{
	return run_channel(d->stmts[RAISE], channel, floor, e);
}

int deliveries_due(struct deliveries *d, const char *channel, int64_t now_us,
		   int64_t *out, int limit, struct err *e)
{
	struct db_stmt *s = d->stmts[DUE];
	int count = 0, rc = 0;

	db_bind_text(s, 1, channel);
	db_bind_int(s, 2, now_us);
	db_bind_int(s, 3, limit);
	while (count < limit && (rc = db_step(s, e)) == 1)
		out[count++] = db_int(s, 0);
	db_reset(s);
	return rc < 0 ? -1 : count;
}

int deliveries_handed_out(struct deliveries *d, const char *channel, int64_t sequence,
			  struct err *e)
{
	return run_channel(d->stmts[HANDED_OUT], channel, sequence, e);
}
