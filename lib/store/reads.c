/* How many events a user has not seen is not stored: it would be one more row that each
 * payment writes. An account knows how many events it has, and each event its number in
 * its account, so what is needed is the newest event at or below the mark: down the
 * account's chain from its newest one, 64 at a time as long as that stays above the mark
 * (schema/001_init.sql). */
#include "store/reads.h"

#include "base/mem.h"

enum { MOVE, UNREAD, STMT_COUNT };

static const char *const SQL[STMT_COUNT] = {
	[MOVE] = "INSERT INTO reads (user_id, sequence, seen_us) SELECT ?1, ?2, ?3"
		 " WHERE ?2 <= (SELECT max(sequence) FROM events)"
		 " ON CONFLICT (user_id) DO UPDATE SET sequence = excluded.sequence,"
		 " seen_us = excluded.seen_us WHERE excluded.sequence > sequence",
	/* Without a mark no chain is walked: everything is above 0. */
	[UNREAD] = "WITH mark (at) AS (SELECT coalesce((SELECT sequence FROM reads WHERE "
		   "user_id = ?1), 0))"
		   " SELECT coalesce(sum(a.event_count - coalesce(("
		   "WITH RECURSIVE chain (sequence, number, previous, stride) AS ("
		   " SELECT e.sequence, e.number, e.previous, e.stride FROM events e"
		   " WHERE e.sequence = a.last_event AND mark.at > 0"
		   " UNION ALL"
		   " SELECT e.sequence, e.number, e.previous, e.stride FROM chain c JOIN "
		   "events e"
		   " ON e.sequence = CASE WHEN c.stride > mark.at THEN c.stride ELSE "
		   "c.previous END"
		   " WHERE c.sequence > mark.at)"
		   " SELECT number FROM chain WHERE sequence <= mark.at), 0)), 0)"
		   " FROM mark CROSS JOIN accounts a WHERE a.user_id = ?1",
};

struct reads {
	struct db *db;
	struct db_stmt *stmts[STMT_COUNT];
};

int reads_new(struct reads **out, struct store *s, struct err *e)
{
	struct reads *r = mem_alloc(sizeof *r);

	r->db = s->db;
	if (store_prepare(s, SQL, r->stmts, STMT_COUNT, e) < 0) {
		mem_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

void reads_free(struct reads *r)
{
	if (r == NULL)
		return;
	store_finalize(r->stmts, STMT_COUNT);
	mem_free(r);
}

int reads_move(struct reads *r, const char *user_id, int64_t sequence, int64_t now_us,
	       struct err *e)
{
	struct db_stmt *s = r->stmts[MOVE];

	db_bind_text(s, 1, user_id);
	db_bind_int(s, 2, sequence);
	db_bind_int(s, 3, now_us);
	if (db_run(s, e) < 0)
		return -1;
	return db_changes(r->db) > 0;
}

int64_t reads_unread(struct reads *r, const char *user_id, struct err *e)
{
	struct db_stmt *s = r->stmts[UNREAD];
	int64_t unread = -1;

	db_bind_text(s, 1, user_id);
	if (db_step(s, e) == 1)
		unread = db_int(s, 0);
	db_reset(s);
	return unread;
}
