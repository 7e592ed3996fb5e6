/* Design
 *
 * libuv's handles live until their close callback, an iteration after uv_close(); ours
 * are gone for the caller when _free returns. So each object is a heap block that begins
 * with its handle: _free marks it and closes it, and the close callback gives the memory
 * back. That is also what makes _free safe inside of the object's own callback.
 *
 * An iteration here is: wait, then everything that the wait brought (descriptors, posts,
 * signals), then the timers, then the tasks, then wait again. Tasks run in libuv's
 * prepare phase, right before epoll_wait. What a task wants in turn runs in the same
 * phase, for a few rounds; if it goes on, an idle handle makes the next wait a mere look,
 * so that tasks that feed each other starve nobody and still never wait for an event.
 *
 * Posts are a stack that many threads push on (one compare-and-swap) and the loop takes
 * whole and turns round. Only the push onto an empty stack wakes the loop: the others are
 * taken with it.
 *
 * libuv counts milliseconds and cuts; a timer of 1 ms may so fire after 10 µs.
 * Retry-After is a promise, so one millisecond is added: at least as long as told, at
 * most 2 ms more.
 *
 * Known limits: one watch a descriptor (libuv's rule); a descriptor that epoll refuses
 * (a regular file) aborts, since only sockets and pipes are ever watched. */
#include "io/loop.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	TASK_ROUNDS = 4, /* of tasks that want tasks, before descriptors are looked at */
	CLOSE_ROUNDS =
		64, /* iterations that closing may take: a caught signal delays it */
};

struct post {
	struct post *next;
	loop_fn *fn;
	void *arg;
};

struct loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_prepare_t before_wait;
	uv_check_t after_events;
	uv_idle_t do_not_wait;
	struct list tasks;
	int64_t now_us; /* 0: nobody ran since the wait */
	_Atomic(struct post *) posts;
	atomic_bool stopping;
};

struct loop_timer {
	uv_timer_t handle; /* first: the close callback frees what it is given */
	struct loop *loop;
	loop_fn *fn;
	void *arg;
};

struct loop_watch {
	uv_poll_t handle; /* first */
	struct loop *loop;
	loop_watch_fn *fn;
	void *arg;
	int events; /* wanted */
};

struct loop_signal {
	uv_signal_t handle; /* first */
	struct loop *loop;
	loop_fn *fn;
	void *arg;
};

static void must(int rc, const char *what);
static void stamp(struct loop *l);
static void close_handle(uv_handle_t *handle);
static void on_wake(uv_async_t *handle);
static void on_before_wait(uv_prepare_t *handle);
static void on_after_events(uv_check_t *handle);
static void on_idle(uv_idle_t *handle);
static void on_timer(uv_timer_t *handle);
static void on_poll(uv_poll_t *handle, int status, int events);
static void on_signal(uv_signal_t *handle, int signum);

struct loop *loop_new(void)
{
	struct loop *l = mem_alloc(sizeof(*l));

	list_init(&l->tasks);
	atomic_init(&l->posts, NULL);
	atomic_init(&l->stopping, false);
	l->now_us = clock_mono_us();
	must(uv_loop_init(&l->uv), "uv_loop_init");
	must(uv_async_init(&l->uv, &l->wake, on_wake), "uv_async_init");
	l->wake.data = l;
	uv_prepare_init(&l->uv, &l->before_wait);
	l->before_wait.data = l;
	uv_prepare_start(&l->before_wait, on_before_wait);
	uv_check_init(&l->uv, &l->after_events);
	l->after_events.data = l;
	uv_check_start(&l->after_events, on_after_events);
	uv_idle_init(&l->uv, &l->do_not_wait);
	return l;
}

void loop_free(struct loop *l)
{
	struct post *p;
	int rc = UV_EBUSY;

	if (l == NULL)
		return;
	uv_close((uv_handle_t *)&l->wake, NULL);
	uv_close((uv_handle_t *)&l->before_wait, NULL);
	uv_close((uv_handle_t *)&l->after_events, NULL);
	uv_close((uv_handle_t *)&l->do_not_wait, NULL);
	for (int i = 0; rc == UV_EBUSY && i < CLOSE_ROUNDS; i++) {
		uv_run(&l->uv, UV_RUN_NOWAIT);
		rc = uv_loop_close(&l->uv);
	}
	must(rc, "loop_free: something made on the loop was not freed");
	for (p = atomic_load(&l->posts); p != NULL;) {
		struct post *next = p->next;

		mem_free(p);
		p = next;
	}
	mem_free(l);
}

void loop_run(struct loop *l)
{
	uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
	atomic_store(&l->stopping, true);
	uv_async_send(&l->wake);
}

int64_t loop_now_us(const struct loop *l)
{
	/* Nobody ran since the wait: the caller is not inside of loop_run(). */
	return l->now_us != 0 ? l->now_us : clock_mono_us();
}

void loop_post(struct loop *l, loop_fn *fn, void *arg)
{
	struct post *p = mem_alloc(sizeof(*p));
	struct post *top = atomic_load_explicit(&l->posts, memory_order_relaxed);

	p->fn = fn;
	p->arg = arg;
	do {
		p->next = top;
	} while (!atomic_compare_exchange_weak(&l->posts, &top, p));
	/* Only the first needs to wake, and p may be gone by now: look at top. */
	if (top == NULL)
		uv_async_send(&l->wake);
}

struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *arg)
{
	struct loop_timer *t = mem_alloc(sizeof(*t));

	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	uv_timer_init(&l->uv, &t->handle);
	return t;
}

void loop_timer_start(struct loop_timer *t, int64_t after_ms, int64_t repeat_ms)
{
	assert(repeat_ms >= 0);
	/* libuv counts from the iteration's start; a long callback would shorten it. */
	uv_update_time(&t->loop->uv);
	uv_timer_start(&t->handle, on_timer, after_ms > 0 ? (uint64_t)after_ms + 1 : 0,
		       (uint64_t)repeat_ms);
}

void loop_timer_stop(struct loop_timer *t)
{
	uv_timer_stop(&t->handle);
}

void loop_timer_free(struct loop_timer *t)
{
	if (t != NULL)
		uv_close((uv_handle_t *)&t->handle, close_handle);
}

struct loop_watch *loop_watch_new(struct loop *l, int fd, loop_watch_fn *fn, void *arg)
{
	struct loop_watch *w = mem_alloc(sizeof(*w));

	w->loop = l;
	w->fn = fn;
	w->arg = arg;
	must(uv_poll_init(&l->uv, &w->handle, fd), "uv_poll_init");
	return w;
}

void loop_watch_set(struct loop_watch *w, int events)
{
	int uv_events = ((events & LOOP_READ) ? UV_READABLE : 0) |
			((events & LOOP_WRITE) ? UV_WRITABLE : 0);

	if (events == w->events)
		return;
	w->events = events;
	if (events == 0)
		uv_poll_stop(&w->handle);
	else
		must(uv_poll_start(&w->handle, uv_events, on_poll), "uv_poll_start");
}

void loop_watch_free(struct loop_watch *w)
{
	if (w == NULL)
		return;
	w->events = 0;
	uv_close((uv_handle_t *)&w->handle, close_handle);
}

struct loop_signal *loop_signal_new(struct loop *l, int signum, loop_fn *fn, void *arg)
{
	struct loop_signal *s = mem_alloc(sizeof(*s));

	s->loop = l;
	s->fn = fn;
	s->arg = arg;
	uv_signal_init(&l->uv, &s->handle);
	must(uv_signal_start(&s->handle, on_signal, signum), "uv_signal_start");
	return s;
}

void loop_signal_free(struct loop_signal *s)
{
	if (s != NULL)
		uv_close((uv_handle_t *)&s->handle, close_handle);
}

void loop_task_init(struct loop_task *t, loop_fn *fn, void *arg)
{
	*t = (struct loop_task){.fn = fn, .arg = arg};
}

void loop_task_want(struct loop *l, struct loop_task *t)
{
	if (!list_linked(&t->link))
		list_append(&l->tasks, &t->link);
}

void loop_task_cancel(struct loop_task *t)
{
	if (list_linked(&t->link))
		list_remove(&t->link);
}

/* Failures here are missing descriptors at start, or bugs of ours. */
static void must(int rc, const char *what)
{
	if (rc == 0)
		return;
	log_error("loop.fatal", "call=\"%s\" error=\"%s\"", what, uv_strerror(rc));
	abort();
}

/* libuv has no hook between the wait and the first event, so each callback passes here.
 */
static void stamp(struct loop *l)
{
	if (l->now_us == 0)
		l->now_us = clock_mono_us();
}

static void close_handle(uv_handle_t *handle)
{
	mem_free(handle);
}

static void on_wake(uv_async_t *handle)
{
	struct loop *l = handle->data;
	/* Before the posts: what a thread posted and then stopped must have run. */
	bool stopping = atomic_exchange(&l->stopping, false);
	struct post *p = atomic_exchange(&l->posts, NULL);
	struct post *oldest = NULL;

	stamp(l);
	while (p != NULL) {
		struct post *next = p->next;

		p->next = oldest;
		oldest = p;
		p = next;
	}
	while (oldest != NULL) {
		struct post *next = oldest->next;

		oldest->fn(oldest->arg);
		mem_free(oldest);
		oldest = next;
	}
	if (stopping)
		uv_stop(&l->uv);
}

static void on_before_wait(uv_prepare_t *handle)
{
	struct loop *l = handle->data;

	for (int i = 0; i < TASK_ROUNDS && !list_empty(&l->tasks); i++) {
		struct list last = {NULL, NULL}; /* the round's end */

		stamp(l);
		list_append(&l->tasks, &last);
		for (struct list *n; (n = list_pop(&l->tasks)) != &last;) {
			struct loop_task *t = container_of(n, struct loop_task, link);

			t->fn(t->arg);
		}
	}
	if (list_empty(&l->tasks))
		uv_idle_stop(&l->do_not_wait);
	else
		uv_idle_start(&l->do_not_wait, on_idle);
	l->now_us = 0;
}

/* The timers follow, by their own time: the events may have taken long. */
static void on_after_events(uv_check_t *handle)
{
	struct loop *l = handle->data;

	l->now_us = 0;
}

static void on_idle(uv_idle_t *handle)
{
}

static void on_timer(uv_timer_t *handle)
{
	struct loop_timer *t = container_of(handle, struct loop_timer, handle);

	stamp(t->loop);
	t->fn(t->arg);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
	struct loop_watch *w = container_of(handle, struct loop_watch, handle);
	int given = ((events & UV_READABLE) ? LOOP_READ : 0) |
		    ((events & UV_WRITABLE) ? LOOP_WRITE : 0);
	int wanted = w->events;

	stamp(w->loop);
	if (status == 0) {
		w->fn(w->arg, given);
		return;
	}
	/* EPOLLERR: libuv has stopped the handle. Start it again unless the callback,
	 * which finds the error by its read or write, asks for something else or frees
	 * the watch (the memory stays until the close callback). */
	w->events = 0;
	loop_watch_set(w, wanted);
	w->fn(w->arg, wanted);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	struct loop_signal *s = container_of(handle, struct loop_signal, handle);

	stamp(s->loop);
	s->fn(s->arg);
}
