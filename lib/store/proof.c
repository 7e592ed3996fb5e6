#include "store/proof.h"

#include "base/mem.h"

enum {
	MARK,
	CHANNELS,
	COUNT,
	CONTRADICTIONS,
	UNFINAL,
	HEAD,
	EVENTS,
	ACCOUNTS,
	STMT_COUNT
};

#define ENDED                                                                            \
	"d.ended_us IS NOT NULL AND d.status IN ('delivered', 'suppressed', 'failed')"
#define OPEN  "d.ended_us IS NULL AND d.status IN ('retrying', 'ambiguous')"
#define RANGE "d.channel = ?1 AND d.sequence > ?2 AND d.sequence <= ?3"

static const char *const SQL[STMT_COUNT] = {
	[MARK] = "SELECT d.ended_us IS NULL AND d.next_at_us IS NULL, "
		 "(SELECT count(*) FROM attempts a WHERE a.sequence = e.sequence"
		 " AND a.channel = ?2), d.replayed_us FROM events e"
		 " LEFT JOIN deliveries d ON d.sequence = e.sequence AND d.channel = ?2"
		 " WHERE e.sequence = ?1",
	[CHANNELS] = "SELECT channel, first_event FROM channels ORDER BY channel",
	/* sum() passes over NULL, and a status that is not there is NULL. */
	[COUNT] = "SELECT count(*),"
		  " coalesce(sum(" ENDED " AND d.status = 'delivered'), 0),"
		  " coalesce(sum(" ENDED " AND d.status = 'suppressed'), 0),"
		  " coalesce(sum(" ENDED " AND d.status = 'failed'), 0),"
		  " coalesce(sum(d.sequence IS NULL OR (" OPEN ")), 0),"
		  " coalesce(sum(" OPEN " AND d.next_at_us IS NOT NULL), 0) FROM events e"
		  " LEFT JOIN deliveries d ON d.sequence = e.sequence AND d.channel = ?1"
		  " WHERE e.sequence > ?2 AND e.sequence <= ?3",
	[CONTRADICTIONS] = "SELECT d.sequence, d.status, 0 FROM deliveries d WHERE " RANGE
			   " AND NOT (" ENDED ") AND NOT (" OPEN ")"
			   " ORDER BY d.sequence",
	[UNFINAL] = "SELECT sequence, status, finals FROM (SELECT d.sequence, d.status,"
		    " (SELECT count(*) FROM attempts a WHERE a.sequence = d.sequence"
		    " AND a.channel = d.channel AND a.device_id = ''"
		    " AND a.final = 1 AND a.status = d.status"
		    " AND a.started_us >= coalesce(d.replayed_us, 0)) AS finals"
		    " FROM deliveries d WHERE " RANGE " AND " ENDED
		    " AND d.reason IS NOT 'channel_removed')"
		    " WHERE finals <> 1 ORDER BY sequence",
	[HEAD] = "SELECT (SELECT coalesce(max(sequence), 0) FROM events),"
		 " a.currency, a.balance_minor FROM (SELECT 1)"
		 " LEFT JOIN accounts a ON a.user_id = ''",
	[EVENTS] = "SELECT e.sequence, e.user_id, e.direction, e.balance_minor, e.number,"
		   " e.previous, e.stride, t.key, t.from_user, t.to_user, t.currency,"
		   " t.amount_minor, t.first_event, t.event_count FROM events e"
		   " LEFT JOIN transactions t ON t.key = e.transaction_key"
		   " WHERE e.sequence > ?1 AND e.sequence <= ?2 ORDER BY e.sequence"
		   " LIMIT ?3",
	[ACCOUNTS] = "SELECT a.user_id, a.currency, a.balance_minor, a.event_count,"
		     " a.last_event, a.last_stride, e.sequence, e.balance_minor,"
		     " e.number FROM accounts a"
		     " LEFT JOIN events e ON e.sequence = a.last_event"
		     " AND e.user_id = a.user_id"
		     " WHERE (a.user_id, a.currency) > (?1, ?2) AND a.user_id > ''"
		     " ORDER BY a.user_id, a.currency LIMIT ?3",
};

struct proof {
	struct db_stmt *stmts[STMT_COUNT];
};

int proof_new(struct proof **out, struct store *s, struct err *e)
{
	struct proof *p = mem_alloc(sizeof *p);

	if (store_prepare(s, SQL, p->stmts, STMT_COUNT, e) < 0) {
		mem_free(p);
		return -1;
	}
	*out = p;
	return 0;
}

void proof_free(struct proof *p)
{
	if (p == NULL)
		return;
	store_finalize(p->stmts, STMT_COUNT);
	mem_free(p);
}

/* ---- deliveries ---- */

int proof_mark(struct proof *p, int64_t sequence, const char *channel,
	       struct proof_mark *out, struct err *e)
{
	struct db_stmt *s = p->stmts[MARK];
	int rc;

	db_bind_int(s, 1, sequence);
	db_bind_text(s, 2, channel);
	rc = db_step(s, e);
	if (rc == 1)
		*out = (struct proof_mark){db_int(s, 0) != 0, db_int(s, 1), db_int(s, 2)};
	db_reset(s);
	return rc;
}

int proof_channels(struct proof *p, proof_channel_fn *fn, void *arg, struct err *e)
{
	struct db_stmt *s = p->stmts[CHANNELS];
	int count = 0, rc;

	while ((rc = db_step(s, e)) == 1) {
		fn(arg, db_text(s, 0), db_int(s, 1));
		count++;
	}
	return rc < 0 ? -1 : count;
}

static void bind_range(struct db_stmt *s, const char *channel, int64_t after,
		       int64_t through)
{
	db_bind_text(s, 1, channel);
	db_bind_int(s, 2, after);
	db_bind_int(s, 3, through);
}

int proof_count(struct proof *p, const char *channel, int64_t after, int64_t through,
		struct proof_counts *counts, struct err *e)
{
	struct db_stmt *s = p->stmts[COUNT];
	int rc;

	bind_range(s, channel, after, through);
	rc = db_step(s, e);
	if (rc == 1) {
		counts->events += db_int(s, 0);
		counts->delivered += db_int(s, 1);
		counts->suppressed += db_int(s, 2);
		counts->failed += db_int(s, 3);
		counts->open += db_int(s, 4);
		counts->waiting += db_int(s, 5);
	}
	db_reset(s);
	return rc < 0 ? -1 : 0;
}

static int list_odd(struct db_stmt *s, proof_odd_fn *fn, void *arg, struct err *e)
{
	int count = 0, rc;

	while ((rc = db_step(s, e)) == 1) {
		struct proof_odd odd = {db_int(s, 0), db_text(s, 1), db_int(s, 2)};

		fn(arg, &odd);
		count++;
	}
	return rc < 0 ? -1 : count;
}

int proof_contradictions(struct proof *p, const char *channel, int64_t after,
			 int64_t through, proof_odd_fn *fn, void *arg, struct err *e)
{
	bind_range(p->stmts[CONTRADICTIONS], channel, after, through);
	return list_odd(p->stmts[CONTRADICTIONS], fn, arg, e);
}

int proof_unfinal(struct proof *p, const char *channel, int64_t after, int64_t through,
		  proof_odd_fn *fn, void *arg, struct err *e)
{
	bind_range(p->stmts[UNFINAL], channel, after, through);
	return list_odd(p->stmts[UNFINAL], fn, arg, e);
}

/* ---- money ---- */

int64_t proof_head(struct proof *p, proof_world_fn *fn, void *arg, struct err *e)
{
	struct db_stmt *s = p->stmts[HEAD];
	int64_t head = -1;
	int rc;

	while ((rc = db_step(s, e)) == 1) {
		head = db_int(s, 0);
		if (!db_is_null(s, 1))
			fn(arg, db_text(s, 1), db_int(s, 2));
	}
	return rc < 0 ? -1 : head;
}

static void read_event(struct db_stmt *s, struct proof_event *ev)
{
	ev->sequence = db_int(s, 0);
	db_copy_text(s, 1, ev->user_id, sizeof ev->user_id);
	ev->direction = db_int(s, 2) == 0 ? DIRECTION_CREDIT : DIRECTION_DEBIT;
	ev->balance_minor = db_int(s, 3);
	ev->number = db_int(s, 4);
	ev->previous = db_int(s, 5);
	ev->stride = db_int(s, 6);
	ev->paid = !db_is_null(s, 7);
	db_copy_text(s, 8, ev->from, sizeof ev->from);
	db_copy_text(s, 9, ev->to, sizeof ev->to);
	db_copy_text(s, 10, ev->currency, sizeof ev->currency);
	ev->amount_minor = db_int(s, 11);
	ev->first_event = db_int(s, 12);
	ev->event_count = db_int(s, 13);
}

int proof_events(struct proof *p, int64_t after, int64_t through, int limit,
		 proof_event_fn *fn, void *arg, struct err *e)
{
	struct db_stmt *s = p->stmts[EVENTS];
	struct proof_event ev;
	int count = 0, rc;

	db_bind_int(s, 1, after);
	db_bind_int(s, 2, through);
	db_bind_int(s, 3, limit);
	while ((rc = db_step(s, e)) == 1) {
		read_event(s, &ev);
		fn(arg, &ev);
		count++;
	}
	return rc < 0 ? -1 : count;
}

static void read_account(struct db_stmt *s, struct proof_account *a)
{
	db_copy_text(s, 0, a->user_id, sizeof a->user_id);
	db_copy_text(s, 1, a->currency, sizeof a->currency);
	a->balance_minor = db_int(s, 2);
	a->event_count = db_int(s, 3);
	a->last_event = db_int(s, 4);
	a->last_stride = db_int(s, 5);
	a->has_event = !db_is_null(s, 6);
	a->event_balance_minor = db_int(s, 7);
	a->event_number = db_int(s, 8);
}

int proof_accounts(struct proof *p, const char *user_id, const char *currency, int limit,
		   proof_account_fn *fn, void *arg, struct err *e)
{
	struct db_stmt *s = p->stmts[ACCOUNTS];
	struct proof_account a;
	int count = 0, rc;

	db_bind_text(s, 1, user_id);
	db_bind_text(s, 2, currency);
	db_bind_int(s, 3, limit);
	while ((rc = db_step(s, e)) == 1) {
		read_account(s, &a);
		fn(arg, &a);
		count++;
	}
	return rc < 0 ? -1 : count;
}
