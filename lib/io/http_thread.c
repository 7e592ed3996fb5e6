#include "io/http_thread.h"

#include <assert.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/http_guard.h"
#include "io/http_response.h"

/* How a request travels.
 *
 * Each thread has a daemon of its own that polls nothing by itself: the thread sleeps on
 * the daemon's epoll descriptor and on an eventfd, and MHD_run() does what is ready. A
 * daemon is only ever touched by its thread, so nothing in here takes a lock.
 *
 * libmicrohttpd calls on_request() once for the headers, once for each piece of the body
 * and once at its end, which is when the handler runs. If that does not answer, the
 * connection is suspended. An answer from elsewhere is copied into the request (the
 * response later points at that copy), put on the thread's mailbox, a lock-free stack
 * that is emptied at once, and the eventfd is rung. The thread resumes those connections
 * and libmicrohttpd calls on_request() once more, which queues the response.
 *
 * Why its internal thread is not used: 0.9.75 fetches at most 128 events a call and,
 * having got exactly 128, goes to sleep for more before it works on those. MHD_run()
 * never sleeps, so it fetches all and then works; and it is called again without sleeping
 * as long as MHD_get_timeout() says 0, which it does while a connection is ready or
 * resumed.
 *
 * libmicrohttpd does not look at a suspended connection. A client that goes away
 * meanwhile is noticed when its answer is written, so a request always lives until it is
 * answered, and on_completed(), the one place that recycles it, always comes after that.
 *
 * An answer before the whole body came is only possible at the headers. A declared length
 * over the maximum is refused there, and the connection ends. Of a chunked body that
 * grows over it, the rest is read and dropped, up to a limit, and then refused; beyond
 * that the connection is cut.
 *
 * The parts: http_lane has the requests and the mailbox, http_guard what is judged before
 * the handler, http_drive the waiting; http_response makes the answers; this file has the
 * rest of libmicrohttpd. */

#define POOL_BYTES        (20 * 1024) /* a connection's headers and their index: 16 KiB */
#define STOP_LINGER_MS    2000        /* for written answers to leave at stop */
#define STOPPING_MS       5
#define LONGEST_MS        60000
#define ACCEPT_ROUNDS_MAX 1024

static bool is_stopping(const struct http_thread *t)
{
	return atomic_load_explicit(&t->stopping, memory_order_relaxed);
}

/* ---- from libmicrohttpd: a request ---- */

static void refuse_plainly(struct http_request *r, int status)
{
	const char *text = status == MHD_HTTP_CONTENT_TOO_LARGE ? "content too large\n"
								: "bad request\n";

	http_answer(r, &(struct http_answer){.status = status,
					     .content_type = "text/plain",
					     .body = text,
					     .body_len = strlen(text)});
}

/* The response points into r->answer: on_completed() comes when it was sent. */
static enum MHD_Result queue_answer(struct http_thread *t, struct http_request *r)
{
	bool last = r->close || t->quiesced || t->settings->listen == NULL;
	struct MHD_Response *response = http_response_new(r, last);
	enum MHD_Result rc;

	if (response == NULL)
		return MHD_NO; /* closes the connection */
	rc = MHD_queue_response(r->connection, (unsigned int)r->status, response);
	MHD_destroy_response(response);
	return rc;
}

/* Calls the handler, or on_fault when status is not 0; queues the answer or suspends. */
static enum MHD_Result hand_over(struct http_thread *t, struct http_request *r,
				 int status)
{
	const struct http_server_settings *settings = t->settings;

	r->received_us = clock_utc_us();
	r->state = REQUEST_OPEN;
	atomic_fetch_add(&t->lane.open, 1);
	t->lane.in_call = r;
	if (status == 0)
		settings->handler(settings->arg, r);
	else if (settings->on_fault != NULL)
		settings->on_fault(settings->arg, r, status);
	else
		refuse_plainly(r, status);
	/* r->state is this thread's: an answer from elsewhere waits in the mailbox. */
	t->lane.in_call = NULL;
	if (r->state == REQUEST_ANSWERED) {
		t->unsent++;
		return queue_answer(t, r);
	}
	MHD_suspend_connection(r->connection);
	return MHD_YES;
}

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name,
				 const char *value)
{
	(void)kind;
	http_guard_see(arg, name, value);
	return MHD_YES;
}

/* 0, or the status that the headers alone are answered with. */
static int judge(const struct http_request *r)
{
	struct http_guard guard = {0};

	MHD_get_connection_values(r->connection, MHD_HEADER_KIND, on_header, &guard);
	return http_guard_judge(&guard, r->body.max_bytes);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection,
				  const char *url, const char *method,
				  const char *version, const char *upload,
				  size_t *upload_len, void **slot)
{
	struct http_thread *t = arg;
	struct http_request *r = *slot;
	bool fits;
	int status;

	(void)version;
	if (r == NULL) {
		if (is_stopping(t))
			return MHD_NO;
		*slot = r = http_lane_take(&t->lane);
		r->connection = connection;
		r->method = strcmp(method, "HEAD") == 0 ? "GET" : method;
		r->path = url;
		status = judge(r);
		return status == 0 ? MHD_YES : hand_over(t, r, status);
	}
	if (r->state == REQUEST_ANSWERED)
		return queue_answer(t, r);
	if (*upload_len > 0) {
		fits = http_lane_gather(r, upload, *upload_len);
		*upload_len = 0;
		return fits ? MHD_YES : MHD_NO;
	}
	if (r->state == REQUEST_DISCARDING)
		return hand_over(t, r, MHD_HTTP_CONTENT_TOO_LARGE);
	return hand_over(t, r, 0);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **slot,
			 enum MHD_RequestTerminationCode code)
{
	struct http_thread *t = arg;
	struct http_request *r = *slot;

	(void)connection;
	(void)code;
	if (r == NULL)
		return;
	*slot = NULL;
	assert(r->state != REQUEST_OPEN);
	if (r->state == REQUEST_ANSWERED)
		t->unsent--;
	http_lane_recycle(r);
}

/* ---- from libmicrohttpd: the rest ---- */

static enum MHD_Result on_accept(void *arg, const struct sockaddr *addr, socklen_t len)
{
	struct http_thread *t = arg;

	(void)addr;
	(void)len;
	return t->connections < t->connections_max ? MHD_YES : MHD_NO;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **slot,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http_thread *t = arg;

	(void)connection;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		t->connections++;
		*slot = t->adopting;
		t->adopting = NULL;
		return;
	}
	t->connections--;
	if (*slot != NULL)
		http_adopted_drop(&t->adopted, *slot);
}

static size_t on_unescape(void *arg, struct MHD_Connection *connection, char *text)
{
	(void)arg;
	(void)connection;
	return http_guard_unescape(text);
}

static void on_log(void *arg, const char *format, va_list args)
{
	char text[LOG_QUOTE_SIZE];
	struct log_quote quoted;

	(void)arg;
	vsnprintf(text, sizeof(text), format, args);
	log_debug("http.library", "text=%s", log_quote(&quoted, text));
}

/* ---- driving one daemon ---- */

/* Connections that the kernel has completed are still taken: closing the listener would
 * reset them. */
static void quiesce(struct http_thread *t)
{
	struct pollfd waiting = {.fd = t->listen_fd, .events = POLLIN};

	t->quiesced = true;
	if (t->listen_fd < 0)
		return;
	for (int i = 0; i < ACCEPT_ROUNDS_MAX && poll(&waiting, 1, 0) > 0; i++)
		MHD_run(t->daemon);
	MHD_quiesce_daemon(t->daemon);
	close(t->listen_fd);
	t->listen_fd = -1;
}

/* libmicrohttpd closes what it does not take. */
static void take_in(struct http_thread *t, struct http_adoptee *one)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	if (getpeername(one->fd, (struct sockaddr *)&peer, &len) < 0) {
		close(one->fd); /* it has left */
		http_adopted_drop(&t->adopted, one);
		return;
	}
	http_adopted_begin(&t->adopted, one, clock_mono_us());
	t->adopting = one;
	MHD_add_connection(t->daemon, one->fd, (struct sockaddr *)&peer, len);
	if (t->adopting != NULL)
		http_adopted_drop(&t->adopted, t->adopting);
	t->adopting = NULL;
}

static void take_adopted(struct http_thread *t)
{
	struct http_adoptee *one;

	while ((one = http_adopted_take(&t->adopted)) != NULL)
		take_in(t, one);
	http_adopted_look(&t->adopted, clock_mono_us());
}

static void take_mail(struct http_thread *t)
{
	struct http_request *r = http_lane_mail(&t->lane), *next;

	for (; r != NULL; r = next) {
		next = r->next;
		r->next = NULL;
		t->unsent++;
		MHD_resume_connection(r->connection);
	}
}

static void run(void *arg, bool rung)
{
	struct http_thread *t = arg;

	if (!t->begun)
		t->lane.self = pthread_self();
	t->begun = true;
	if (rung)
		http_lane_hush(&t->lane);
	if (!t->quiesced && atomic_load(&t->quiescing))
		quiesce(t);
	take_mail(t);
	if (t->settings->listen == NULL)
		take_adopted(t);
	MHD_run(t->daemon);
}

/* While stopping it looks around by itself: `open` falls after the ring. */
static int wait_ms(void *arg)
{
	const struct http_thread *t = arg;
	MHD_UNSIGNED_LONG_LONG ms, most = is_stopping(t) ? STOPPING_MS : LONGEST_MS;
	int64_t life_us = t->settings->listen == NULL
				  ? http_adopted_wait_us(&t->adopted, clock_mono_us())
				  : -1;

	if (MHD_get_timeout(t->daemon, &ms) != MHD_YES || ms > most)
		ms = most;
	if (life_us >= 0 && (MHD_UNSIGNED_LONG_LONG)life_us < ms * US_PER_MS)
		ms = (MHD_UNSIGNED_LONG_LONG)(life_us + US_PER_MS - 1) / US_PER_MS;
	return (int)ms;
}

/* Requests are handed over on this thread only, and none once `stopping` is seen: from
 * then on `open` only falls. At 0 all is answered, and the next run takes the last of it
 * from the mailbox; then the last bytes may leave. */
static bool ended(void *arg)
{
	struct http_thread *t = arg;

	if (!is_stopping(t) || atomic_load(&t->lane.open) > 0)
		return false;
	if (t->linger_until_us == 0) {
		t->linger_until_us = clock_mono_us() + STOP_LINGER_MS * US_PER_MS;
		return false;
	}
	return t->unsent == 0 || clock_mono_us() >= t->linger_until_us;
}

/* ---- its life ---- */

int http_thread_start(struct http_thread *t, struct err *e)
{
	const struct http_server_settings *settings = t->settings;
	const bool listens = settings->listen != NULL;
	const union MHD_DaemonInfo *info;

	http_adopted_init(&t->adopted, t->connections_max, settings->life_s * US_PER_S);
	if (http_lane_init(&t->lane, settings->max_body_bytes, e) < 0)
		return -1;
	t->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
			(listens ? 0 : MHD_USE_NO_LISTEN_SOCKET),
		0, on_accept, t, on_request, t, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)t->connections_max + 1,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)settings->idle_timeout_s,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, t, MHD_OPTION_NOTIFY_CONNECTION, on_connection, t,
		MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL,
		listens ? MHD_OPTION_LISTEN_SOCKET : MHD_OPTION_END, t->listen_fd,
		MHD_OPTION_END);
	if (t->daemon == NULL)
		return err_set(e, ERR_IO, "libmicrohttpd did not start");
	info = MHD_get_daemon_info(t->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	t->drive = (struct http_drive){.epoll_fd = info->epoll_fd,
				       .event_fd = t->lane.event_fd,
				       .loop = settings->loop,
				       .run = run,
				       .wait_ms = wait_ms,
				       .ended = ended,
				       .arg = t};
	return http_drive_start(&t->drive, e);
}

bool http_thread_adopt(struct http_thread *t, int fd)
{
	if (!http_adopted_put(&t->adopted, fd))
		return false;
	http_lane_ring(&t->lane);
	return true;
}

void http_thread_quiesce(struct http_thread *t)
{
	atomic_store(&t->quiescing, true);
	http_lane_ring(&t->lane);
}

void http_thread_stop(struct http_thread *t)
{
	atomic_store(&t->stopping, true);
	if (t->drive.running)
		http_lane_ring(&t->lane);
}

void http_thread_end(struct http_thread *t)
{
	http_drive_stop(&t->drive);
	if (t->daemon != NULL) {
		if (t->listen_fd >= 0)
			MHD_quiesce_daemon(t->daemon); /* the listener stays ours */
		MHD_stop_daemon(t->daemon);
	}
	http_adopted_release(&t->adopted);
	http_lane_release(&t->lane);
}

/* ---- what libmicrohttpd keeps of a request ---- */

const char *http_query(const struct http_request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *http_header(const struct http_request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}
