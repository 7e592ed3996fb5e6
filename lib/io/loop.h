/* The event loop: libuv behind one door.
 *
 * One loop belongs to one thread: the one that calls loop_run(). Everything here is for
 * that thread, but for loop_post() and loop_stop(), which any thread may call. Objects
 * are freed by their _free functions (also inside of their own callback); libuv's late
 * close callbacks are hidden behind that. Times are monotonic. */
#ifndef PAYBELL_IO_LOOP_H
#define PAYBELL_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct loop;
typedef void loop_fn(void *arg);

struct loop *loop_new(void); /* aborts when the system has no descriptors left for it */
void loop_free(struct loop *l); /* after loop_run() returned; everything made on it must
				   be freed before */
void loop_run(struct loop *l);  /* until loop_stop() */
void loop_stop(
	struct loop *l); /* any thread; loop_run() returns after the current iteration */

/* The moment the current iteration woke up, monotonic µs (clock_mono_us() of that time).
 */
int64_t loop_now_us(const struct loop *l);

/* Any thread: fn(arg) runs on the loop's thread, in the order of the posts of one thread.
 * Never blocks; one small allocation. What loop_run() did not reach is dropped by
 * loop_free(), uncalled. */
void loop_post(struct loop *l, loop_fn *fn, void *arg);

struct loop_timer;
struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *arg);
/* Restarts; at least after_ms (0: in this iteration or the next), at most about 2 ms
 * more; repeat 0: once. */
void loop_timer_start(struct loop_timer *t, int64_t after_ms, int64_t repeat_ms);
void loop_timer_stop(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t); /* NULL does nothing */

enum { LOOP_READ = 1, LOOP_WRITE = 2 };
struct loop_watch;
/* An error or hang-up of the descriptor is given as every event that is watched for: the
 * read or write that follows finds it. Level triggered. */
typedef void loop_watch_fn(void *arg, int events);
struct loop_watch *loop_watch_new(struct loop *l, int fd, loop_watch_fn *fn, void *arg);
void loop_watch_set(struct loop_watch *w, int events); /* 0 stops watching */
void loop_watch_free(
	struct loop_watch *w); /* before the descriptor is closed; NULL does nothing */

struct loop_signal;
struct loop_signal *loop_signal_new(struct loop *l, int signum, loop_fn *fn, void *arg);
void loop_signal_free(struct loop_signal *s);

/* A task that is asked for many times and runs once, at the end of the iteration: right
 * before the loop would wait. What one iteration gathers (outcomes, commands) goes out in
 * one write this way. The caller's storage. */
struct loop_task {
	struct list link;
	loop_fn *fn;
	void *arg;
};
void loop_task_init(struct loop_task *t, loop_fn *fn, void *arg);
void loop_task_want(struct loop *l,
		    struct loop_task *t); /* already wanted: nothing; from inside a task:
					     runs in the next round before waiting */
void loop_task_cancel(struct loop_task *t);

#endif
