#include "gateway/eio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "gateway/eio_inside.h"
#include "gateway/inside.h"
#include "gateway/tally.h"
#include "gateway/websocket.h"

/* "<thread, 2 hex digits><20 hex digits at random>" */
#define SID_THREAD_DIGITS 2
#define SID_RANDOM_BYTES  10

#define LAST_WORDS_MS 5000 /* a poll that comes later does not get them */

static void on_timer(struct thread *t, struct timer *timer);

/* ---- the table ---- */

static struct map *sessions_of(struct thread *t)
{
	if (!t->sessions)
		t->sessions = map_new();
	return t->sessions;
}

static void make_sid(struct thread *t, char sid[EIO_SID_SIZE])
{
	snprintf(sid, EIO_SID_SIZE, "%02x", (unsigned)thread_index(t));
	random_hex(sid + SID_THREAD_DIGITS, SID_RANDOM_BYTES);
}

struct thread *eio_elsewhere(struct thread *t, const struct http_head *head)
{
	char sid[EIO_SID_SIZE], digits[SID_THREAD_DIGITS + 1];
	unsigned long index;
	char *end;

	if (http_head_query(head, "sid", sid, sizeof(sid)) != 1)
		return NULL;
	mem_copy_text(digits, sizeof(digits), sid);
	index = strtoul(digits, &end, 16);
	if (*end != '\0' || index >= (unsigned long)engine_threads(t->engine) ||
	    index == (unsigned long)t->index)
		return NULL;
	return engine_thread(t->engine, (int)index);
}

struct eio *eio_find(struct thread *t, const char *sid)
{
	return map_get(sessions_of(t), sid, strlen(sid));
}

/* Still there after somebody else had the word? */
static bool is_on(struct thread *t, const char *sid, const struct eio *e)
{
	return eio_find(t, sid) == e && !e->over;
}

/* ---- coming and going ---- */

struct eio *eio_new(struct thread *t, const struct eio_protocol *protocol)
{
	struct eio *e = mem_alloc(sizeof(*e));

	e->protocol = protocol;
	e->socket = e->probing = e->poll = -1;
	e->timer.fn = on_timer;
	list_init(&e->waiting);
	make_sid(t, e->sid);
	map_put(sessions_of(t), e->sid, strlen(e->sid), e);
	return e;
}

static bool count(struct engine *engine, int fd, struct address **address)
{
	*address = NULL;
	if (atomic_fetch_add(&engine->sessions, 1) < engine->settings.max_connections &&
	    (!engine->addresses || addresses_hold(engine->addresses, fd, address)))
		return true;
	atomic_fetch_sub(&engine->sessions, 1);
	metric_add(&tally.refused, 1);
	return false;
}

void eio_count_no_more(struct thread *t, struct eio *e)
{
	if (!e->counted)
		return;
	if (t->engine->addresses)
		addresses_let_go(t->engine->addresses, e->address);
	e->address = NULL;
	e->counted = false;
	atomic_fetch_sub(&t->engine->sessions, 1);
}

struct eio *eio_new_counted(struct thread *t, const struct eio_protocol *protocol, int fd)
{
	struct address *address;
	struct eio *e;

	if (!count(t->engine, fd, &address))
		return NULL;
	e = eio_new(t, protocol);
	e->counted = true;
	e->address = address;
	return e;
}

static void drop_waiting(struct eio *e)
{
	struct list *n;

	while ((n = list_pop(&e->waiting)) != NULL) {
		struct eio_waiting *w = container_of(n, struct eio_waiting, link);

		message_release(&w->message);
		mem_free(w);
	}
	e->waiting_bytes = 0;
}

/* The connections forget the session first: what they do then does not come back here. */
static void close_socket(struct thread *t, int *socket)
{
	int fd = *socket;

	*socket = -1;
	if (fd < 0)
		return;
	connection_of(t, fd)->user = NULL;
	websocket_close(t, fd, WS_CLOSE_NONE, "");
}

void eio_end(struct thread *t, struct eio *e)
{
	close_socket(t, &e->socket);
	close_socket(t, &e->probing);
	if (e->poll >= 0)
		polling_close(t, e);
	thread_timer_stop(t, &e->timer);
	map_remove(sessions_of(t), e->sid, strlen(e->sid));
	if (e->user)
		e->protocol->gone(t, e);
	drop_waiting(e);
	eio_count_no_more(t, e);
	mem_free(e);
}

void eio_stop(struct thread *t)
{
	const char *key;
	size_t len;
	void *e;

	/* What was behind it may have moved into its slot. */
	while (t->sessions && map_count(t->sessions) > 0) {
		for (size_t cursor = 0; map_next(t->sessions, &cursor, &key, &len, &e);
		     cursor--)
			eio_end(t, e);
	}
	if (t->sessions)
		map_free(t->sessions);
	t->sessions = NULL;
}

/* ---- the beat ---- */

static void wait_for_beat(struct thread *t, struct eio *e, int64_t ms)
{
	thread_timer_set(t, &e->timer, clock_mono_us() + ms * US_PER_MS);
}

/* A packet that is no message. */
static bool send_bare(struct thread *t, struct eio *e, enum engineio_type type)
{
	char packet = (char)('0' + type);
	struct message m;
	const struct message *one = &m;
	bool sent;

	message_of_text(&m, &packet, 1);
	sent = eio_send(t, e, &one, 1);
	message_release(&m);
	return sent;
}

static void on_timer(struct thread *t, struct timer *timer)
{
	struct eio *e = container_of(timer, struct eio, timer);

	if (e->asked || e->over) {
		eio_end(t, e);
		return;
	}
	e->asked = true;
	wait_for_beat(t, e, e->protocol->ping_timeout_ms);
	send_bare(t, e, ENGINEIO_PING);
}

bool eio_begin(struct thread *t, struct eio *e, bool may_upgrade)
{
	const struct engineio_open open = {
		e->sid, may_upgrade, e->protocol->ping_interval_ms,
		e->protocol->ping_timeout_ms, (int64_t)e->protocol->max_payload};
	char sid[EIO_SID_SIZE];
	struct message m;
	const struct message *one = &m;
	struct buf packet;
	bool sent;

	memcpy(sid, e->sid, sizeof(sid));
	buf_init(&packet, 1024);
	engineio_put_open(&packet, &open);
	message_of_text(&m, packet.data, packet.len);
	buf_release(&packet);
	wait_for_beat(t, e, e->protocol->ping_interval_ms);
	sent = eio_send(t, e, &one, 1);
	message_release(&m);
	if (!sent)
		return false;
	e->protocol->opened(t, e);
	return is_on(t, sid, e);
}

/* For its next poll: what waits, and that it is over. */
static void leave_last_words(struct thread *t, struct eio *e)
{
	void *user = e->user;

	e->over = true;
	wait_for_beat(t, e, LAST_WORDS_MS);
	if (user)
		e->protocol->gone(t, e);
	e->user = NULL;
	send_bare(t, e, ENGINEIO_CLOSE);
}

void eio_close(struct thread *t, struct eio *e)
{
	static const char packet[] = {'0' + ENGINEIO_CLOSE};

	if (e->socket < 0 && e->poll < 0) {
		close_socket(t, &e->probing);
		leave_last_words(t, e);
		return;
	}
	if (e->socket >= 0 && !websocket_send(t, e->socket, true, packet, 1))
		return;
	eio_end(t, e);
}

void eio_fetched(struct thread *t, struct eio *e)
{
	if (e->over && list_empty(&e->waiting))
		eio_end(t, e);
}

/* ---- what comes ---- */

bool eio_take(struct thread *t, struct eio *e, const struct engineio_packet *p)
{
	char sid[EIO_SID_SIZE];

	if (e->over)
		return false;
	switch (p->type) {
	case ENGINEIO_PONG:
		e->asked = false;
		wait_for_beat(t, e, e->protocol->ping_interval_ms);
		return true;
	case ENGINEIO_MESSAGE:
		memcpy(sid, e->sid, sizeof(sid));
		e->protocol->message(t, e, p->binary, (const uint8_t *)p->data.at,
				     p->data.len);
		return is_on(t, sid, e);
	case ENGINEIO_CLOSE:
	default: /* nothing else may come here */
		eio_end(t, e);
		return false;
	}
}

/* ---- what goes ---- */

static bool queue(struct thread *t, struct eio *e, const struct message *m, bool binary)
{
	struct eio_waiting *w = mem_alloc(sizeof(*w));

	w->message = (struct message){frame_ref(m->frame), m->payload_at};
	w->binary = binary;
	list_append(&e->waiting, &w->link);
	e->waiting_bytes += m->frame->len;
	if (e->waiting_bytes <= engine_get_settings(thread_engine(t))->queue_max_bytes)
		return true;
	metric_add(&tally.too_slow, 1);
	eio_end(t, e); /* it comes back and reads what it missed */
	return false;
}

static bool send_frames(struct thread *t, struct eio *e,
			const struct message *const *messages, int count)
{
	struct frame *frames[64];

	for (int i = 0; i < count; i++)
		frames[i] = messages[i]->frame;
	return connection_send_all(t, e->socket, frames, count);
}

bool eio_send(struct thread *t, struct eio *e, const struct message *const *messages,
	      int count)
{
	if (e->socket >= 0)
		return send_frames(t, e, messages, count);
	for (int i = 0; i < count; i++) {
		if (!queue(t, e, messages[i], false))
			return false;
	}
	if (e->poll >= 0)
		polling_answer(t, e);
	return true;
}

bool eio_send_text(struct thread *t, struct eio *e, const char *text, size_t len)
{
	struct message m;
	const struct message *one = &m;
	struct buf packet;
	bool sent;

	buf_init(&packet, SIZE_MAX);
	engineio_put(&packet, ENGINEIO_MESSAGE, (struct slice){text, len});
	message_of_text(&m, packet.data, packet.len);
	buf_release(&packet);
	sent = eio_send(t, e, &one, 1);
	message_release(&m);
	return sent;
}

bool eio_send_binary(struct thread *t, struct eio *e, const void *bytes, size_t len)
{
	struct message m = {.payload_at = 0};
	bool kept;

	if (e->socket >= 0)
		return websocket_send(t, e->socket, false, bytes, len);
	m.frame = frame_copy(bytes, len);
	kept = queue(t, e, &m, true);
	message_release(&m);
	if (kept && e->poll >= 0)
		polling_answer(t, e);
	return kept;
}

size_t eio_arrears(struct thread *t, const struct eio *e)
{
	return e->socket >= 0 ? connection_queued(t, e->socket) : e->waiting_bytes;
}

void *eio_user(const struct eio *e)
{
	return e->user;
}

void eio_set_user(struct eio *e, void *user)
{
	e->user = user;
}
