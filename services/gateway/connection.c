/* Connections: from accept to close.
 *
 * Registered once for everything, edge triggered, and never changed: whoever sends tries
 * the kernel first and queues only what it does not take, and an edge says when it takes
 * more. So the usual send is one system call and touches no memory of ours but the frame.
 *
 * Ending is three steps, so that what we said last is not lost in a reset: what is queued
 * goes out, our end is shut, and what still comes is dropped until the other end is shut
 * too, for a few seconds at most. */
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "gateway/inside.h"
#include "gateway/pending.h"
#include "gateway/route.h"
#include "gateway/tally.h"

enum {
	READS_MAX = 2,   /* of one connection in one iteration: the others live too */
	ACCEPTS_MAX = 8, /* the same for new ones */
	LINGER_S = 5,
	DROPPED_MAX = 64 << 10, /* bytes of one that ends, in a second */
	ENDING_MAX_S = 60,      /* for what is queued, however slowly it is taken */
};

struct connection *connection_of(struct thread *t, int fd)
{
	return &t->engine->table[fd];
}

const struct layer *connection_layer(const struct connection *c)
{
	static const struct layer *const layers[LAYER_COUNT] = {
		[LAYER_HEAD] = &head_layer,
		[LAYER_WEBSOCKET] = &websocket_layer,
		[LAYER_POLLING] = &polling_layer,
	};

	return layers[c->layer];
}

struct handle connection_handle(struct thread *t, int fd)
{
	return (struct handle){fd, connection_of(t, fd)->generation};
}

/* Only the list is this thread's for certain: any place will do that leads to the number
 * there, also one that another thread is writing at this moment. */
bool connection_is_here(struct thread *t, int fd)
{
	unsigned place =
		atomic_load_explicit(&connection_of(t, fd)->place, memory_order_relaxed);

	return place < t->count && t->list[place] == fd;
}

bool connection_is(struct thread *t, struct handle h)
{
	const struct connection *c = connection_of(t, h.fd);

	return connection_is_here(t, h.fd) && c->state == CONNECTION_OPEN &&
	       c->generation == h.generation;
}

static void set_place(struct connection *c, unsigned place)
{
	atomic_store_explicit(&c->place, place, memory_order_relaxed);
}

static unsigned get_place(const struct connection *c)
{
	return atomic_load_explicit(&c->place, memory_order_relaxed);
}

void connection_become(struct thread *t, int fd, enum layer_kind layer)
{
	struct connection *c = connection_of(t, fd);

	c->layer = (uint8_t)layer;
	c->flags = 0;
	c->silent_s = 0;
}

bool connection_heard(struct thread *t, int fd)
{
	struct connection *c = connection_of(t, fd);
	int most = t->engine->settings.messages_max;

	if (most == 0 || c->heard < most) {
		c->heard++;
		return true;
	}
	metric_add(&tally.too_many, 1);
	return false;
}

const struct route *connection_route(struct thread *t, int fd)
{
	return engine_route(t->engine, connection_of(t, fd)->route);
}

/* ---- coming ---- */

static bool hand_over(struct thread *t, int fd, size_t len);

static int enlist(struct thread *t, int fd)
{
	struct connection *c = connection_of(t, fd);
	uint32_t generation = c->generation + 1;
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				    .data.fd = fd};

	if (t->count == t->capacity) {
		t->capacity = t->capacity == 0 ? 256 : t->capacity * 2;
		t->list = mem_resize(t->list, t->capacity, sizeof(*t->list));
	}
	memset(c, 0, offsetof(struct connection, place));
	c->generation = generation;
	c->layer = LAYER_HEAD;
	c->state = CONNECTION_OPEN;
	set_place(c, (unsigned)t->count);
	if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		c->state = CONNECTION_FREE;
		return -1;
	}
	t->list[t->count++] = fd;
	return 0;
}

/* Out of the engine's books. */
static void forget(struct engine *e, int fd)
{
	if (e->addresses)
		addresses_leave(e->addresses, fd);
	atomic_fetch_sub(&e->connections, 1);
}

/* Into them, if there is room. */
static bool is_welcome(struct engine *e, int fd, const struct sockaddr *peer)
{
	if (fd >= e->table_size)
		return false;
	if (atomic_fetch_add(&e->connections, 1) < e->settings.max_connections &&
	    (!e->addresses || addresses_enter(e->addresses, fd, peer)))
		return true;
	atomic_fetch_sub(&e->connections, 1);
	return false;
}

static void take_in(struct thread *t, int fd, const struct sockaddr *peer)
{
	struct engine *e = t->engine;

	if (!is_welcome(e, fd, peer)) {
		metric_add(&tally.refused, 1);
		close(fd);
		return;
	}
	if (enlist(t, fd) < 0) {
		forget(e, fd);
		close(fd);
		return;
	}
	metric_add(&tally.accepted, 1);
}

void connection_accept(struct thread *t)
{
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		struct sockaddr_storage peer = {0};
		socklen_t len = sizeof(peer);
		int fd = accept4(t->listener, (struct sockaddr *)&peer, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take_in(t, fd, (struct sockaddr *)&peer);
			continue;
		}
		/* No descriptors or memory left: the waiting ones stay in the backlog
		 * until the next second. */
		if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			thread_pause_listener(t);
		return;
	}
}

/* ---- going ---- */

/* Out of the thread's books; the descriptor stays open. */
static void strike(struct thread *t, int fd)
{
	struct connection *c = connection_of(t, fd);
	int last = t->list[--t->count];

	t->list[get_place(c)] = last;
	set_place(connection_of(t, last), get_place(c));
	pending_free(c->pending);
	c->pending = NULL;
	c->state = CONNECTION_FREE;
}

static void delist(struct thread *t, int fd)
{
	strike(t, fd);
	forget(t->engine, fd);
}

static void leave(struct thread *t, int fd)
{
	const struct layer *layer = connection_layer(connection_of(t, fd));

	if (connection_of(t, fd)->state == CONNECTION_OPEN && layer->gone)
		layer->gone(t, fd);
}

void connection_cut(struct thread *t, int fd)
{
	leave(t, fd);
	delist(t, fd);
	close(fd);
}

void connection_release(struct thread *t, int fd)
{
	epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	delist(t, fd);
}

void connection_linger(struct thread *t, int fd)
{
	struct connection *c = connection_of(t, fd);

	c->state = CONNECTION_LINGERING;
	c->silent_s = 0;
	shutdown(fd, SHUT_WR);
}

void connection_end(struct thread *t, int fd)
{
	struct connection *c = connection_of(t, fd);

	if (c->state != CONNECTION_OPEN)
		return;
	leave(t, fd);
	c->state = CONNECTION_ENDING;
	c->silent_s = c->heard = 0;
	c->dropped = 0;
	if (!c->pending || pending_bytes(c->pending) == 0)
		connection_linger(t, fd);
}

/* ---- from one thread to another ---- */

struct move {
	struct letter letter;
	int fd;
	uint8_t route;
	size_t len;
	uint8_t bytes[];
};

/* What was read before is given to the layer as if it came now. */
static void on_moved(struct thread *t, struct letter *l)
{
	struct move *m = container_of(l, struct move, letter);
	int fd = m->fd;

	if (t->stopping || enlist(t, fd) < 0) {
		forget(t->engine, fd);
		close(fd);
	} else {
		connection_of(t, fd)->route = m->route;
		head_is_ours(t, fd);
		memcpy(t->buffer, m->bytes, m->len);
		if (hand_over(t, fd, m->len))
			connection_readable(t, fd);
	}
	mem_free(m);
}

void connection_move(struct thread *t, int fd, struct thread *to, const uint8_t *bytes,
		     size_t len)
{
	struct move *m = mem_alloc(sizeof(*m) + len);

	m->letter.fn = on_moved;
	m->fd = fd;
	m->route = connection_of(t, fd)->route;
	m->len = len;
	memcpy(m->bytes, bytes, len);
	epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	strike(t, fd);
	if (thread_post(to, &m->letter))
		return;
	forget(t->engine, fd);
	close(fd);
	mem_free(m);
}

/* ---- reading ---- */

/* One read; its result, with what was kept in front of it in the thread's buffer. */
static ssize_t read_some(struct thread *t, int fd, size_t *kept)
{
	struct connection *c = connection_of(t, fd);
	ssize_t n;

	*kept = 0;
	if (c->pending) {
		*kept = pending_take(c->pending, t->buffer);
		connection_tidy(c);
	}
	do
		n = recv(fd, t->buffer + *kept, THREAD_READ_BYTES, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Bytes to the layer, and what it leaves to it again or to the one it made way for, until
 * one waits for more. False: the connection is at its end, or has left. A layer may not
 * know that: what it sent last may have found nobody there. */
static bool hand_over(struct thread *t, int fd, size_t len)
{
	struct connection *c = connection_of(t, fd);
	struct handle h = connection_handle(t, fd);
	size_t used = 0;
	ssize_t n;
	uint8_t layer;

	do {
		layer = c->layer;
		n = connection_layer(c)->input(t, fd, t->buffer + used, len - used);
		if (n < 0 || !connection_is(t, h))
			return false;
		used += (size_t)n;
	} while ((n > 0 || c->layer != layer) && used < len);
	if (used == len)
		return true;
	if (len - used > ENGINE_KEPT_MAX) {
		connection_cut(t, fd);
		return false;
	}
	pending_keep(connection_pending(c), t->buffer + used, len - used);
	return true;
}

/* 1: go on; 0: nothing more yet, or it is gone. */
static int read_once(struct thread *t, int fd)
{
	struct connection *c = connection_of(t, fd);
	size_t kept;
	ssize_t n;

	if (c->state == CONNECTION_OPEN && c->layer == LAYER_HEAD) {
		int ours = head_peek(t, fd);

		if (ours <= 0)
			return 0;
	}
	n = read_some(t, fd, &kept);
	if (n < 0 && errno == EAGAIN) {
		/* What was kept may have got its turn (polling.c). */
		if (kept > 0)
			hand_over(t, fd, kept);
		return 0;
	}
	if (n <= 0) {
		connection_cut(t, fd);
		return 0;
	}
	if (c->state != CONNECTION_OPEN)
		return (c->dropped += (size_t)n) <= DROPPED_MAX;
	if (c->layer != LAYER_HEAD)
		c->silent_s = 0;
	return hand_over(t, fd, kept + (size_t)n);
}

void connection_readable(struct thread *t, int fd)
{
	const struct connection *c = connection_of(t, fd);
	uint32_t generation = c->generation;

	/* Who goes on sending behind our goodbye has to wait. */
	if (c->state != CONNECTION_OPEN && c->dropped > DROPPED_MAX)
		return;
	for (int i = 0; i < READS_MAX; i++) {
		if (!read_once(t, fd))
			return;
	}
	if (c->generation == generation)
		thread_read_again(t, fd);
}

/* ---- once a second ---- */

void connection_second(struct thread *t, int fd)
{
	struct connection *c = connection_of(t, fd);

	if (c->silent_s < UINT16_MAX)
		c->silent_s++;
	if (c->state != CONNECTION_OPEN) {
		if (c->silent_s > LINGER_S || ++c->heard > ENDING_MAX_S) {
			connection_cut(t, fd);
			return;
		}
		c->dropped = 0;
		connection_readable(t, fd);
		return;
	}
	c->heard = 0;
	if (connection_layer(c)->second)
		connection_layer(c)->second(t, fd);
}
