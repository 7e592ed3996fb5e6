#include "store/channels.h"

#include <string.h>

#include "base/mem.h"

enum {
	DECLARE,
	NAMES,
	ABANDON_ROWS,
	ABANDON_EVENTS,
	FORGET,
	BOUNDS,
	RAISE,
	HEAD,
	LOWEST_MISSING,
	LOWEST_OPEN,
	OPEN_BELOW,
	OPEN_ABOVE,
	STMT_COUNT
};

/* Of events, so that no statement holds its snapshot for long. */
#define SCAN "10000"

/* An index with a condition is used only where that stands word for word:
 * deliveries_not_delivered. */
#define BY_INDEX(wanted)                                                                 \
	"channel = ?1 AND status " wanted                                                \
	" AND status IN ('failed', 'retrying', 'ambiguous')"
#define LOWEST(wanted)                                                                   \
	"SELECT min(sequence) AS lowest FROM deliveries WHERE " BY_INDEX(wanted)
#define BETWEEN(wanted)                                                                  \
	"SELECT sequence, ended_us IS NULL AND next_at_us IS NULL FROM deliveries "      \
	"WHERE " BY_INDEX(wanted) " AND sequence > ?2 AND sequence <= ?3"

static const char *const SQL[STMT_COUNT] = {
	[DECLARE] = "INSERT OR IGNORE INTO channels (channel, first_event, "
		    "reported_through) VALUES (?1, ?2, ?2)",
	[NAMES] = "SELECT channel FROM channels ORDER BY channel",
	[ABANDON_ROWS] =
		"UPDATE deliveries SET status = 'failed', reason = 'channel_removed',"
		" ended_us = ?2, next_at_us = NULL"
		" WHERE " BY_INDEX(
			"IN ('retrying', 'ambiguous')") " AND ended_us IS NULL",
	[ABANDON_EVENTS] =
		"INSERT INTO deliveries (sequence, channel, status, reason, attempts,"
		" ended_us)"
		" SELECT e.sequence, ?1, 'failed', 'channel_removed', 0, ?2 FROM events e"
		" LEFT JOIN deliveries d ON d.sequence = e.sequence AND d.channel = ?1"
		" WHERE e.sequence > (SELECT reported_through FROM channels"
		" WHERE channel = ?1) AND d.sequence IS NULL",
	[FORGET] = "DELETE FROM channels WHERE channel = ?1",
	[BOUNDS] = "SELECT first_event, reported_through FROM channels"
		   " WHERE channel = ?1",
	[RAISE] = "UPDATE channels SET reported_through = ?2 WHERE channel = ?1",
	[HEAD] = "SELECT coalesce(max(sequence), 0) FROM events",
	[LOWEST_MISSING] = "SELECT e.sequence FROM events e LEFT JOIN deliveries d"
			   " ON d.sequence = e.sequence AND d.channel = ?1"
			   " WHERE e.sequence > ?2 AND e.sequence <= ?2 + " SCAN
			   " AND d.sequence IS NULL ORDER BY e.sequence LIMIT 1",
	[LOWEST_OPEN] = "SELECT min(lowest) FROM (" LOWEST(
		"= 'retrying'") " UNION ALL " LOWEST("= 'ambiguous'") ")",
	/* SQLite merges the two as it goes. */
	[OPEN_BELOW] = BETWEEN("= 'retrying'") " UNION ALL " BETWEEN(
		"= 'ambiguous'") " ORDER BY 1",
	[OPEN_ABOVE] = "SELECT e.sequence FROM events e LEFT JOIN deliveries d"
		       " ON d.sequence = e.sequence AND d.channel = ?1"
		       " WHERE e.sequence > ?2 AND e.sequence <= ?2 + " SCAN
		       " AND d.ended_us IS NULL AND d.next_at_us IS NULL"
		       " ORDER BY e.sequence LIMIT ?3",
};

struct channels {
	struct db_stmt *stmts[STMT_COUNT];
};

int channels_new(struct channels **out, struct store *s, struct err *e)
{
	struct channels *c = mem_alloc(sizeof *c);

	if (store_prepare(s, SQL, c->stmts, STMT_COUNT, e) < 0) {
		mem_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

void channels_free(struct channels *c)
{
	if (c == NULL)
		return;
	store_finalize(c->stmts, STMT_COUNT);
	mem_free(c);
}

/* ---- which there are ---- */

static int run_channel(struct db_stmt *s, const char *channel, int64_t value,
		       struct err *e)
{
	db_bind_text(s, 1, channel);
	db_bind_int(s, 2, value);
	return db_run(s, e) < 0 ? -1 : 0;
}

int channels_declare(struct channels *c, const char *const *names, int64_t head,
		     struct err *e)
{
	for (size_t i = 0; names[i] != NULL; i++) {
		if (run_channel(c->stmts[DECLARE], names[i], head, e) < 0)
			return -1;
	}
	return 0;
}

static bool is_among(const char *channel, const char *const *names)
{
	for (size_t i = 0; names[i] != NULL; i++) {
		if (strcmp(names[i], channel) == 0)
			return true;
	}
	return false;
}

int channels_undeclared(struct channels *c, const char *const *names, channels_fn *fn,
			void *arg, struct err *e)
{
	struct db_stmt *s = c->stmts[NAMES];
	int count = 0, rc;

	while ((rc = db_step(s, e)) == 1) {
		if (is_among(db_text(s, 0), names))
			continue;
		fn(arg, db_text(s, 0));
		count++;
	}
	return rc < 0 ? -1 : count;
}

int channels_remove(struct channels *c, const char *channel, int64_t now_us,
		    struct err *e)
{
	if (run_channel(c->stmts[ABANDON_ROWS], channel, now_us, e) < 0 ||
	    run_channel(c->stmts[ABANDON_EVENTS], channel, now_us, e) < 0)
		return -1;
	db_bind_text(c->stmts[FORGET], 1, channel);
	return db_run(c->stmts[FORGET], e) < 0 ? -1 : 0;
}

/* ---- how far each has come ---- */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t read_bound(struct channels *c, const char *channel, int column,
			  struct err *e)
{
	struct db_stmt *s = c->stmts[BOUNDS];
	int64_t bound = -1;
	int rc;

	db_bind_text(s, 1, channel);
	rc = db_step(s, e);
	if (rc == 1)
		bound = db_int(s, column);
	db_reset(s);
	if (rc == 0)
		err_set(e, ERR_NOT_FOUND, "channel %s is not known to this ledger",
			channel);
	return bound;
}

int64_t channels_first_event(struct channels *c, const char *channel, struct err *e)
{
	return read_bound(c, channel, 0, e);
}

int64_t channels_floor(struct channels *c, const char *channel, struct err *e)
{
	return read_bound(c, channel, 1, e);
}

static int64_t head_of(struct channels *c, struct err *e)
{
	struct db_stmt *s = c->stmts[HEAD];
	int64_t head = db_step(s, e) == 1 ? db_int(s, 0) : -1;

	db_reset(s);
	return head;
}

int64_t channels_scan_floor(struct channels *c, const char *channel, int64_t floor,
			    struct err *e)
{
	struct db_stmt *s = c->stmts[LOWEST_MISSING];
	int64_t head = head_of(c, e), raised;
	int rc;

	if (head < 0)
		return -1;
	db_bind_text(s, 1, channel);
	db_bind_int(s, 2, floor);
	rc = db_step(s, e);
	raised = rc == 1 ? db_int(s, 0) - 1 : least(floor + CHANNELS_SCAN_MAX, head);
	db_reset(s);
	return rc < 0 ? -1 : raised;
}

int channels_set_floor(struct channels *c, const char *channel, int64_t floor,
		       struct err *e)
{
	return run_channel(c->stmts[RAISE], channel, floor, e);
}

/* ---- what is to be fed ---- */

/* Those that wait in the ledger count as well: while the start is being used their time
 * may come. */
int64_t channels_start(struct channels *c, const char *channel, struct err *e)
{
	struct db_stmt *s = c->stmts[LOWEST_OPEN];
	int64_t start = channels_floor(c, channel, e);
	int rc;

	if (start < 0)
		return -1;
	db_bind_text(s, 1, channel);
	rc = db_step(s, e);
	if (rc == 1 && !db_is_null(s, 0))
		start = least(start, db_int(s, 0) - 1);
	db_reset(s);
	return rc < 0 ? -1 : start;
}

static int open_below(struct channels *c, const char *channel, int64_t after,
		      int64_t floor, int64_t *out, int limit, int64_t *scanned_to,
		      struct err *e)
{
	struct db_stmt *s = c->stmts[OPEN_BELOW];
	int count = 0, seen = 0, rc = 0;

	db_bind_text(s, 1, channel);
	db_bind_int(s, 2, after);
	db_bind_int(s, 3, floor);
	*scanned_to = after;
	while (count < limit && seen < CHANNELS_SCAN_MAX && (rc = db_step(s, e)) == 1) {
		*scanned_to = db_int(s, 0);
		if (db_int(s, 1) != 0)
			out[count++] = *scanned_to;
		seen++;
	}
	db_reset(s);
	if (rc == 0 && limit > 0)
		*scanned_to = floor;
	return rc < 0 ? -1 : count;
}

static int open_above(struct channels *c, const char *channel, int64_t after,
		      int64_t *out, int limit, int64_t *scanned_to, struct err *e)
{
	struct db_stmt *s = c->stmts[OPEN_ABOVE];
	int64_t head = head_of(c, e);
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
		*scanned_to = count > 0 ? out[count - 1] : after;
	else
		*scanned_to = least(after + CHANNELS_SCAN_MAX, head);
	/* What was committed between the two statements is for the next call; what was
	 * given must not be below. */
	if (count > 0 && *scanned_to < out[count - 1])
		*scanned_to = out[count - 1];
	if (*scanned_to < after)
		*scanned_to = after;
	return count;
}

int channels_open_after(struct channels *c, const char *channel, int64_t after,
			int64_t *out, int limit, int64_t *scanned_to, struct err *e)
{
	int64_t floor = channels_floor(c, channel, e);

	if (floor < 0)
		return -1;
	if (after < floor)
		return open_below(c, channel, after, floor, out, limit, scanned_to, e);
	return open_above(c, channel, after, out, limit, scanned_to, e);
}
