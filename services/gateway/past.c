#include "gateway/past.h"

#include <string.h>

#include "base/mem.h"
#include "wire/live.h"

enum {
	ARREARS_MAX = 256 << 10, /* bytes: more is not told before it took these */
	SAY_MAX = 64,            /* events of one call */
	SAY_BYTES = 32 << 10,
};

/* The reading is the reader's while it reads; the rest is the session's thread's alone.
 */
struct past {
	struct reading reading;
	struct behind behind;
	struct reader *reader;
	struct session *session; /* NULL: gone */
	bool greeted;
	bool waits; /* for the session to take what it was told */
	int told;   /* of the slice */
};

static struct past *past_of(const struct session *s)
{
	return s->behind ? (struct past *)container_of(s->behind, struct past, behind)
			 : NULL;
}

static void past_free(struct past *p)
{
	reading_release(&p->reading, p->told);
	mem_free(p);
}

static void drop(struct reading *g)
{
	past_free(container_of(g, struct past, reading));
}

/* ---- what it is told ---- */

/* False: the session is gone. */
static bool greet(struct past *p, struct thread *t)
{
	const struct reading *g = &p->reading;
	struct live_hello hello = {.ledger = g->ledger,
				   .sequence = g->head,
				   .unread = g->unread,
				   .resync = g->resync,
				   .user_id = g->all ? NULL : g->user_id};

	if (p->greeted)
		return true;
	p->greeted = true;
	return p->session->voice->greet(t, p->session, &hello);
}

/* It has enough to take: more would only make it too slow. */
static bool is_full(const struct past *p, struct thread *t)
{
	size_t most = engine_get_settings(thread_engine(t))->queue_max_bytes / 4;

	if (most > ARREARS_MAX)
		most = ARREARS_MAX;
	return p->session->voice->arrears(t, p->session) > most;
}

/* What one call tells. */
static int gather(const struct past *p, const struct message *messages[SAY_MAX])
{
	const struct reading *g = &p->reading;
	size_t bytes = 0;
	int count = 0;

	while (count < SAY_MAX && p->told + count < g->count && bytes < SAY_BYTES) {
		messages[count] = &g->missed[p->told + count].message;
		bytes += messages[count++]->frame->len;
	}
	return count;
}

/* As much as it takes. False: the session is gone. */
static bool say(struct past *p, struct thread *t)
{
	const struct message *messages[SAY_MAX];
	struct reading *g = &p->reading;
	struct session *s = p->session;

	while (p->told < g->count && !is_full(p, t)) {
		int count = gather(p, messages);

		if (!s->voice->say(t, s, messages, count))
			return false;
		for (int i = 0; i < count; i++)
			message_release(&g->missed[p->told++].message);
		s->last = g->missed[p->told - 1].sequence;
	}
	return true;
}

/* Tells what was read; then it is live, or more is read, now or when it has taken that.
 * False: the session is gone. */
static bool go_on(struct past *p, struct thread *t)
{
	struct reading *g = &p->reading;
	struct session *s = p->session;

	/* past_end() leaves the past to us: it may be called from inside of greet(). */
	p->waits = false;
	if (!greet(p, t) || !say(p, t)) {
		past_free(p);
		return false;
	}
	p->waits = p->told < g->count || is_full(p, t);
	if (p->waits)
		return true;
	reading_release(g, p->told);
	p->told = 0;
	s->last = g->after;
	if (g->more || p->behind.missed > s->last) {
		g->first = false;
		reader_ask(p->reader, g);
		return true;
	}
	s->behind = NULL;
	past_free(p);
	return true;
}

static void on_letter(struct thread *t, struct letter *l)
{
	struct past *p = container_of(l, struct past, reading.letter);

	if (p->session)
		go_on(p, t);
	else
		past_free(p);
}

/* ---- from outside ---- */

void past_begin(struct reader *r, struct room *room, struct thread *t, struct session *s,
		const char *user_id, int64_t after, const char *ledger)
{
	struct past *p = mem_alloc(sizeof(*p));
	struct reading *g = &p->reading;

	g->letter.fn = on_letter;
	g->drop = drop;
	g->thread = t;
	g->first = true;
	g->all = !user_id;
	g->dialect = s->voice->dialect;
	if (user_id)
		mem_copy_text(g->user_id, sizeof(g->user_id), user_id);
	mem_copy_text(g->ledger, sizeof(g->ledger), ledger);
	g->after = after;
	p->reader = r;
	p->session = s;
	s->behind = &p->behind;
	s->seen = 0;
	room_join(room, s, user_id);
	reader_ask(r, g);
}

/* Nothing is read for who is gone. */
void past_end(struct room *room, struct session *s)
{
	struct past *p = past_of(s);

	room_leave(room, s);
	s->behind = NULL;
	if (!p)
		return;
	p->session = NULL;
	if (p->waits || reader_call_back(p->reader, &p->reading))
		past_free(p);
}

bool past_second(struct thread *t, struct session *s)
{
	struct past *p = past_of(s);

	return !p || !p->waits || go_on(p, t);
}
