#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/loop.h"

Suite *loop_suite(void);

static struct loop *loop;

static void set_up_loop(void)
{
	loop = loop_new();
}

static void tear_down_loop(void)
{
	loop_free(loop);
}

static void stop(void *arg)
{
	loop_stop(loop);
}

/* ---- posts ---- */

enum { POSTERS = 4, POSTS = 5000 };

struct posted {
	int poster, number;
};

static struct posted posted[POSTERS][POSTS];
static int last_of[POSTERS], ran;

static void take_post(void *arg)
{
	struct posted *p = arg;

	ck_assert_int_eq(p->number, ++last_of[p->poster]);
	if (++ran == POSTERS * POSTS)
		loop_stop(loop);
}

static void *post_all(void *arg)
{
	struct posted *mine = arg;

	for (int i = 0; i < POSTS; i++)
		loop_post(loop, take_post, &mine[i]);
	return NULL;
}

START_TEST(posts_of_many_threads_run_once_each_in_each_threads_order)
{
	pthread_t threads[POSTERS];

	for (int i = 0; i < POSTERS; i++) {
		for (int n = 0; n < POSTS; n++)
			posted[i][n] = (struct posted){i, n + 1};
		pthread_create(&threads[i], NULL, post_all, posted[i]);
	}
	loop_run(loop);
	for (int i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(ran, POSTERS * POSTS);
}
END_TEST

static void *post_late(void *arg)
{
	usleep(30000); /* so that the loop waits by then */
	loop_post(loop, stop, NULL);
	return NULL;
}

START_TEST(a_post_wakes_a_loop_that_waits)
{
	pthread_t thread;

	pthread_create(&thread, NULL, post_late, NULL);
	loop_run(loop);
	pthread_join(thread, NULL);
}
END_TEST

static void count(void *arg)
{
	++*(int *)arg;
}

static int before_stop;

static void *post_and_stop(void *arg)
{
	for (int i = 0; i < 100; i++)
		loop_post(loop, count, &before_stop);
	loop_stop(loop);
	return NULL;
}

START_TEST(what_a_thread_posted_before_it_stopped_the_loop_has_run)
{
	pthread_t thread;

	pthread_create(&thread, NULL, post_and_stop, NULL);
	loop_run(loop);
	pthread_join(thread, NULL);
	ck_assert_int_eq(before_stop, 100);
}
END_TEST

START_TEST(a_loop_can_run_again_after_a_stop)
{
	int n = 0;

	loop_stop(loop);
	loop_run(loop);
	loop_post(loop, count, &n);
	loop_post(loop, stop, NULL);
	loop_run(loop);
	ck_assert_int_eq(n, 1);
}
END_TEST

START_TEST(posts_that_never_ran_are_dropped_with_the_loop)
{
	int n = 0;

	loop_post(loop, count, &n);
	loop_free(loop);
	ck_assert_int_eq(n, 0);
	loop = loop_new();
}
END_TEST

/* ---- timers ---- */

static void take_long_then_start(void *arg)
{
	usleep(40000);
	loop_timer_start(arg, 20, 0);
}

START_TEST(a_timer_started_late_in_an_iteration_is_not_early)
{
	struct loop_timer *t = loop_timer_new(loop, stop, NULL);
	int64_t began_us = clock_mono_us();

	loop_post(loop, take_long_then_start, t);
	loop_run(loop);
	ck_assert_int_ge(clock_mono_us() - began_us, 60 * US_PER_MS);
	loop_timer_free(t);
}
END_TEST

static int ticks;

static void tick(void *arg)
{
	if (++ticks == 3)
		loop_stop(loop);
}

START_TEST(a_repeating_timer_goes_on_until_stopped)
{
	struct loop_timer *t = loop_timer_new(loop, tick, NULL);
	struct loop_timer *end = loop_timer_new(loop, stop, NULL);

	loop_timer_start(t, 0, 2);
	loop_run(loop);
	ck_assert_int_eq(ticks, 3);
	loop_timer_stop(t);
	loop_timer_start(end, 10, 0);
	loop_run(loop);
	ck_assert_int_eq(ticks, 3);
	loop_timer_free(t);
	loop_timer_free(end);
	loop_timer_free(NULL);
}
END_TEST

static struct loop_timer *own;

static void free_own_timer(void *arg)
{
	loop_timer_free(own);
	loop_stop(loop);
}

START_TEST(a_timer_may_be_freed_in_its_own_callback)
{
	own = loop_timer_new(loop, free_own_timer, NULL);
	loop_timer_start(own, 0, 1);
	loop_run(loop);
}
END_TEST

/* ---- tasks ---- */

static struct loop_task task, other_task;
static int task_runs, other_runs;

static void run_task(void *arg)
{
	task_runs++;
	loop_stop(loop);
}

static void want_thrice(void *arg)
{
	for (int i = 0; i < 3; i++)
		loop_task_want(loop, &task);
	ck_assert_int_eq(task_runs, 0);
}

START_TEST(a_task_wanted_often_runs_once_and_before_the_loop_waits)
{
	loop_task_init(&task, run_task, NULL);
	loop_post(loop, want_thrice, NULL);
	loop_run(loop); /* nothing else would wake it */
	ck_assert_int_eq(task_runs, 1);
}
END_TEST

static void want_again(void *arg)
{
	if (++task_runs < 1000)
		loop_task_want(loop, &task);
	else
		loop_stop(loop);
}

START_TEST(a_task_that_wants_itself_keeps_the_loop_from_waiting)
{
	loop_task_init(&task, want_again, NULL);
	loop_task_want(loop, &task);
	loop_run(loop); /* nothing else would wake it */
	ck_assert_int_eq(task_runs, 1000);
}
END_TEST

static void want_for_ever(void *arg)
{
	loop_task_want(loop, &task);
}

START_TEST(a_task_that_wants_itself_for_ever_starves_nobody)
{
	struct loop_timer *t = loop_timer_new(loop, stop, NULL);

	loop_task_init(&task, want_for_ever, NULL);
	loop_task_want(loop, &task);
	loop_timer_start(t, 5, 0);
	loop_run(loop);
	loop_task_cancel(&task);
	loop_timer_free(t);
}
END_TEST

/* In a loop that never waits: epoll would round the timer up. */
START_TEST(a_timer_waits_at_least_as_long_as_told)
{
	struct loop_timer *t = loop_timer_new(loop, stop, NULL);

	loop_task_init(&task, want_for_ever, NULL);
	loop_task_want(loop, &task);
	for (int i = 0; i < 50; i++) {
		int64_t began_us = clock_mono_us();
		int ms = i % 3 + 1;

		loop_timer_start(t, ms, 0);
		loop_run(loop);
		ck_assert_int_ge(clock_mono_us() - began_us, ms * US_PER_MS);
	}
	loop_task_cancel(&task);
	loop_timer_free(t);
}
END_TEST

static void run_other(void *arg)
{
	other_runs++;
}

static void want_and_cancel(void *arg)
{
	loop_task_want(loop, &other_task);
	loop_task_cancel(&other_task);
	loop_task_cancel(&other_task);
	loop_task_want(loop, &task);
}

START_TEST(a_cancelled_task_does_not_run)
{
	loop_task_init(&task, run_task, NULL);
	loop_task_init(&other_task, run_other, NULL);
	loop_post(loop, want_and_cancel, NULL);
	loop_run(loop);
	ck_assert_int_eq(task_runs, 1);
	ck_assert_int_eq(other_runs, 0);
}
END_TEST

static int64_t task_saw_wait;

static void want_other(void *arg)
{
	loop_task_want(loop, &other_task);
}

static void see_time(void *arg)
{
	task_saw_wait = loop_now_us(loop);
	loop_stop(loop);
}

static void note_time(void *arg)
{
	*(int64_t *)arg = loop_now_us(loop);
	usleep(2000);
	ck_assert_int_eq(loop_now_us(loop), *(int64_t *)arg);
	loop_task_want(loop, &task);
}

START_TEST(a_task_wanted_by_a_task_runs_without_a_wait_between)
{
	int64_t posted_at_us = 0, before_us = clock_mono_us();

	loop_task_init(&task, want_other, NULL);
	loop_task_init(&other_task, see_time, NULL);
	loop_post(loop, note_time, &posted_at_us);
	loop_run(loop);
	ck_assert_int_ge(posted_at_us, before_us);
	ck_assert_int_ge(task_saw_wait, posted_at_us);
	ck_assert_int_ge(loop_now_us(loop), task_saw_wait);
}
END_TEST

/* ---- descriptors ---- */

static int pair[2], seen_events, watch_calls;
static struct loop_watch *watch;

static void see_events(void *arg, int events)
{
	seen_events = events;
	watch_calls++;
	loop_stop(loop);
}

static void see_three_times(void *arg, int events)
{
	seen_events |= events;
	if (++watch_calls == 3)
		loop_stop(loop);
}

START_TEST(a_watch_tells_what_is_ready_as_long_as_it_is)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	watch = loop_watch_new(loop, pair[0], see_three_times, NULL);
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	loop_watch_set(watch, LOOP_READ);
	loop_run(loop);
	ck_assert_int_eq(seen_events, LOOP_READ);
	watch_calls = 0;
	loop_watch_set(watch, LOOP_READ | LOOP_WRITE);
	loop_run(loop);
	ck_assert_int_eq(seen_events, LOOP_READ | LOOP_WRITE);
	loop_watch_free(watch);
	loop_watch_free(NULL);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(a_watch_for_nothing_is_quiet)
{
	struct loop_timer *t = loop_timer_new(loop, stop, NULL);

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	watch = loop_watch_new(loop, pair[0], see_events, NULL);
	loop_watch_set(watch, LOOP_WRITE);
	loop_watch_set(watch, 0);
	loop_timer_start(t, 5, 0);
	loop_run(loop);
	ck_assert_int_eq(watch_calls, 0);
	loop_timer_free(t);
	loop_watch_free(watch);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(a_hang_up_is_given_to_who_waits_to_read)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	watch = loop_watch_new(loop, pair[0], see_events, NULL);
	loop_watch_set(watch, LOOP_READ);
	close(pair[1]);
	loop_run(loop);
	ck_assert_int_eq(seen_events, LOOP_READ);
	loop_watch_free(watch);
	close(pair[0]);
}
END_TEST

/* A connection to a port that nobody listens on any more. */
static int refused_connection(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t size = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&a, size), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&a, &size), 0);
	close(listener);
	connect(fd, (struct sockaddr *)&a, size);
	return fd;
}

START_TEST(an_error_is_given_as_everything_that_is_waited_for_and_again)
{
	int fd = refused_connection(), error = 0;
	socklen_t size = sizeof(error);

	watch = loop_watch_new(loop, fd, see_three_times, NULL);
	loop_watch_set(watch, LOOP_WRITE);
	loop_run(loop);
	ck_assert_int_eq(seen_events, LOOP_WRITE);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	ck_assert_int_eq(error, ECONNREFUSED);
	loop_watch_free(watch);
	close(fd);
}
END_TEST

static void free_own_watch(void *arg, int events)
{
	loop_watch_free(watch);
	close(*(int *)arg);
	loop_stop(loop);
}

START_TEST(a_watch_may_be_freed_in_its_own_callback)
{
	int fd = refused_connection();

	watch = loop_watch_new(loop, fd, free_own_watch, &fd);
	loop_watch_set(watch, LOOP_WRITE);
	loop_run(loop);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	watch = loop_watch_new(loop, pair[0], free_own_watch, &pair[0]);
	loop_watch_set(watch, LOOP_WRITE);
	loop_run(loop);
	close(pair[1]);
}
END_TEST

/* ---- signals ---- */

START_TEST(a_signal_runs_its_callback_in_the_loop)
{
	struct loop_signal *s = loop_signal_new(loop, SIGUSR1, stop, NULL);

	kill(getpid(), SIGUSR1);
	loop_run(loop);
	loop_signal_free(s);
	loop_signal_free(NULL);
}
END_TEST

Suite *loop_suite(void)
{
	Suite *s = suite_create("loop");
	TCase *t = tcase_create("loop");

	tcase_add_checked_fixture(t, set_up_loop, tear_down_loop);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, posts_of_many_threads_run_once_each_in_each_threads_order);
	tcase_add_test(t, a_post_wakes_a_loop_that_waits);
	tcase_add_test(t, what_a_thread_posted_before_it_stopped_the_loop_has_run);
	tcase_add_test(t, a_loop_can_run_again_after_a_stop);
	tcase_add_test(t, posts_that_never_ran_are_dropped_with_the_loop);
	tcase_add_test(t, a_timer_waits_at_least_as_long_as_told);
	tcase_add_test(t, a_timer_started_late_in_an_iteration_is_not_early);
	tcase_add_test(t, a_repeating_timer_goes_on_until_stopped);
	tcase_add_test(t, a_timer_may_be_freed_in_its_own_callback);
	tcase_add_test(t, a_task_wanted_often_runs_once_and_before_the_loop_waits);
	tcase_add_test(t, a_task_that_wants_itself_keeps_the_loop_from_waiting);
	tcase_add_test(t, a_task_that_wants_itself_for_ever_starves_nobody);
	tcase_add_test(t, a_cancelled_task_does_not_run);
	tcase_add_test(t, a_task_wanted_by_a_task_runs_without_a_wait_between);
	tcase_add_test(t, a_watch_tells_what_is_ready_as_long_as_it_is);
	tcase_add_test(t, a_watch_for_nothing_is_quiet);
	tcase_add_test(t, a_hang_up_is_given_to_who_waits_to_read);
	tcase_add_test(t, an_error_is_given_as_everything_that_is_waited_for_and_again);
	tcase_add_test(t, a_watch_may_be_freed_in_its_own_callback);
	tcase_add_test(t, a_signal_runs_its_callback_in_the_loop);
	suite_add_tcase(s, t);
	return s;
}
