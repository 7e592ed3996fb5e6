#include "gateway/room.h"

#include <string.h>

#include "base/mem.h"
#include "base/table.h"

enum {
	SLICE = 2000, /* sends of one go: then the others live */
	SAY_MAX = 64, /* messages of one call */
};

struct member {
	struct table_node node;
	struct list sessions;
	int count;
	char user_id[]; /* as long as it is */
};

/* A batch on its way out. */
struct telling {
	struct job job;
	struct room *room;
	struct batch *batch;
	uint32_t number;
	bool users_told;
	size_t left;                          /* places of those that hear all, to go */
	struct message joined[DIALECT_COUNT]; /* all of it as one, for these */
};

/* One item for one session. */
struct heard {
	uint32_t item, next; /* next: index + 1; 0: the last one */
};

/* A session that the batch has something for. */
struct touched {
	struct session *session; /* NULL: it has left meanwhile */
	uint32_t first, end;     /* in `heard`, counted from 1 */
};

struct room {
	room_watch_fn *watch; /* or NULL */
	void *watch_arg;
	struct table members; /* by user */
	struct session **all;
	size_t all_count, all_capacity;
	uint32_t number;         /* of the newest batch */
	struct touched *touched; /* of one batch */
	uint32_t touched_count, touched_capacity;
	struct heard *heard; /* of it, linked for each session */
	uint32_t heard_count, heard_capacity;
};

static const char *member_key(const struct table_node *n, size_t *len)
{
	const struct member *m = container_of(n, struct member, node);

	*len = strlen(m->user_id);
	return m->user_id;
}

struct room *room_new(void)
{
	struct room *r = mem_alloc(sizeof(*r));

	table_init(&r->members, member_key);
	return r;
}

void room_free(struct room *r)
{
	table_release(&r->members);
	mem_free(r->all);
	mem_free(r->touched);
	mem_free(r->heard);
	mem_free(r);
}

void room_watch(struct room *r, room_watch_fn *fn, void *arg)
{
	r->watch = fn;
	r->watch_arg = arg;
}

/* ---- who is in ---- */

static struct member *find_member(const struct room *r, const char *user_id)
{
	struct table_node *n = table_find(&r->members, user_id, strlen(user_id));

	return n ? container_of(n, struct member, node) : NULL;
}

static struct member *member_of(struct room *r, const char *user_id)
{
	size_t len = strlen(user_id);
	struct member *m = find_member(r, user_id);

	if (m)
		return m;
	m = mem_alloc(offsetof(struct member, user_id) + len + 1);
	memcpy(m->user_id, user_id, len);
	list_init(&m->sessions);
	table_add(&r->members, &m->node);
	if (r->watch)
		r->watch(r->watch_arg, m->user_id, true);
	return m;
}

static void join_all(struct room *r, struct session *s)
{
	if (r->all_count == r->all_capacity) {
		r->all_capacity = r->all_capacity == 0 ? 16 : r->all_capacity * 2;
		r->all = mem_resize(r->all, r->all_capacity, sizeof(struct session *));
	}
	s->all.place = (uint32_t)r->all_count;
	s->all.heard = r->number;
	r->all[r->all_count++] = s;
}

void room_join(struct room *r, struct session *s, const char *user_id)
{
	if (!user_id) {
		s->member = NULL;
		join_all(r, s);
		return;
	}
	s->member = member_of(r, user_id);
	s->member->count++;
	list_append(&s->member->sessions, &s->link);
}

static void leave_all(struct room *r, struct session *s)
{
	struct session *last = r->all[--r->all_count];

	r->all[s->all.place] = last;
	last->all.place = s->all.place;
}

void room_leave(struct room *r, struct session *s)
{
	struct member *m = s->member;

	if (s->touched > 0)
		r->touched[s->touched - 1].session = NULL;
	s->touched = 0;
	if (!m) {
		if (s->all.place < r->all_count && r->all[s->all.place] == s)
			leave_all(r, s);
		return;
	}
	list_remove(&s->link);
	s->member = NULL;
	if (--m->count > 0)
		return;
	if (r->watch)
		r->watch(r->watch_arg, m->user_id, false);
	table_remove(&r->members, &m->node);
	mem_free(m);
}

const char *room_user(const struct session *s)
{
	return s->member ? s->member->user_id : NULL;
}

int room_sessions(const struct room *r, const char *user_id)
{
	const struct member *m = find_member(r, user_id);

	return m ? m->count : 0;
}

/* ---- who hears it ---- */

/* Is it for this session now? Moves the session's place in the order. */
static bool is_news(struct session *s, const struct item *i)
{
	if (s->behind) {
		if (i->sequence > s->behind->missed)
			s->behind->missed = i->sequence;
		return false;
	}
	if (i->sequence == 0)
		return true;
	if (i->sequence <= s->last)
		return false;
	s->last = i->sequence;
	return true;
}

static struct touched *touched_of(struct room *r, struct session *s)
{
	if (s->touched > 0)
		return &r->touched[s->touched - 1];
	if (r->touched_count == r->touched_capacity) {
		r->touched_capacity =
			r->touched_capacity == 0 ? 256 : r->touched_capacity * 2;
		r->touched =
			mem_resize(r->touched, r->touched_capacity, sizeof(*r->touched));
	}
	r->touched[r->touched_count++] = (struct touched){.session = s};
	s->touched = r->touched_count;
	return &r->touched[s->touched - 1];
}

static void touch(struct room *r, struct session *s, uint32_t item)
{
	struct touched *its = touched_of(r, s);

	if (r->heard_count == r->heard_capacity) {
		r->heard_capacity = r->heard_capacity == 0 ? 1024 : r->heard_capacity * 2;
		r->heard = mem_resize(r->heard, r->heard_capacity, sizeof(*r->heard));
	}
	r->heard[r->heard_count++] = (struct heard){item, 0};
	if (its->first == 0)
		its->first = r->heard_count;
	else
		r->heard[its->end - 1].next = r->heard_count;
	its->end = r->heard_count;
}

/* What a session was touched with, in calls of at most SAY_MAX. */
static void say_touched(struct room *r, struct thread *t, const struct touched *its,
			const struct batch *b)
{
	const struct message *messages[SAY_MAX];
	struct session *s = its->session;
	enum dialect dialect = s->voice->dialect;
	uint32_t at = its->first;

	s->touched = 0;
	while (at > 0) {
		int count = 0;

		for (; at > 0 && count < SAY_MAX; at = r->heard[at - 1].next)
			messages[count++] =
				&b->items[r->heard[at - 1].item].messages[dialect];
		if (!s->voice->say(t, s, messages, count))
			return;
	}
}

static void tell_users(struct room *r, struct thread *t, const struct batch *b)
{
	r->heard_count = r->touched_count = 0;
	for (int i = 0; i < b->count; i++) {
		const struct item *item = &b->items[i];
		struct member *m = find_member(r, item->user_id);

		if (!m)
			continue;
		for (struct list *n = m->sessions.next; n != &m->sessions; n = n->next) {
			struct session *s = container_of(n, struct session, link);

			if (item->messages[s->voice->dialect].frame && is_news(s, item))
				touch(r, s, (uint32_t)i);
		}
	}
	for (uint32_t i = 0; i < r->touched_count; i++) {
		if (r->touched[i].session)
			say_touched(r, t, &r->touched[i], b);
	}
}

/* ---- those that hear all ---- */

/* All frames of the batch in one: one send for a session, however many events. */
static void join_frames(struct telling *g, enum dialect d)
{
	const struct batch *b = g->batch;
	size_t len = 0;
	uint8_t *out;

	for (int i = 0; i < b->count; i++)
		len += b->items[i].messages[d].frame ? b->items[i].messages[d].frame->len
						     : 0;
	if (len == 0)
		return;
	g->joined[d].frame = frame_new(len);
	g->joined[d].payload_at = b->items[0].messages[d].payload_at;
	out = g->joined[d].frame->bytes;
	for (int i = 0; i < b->count; i++) {
		const struct frame *f = b->items[i].messages[d].frame;

		if (!f)
			continue;
		memcpy(out, f->bytes, f->len);
		out += f->len;
	}
}

static int64_t first_sequence(const struct batch *b)
{
	for (int i = 0; i < b->count; i++) {
		if (b->items[i].sequence > 0)
			return b->items[i].sequence;
	}
	return INT64_MAX;
}

static int64_t last_sequence(const struct batch *b)
{
	for (int i = b->count; i-- > 0;) {
		if (b->items[i].sequence > 0)
			return b->items[i].sequence;
	}
	return 0;
}

/* Some of it is known already, or the joined frame does not suit the voice. */
static void say_each(struct thread *t, struct session *s, const struct batch *b)
{
	const struct message *messages[SAY_MAX];
	int count = 0;

	for (int i = 0; i < b->count; i++) {
		const struct message *m = &b->items[i].messages[s->voice->dialect];

		if (!m->frame || !is_news(s, &b->items[i]))
			continue;
		messages[count++] = m;
		if (count < SAY_MAX)
			continue;
		if (!s->voice->say(t, s, messages, count))
			return;
		count = 0;
	}
	if (count > 0)
		s->voice->say(t, s, messages, count);
}

static void say_all(struct telling *g, struct thread *t, struct session *s)
{
	const struct message *joined = &g->joined[s->voice->dialect];

	s->all.heard = g->number;
	if (!s->behind && s->voice->dialect == DIALECT_PLAIN && joined->frame &&
	    first_sequence(g->batch) > s->last) {
		if (last_sequence(g->batch) > s->last)
			s->last = last_sequence(g->batch);
		s->voice->say(t, s, &joined, 1);
		return;
	}
	say_each(t, s, g->batch);
}

/* From the end, since a place that becomes free is filled from there; who is moved and
 * comes by again has heard this batch already. */
static bool tell_all(struct telling *g, struct thread *t)
{
	struct room *r = g->room;

	for (int i = 0; i < SLICE && g->left > 0; i++) {
		struct session *s;

		if (g->left > r->all_count)
			g->left = r->all_count;
		if (g->left == 0)
			break;
		s = r->all[--g->left];
		if (s->all.heard != g->number)
			say_all(g, t, s);
	}
	return g->left > 0;
}

static bool step(struct thread *t, struct job *j)
{
	struct telling *g = container_of(j, struct telling, job);

	if (!g->users_told) {
		g->users_told = true;
		g->left = g->room->all_count;
		g->number = ++g->room->number;
		tell_users(g->room, t, g->batch);
		for (int d = 0; d < DIALECT_COUNT && g->left > 0; d++)
			join_frames(g, (enum dialect)d);
	}
	if (tell_all(g, t))
		return true;
	for (int d = 0; d < DIALECT_COUNT; d++)
		message_release(&g->joined[d]);
	batch_unref(g->batch);
	mem_free(g);
	return false;
}

void room_tell(struct room *r, struct thread *t, struct batch *b)
{
	struct telling *g = mem_alloc(sizeof(*g));

	g->job.step = step;
	g->room = r;
	g->batch = b;
	thread_do(t, &g->job);
}
