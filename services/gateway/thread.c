#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/eio_inside.h"
#include "gateway/inside.h"

enum {
	EVENTS_MAX = 64,
	SLICE = 1000,    /* connections that have their look in one go */
	SLICES_MAX = 50, /* of a second; then a slice is larger */
};

/* ---- what others ask ---- */

bool thread_post(struct thread *t, struct letter *l)
{
	uint64_t one = 1;
	bool ring = false, taken;

	pthread_mutex_lock(&t->lock);
	taken = !t->ended;
	if (taken) {
		list_append(&t->mail, &l->link);
		ring = !t->rung;
		t->rung = true;
	}
	pthread_mutex_unlock(&t->lock);
	/* An eventfd takes a one at any time. */
	if (ring && write(t->event_fd, &one, sizeof(one)) < 0)
		log_error("thread.ring", "errno=%d", errno);
	return taken;
}

/* All letters there are, moved to `out`. */
static void take_mail(struct thread *t, struct list *out)
{
	list_init(out);
	pthread_mutex_lock(&t->lock);
	if (!list_empty(&t->mail)) {
		*out = t->mail;
		out->next->prev = out->prev->next = out;
		list_init(&t->mail);
	}
	t->rung = false;
	pthread_mutex_unlock(&t->lock);
}

static void open_all(struct thread *t, struct list *letters)
{
	struct list *n;

	while ((n = list_pop(letters)) != NULL) {
		struct letter *l = container_of(n, struct letter, link);

		l->fn(t, l);
	}
}

static void read_mail(struct thread *t)
{
	struct list letters;

	take_mail(t, &letters);
	open_all(t, &letters);
}

/* It is only there to end the wait: its turn comes behind all that was ready before it.
 */
static void hear_bell(struct thread *t)
{
	uint64_t count;

	if (read(t->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_error("thread.bell", "errno=%d", errno);
}

void thread_do(struct thread *t, struct job *j)
{
	list_append(&t->jobs, &j->link);
}

static void run_jobs(struct thread *t)
{
	while (!list_empty(&t->jobs)) {
		struct job *j = container_of(t->jobs.next, struct job, link);

		/* It may free itself in its last step. */
		list_remove(&j->link);
		if (!j->step(t, j))
			continue;
		list_prepend(&t->jobs, &j->link);
		return;
	}
}

/* Between any two connections: what is told does not wait for a crowd of them. */
static void look_for_mail(struct thread *t)
{
	if (!atomic_load_explicit(&t->rung, memory_order_relaxed))
		return;
	read_mail(t);
	run_jobs(t);
}

void thread_timer_set(struct thread *t, struct timer *timer, int64_t at_us)
{
	heap_remove(&t->timers, &timer->node);
	heap_push(&t->timers, &timer->node, at_us);
}

void thread_timer_stop(struct thread *t, struct timer *timer)
{
	heap_remove(&t->timers, &timer->node);
}

static void run_timers(struct thread *t)
{
	struct heap_node *n;

	while ((n = heap_peek(&t->timers)) != NULL && n->at <= t->now_us) {
		struct timer *timer = container_of(n, struct timer, node);

		heap_pop(&t->timers);
		timer->fn(t, timer);
	}
}

void thread_read_again(struct thread *t, int fd)
{
	if (t->unread_count == t->unread_capacity) {
		t->unread_capacity =
			t->unread_capacity == 0 ? 64 : t->unread_capacity * 2;
		t->unread = mem_resize(t->unread, t->unread_capacity, sizeof(*t->unread));
	}
	t->unread[t->unread_count++] = fd;
}

/* One that was closed meanwhile may be another connection's by now, which loses nothing
 * by an extra look. */
static void read_rest(struct thread *t)
{
	size_t count = t->unread_count < EVENTS_MAX ? t->unread_count : EVENTS_MAX;
	int fds[EVENTS_MAX];

	if (count == 0)
		return;
	memcpy(fds, t->unread, count * sizeof(*fds));
	t->unread_count -= count;
	memmove(t->unread, t->unread + count, t->unread_count * sizeof(*fds));
	for (size_t i = 0; i < count; i++) {
		if (connection_is_here(t, fds[i]))
			connection_readable(t, fds[i]);
		look_for_mail(t);
	}
}

/* ---- listening ---- */

static void listen_again(struct thread *t)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = t->listener};

	if (t->listener < 0 || t->listening)
		return;
	t->listening = epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->listener, &event) == 0;
}

void thread_pause_listener(struct thread *t)
{
	if (!t->listening)
		return;
	epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, t->listener, NULL);
	t->listening = false;
}

/* The other end of who waits in the backlog learns it at once, and may go elsewhere. */
static void on_quiet(struct thread *t, struct letter *l)
{
	thread_pause_listener(t);
	if (t->listener >= 0)
		close(t->listener);
	t->listener = t->engine->listeners[t->index] = -1;
	mem_free(l);
}

void thread_quiesce(struct thread *t)
{
	struct letter *l = mem_alloc(sizeof(*l));

	l->fn = on_quiet;
	if (!thread_post(t, l))
		mem_free(l);
}

/* ---- its life ---- */

/* Once a second each connection has its look, some of them at a time, so that none of the
 * others waits for all of these. From the end: a place that becomes free is filled from
 * there, by one that had its look. */
static void begin_second(struct thread *t)
{
	size_t slices = t->count / SLICE + 1;

	t->slice_us = (int64_t)(US_PER_S / (slices < SLICES_MAX ? slices : SLICES_MAX));
	t->slice = t->count / SLICES_MAX >= SLICE ? t->count / SLICES_MAX + 1 : SLICE;
	t->to_look_at = t->count;
	t->next_second_us = t->now_us + US_PER_S;
	listen_again(t);
}

static void look_at_some(struct thread *t)
{
	if (t->now_us < t->next_slice_us)
		return;
	if (t->now_us >= t->next_second_us)
		begin_second(t);
	t->next_slice_us = t->now_us + t->slice_us;
	for (size_t i = 0; i < t->slice && t->to_look_at > 0; i++) {
		if (--t->to_look_at < t->count)
			connection_second(t, t->list[t->to_look_at]);
	}
}

static void take_event(struct thread *t, const struct epoll_event *event)
{
	int fd = event->data.fd;

	if (fd == t->event_fd) {
		hear_bell(t);
		return;
	}
	if (fd == t->listener) {
		connection_accept(t);
		return;
	}
	/* An earlier event of this round may have closed it. */
	if (!connection_is_here(t, fd))
		return;
	if (event->events & EPOLLOUT)
		connection_writable(t, fd);
	if (connection_is_here(t, fd) &&
	    (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
		connection_readable(t, fd);
}

static int timeout_ms(const struct thread *t)
{
	const struct heap_node *first = heap_peek(&t->timers);
	int64_t next_us =
		first && first->at < t->next_slice_us ? first->at : t->next_slice_us;
	int64_t us = next_us - t->now_us;

	if (t->unread_count > 0 || !list_empty(&t->jobs) || us <= 0)
		return 0;
	return (int)((us + US_PER_MS - 1) / US_PER_MS);
}

static void iterate(struct thread *t)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(t->epoll_fd, events, EVENTS_MAX, timeout_ms(t));

	t->now_us = clock_mono_us();
	for (int i = 0; i < count; i++) {
		take_event(t, &events[i]);
		look_for_mail(t);
	}
	read_rest(t);
	run_timers(t);
	run_jobs(t);
	look_at_some(t);
}

/* Takes no more mail, and finishes what there is while what it works on still stands:
 * whoever posted a letter or began a job frees it in there. */
static void finish(struct thread *t)
{
	struct list letters, *n;

	pthread_mutex_lock(&t->lock);
	t->ended = true;
	pthread_mutex_unlock(&t->lock);
	take_mail(t, &letters);
	open_all(t, &letters);
	while ((n = list_pop(&t->jobs)) != NULL) {
		struct job *j = container_of(n, struct job, link);

		while (j->step(t, j)) {}
	}
}

static void *run(void *arg)
{
	struct thread *t = arg;
	const struct engine_settings *s = &t->engine->settings;

	if (s->thread_begin)
		s->thread_begin(s->arg, t, &t->its);
	while (!t->stopping)
		iterate(t);
	while (t->count > 0)
		connection_cut(t, t->list[t->count - 1]);
	eio_stop(t);
	finish(t);
	if (s->thread_end)
		s->thread_end(s->arg, t, t->its);
	return NULL;
}

static int open_descriptors(struct thread *t, struct err *e)
{
	struct epoll_event event = {.events = EPOLLIN};

	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	t->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	event.data.fd = t->event_fd;
	if (t->epoll_fd < 0 || t->event_fd < 0 ||
	    epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->event_fd, &event) < 0)
		return err_set_errno(e, ERR_IO, errno, "a thread of the gateway");
	listen_again(t);
	return 0;
}

static void release(struct thread *t)
{
	if (t->epoll_fd >= 0)
		close(t->epoll_fd);
	if (t->event_fd >= 0)
		close(t->event_fd);
	pthread_mutex_destroy(&t->lock);
	heap_release(&t->timers);
	mem_free(t->list);
	mem_free(t->unread);
	mem_free(t);
}

int thread_start(struct thread **out, struct engine *e, int index, struct err *err)
{
	struct thread *t = mem_alloc(sizeof(*t));

	t->engine = e;
	t->index = index;
	t->epoll_fd = t->event_fd = -1;
	t->listener = e->listeners[index];
	t->now_us = clock_mono_us();
	t->next_slice_us = t->next_second_us = t->now_us + US_PER_S;
	list_init(&t->jobs);
	heap_init(&t->timers);
	list_init(&t->mail);
	pthread_mutex_init(&t->lock, NULL);
	if (open_descriptors(t, err) < 0) {
		release(t);
		return -1;
	}
	if (pthread_create(&t->id, NULL, run, t) != 0) {
		release(t);
		return err_set(err, ERR_IO, "a thread of the gateway cannot be started");
	}
	*out = t;
	return 0;
}

static void on_stop(struct thread *t, struct letter *l)
{
	t->stopping = true;
}

void thread_stop(struct thread *t)
{
	struct letter stop = {.fn = on_stop};

	thread_post(t, &stop);
	pthread_join(t->id, NULL);
	release(t);
}

struct engine *thread_engine(const struct thread *t)
{
	return t->engine;
}

int thread_index(const struct thread *t)
{
	return t->index;
}

void *thread_its(const struct thread *t)
{
	return t->its;
}

size_t thread_count(const struct thread *t)
{
	return t->count;
}

int thread_at(const struct thread *t, size_t place)
{
	return t->list[place];
}
