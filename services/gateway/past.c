#include "gateway/past.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/events.h"
#include "store/reads.h"
#include "store/store.h"
#include "wire/live.h"

enum {
	SLICE = 200,             /* events of one snapshot */
	FIRST_SLICE = 20,        /* who has just come costs little, and is greeted soon */
	ARREARS_MAX = 256 << 10, /* bytes: more is not told before it took these */
	SAY_MAX = 64,            /* events of one call */
	SAY_BYTES = 32 << 10,
	OPEN_AGAIN_MS = 200,
	LOG_EVERY_MS = 5000,
};

/* One session's reading. Its session's thread has it, or the reader; never both: what the
 * session says meanwhile (it is gone) it says in `session`, which only its thread reads.
 */
struct past {
	struct behind behind; /* the session's thread's alone, as `session` */
	struct letter letter; /* back to the thread */
	struct list link;     /* in one of the reader's queues */
	struct reader *reader;
	struct thread *thread;
	struct session *session; /* NULL: gone */
	bool first, waits;       /* to be greeted; for its arrears */
	bool all;                /* of all users */
	enum dialect dialect;
	char user_id[USER_ID_MAX + 1];
	char ledger[LEDGER_ID_SIZE]; /* that `after` is of, "" ours; then ours */
	int64_t after;

	/* What was read. */
	bool resync, more;
	int64_t head, unread;
	int count, told;
	int64_t sequences[SLICE];
	struct message messages[SLICE];
};

struct reader {
	struct reader_settings settings;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct list fresh, going; /* first slices, and the ones after */
	bool fresh_was_last;      /* they take turns */
	bool open, stopping;

	struct store store;
	struct events *events;
	struct reads *reads;
	struct buf json;
	struct log_limit limit;
};

static struct past *past_of(const struct session *s)
{
	return s->behind ? (struct past *)container_of(s->behind, struct past, behind)
			 : NULL;
}

static void release_messages(struct past *p)
{
	for (int i = p->told; i < p->count; i++)
		message_release(&p->messages[i]);
	p->count = p->told = 0;
}

static void past_free(struct past *p)
{
	release_messages(p);
	mem_free(p);
}

/* ---- on the reader's thread ---- */

static void close_store(struct reader *r)
{
	reads_free(r->reads);
	events_free(r->events);
	r->reads = NULL;
	r->events = NULL;
	store_close(&r->store);
}

static int open_store(struct reader *r, struct err *e)
{
	if (r->events)
		return 0;
	if (store_open_reader(&r->store, r->settings.database, e) < 0)
		return -1;
	if (events_new(&r->events, &r->store, e) == 0 &&
	    reads_new(&r->reads, &r->store, e) == 0)
		return 0;
	close_store(r);
	return -1;
}

struct slice {
	struct past *past;
	int64_t last;
};

static void take_event(void *arg, const struct event *event)
{
	struct slice *s = arg;
	struct past *p = s->past;
	struct buf *json = &p->reader->json;

	buf_clear(json);
	p->sequences[p->count] = event->sequence;
	event_encode(event, p->reader->settings.naming, json);
	message_event(&p->messages[p->count++], p->dialect, event->sequence, json->data,
		      json->len);
	s->last = event->sequence;
}

/* Where it begins; who cannot be served from there begins at the head. */
static void fix_position(struct past *p, int64_t head)
{
	const struct reader *r = p->reader;

	if (!p->first)
		return;
	if (p->after >= 0)
		p->resync = (p->ledger[0] != '\0' &&
			     strcmp(p->ledger, r->store.ledger_id) != 0) ||
			    p->after > head || head - p->after > r->settings.resume_max;
	if (p->after < 0 || p->resync)
		p->after = head;
	memcpy(p->ledger, r->store.ledger_id, sizeof(p->ledger));
}

/* What hello says: in one snapshot, so that `unread` counts up to the head and no event
 * that is told after it is among them. */
static int read_standing(struct past *p, struct err *e)
{
	struct reader *r = p->reader;

	if (!p->first || p->all) {
		p->unread = -1;
		p->head = events_head(r->events, e);
		return p->head < 0 ? -1 : 0;
	}
	if (store_snapshot_begin(&r->store, e) < 0)
		return -1;
	p->head = events_head(r->events, e);
	p->unread = p->head < 0 ? -1 : reads_unread(r->reads, p->user_id, e);
	store_snapshot_end(&r->store);
	return p->unread < 0 ? -1 : 0;
}

/* The head is read before the events: whatever of them is at or below it is among those,
 * and so is whatever is below the last of them. */
static int read_slice(struct past *p, struct err *e)
{
	struct reader *r = p->reader;
	struct slice slice = {p, 0};
	int most = p->first ? FIRST_SLICE : SLICE, count;

	if (read_standing(p, e) < 0)
		return -1;
	fix_position(p, p->head);
	if (p->after == p->head)
		return 0;
	count = p->all ? events_after(r->events, p->after, most, take_event, &slice, e)
		       : events_of_user(r->events, p->user_id, p->after, most, take_event,
					&slice, e);
	if (count < 0)
		return -1;
	p->more = count == most;
	p->after = p->more || slice.last > p->head ? slice.last : p->head;
	return 0;
}

static int try_to_read(struct past *p, struct err *e)
{
	return open_store(p->reader, e) < 0 ? -1 : read_slice(p, e);
}

static bool is_stopping(struct reader *r)
{
	bool stopping;

	pthread_mutex_lock(&r->lock);
	stopping = r->stopping;
	pthread_mutex_unlock(&r->lock);
	return stopping;
}

/* Until it works: the session waits, as it would for any slow answer. */
static void read_past(struct past *p)
{
	struct reader *r = p->reader;
	struct err e = ERR_INIT;
	int64_t after = p->after;
	struct timespec pause = {0, OPEN_AGAIN_MS * 1000000L};
	struct log_quote q;
	unsigned swallowed;

	p->more = false;
	while (try_to_read(p, &e) < 0 && !is_stopping(r)) {
		release_messages(p);
		p->after = after;
		close_store(r);
		if (log_limit_pass(&r->limit, LOG_EVERY_MS, &swallowed))
			log_error("past.database", "error=%s swallowed=%u",
				  log_quote(&q, e.text), swallowed);
		nanosleep(&pause, NULL);
	}
}

/* NULL: there is nothing to do. */
static struct list *take_next(struct reader *r)
{
	struct list *n = NULL;

	if (!r->open)
		return NULL;
	if (!r->fresh_was_last || list_empty(&r->going))
		n = list_pop(&r->fresh);
	r->fresh_was_last = n != NULL;
	return n ? n : list_pop(&r->going);
}

static void *run(void *arg)
{
	struct reader *r = arg;

	pthread_mutex_lock(&r->lock);
	while (!r->stopping) {
		struct list *n = take_next(r);
		struct past *p;

		if (!n) {
			pthread_cond_wait(&r->wake, &r->lock);
			continue;
		}
		pthread_mutex_unlock(&r->lock);
		p = container_of(n, struct past, link);
		read_past(p);
		if (!thread_post(p->thread, &p->letter))
			past_free(p);
		pthread_mutex_lock(&r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* ---- on the session's thread ---- */

static void ask(struct past *p)
{
	struct reader *r = p->reader;

	pthread_mutex_lock(&r->lock);
	list_append(p->first ? &r->fresh : &r->going, &p->link);
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

/* False: the session is gone. */
static bool greet(struct past *p, struct thread *t)
{
	struct live_hello hello = {.ledger = p->ledger,
				   .sequence = p->head,
				   .unread = p->unread,
				   .resync = p->resync};

	if (!p->first)
		return true;
	p->first = false;
	return p->session->voice->greet(t, p->session, &hello);
}

/* It has enough to take for now: more would only make it too slow. */
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
	size_t bytes = 0;
	int count = 0;

	while (count < SAY_MAX && p->told + count < p->count && bytes < SAY_BYTES) {
		messages[count] = &p->messages[p->told + count];
		bytes += messages[count++]->frame->len;
	}
	return count;
}

/* As much as it takes. False: the session is gone. */
static bool say(struct past *p, struct thread *t)
{
	const struct message *messages[SAY_MAX];
	struct session *s = p->session;

	while (p->told < p->count && !is_full(p, t)) {
		int count = gather(p, messages);

		if (!s->voice->say(t, s, messages, count))
			return false;
		for (int i = 0; i < count; i++)
			message_release(&p->messages[p->told++]);
		s->last = p->sequences[p->told - 1];
	}
	return true;
}

/* Tells what was read; then it is live, or more is read, now or when it has taken that.
 * False: the session is gone. */
static bool go_on(struct past *p, struct thread *t)
{
	struct session *s = p->session;

	/* past_end() leaves the past to us: it may be called from inside of greet(). */
	p->waits = false;
	if (!greet(p, t) || !say(p, t)) {
		past_free(p);
		return false;
	}
	p->waits = p->told < p->count || is_full(p, t);
	if (p->waits)
		return true;
	release_messages(p);
	s->last = p->after;
	if (p->more || p->behind.missed > s->last) {
		ask(p);
		return true;
	}
	s->behind = NULL;
	past_free(p);
	return true;
}

static void on_letter(struct thread *t, struct letter *l)
{
	struct past *p = container_of(l, struct past, letter);

	if (p->session)
		go_on(p, t);
	else
		past_free(p);
}

void past_begin(struct reader *r, struct room *room, struct thread *t, struct session *s,
		const char *user_id, int64_t after, const char *ledger)
{
	struct past *p = mem_alloc(sizeof(*p));

	p->letter.fn = on_letter;
	p->reader = r;
	p->thread = t;
	p->session = s;
	p->first = true;
	p->all = !user_id;
	p->dialect = s->voice->dialect;
	if (user_id)
		mem_copy_text(p->user_id, sizeof(p->user_id), user_id);
	mem_copy_text(p->ledger, sizeof(p->ledger), ledger);
	p->after = after;
	s->behind = &p->behind;
	s->seen = 0;
	room_join(room, s, user_id);
	ask(p);
}

/* Out of the reader's queue; false: it was not there. */
static bool call_back(struct past *p)
{
	struct reader *r = p->reader;
	bool there;

	pthread_mutex_lock(&r->lock);
	there = list_linked(&p->link);
	if (there)
		list_remove(&p->link);
	pthread_mutex_unlock(&r->lock);
	return there;
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
	if (p->waits || call_back(p))
		past_free(p);
}

bool past_second(struct thread *t, struct session *s)
{
	struct past *p = past_of(s);

	return !p || !p->waits || go_on(p, t);
}

/* ---- its life ---- */

int reader_start(struct reader **out, const struct reader_settings *settings,
		 struct err *e)
{
	struct reader *r = mem_alloc(sizeof(*r));

	r->settings = *settings;
	list_init(&r->fresh);
	list_init(&r->going);
	buf_init(&r->json, EVENT_ENCODED_MAX);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->wake, NULL);
	if (pthread_create(&r->thread, NULL, run, r) != 0) {
		mem_free(r);
		return err_set(e, ERR_IO, "the reader's thread cannot be started");
	}
	*out = r;
	return 0;
}

void reader_open(struct reader *r)
{
	pthread_mutex_lock(&r->lock);
	r->open = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

void reader_stop(struct reader *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
}

void reader_free(struct reader *r)
{
	struct list *n;

	if (!r)
		return;
	while ((n = list_pop(&r->fresh)) != NULL || (n = list_pop(&r->going)) != NULL)
		past_free(container_of(n, struct past, link));
	close_store(r);
	buf_release(&r->json);
	pthread_cond_destroy(&r->wake);
	pthread_mutex_destroy(&r->lock);
	mem_free(r);
}
