/* Waiting for one HTTP daemon's two descriptors and running it: on a thread of its own,
 * or on a caller's loop. Private to io/http_thread.c. */
#ifndef PAYBELL_IO_HTTP_DRIVE_H
#define PAYBELL_IO_HTTP_DRIVE_H

#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"
#include "io/loop.h"

struct http_drive {
	/* Filled by the caller; the descriptors are borrowed. */
	int epoll_fd, event_fd;
	struct loop *loop; /* NULL: a thread */
	/* Does what is ready; rung: event_fd is readable. */
	void (*run)(void *arg, bool rung);
	/* For how long it need not run without an event; 0: run again at once. */
	int (*wait_ms)(void *arg);
	/* Whether to leave; asked between runs. */
	bool (*ended)(void *arg);
	void *arg;

	/* Its own. */
	pthread_t thread;
	bool running;
	struct loop_watch *watch_epoll, *watch_event;
	struct loop_timer *timer;
	struct loop_task again;
};

/* Runs once at once (libmicrohttpd then puts its listener into its epoll) and then
 * whenever there is something to do. On a loop: the loop's thread. */
int http_drive_start(struct http_drive *d, struct err *e);

/* Until `ended`: joins the thread, or runs here and then leaves the loop. The caller has
 * made event_fd readable. Harmless when it was not started. */
void http_drive_stop(struct http_drive *d);

#endif
