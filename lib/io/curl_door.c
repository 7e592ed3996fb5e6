/* curl asks to unwatch a socket when its transfer ends, and to watch it again for the
 * next. The first is put off (see watches.h), so that a kept connection needs no
 * epoll_ctl. What is started goes in a task at the end of the iteration, once for
 * everything that was started in it.
 *
 * Only a connection that has come about is kept like that: before, curl 7.88 closes its
 * socket without calling on_close_socket(), and libuv ends the process when it finds out.
 *
 * A resolver's thread that hangs outlives its transfer (CURLOPT_QUICK_EXIT), instead of
 * blocking the loop until it ends. */
#include "io/curl_door.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/watches.h"

struct curl_door {
	struct loop *loop;
	CURLM *multi;
	char *ca_file;
	struct watches *watches;
	struct loop_timer *timer;
	struct loop_task drive;   /* what was started wants to go */
	int64_t due_us, armed_us; /* what curl wants, what the timer is set to; 0: none */
};

static void on_drive(void *arg);
static void on_timer(void *arg);
static void on_event(void *arg, int fd, int events);
static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg);
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *ignored);
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose,
				    struct curl_sockaddr *address);
static int on_close_socket(void *arg, curl_socket_t fd);

struct curl_door *curl_door_new(struct loop *l,
				const struct transfer_engine_settings *settings)
{
	struct curl_door *t = mem_alloc(sizeof(*t));

	curl_global_init(CURL_GLOBAL_DEFAULT);
	t->loop = l;
	t->ca_file = mem_strdup(settings->ca_file != NULL ? settings->ca_file : "");
	t->multi = curl_multi_init();
	if (t->multi == NULL) {
		log_error("curl.fatal", "call=curl_multi_init");
		abort();
	}
	curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
	curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
	curl_multi_setopt(t->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
			  (long)settings->max_connections);
	/* Kept ones, over all hosts. curl's own rule follows the number of transfers that
	 * run, and would close connections in every pause. */
	curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS,
			  (long)settings->max_connections * 4);
	t->timer = loop_timer_new(l, on_timer, t);
	t->watches = watches_new(l, on_event, t);
	loop_task_init(&t->drive, on_drive, t);
	return t;
}

void curl_door_free(struct curl_door *t)
{
	if (t == NULL)
		return;
	curl_multi_cleanup(t->multi);
	watches_free(t->watches);
	loop_timer_free(t->timer);
	loop_task_cancel(&t->drive);
	mem_free(t->ca_file);
	mem_free(t);
	curl_global_cleanup();
}

void *curl_door_handle(struct curl_door *t, struct curl_owner *owner)
{
	CURL *easy = curl_easy_init();

	if (easy == NULL) {
		log_error("curl.fatal", "call=curl_easy_init");
		abort();
	}
	curl_easy_setopt(easy, CURLOPT_PRIVATE, owner);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https,smtp,smtps");
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, owner);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, t);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	if (t->ca_file[0] != '\0')
		curl_easy_setopt(easy, CURLOPT_CAINFO, t->ca_file);
	return easy;
}

void curl_door_start(struct curl_door *t, void *easy)
{
	/* curl answers with its timer, and that with the task. */
	curl_multi_add_handle(t->multi, easy);
}

void curl_door_stop(struct curl_door *t, void *easy)
{
	curl_multi_remove_handle(t->multi, easy);
}

struct watches *curl_door_watches(struct curl_door *t)
{
	return t->watches;
}

void curl_door_say(char *out, size_t size, void *easy, int code)
{
	long error = 0;
	struct buf text;

	buf_init(&text, size - 1);
	buf_add_text(&text, curl_easy_strerror((CURLcode)code));
	curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
	if (code == CURLE_COULDNT_CONNECT && error != 0)
		buf_addf(&text, ": %s", strerror((int)error));
	mem_copy_text(out, size, buf_text(&text));
	buf_release(&text);
}

static curl_socket_t on_open_socket(void *arg, curlsocktype purpose,
				    struct curl_sockaddr *address)
{
	struct curl_owner *owner = arg;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
			address->protocol);

	owner->connected = false;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int on_close_socket(void *arg, curl_socket_t fd)
{
	struct curl_door *t = arg;

	watches_closed(t->watches, fd);
	return close(fd);
}

/* All that ended. Callbacks may start and cancel meanwhile: the queue is curl's, and
 * removing a handle takes its message out. */
static void collect(struct curl_door *t)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(t->multi, &left)) != NULL) {
		CURLcode rc = message->data.result;
		struct curl_owner *owner;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
		owner->ended(owner, rc);
	}
}

static void act(struct curl_door *t, curl_socket_t fd, int mask)
{
	int running;

	curl_multi_socket_action(t->multi, fd, mask, &running);
	collect(t);
}

static void on_drive(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* What an answer made start goes out at once: at the end of the iteration all who answer
 * us would have waited for all answers of this one to be taken. */
static void on_event(void *arg, int fd, int events)
{
	struct curl_door *t = arg;

	act(t, fd,
	    ((events & LOOP_READ) ? CURL_CSELECT_IN : 0) |
		    ((events & LOOP_WRITE) ? CURL_CSELECT_OUT : 0));
	if (!list_linked(&t->drive.link))
		return;
	loop_task_cancel(&t->drive);
	on_drive(t);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *ignored)
{
	struct curl_door *t = arg;
	struct curl_owner *owner = NULL;
	int events = 0;

	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= LOOP_READ;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= LOOP_WRITE;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
	if (events != 0 && owner != NULL && owner->connected)
		watches_keep(t->watches, fd);
	watches_want(t->watches, fd, events);
	return 0;
}

/* The timer is never moved to a later time, since hardly any of curl's ever comes: one
 * wake-up too many is cheaper than a change for each exchange. */
static void arm(struct curl_door *t)
{
	int64_t after_us = t->due_us - clock_mono_us();

	if (t->due_us == 0 || (t->armed_us != 0 && t->armed_us <= t->due_us))
		return;
	t->armed_us = t->due_us;
	loop_timer_start(t->timer, after_us > 0 ? after_us / US_PER_MS : 0, 0);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct curl_door *t = arg;

	t->due_us = 0;
	if (timeout_ms == 0)
		loop_task_want(t->loop, &t->drive);
	if (timeout_ms <= 0)
		return 0;
	t->due_us = clock_mono_us() + timeout_ms * US_PER_MS;
	arm(t);
	return 0;
}

static void on_timer(void *arg)
{
	struct curl_door *t = arg;

	t->armed_us = 0;
	if (t->due_us != 0 && t->due_us <= clock_mono_us()) {
		t->due_us = 0;
		act(t, CURL_SOCKET_TIMEOUT, 0);
	}
	arm(t);
}
