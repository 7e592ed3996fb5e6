/* The ledger's writing side.
 *
 * A payment is: two lookups (does the user exist, how does the account stand), and then
 * only writes: the two accounts, the transaction, an event a user. All checks come before
 * the first write, so a refused payment needs no savepoint. Keys and sequences are
 * counted here, because the public ids carry them; the counters go back when a batch is
 * rolled back, so the sequence has no gaps. */
#include "store/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/rows.h"

enum {
	BEGIN,
	COMMIT,
	ROLLBACK,
	HEAD,
	ACCOUNT,
	OPEN_ACCOUNT,
	MOVE_BALANCE,
	WORLD,
	ADD_TRANSACTION,
	ADD_EVENT,
	RECALL,
	REMEMBER,
	FORGET,
	TRANSACTION,
	STMT_COUNT
};

static const char *const SQL[STMT_COUNT] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[HEAD] = "SELECT (SELECT coalesce(max(key), 0) FROM transactions), (SELECT "
		 "coalesce(max(sequence), 0) FROM events)",
	[ACCOUNT] = "SELECT a.balance_minor, a.event_count, a.last_event, a.last_stride "
		    "FROM users u"
		    " LEFT JOIN accounts a ON a.user_id = u.id AND a.currency = ?2"
		    " WHERE u.id = ?1 AND u.deleted_us IS NULL",
	[OPEN_ACCOUNT] = "INSERT INTO accounts (user_id, currency, balance_minor, "
			 "event_count, last_event, last_stride)"
			 " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[MOVE_BALANCE] = "UPDATE accounts SET balance_minor = ?3, event_count = ?4, "
			 "last_event = ?5, last_stride = ?6"
			 " WHERE user_id = ?1 AND currency = ?2",
	[WORLD] = "INSERT INTO accounts (user_id, currency, balance_minor) VALUES ('', "
		  "?1, ?2)"
		  " ON CONFLICT (user_id, currency) DO UPDATE SET balance_minor = "
		  "balance_minor + ?2",
	[ADD_TRANSACTION] = "INSERT INTO transactions (key, id, from_user, to_user, "
			    "amount_minor, currency, description,"
			    " metadata, created_us, first_event, event_count)"
			    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[ADD_EVENT] = "INSERT INTO events (sequence, id, transaction_key, user_id, "
		      "direction, balance_minor, number, previous,"
		      " stride) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[RECALL] = "SELECT fingerprint, transaction_key, problem FROM idempotency WHERE "
		   "day IN (?1, ?1 - 1) AND key = ?2",
	[REMEMBER] = "INSERT INTO idempotency (day, key, fingerprint, transaction_key, "
		     "problem) VALUES (?1, ?2, ?3, ?4, ?5)",
	[FORGET] = "DELETE FROM idempotency WHERE (day, key) IN"
		   " (SELECT day, key FROM idempotency WHERE day < ?1 - 1 LIMIT ?2)",
	[TRANSACTION] =
		"SELECT " TRANSACTION_COLUMNS " FROM transactions t WHERE t.key = ?1",
};

struct ledger {
	struct db *db;
	struct db_stmt *stmts[STMT_COUNT];
	int64_t key, sequence;                     /* given last, in this batch */
	int64_t committed_key, committed_sequence; /* given last, on disk */
};

/* One user's account in one currency, as a payment finds it. */
struct account {
	const char *user_id;
	bool open;
	int64_t balance_minor, event_count, last_event, last_stride;
};

#define US_PER_DAY   (86400 * US_PER_S)
#define EVENT_STRIDE 64

static int read_head(struct ledger *l, struct err *e)
{
	struct db_stmt *s = l->stmts[HEAD];
	int rc = db_step(s, e);

	if (rc != 1)
		return -1;
	l->key = l->committed_key = db_int(s, 0);
	l->sequence = l->committed_sequence = db_int(s, 1);
	db_reset(s);
	return 0;
}

int ledger_new(struct ledger **out, struct store *s, struct err *e)
{
	struct ledger *l = mem_alloc(sizeof *l);

	l->db = s->db;
	if (store_prepare(s, SQL, l->stmts, STMT_COUNT, e) < 0) {
		mem_free(l);
		return -1;
	}
	if (read_head(l, e) < 0) {
		ledger_free(l);
		return -1;
	}
	*out = l;
	return 0;
}

void ledger_free(struct ledger *l)
{
	if (l == NULL)
		return;
	store_finalize(l->stmts, STMT_COUNT);
	mem_free(l);
}

int ledger_begin(struct ledger *l, struct err *e)
{
	return db_run(l->stmts[BEGIN], e) < 0 ? -1 : 0;
}

int ledger_commit(struct ledger *l, struct err *e)
{
	if (db_run(l->stmts[COMMIT], e) < 0)
		return -1;
	l->committed_key = l->key;
	l->committed_sequence = l->sequence;
	return 0;
}

void ledger_rollback(struct ledger *l)
{
	struct err ignored = ERR_INIT;

	/* SQLite rolls back by itself after some errors; then there is nothing left to
	 * do. */
	if (db_in_transaction(l->db))
		db_run(l->stmts[ROLLBACK], &ignored);
	l->key = l->committed_key;
	l->sequence = l->committed_sequence;
}

int64_t ledger_head(const struct ledger *l)
{
	return l->committed_sequence;
}

/* 1 found, 0 refused with *p, -1 failed. */
static int find_account(struct ledger *l, const char *field, const char *user_id,
			const char *currency, struct account *a, struct problem *p,
			struct err *e)
{
	struct db_stmt *s = l->stmts[ACCOUNT];
	int rc;

	*a = (struct account){.user_id = user_id};
	db_bind_text(s, 1, user_id);
	db_bind_text(s, 2, currency);
	rc = db_step(s, e);
	if (rc == 1) {
		a->open = !db_is_null(s, 0);
		a->balance_minor = db_int(s, 0);
		a->event_count = db_int(s, 1);
		a->last_event = db_int(s, 2);
		a->last_stride = db_int(s, 3);
	}
	db_reset(s);
	if (rc == 0)
		problem_set(p, PROBLEM_UNKNOWN_USER, field,
			    "there is no user %s: register it with PUT /users/%s",
			    user_id, user_id);
	return rc;
}

static int check_funds(const struct account *a, const struct transaction_request *r,
		       struct problem *p)
{
	char have[MONEY_TEXT_SIZE], need[MONEY_TEXT_SIZE];

	if (a->balance_minor >= r->amount_minor)
		return 1;
	problem_set(p, PROBLEM_INSUFFICIENT_FUNDS, "amount",
		    "%s has %s %s, and %s are to be paid", a->user_id,
		    money_format(have, a->balance_minor, r->currency), r->currency,
		    money_format(need, r->amount_minor, r->currency));
	return 0;
}

static int check_limit(const struct account *a, const struct transaction_request *r,
		       struct problem *p)
{
	char most[MONEY_TEXT_SIZE];

	if (a->balance_minor + r->amount_minor <= MONEY_MAX_MINOR)
		return 1;
	problem_set(p, PROBLEM_BALANCE_LIMIT, "amount",
		    "the balance of %s would pass the limit of %s %s", a->user_id,
		    money_format(most, MONEY_MAX_MINOR, r->currency), r->currency);
	return 0;
}

/* 1: both sides can do it; 0 refused; -1 failed. A side that is the outside world is not
 * looked up. */
static int check_sides(struct ledger *l, const struct transaction_request *r,
		       struct account *from, struct account *to, struct problem *p,
		       struct err *e)
{
	int rc = 1;

	if (r->from[0] != '\0')
		rc = find_account(l, "from", r->from, r->currency, from, p, e);
	if (rc == 1 && r->to[0] != '\0')
		rc = find_account(l, "to", r->to, r->currency, to, p, e);
	if (rc == 1 && r->from[0] != '\0')
		rc = check_funds(from, r, p);
	if (rc == 1 && r->to[0] != '\0')
		rc = check_limit(to, r, p);
	return rc;
}

static int move_world(struct ledger *l, const char *currency, int64_t change_minor,
		      struct err *e)
{
	struct db_stmt *s = l->stmts[WORLD];

	db_bind_text(s, 1, currency);
	db_bind_int(s, 2, change_minor);
	return db_run(s, e) < 0 ? -1 : 0;
}

static int add_event(struct ledger *l, const struct account *a, enum direction direction,
		     const struct transaction *t, int64_t number, struct err *e)
{
	struct db_stmt *s = l->stmts[ADD_EVENT];
	char id[ID_SIZE];

	id_make(id, "evt", t->created_us, l->sequence);
	db_bind_int(s, 1, l->sequence);
	db_bind_text(s, 2, id);
	db_bind_int(s, 3, t->key);
	db_bind_text(s, 4, a->user_id);
	db_bind_int(s, 5, direction == DIRECTION_DEBIT);
	db_bind_int(s, 6, a->balance_minor);
	db_bind_int(s, 7, number);
	db_bind_int(s, 8, a->last_event);
	db_bind_int(s, 9, a->last_stride);
	return db_run(s, e) < 0 ? -1 : 0;
}

/* Moves one side's balance and hangs its event on the account's chain; the outside world
 * has neither chain nor event. */
static int post_side(struct ledger *l, struct account *a, enum direction direction,
		     const struct transaction *t, struct err *e)
{
	int64_t change =
		direction == DIRECTION_CREDIT ? t->amount_minor : -t->amount_minor;
	int64_t number = a->event_count + 1;
	struct db_stmt *s = l->stmts[a->open ? MOVE_BALANCE : OPEN_ACCOUNT];

	if (a->user_id == NULL)
		return move_world(l, t->currency, change, e);
	l->sequence++;
	a->balance_minor += change;
	if (add_event(l, a, direction, t, number, e) < 0)
		return -1;
	db_bind_text(s, 1, a->user_id);
	db_bind_text(s, 2, t->currency);
	db_bind_int(s, 3, a->balance_minor);
	db_bind_int(s, 4, number);
	db_bind_int(s, 5, l->sequence);
	db_bind_int(s, 6, number % EVENT_STRIDE == 0 ? l->sequence : a->last_stride);
	return db_run(s, e) < 0 ? -1 : 0;
}

static int add_transaction(struct ledger *l, const struct transaction *t, struct err *e)
{
	struct db_stmt *s = l->stmts[ADD_TRANSACTION];

	db_bind_int(s, 1, t->key);
	db_bind_text(s, 2, t->id);
	db_bind_text(s, 3, t->from);
	db_bind_text(s, 4, t->to);
	db_bind_int(s, 5, t->amount_minor);
	db_bind_text(s, 6, t->currency);
	db_bind_text_or_null(s, 7, t->description);
	db_bind_text_or_null(s, 8, t->metadata);
	db_bind_int(s, 9, t->created_us);
	db_bind_int(s, 10, t->first_event);
	db_bind_int(s, 11, t->event_count);
	return db_run(s, e) < 0 ? -1 : 0;
}

static void fill_transaction(struct ledger *l, const struct transaction_request *r,
			     int64_t now_us, struct transaction *t)
{
	t->key = ++l->key;
	id_make(t->id, "txn", now_us, t->key);
	mem_copy_text(t->from, sizeof t->from, r->from);
	mem_copy_text(t->to, sizeof t->to, r->to);
	t->amount_minor = r->amount_minor;
	mem_copy_text(t->currency, sizeof t->currency, r->currency);
	mem_copy_text(t->description, sizeof t->description, r->description);
	mem_copy_text(t->metadata, sizeof t->metadata,
		      r->metadata == NULL ? "" : r->metadata);
	t->created_us = now_us;
	t->first_event = l->sequence + 1;
	t->event_count = (r->from[0] != '\0') + (r->to[0] != '\0');
}

int ledger_pay(struct ledger *l, const struct transaction_request *request,
	       int64_t now_us, struct transaction *t, struct problem *p, struct err *e)
{
	struct account from = {0}, to = {0};
	int rc = check_sides(l, request, &from, &to, p, e);

	if (rc != 1)
		return rc == 0 ? 1 : -1;
	fill_transaction(l, request, now_us, t);
	if (add_transaction(l, t, e) < 0)
		return -1;
	if (post_side(l, &from, DIRECTION_DEBIT, t, e) < 0)
		return -1;
	return post_side(l, &to, DIRECTION_CREDIT, t, e);
}

/* A kept 422 as text: name, field and detail, a line each. */
static void problem_write(const struct problem *p, struct buf *out)
{
	buf_addf(out, "%s\n%s\n%s", problem_name(p->kind), p->field, p->detail);
}

static int problem_read(struct problem *p, const char *text, struct err *e)
{
	size_t name_len = strcspn(text, "\n"), field_len;
	const char *field = text + name_len + (text[name_len] != '\0');
	int kind;

	for (kind = PROBLEM_NONE + 1; kind <= PROBLEM_OUTCOME_UNKNOWN; kind++) {
		const char *name = problem_name((enum problem_kind)kind);

		if (strlen(name) == name_len && memcmp(name, text, name_len) == 0)
			break;
	}
	if (kind > PROBLEM_OUTCOME_UNKNOWN)
		return err_set(e, ERR_CORRUPT,
			       "a kept answer has a kind that is not known");
	field_len = strcspn(field, "\n");
	problem_set(p, (enum problem_kind)kind, NULL, "%s",
		    field + field_len + (field[field_len] != '\0'));
	if (field_len < sizeof p->field) {
		memcpy(p->field, field, field_len);
		p->field[field_len] = '\0';
	}
	return 0;
}

static int read_transaction(struct ledger *l, int64_t key, struct transaction *t,
			    struct err *e)
{
	struct db_stmt *s = l->stmts[TRANSACTION];
	int rc;

	db_bind_int(s, 1, key);
	rc = db_step(s, e);
	if (rc == 1)
		rows_transaction(s, 0, t);
	db_reset(s);
	if (rc == 0)
		return err_set(e, ERR_CORRUPT,
			       "a kept answer names transaction %" PRId64
			       ", which is not there",
			       key);
	return rc < 0 ? -1 : 0;
}

int ledger_recall(struct ledger *l, const struct idempotency *key, int64_t now_us,
		  struct transaction *t, struct problem *p, struct err *e)
{
	struct db_stmt *s = l->stmts[RECALL];
	int rc;

	*p = (struct problem){.kind = PROBLEM_NONE};
	db_bind_int(s, 1, now_us / US_PER_DAY);
	db_bind_blob(s, 2, key->key, sizeof key->key);
	rc = db_step(s, e);
	if (rc == 1 &&
	    (db_bytes(s, 0) != sizeof key->fingerprint ||
	     memcmp(db_blob(s, 0), key->fingerprint, sizeof key->fingerprint) != 0))
		problem_set(p, PROBLEM_KEY_REUSED, "Idempotency-Key",
			    "this key came with another request before: use a new key "
			    "for a new request");
	else if (rc == 1 && db_is_null(s, 1))
		rc = problem_read(p, db_text(s, 2), e) < 0 ? -1 : 1;
	else if (rc == 1)
		rc = read_transaction(l, db_int(s, 1), t, e) < 0 ? -1 : 1;
	db_reset(s);
	return rc;
}

int ledger_remember(struct ledger *l, const struct idempotency *key, int64_t now_us,
		    const struct transaction *t, const struct problem *p, struct err *e)
{
	struct db_stmt *s = l->stmts[REMEMBER];
	struct buf text;
	int rc;

	buf_init(&text, sizeof *p + 64);
	db_bind_int(s, 1, now_us / US_PER_DAY);
	db_bind_blob(s, 2, key->key, sizeof key->key);
	db_bind_blob(s, 3, key->fingerprint, sizeof key->fingerprint);
	db_bind_null(s, 4);
	db_bind_null(s, 5);
	if (t != NULL) {
		db_bind_int(s, 4, t->key);
	} else {
		problem_write(p, &text);
		db_bind_text(s, 5, buf_text(&text));
	}
	rc = db_run(s, e);
	buf_release(&text);
	return rc < 0 ? -1 : 0;
}

int ledger_forget(struct ledger *l, int64_t now_us, int limit, struct err *e)
{
	struct db_stmt *s = l->stmts[FORGET];

	db_bind_int(s, 1, now_us / US_PER_DAY);
	db_bind_int(s, 2, limit);
	return db_run(s, e) < 0 ? -1 : db_changes(l->db);
}
