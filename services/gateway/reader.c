#include "gateway/reader.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/events.h"
#include "store/reads.h"

enum {
	SLICE = 200, /* events of one snapshot */
	FIRST_SLICE = 20,
	OPEN_AGAIN_MS = 200,
	LOG_EVERY_MS = 5000,
};

struct reader {
	struct reader_settings settings;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	struct list fresh, going; /* first slices, and the ones after */
	bool fresh_was_last;      /* they take turns */
	bool open, stopping;

	/* Its thread's. */
	struct store store;
	struct events *events; /* NULL: the database is not open */
	struct reads *reads;
	struct buf json;
	struct log_limit limit;
};

void reading_release(struct reading *g, int from)
{
	for (int i = from; i < g->count; i++)
		message_release(&g->missed[i].message);
	mem_free(g->missed);
	g->missed = NULL;
	g->count = 0;
}

/* ---- the database ---- */

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

/* Where it begins; who cannot be served from there begins at the head. */
static void fix_position(struct reader *r, struct reading *g)
{
	if (!g->first)
		return;
	if (g->after >= 0)
		g->resync = (g->ledger[0] != '\0' &&
			     strcmp(g->ledger, r->store.ledger_id) != 0) ||
			    g->after > g->head ||
			    g->head - g->after > r->settings.resume_max;
	if (g->after < 0 || g->resync)
		g->after = g->head;
	memcpy(g->ledger, r->store.ledger_id, sizeof(g->ledger));
}

/* What hello says: in one snapshot, so that `unread` counts up to the head and no event
 * that is told after it is among them. */
static int read_standing(struct reader *r, struct reading *g, struct err *e)
{
	g->unread = -1;
	if (!g->first || g->all) {
		g->head = events_head(r->events, e);
		return g->head < 0 ? -1 : 0;
	}
	if (store_snapshot_begin(&r->store, e) < 0)
		return -1;
	g->head = events_head(r->events, e);
	if (g->head >= 0)
		g->unread = reads_unread(r->reads, g->user_id, e);
	store_snapshot_end(&r->store);
	return g->unread < 0 ? -1 : 0;
}

struct slice {
	struct reader *reader;
	struct reading *reading;
	int capacity;
};

static void take_event(void *arg, const struct event *event)
{
	struct slice *s = arg;
	struct reading *g = s->reading;
	struct buf *json = &s->reader->json;
	struct missed *m;

	if (g->count == s->capacity) {
		s->capacity = s->capacity == 0 ? 8 : s->capacity * 2;
		g->missed = mem_resize(g->missed, (size_t)s->capacity, sizeof(*m));
	}
	m = &g->missed[g->count++];
	m->sequence = event->sequence;
	buf_clear(json);
	event_encode(event, s->reader->settings.naming, json);
	message_event(&m->message, g->dialect, event->sequence, json->data, json->len);
}

/* The head is read before the events: whatever of them is at or below it is among those,
 * and so is whatever is below the last of them. */
static int read_slice(struct reader *r, struct reading *g, struct err *e)
{
	struct slice slice = {r, g, 0};
	int most = g->first ? FIRST_SLICE : SLICE, count;

	if (read_standing(r, g, e) < 0)
		return -1;
	fix_position(r, g);
	if (g->after == g->head)
		return 0;
	count = g->all ? events_after(r->events, g->after, most, take_event, &slice, e)
		       : events_of_user(r->events, g->user_id, g->after, most, take_event,
					&slice, e);
	if (count < 0)
		return -1;
	g->more = count == most;
	if (count > 0)
		g->after = g->missed[g->count - 1].sequence;
	if (!g->more && g->head > g->after)
		g->after = g->head;
	return 0;
}

static int try_to_read(struct reader *r, struct reading *g, struct err *e)
{
	return open_store(r, e) < 0 ? -1 : read_slice(r, g, e);
}

/* ---- the thread ---- */

static bool is_stopping(struct reader *r)
{
	bool stopping;

	pthread_mutex_lock(&r->lock);
	stopping = r->stopping;
	pthread_mutex_unlock(&r->lock);
	return stopping;
}

/* Until it works: the session waits, as it would for any slow answer. */
static void do_reading(struct reader *r, struct reading *g)
{
	struct err e = ERR_INIT;
	int64_t after = g->after;
	struct timespec pause = {0, OPEN_AGAIN_MS * 1000000L};
	struct log_quote q;
	unsigned swallowed;

	g->more = false;
	while (try_to_read(r, g, &e) < 0 && !is_stopping(r)) {
		reading_release(g, 0);
		g->after = after;
		close_store(r);
		if (log_limit_pass(&r->limit, LOG_EVERY_MS, &swallowed))
			log_error("reader.database", "error=%s swallowed=%u",
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
		struct reading *g;

		if (!n) {
			pthread_cond_wait(&r->wake, &r->lock);
			continue;
		}
		pthread_mutex_unlock(&r->lock);
		g = container_of(n, struct reading, link);
		do_reading(r, g);
		if (!thread_post(g->thread, &g->letter))
			g->drop(g);
		pthread_mutex_lock(&r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* ---- on a session's thread ---- */

void reader_ask(struct reader *r, struct reading *g)
{
	pthread_mutex_lock(&r->lock);
	list_append(g->first ? &r->fresh : &r->going, &g->link);
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

bool reader_call_back(struct reader *r, struct reading *g)
{
	bool there;

	pthread_mutex_lock(&r->lock);
	there = list_linked(&g->link);
	if (there)
		list_remove(&g->link);
	pthread_mutex_unlock(&r->lock);
	return there;
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

static void drop_all(struct list *queue)
{
	struct list *n;

	while ((n = list_pop(queue)) != NULL) {
		struct reading *g = container_of(n, struct reading, link);

		g->drop(g);
	}
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	drop_all(&r->fresh);
	drop_all(&r->going);
	close_store(r);
	buf_release(&r->json);
	pthread_cond_destroy(&r->wake);
	pthread_mutex_destroy(&r->lock);
	mem_free(r);
}
