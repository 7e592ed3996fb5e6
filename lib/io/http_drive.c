#include "io/http_drive.h"

#include <poll.h>

/* ---- on a thread ---- */

static void run_until_ended(struct http_drive *d)
{
	struct pollfd fds[2] = {{.fd = d->epoll_fd, .events = POLLIN},
				{.fd = d->event_fd, .events = POLLIN}};

	d->run(d->arg, false);
	while (!d->ended(d->arg)) {
		int ready = poll(fds, 2, d->wait_ms(d->arg));

		d->run(d->arg, ready > 0 && fds[1].revents != 0);
	}
}

static void *run_thread(void *arg)
{
	run_until_ended(arg);
	return NULL;
}

/* ---- on a loop ---- */

static void run_on_loop(struct http_drive *d, bool rung)
{
	int ms;

	d->run(d->arg, rung);
	ms = d->wait_ms(d->arg);
	if (ms > 0) {
		loop_timer_start(d->timer, ms, 0);
		return;
	}
	loop_timer_stop(d->timer); /* it would add its millisecond */
	loop_task_want(d->loop, &d->again);
}

static void on_again(void *arg)
{
	run_on_loop(arg, false);
}

static void on_ready(void *arg, int events)
{
	(void)events;
	run_on_loop(arg, false);
}

static void on_rung(void *arg, int events)
{
	(void)events;
	run_on_loop(arg, true);
}

static void join_loop(struct http_drive *d)
{
	d->timer = loop_timer_new(d->loop, on_again, d);
	d->watch_epoll = loop_watch_new(d->loop, d->epoll_fd, on_ready, d);
	d->watch_event = loop_watch_new(d->loop, d->event_fd, on_rung, d);
	loop_watch_set(d->watch_epoll, LOOP_READ);
	loop_watch_set(d->watch_event, LOOP_READ);
	loop_task_init(&d->again, on_again, d);
	loop_task_want(d->loop, &d->again);
}

static void leave_loop(struct http_drive *d)
{
	run_until_ended(d);
	loop_task_cancel(&d->again);
	loop_timer_free(d->timer);
	loop_watch_free(d->watch_epoll);
	loop_watch_free(d->watch_event);
}

/* ---- both ---- */

int http_drive_start(struct http_drive *d, struct err *e)
{
	int rc = 0;

	if (d->loop != NULL)
		join_loop(d);
	else
		rc = pthread_create(&d->thread, NULL, run_thread, d);
	if (rc != 0)
		return err_set_errno(e, ERR_IO, rc, "pthread_create");
	d->running = true;
	return 0;
}

void http_drive_stop(struct http_drive *d)
{
	if (!d->running)
		return;
	if (d->loop != NULL)
		leave_loop(d);
	else
		pthread_join(d->thread, NULL);
	d->running = false;
}
