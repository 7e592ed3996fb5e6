#include "gateway/reads.h"

#include <stdatomic.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "gateway/notes.h"

#define FLUSH_MS  100
#define FLUSH_MAX 1000   /* marks of one flush; the others wait for the next */
#define LOG_MAX   100000 /* entries, about: of a backend that is away for long */

/* First a note from a session's thread, then the user's place among those that wait, then
 * what Redis is to confirm. */
struct mark {
	struct note note;
	struct list link;
	struct read_marks *reads;
	int64_t sequence;
	char user_id[USER_ID_MAX + 1];
};

struct read_marks {
	struct redis *commands;
	const struct bus *bus;
	struct redis_args *args;
	struct loop_timer *flush;
	bool flushing; /* the timer is set */
	struct notes notes;
	struct map *users;   /* who waits: user -> mark */
	struct list waiting; /* the same marks, oldest first */
	atomic_int count;    /* all marks there are */
};

/* ---- on a session's thread ---- */

int reads_seen(struct read_marks *r, struct session *s, int64_t sequence, struct err *e)
{
	const char *user_id = room_user(s);
	struct mark *m;

	if (!user_id)
		return err_set(e, ERR_INVALID, "an operator has no read mark");
	if (sequence <= 0 || sequence > s->last)
		return err_set(e, ERR_INVALID,
			       "sequence is beyond what this session was told");
	if (sequence <= s->seen)
		return 0;
	if (atomic_load(&r->count) >= READS_WAITING_MAX)
		return err_set(e, ERR_FULL, "too many read marks wait: say it again");
	s->seen = sequence;
	atomic_fetch_add(&r->count, 1);
	m = mem_alloc(sizeof(*m));
	m->reads = r;
	m->sequence = sequence;
	mem_copy_text(m->user_id, sizeof(m->user_id), user_id);
	notes_put(&r->notes, &m->note);
	return 0;
}

/* ---- on the loop ---- */

static void forget(struct mark *m)
{
	atomic_fetch_sub(&m->reads->count, 1);
	mem_free(m);
}

static void want_flush(struct read_marks *r)
{
	if (r->flushing || list_empty(&r->waiting))
		return;
	r->flushing = true;
	loop_timer_start(r->flush, FLUSH_MS, 0);
}

/* Among those that wait the user has one place, with its newest mark. */
static void wait_for_flush(struct mark *m)
{
	struct read_marks *r = m->reads;
	size_t len = strlen(m->user_id);
	struct mark *waiting = map_get(r->users, m->user_id, len);

	if (waiting) {
		if (m->sequence > waiting->sequence)
			waiting->sequence = m->sequence;
		forget(m);
		return;
	}
	map_put(r->users, m->user_id, len, m);
	list_append(&r->waiting, &m->link);
	want_flush(r);
}

static void on_note(void *arg, struct note *n)
{
	wait_for_flush(container_of(n, struct mark, note));
}

static void on_added(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct mark *m = arg;

	if (redis_kind(reply) == REDIS_KIND_TEXT)
		forget(m);
	else
		wait_for_flush(m);
}

static bool send_mark(struct mark *m)
{
	struct redis_args *a = m->reads->args;

	redis_args_clear(a);
	redis_args_text(a, "XADD");
	redis_args_text(a, m->reads->bus->reads_log.text);
	redis_args_text(a, "MAXLEN");
	redis_args_text(a, "~");
	redis_args_int(a, LOG_MAX);
	redis_args_text(a, "*");
	redis_args_text(a, BUS_FIELD_USER);
	redis_args_text(a, m->user_id);
	redis_args_text(a, BUS_FIELD_SEQUENCE);
	redis_args_int(a, m->sequence);
	return redis_send(m->reads->commands, a, on_added, m) == 0;
}

static void on_flush(void *arg)
{
	struct read_marks *r = arg;

	r->flushing = false;
	for (int i = 0; i < FLUSH_MAX && !list_empty(&r->waiting); i++) {
		struct mark *m = container_of(r->waiting.next, struct mark, link);

		if (!send_mark(m))
			break;
		list_remove(&m->link);
		map_remove(r->users, m->user_id, strlen(m->user_id));
	}
	want_flush(r);
}

bool reads_idle(const struct read_marks *r)
{
	return atomic_load(&r->count) == 0 || !redis_is_up(r->commands);
}

void reads_start(struct read_marks **out, struct loop *loop, struct redis *commands,
		 const struct bus *bus)
{
	struct read_marks *r = mem_alloc(sizeof(*r));

	r->commands = commands;
	r->bus = bus;
	r->args = redis_args_new();
	r->flush = loop_timer_new(loop, on_flush, r);
	r->users = map_new();
	list_init(&r->waiting);
	notes_init(&r->notes, loop, on_note, r);
	*out = r;
}

void reads_stop(struct read_marks *r)
{
	struct list *n;

	if (!r)
		return;
	notes_release(&r->notes);
	while ((n = list_pop(&r->waiting)) != NULL)
		mem_free(container_of(n, struct mark, link));
	loop_timer_free(r->flush);
	map_free(r->users);
	redis_args_free(r->args);
	mem_free(r);
}
