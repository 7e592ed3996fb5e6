/* Events and transactions, read.
 *
 * A user's events hang on each of the user's accounts as a chain from the newest to the
 * oldest, every 64th linked to the 64th before it (see schema/001_init.sql). Newest first
 * is the chain itself: a recursive query whose queue is ordered by sequence merges the
 * accounts of all currencies. Oldest first needs the place to start from: strides lead
 * down to `after`, the last few of them are remembered, and from there the links are
 * walked. A million events of one user are crossed in 16,000 strides. */
#include "store/events.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/rows.h"

enum {
	BEGIN,
	END,
	HEAD,
	AFTER,
	ONE,
	TRANSACTION,
	OF_USER,
	ACCOUNTS,
	LINK,
	RECIPIENT,
	DEVICES,
	STMT_COUNT
};

static const char *const SQL[STMT_COUNT] = {
	[BEGIN] = "BEGIN",
	[END] = "COMMIT",
	[HEAD] = "SELECT coalesce(max(sequence), 0) FROM events",
	[AFTER] = "SELECT " EVENT_COLUMNS
		  " FROM events e JOIN transactions t ON t.key = e.transaction_key"
		  " WHERE e.sequence > ?1 ORDER BY e.sequence LIMIT ?2",
	[ONE] = "SELECT " EVENT_COLUMNS
		" FROM events e JOIN transactions t ON t.key = e.transaction_key"
		" WHERE e.sequence = ?1",
	[TRANSACTION] = "SELECT " TRANSACTION_COLUMNS
			" FROM transactions t WHERE t.key = ?1 AND t.id = ?2",
	/* LIMIT -1 keeps the queue's order: without it SQLite drops the ORDER BY of what
	 * it takes for a mere subquery. */
	[OF_USER] =
		"WITH RECURSIVE chain (sequence, previous, stride, transaction_key) AS ("
		" SELECT e.sequence, e.previous, e.stride, e.transaction_key FROM "
		"accounts a"
		" JOIN events e ON e.sequence = a.last_event WHERE a.user_id = ?1"
		" UNION ALL"
		" SELECT e.sequence, e.previous, e.stride, e.transaction_key FROM chain "
		"c JOIN events e"
		" ON e.sequence = CASE WHEN c.stride >= ?2 THEN c.stride ELSE c.previous "
		"END"
		" ORDER BY 1 DESC LIMIT -1)"
		" SELECT c.sequence, " TRANSACTION_COLUMNS " FROM chain c"
		" CROSS JOIN transactions t ON t.key = c.transaction_key WHERE "
		"c.sequence < ?2 LIMIT ?3",
	[ACCOUNTS] = "SELECT last_event, last_stride FROM accounts WHERE user_id = ?1",
	[LINK] = "SELECT previous, stride FROM events WHERE sequence = ?1",
	[RECIPIENT] =
		"SELECT " EVENT_COLUMNS ", " USER_COLUMNS
		", u.deleted_us, d.ended_us, d.attempts, d.replayed_us"
		" FROM events e JOIN transactions t ON t.key = e.transaction_key"
		" LEFT JOIN users u ON u.id = e.user_id"
		" LEFT JOIN deliveries d ON d.sequence = e.sequence AND d.channel = ?2"
		" WHERE e.sequence = ?1",
	[DEVICES] =
		"SELECT " DEVICE_COLUMNS " FROM devices WHERE user_id = ?1 ORDER BY key",
};

#define EVENT_STRIDE 64
#define STRIDES_KEPT (EVENTS_PAGE_MAX / EVENT_STRIDE + 2)
#define WALK_MAX     ((STRIDES_KEPT + 2) * EVENT_STRIDE)

struct events {
	struct db_stmt *stmts[STMT_COUNT];
};

int events_new(struct events **out, struct store *s, struct err *e)
{
	struct events *ev = mem_alloc(sizeof *ev);

	if (store_prepare(s, SQL, ev->stmts, STMT_COUNT, e) < 0) {
		mem_free(ev);
		return -1;
	}
	*out = ev;
	return 0;
}

void events_free(struct events *ev)
{
	if (ev == NULL)
		return;
	store_finalize(ev->stmts, STMT_COUNT);
	mem_free(ev);
}

int64_t events_head(struct events *ev, struct err *e)
{
	struct db_stmt *s = ev->stmts[HEAD];
	int64_t head = -1;

	if (db_step(s, e) == 1)
		head = db_int(s, 0);
	db_reset(s);
	return head;
}

int events_after(struct events *ev, int64_t after, int limit, events_fn *fn, void *arg,
		 struct err *e)
{
	struct db_stmt *s = ev->stmts[AFTER];
	struct event event;
	int count = 0, rc;

	db_bind_int(s, 1, after);
	db_bind_int(s, 2, limit);
	while ((rc = db_step(s, e)) == 1) {
		rows_event(s, 0, &event);
		fn(arg, &event);
		count++;
	}
	return rc < 0 ? -1 : count;
}

int events_one(struct events *ev, int64_t sequence, struct event *out, struct err *e)
{
	struct db_stmt *s = ev->stmts[ONE];
	int rc;

	db_bind_int(s, 1, sequence);
	rc = db_step(s, e);
	if (rc == 1)
		rows_event(s, 0, out);
	db_reset(s);
	return rc;
}

int events_transaction(struct events *ev, const char *id, struct transaction *out,
		       struct err *e)
{
	struct db_stmt *s = ev->stmts[TRANSACTION];
	int64_t key = id_key(id, "txn");
	int rc;

	if (key < 0)
		return 0;
	db_bind_int(s, 1, key);
	db_bind_text(s, 2, id);
	rc = db_step(s, e);
	if (rc == 1)
		rows_transaction(s, 0, out);
	db_reset(s);
	return rc;
}

int events_transactions(struct events *ev, const char *user_id, int64_t before, int limit,
			transactions_fn *fn, void *arg, struct err *e)
{
	struct db_stmt *s = ev->stmts[OF_USER];
	struct transaction *t = mem_alloc(sizeof *t);
	int count = 0, rc;

	db_bind_text(s, 1, user_id);
	db_bind_int(s, 2, before);
	db_bind_int(s, 3, limit);
	while ((rc = db_step(s, e)) == 1) {
		rows_transaction(s, 1, t);
		fn(arg, t, db_int(s, 0));
		count++;
	}
	mem_free(t);
	return rc < 0 ? -1 : count;
}

static int read_link(struct events *ev, int64_t sequence, int64_t *previous,
		     int64_t *stride, struct err *e)
{
	struct db_stmt *s = ev->stmts[LINK];
	int rc;

	db_bind_int(s, 1, sequence);
	rc = db_step(s, e);
	if (rc == 1) {
		*previous = db_int(s, 0);
		*stride = db_int(s, 1);
	}
	db_reset(s);
	if (rc == 0)
		return err_set(e, ERR_CORRUPT, "event %lld is linked and not there",
			       (long long)sequence);
	return rc < 0 ? -1 : 0;
}

/* Where a walk down to `after` may start so that it passes the `limit` oldest events
 * above it: a stride some pages up, or the newest event. */
static int find_start(struct events *ev, int64_t newest, int64_t newest_stride,
		      int64_t after, int limit, int64_t *start, struct err *e)
{
	int64_t kept[STRIDES_KEPT], previous, stride = newest_stride;
	size_t want = (size_t)(limit / EVENT_STRIDE + 2), seen = 0;

	while (stride > after) {
		kept[seen++ % want] = stride;
		if (read_link(ev, stride, &previous, &stride, e) < 0)
			return -1;
	}
	*start = seen < want ? newest : kept[seen % want];
	return 0;
}

/* Appends the account's events above `after`, newest first, of which the last `limit`
 * matter. */
static int walk_account(struct events *ev, int64_t newest, int64_t newest_stride,
			int64_t after, int limit, int64_t *out, int *count, struct err *e)
{
	int64_t at, stride;
	int walked = 0, keep;

	if (find_start(ev, newest, newest_stride, after, limit, &at, e) < 0)
		return -1;
	while (at > after && walked < WALK_MAX) {
		out[walked++] = at;
		if (read_link(ev, at, &at, &stride, e) < 0)
			return -1;
	}
	keep = walked < limit ? walked : limit;
	memmove(out, out + walked - keep, (size_t)keep * sizeof *out);
	*count += keep;
	return 0;
}

static int compare_sequences(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The accounts' chains, gathered into *out (the caller's), oldest first. The number, or
 * -1. */
static int gather(struct events *ev, const char *user_id, int64_t after, int limit,
		  int64_t **out, struct err *e)
{
	struct db_stmt *s = ev->stmts[ACCOUNTS];
	int count = 0, rc;

	*out = NULL;
	db_bind_text(s, 1, user_id);
	while ((rc = db_step(s, e)) == 1) {
		*out = mem_resize(*out, (size_t)count + WALK_MAX, sizeof **out);
		if (walk_account(ev, db_int(s, 0), db_int(s, 1), after, limit,
				 *out + count, &count, e) < 0) {
			rc = -1;
			break;
		}
	}
	db_reset(s);
	if (count > 0)
		qsort(*out, (size_t)count, sizeof **out, compare_sequences);
	return rc < 0 ? -1 : count;
}

int events_of_user(struct events *ev, const char *user_id, int64_t after, int limit,
		   events_fn *fn, void *arg, struct err *e)
{
	struct err ignored = ERR_INIT;
	struct event event;
	int64_t *sequences;
	int count, given = 0;

	/* One snapshot for all accounts: else an older event of one could appear after a
	 * newer one of another was read. */
	if (db_run(ev->stmts[BEGIN], e) < 0)
		return -1;
	count = gather(ev, user_id, after, limit, &sequences, e);
	while (given < count && given < limit) {
		if (events_one(ev, sequences[given], &event, e) != 1) {
			count = -1;
			break;
		}
		fn(arg, &event);
		given++;
	}
	db_run(ev->stmts[END], &ignored);
	mem_free(sequences);
	return count < 0 ? -1 : given;
}

static int read_devices(struct events *ev, struct recipient *r, struct err *e)
{
	struct db_stmt *s = ev->stmts[DEVICES];
	int rc = 0;

	db_bind_text(s, 1, r->event.user_id);
	while (r->device_count < DEVICES_MAX && (rc = db_step(s, e)) == 1)
		rows_device(s, 0, &r->devices[r->device_count++]);
	db_reset(s);
	return rc < 0 ? -1 : 0;
}

int events_recipient(struct events *ev, int64_t sequence, const char *channel,
		     bool with_devices, struct recipient *out, struct err *e)
{
	struct db_stmt *s = ev->stmts[RECIPIENT];
	int rc, column;

	db_bind_int(s, 1, sequence);
	db_bind_text(s, 2, channel);
	rc = db_step(s, e);
	if (rc == 1) {
		column = rows_event(s, 0, &out->event);
		column = rows_user(s, column, &out->user);
		out->deleted = out->user.id[0] == '\0' || !db_is_null(s, column);
		out->ended = !db_is_null(s, column + 1);
		out->attempts = (int)db_int(s, column + 2);
		out->replayed_us = db_int(s, column + 3);
		out->device_count = 0;
	}
	db_reset(s);
	if (rc == 1 && with_devices && !out->ended && !out->deleted)
		return read_devices(ev, out, e) < 0 ? -1 : 1;
	return rc;
}
