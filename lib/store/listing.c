#include "store/listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { HEAD, BY_STATUS, SCAN, MISSING, STMT_COUNT };

#define SCAN_MAX 10000 /* rows or events that a statement looks at: 10 ms or so */

static const char *const SQL[STMT_COUNT] = {
	[HEAD] = "SELECT coalesce(max(sequence), 0) FROM events",
	/* The last condition is the index's own, word for word: else it is not used. */
	[BY_STATUS] = "SELECT sequence FROM deliveries WHERE channel = ?1"
		      " AND status = ?2 AND sequence <= ?3"
		      " AND status IN ('failed', 'retrying', 'ambiguous')"
		      " ORDER BY sequence DESC LIMIT ?4",
	[SCAN] = "SELECT sequence, channel, status FROM deliveries"
		 " WHERE (sequence, channel) < (?1, ?2)"
		 " ORDER BY sequence DESC, channel DESC",
	[MISSING] = "SELECT e.sequence FROM events e LEFT JOIN deliveries d"
		    " ON d.sequence = e.sequence AND d.channel = ?1"
		    " WHERE e.sequence <= ?2 AND e.sequence > ?3 AND d.sequence IS NULL"
		    " ORDER BY e.sequence DESC LIMIT ?4",
};

struct listing {
	struct db_stmt *stmts[STMT_COUNT];
	struct store *store;
	struct channels *channels;
	struct deliveries *deliveries;
};

int listing_new(struct listing **out, struct store *s, struct channels *channels,
		struct deliveries *deliveries, struct err *e)
{
	struct listing *l = mem_alloc(sizeof *l);

	l->store = s;
	l->channels = channels;
	l->deliveries = deliveries;
	if (store_prepare(s, SQL, l->stmts, STMT_COUNT, e) < 0) {
		mem_free(l);
		return -1;
	}
	*out = l;
	return 0;
}

void listing_free(struct listing *l)
{
	if (l == NULL)
		return;
	store_finalize(l->stmts, STMT_COUNT);
	mem_free(l);
}

int listing_status_parse(const char *name)
{
	if (strcmp(name, "open") == 0)
		return LISTING_OPEN;
	return attempt_status_parse(name);
}

/* ---- gathering keys ---- */

/* Everything above `horizon` was looked at; below it nothing is known yet. */
struct page {
	const struct listing_query *query;
	struct listing_place *keys;
	int count, room;
	struct listing_place horizon;
};

/* The newest first: negative when a comes before b. */
static int compare_places(const void *a, const void *b)
{
	const struct listing_place *x = a, *y = b;

	if (x->sequence != y->sequence)
		return x->sequence > y->sequence ? -1 : 1;
	return -strcmp(x->channel, y->channel);
}

static void add_key(struct page *p, int64_t sequence, const char *channel)
{
	struct listing_place *k;

	if (p->count == p->room) {
		p->room = p->room == 0 ? 64 : 2 * p->room;
		p->keys = mem_resize(p->keys, (size_t)p->room, sizeof *p->keys);
	}
	k = &p->keys[p->count++];
	k->sequence = sequence;
	mem_copy_text(k->channel, sizeof k->channel, channel);
}

static void raise_horizon(struct page *p, int64_t sequence, const char *channel)
{
	struct listing_place place = {.sequence = sequence};

	mem_copy_text(place.channel, sizeof place.channel, channel);
	if (compare_places(&place, &p->horizon) < 0)
		p->horizon = place;
}

/* The highest sequence of this channel that comes after the page before. */
static int64_t upper(const struct page *p, const char *channel)
{
	const struct listing_place *after = &p->query->after;

	return strcmp(channel, after->channel) < 0 ? after->sequence
						   : after->sequence - 1;
}

static int gather_by_index(struct listing *l, struct page *p, const char *channel,
			   enum attempt_status status, struct err *e)
{
	struct db_stmt *s = l->stmts[BY_STATUS];
	int rc;

	db_bind_text(s, 1, channel);
	db_bind_text(s, 2, attempt_status_name(status));
	db_bind_int(s, 3, upper(p, channel));
	db_bind_int(s, 4, p->query->limit);
	while ((rc = db_step(s, e)) == 1)
		add_key(p, db_int(s, 0), channel);
	return rc;
}

static bool is_wanted(const struct listing_query *q, const char *channel)
{
	for (size_t i = 0; q->channels[i] != NULL; i++) {
		if (strcmp(q->channels[i], channel) == 0)
			return true;
	}
	return false;
}

static int gather_by_scan(struct listing *l, struct page *p, struct err *e)
{
	const struct listing_query *q = p->query;
	const char *status = attempt_status_name((enum attempt_status)q->status);
	struct db_stmt *s = l->stmts[SCAN];
	int seen = 0, rc = 0;

	db_bind_int(s, 1, q->after.sequence);
	db_bind_text(s, 2, q->after.channel);
	while (p->count < q->limit && seen < SCAN_MAX && (rc = db_step(s, e)) == 1) {
		if (strcmp(db_text(s, 2), status) == 0 && is_wanted(q, db_text(s, 1)))
			add_key(p, db_int(s, 0), db_text(s, 1));
		if (++seen == SCAN_MAX)
			raise_horizon(p, db_int(s, 0), db_text(s, 1));
	}
	db_reset(s);
	return rc < 0 ? -1 : 0;
}

static int64_t head_of(struct listing *l, struct err *e)
{
	struct db_stmt *s = l->stmts[HEAD];
	int64_t head = db_step(s, e) == 1 ? db_int(s, 0) : -1;

	db_reset(s);
	return head;
}

/* Events that have no row: there are none at or below the channel's floor. */
static int gather_missing(struct listing *l, struct page *p, const char *channel,
			  struct err *e)
{
	int64_t floor = channels_floor(l->channels, channel, e), head = head_of(l, e);
	int64_t from = upper(p, channel) < head ? upper(p, channel) : head, to;
	struct db_stmt *s = l->stmts[MISSING];
	int rc;

	if (floor < 0 || head < 0)
		return -1;
	to = from - SCAN_MAX > floor ? from - SCAN_MAX : floor;
	db_bind_text(s, 1, channel);
	db_bind_int(s, 2, from);
	db_bind_int(s, 3, to);
	db_bind_int(s, 4, p->query->limit);
	while ((rc = db_step(s, e)) == 1)
		add_key(p, db_int(s, 0), channel);
	if (to > floor)
		raise_horizon(p, to + 1, "");
	return rc;
}

/* Of one moment: what is reported meanwhile would be seen twice, or not at all. */
static int gather_open(struct listing *l, struct page *p, const char *channel,
		       struct err *e)
{
	int rc = -1;

	if (store_snapshot_begin(l->store, e) < 0)
		return -1;
	if (gather_by_index(l, p, channel, ATTEMPT_RETRYING, e) == 0 &&
	    gather_by_index(l, p, channel, ATTEMPT_AMBIGUOUS, e) == 0)
		rc = gather_missing(l, p, channel, e);
	store_snapshot_end(l->store);
	return rc;
}

static int gather(struct listing *l, struct page *p, struct err *e)
{
	const struct listing_query *q = p->query;

	if (q->status == LISTING_DELIVERED || q->status == LISTING_SUPPRESSED)
		return gather_by_scan(l, p, e);
	for (size_t i = 0; q->channels[i] != NULL; i++) {
		int rc = q->status == LISTING_OPEN
				 ? gather_open(l, p, q->channels[i], e)
				 : gather_by_index(l, p, q->channels[i],
						   (enum attempt_status)q->status, e);

		if (rc < 0)
			return -1;
	}
	return 0;
}

/* Sorts the keys, drops what is below the horizon or too many, and says where the next
 * page begins. */
static void cut(struct page *p, struct listing_place *next)
{
	int limit = p->query->limit;

	if (p->count > 0)
		qsort(p->keys, (size_t)p->count, sizeof *p->keys, compare_places);
	while (p->count > 0 && compare_places(&p->keys[p->count - 1], &p->horizon) > 0)
		p->count--;
	*next = p->horizon;
	if (p->count < limit || p->count == 0)
		return;
	p->count = limit;
	*next = p->keys[limit - 1];
}

/* ---- reading them ---- */

/* Since its key was found it may have gone on. */
static bool still_stands(const struct listing_query *q, const struct standing *s)
{
	if (q->status != LISTING_OPEN)
		return s->status == (int)q->status;
	return s->status == -1 || s->status == ATTEMPT_RETRYING ||
	       s->status == ATTEMPT_AMBIGUOUS;
}

static int read_keys(struct listing *l, const struct page *p, listing_fn *fn, void *arg,
		     struct err *e)
{
	struct standing s;
	int given = 0;

	for (int i = 0; i < p->count; i++) {
		int rc = deliveries_standing(l->deliveries, p->keys[i].sequence,
					     p->keys[i].channel, &s, e);

		if (rc < 0)
			return -1;
		if (rc == 0 || !still_stands(p->query, &s))
			continue;
		fn(arg, &s);
		given++;
	}
	return given;
}

int listing_page(struct listing *l, const struct listing_query *q,
		 struct listing_place *next, listing_fn *fn, void *arg, struct err *e)
{
	struct page p = {.query = q};
	int given = -1;

	if (gather(l, &p, e) == 0) {
		cut(&p, next);
		given = read_keys(l, &p, fn, arg, e);
	}
	mem_free(p.keys);
	return given;
}
