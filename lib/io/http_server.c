#include "io/http_server.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/listen.h"

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
 * grows over it, the rest is read and dropped, up to DISCARD_MAX_BYTES, and then refused;
 * beyond that the connection is cut. */

#define THREADS_MAX       16
#define POOL_BYTES        (20 * 1024) /* a connection's headers and their index: 16 KiB */
#define DISCARD_MAX_BYTES (1024 * 1024)
#define KEEP_REQUESTS     256 /* a thread's recycled requests */
#define KEEP_BYTES        (16 * 1024)
#define STOP_LINGER_MS    2000 /* for written answers to leave at stop */
#define STOPPING_MS       5
#define ACCEPT_ROUNDS_MAX 1024

enum request_state {
	REQUEST_READING,
	REQUEST_DISCARDING, /* too large: the rest of the body is dropped */
	REQUEST_OPEN,       /* the handler has it */
	REQUEST_ANSWERED,
	REQUEST_QUEUED, /* the response is libmicrohttpd's */
};

struct http_request {
	struct http_request *next; /* on the mailbox or the free list */
	struct server_thread *thread;
	struct MHD_Connection *connection;
	const char *method, *path;
	int64_t received_us;
	void *context;
	enum request_state state; /* the server's thread only */
	struct buf body;
	size_t discarded;

	/* The answer: the body, then NUL-terminated texts, content type first. */
	struct buf answer;
	size_t answer_body_len;
	int status;
	int headers;
	bool has_type, close, cut;
};

struct server_thread {
	struct http_server *server;
	struct MHD_Daemon *daemon;
	pthread_t self, handle;
	int listen_fd, epoll_fd, event_fd;
	bool running, quiesced;
	int connections, connections_max;
	size_t unsent;                  /* responses queued and not completed */
	struct http_request *in_call;   /* whose handler runs now */
	struct http_request *free_list; /* recycled */
	int free_count;

	_Atomic(struct http_request *) mailbox; /* answered elsewhere, newest first */
	atomic_size_t held; /* how many there were not rung for; they count as open */
	atomic_size_t open;

	/* With a caller's loop only. */
	struct loop_watch *watch_epoll, *watch_event;
	struct loop_timer *timer;
	struct loop_task again;
};

struct http_server {
	struct http_server_settings settings;
	char address[LISTEN_ADDRESS_MAX];
	atomic_bool quiescing, stopping;
	int thread_count;
	struct server_thread threads[THREADS_MAX];
};

/* ---- requests, recycled by their thread ---- */

static struct http_request *request_new(struct server_thread *t)
{
	struct http_request *r = t->free_list;

	if (r != NULL) {
		t->free_list = r->next;
		t->free_count--;
		r->next = NULL;
		return r;
	}
	r = mem_alloc(sizeof(*r));
	r->thread = t;
	buf_init(&r->body, t->server->settings.max_body_bytes);
	buf_init(&r->answer, SIZE_MAX);
	return r;
}

static void request_free(struct http_request *r)
{
	buf_release(&r->body);
	buf_release(&r->answer);
	mem_free(r);
}

static void buf_recycle(struct buf *b)
{
	if (b->capacity > KEEP_BYTES)
		buf_release(b);
	else
		buf_clear(b);
}

static void request_recycle(struct http_request *r)
{
	struct server_thread *t = r->thread;

	if (t->free_count == KEEP_REQUESTS) {
		request_free(r);
		return;
	}
	buf_recycle(&r->body);
	buf_recycle(&r->answer);
	r->connection = NULL;
	r->context = NULL;
	r->state = REQUEST_READING;
	r->discarded = 0;
	r->next = t->free_list;
	t->free_list = r;
	t->free_count++;
}

/* ---- the mailbox ---- */

static void ring(struct server_thread *t)
{
	uint64_t one = 1;

	/* Fails only when the counter is full, and then it is readable already. */
	while (write(t->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void post(struct http_request *r)
{
	struct server_thread *t = r->thread;
	struct http_request *head =
		atomic_load_explicit(&t->mailbox, memory_order_relaxed);

	do
		r->next = head;
	while (!atomic_compare_exchange_weak_explicit(
		&t->mailbox, &head, r, memory_order_release, memory_order_relaxed));
}

/* Resumes, in the order of the answers. */
static void take_mail(struct server_thread *t)
{
	struct http_request *r = NULL, *next, *ordered = NULL;

	if (atomic_load_explicit(&t->mailbox, memory_order_relaxed) != NULL)
		r = atomic_exchange_explicit(&t->mailbox, NULL, memory_order_acquire);
	for (; r != NULL; r = next) {
		next = r->next;
		r->next = ordered;
		ordered = r;
	}
	for (r = ordered; r != NULL; r = next) {
		next = r->next;
		r->next = NULL;
		r->state = REQUEST_ANSWERED;
		MHD_resume_connection(r->connection);
	}
}

/* ---- answers ---- */

static void copy_answer(struct http_request *r, const struct http_answer *a)
{
	r->status = a->status;
	r->close = a->close || a->cut;
	r->cut = a->cut;
	r->answer_body_len = a->body_len;
	r->has_type = a->content_type != NULL;
	r->headers = 0;
	buf_clear(&r->answer);
	buf_add(&r->answer, a->body, a->body_len);
	if (r->has_type)
		buf_add(&r->answer, a->content_type, strlen(a->content_type) + 1);
	for (int i = 0; i < HTTP_EXTRA_HEADERS_MAX && a->headers[i].name != NULL; i++) {
		const char *value = a->headers[i].value;

		buf_add(&r->answer, a->headers[i].name, strlen(a->headers[i].name) + 1);
		buf_add(&r->answer, value, strlen(value) + 1);
		r->headers++;
	}
}

/* True when the answer has to be rung for. */
static bool give(struct http_request *r, const struct http_answer *a)
{
	struct server_thread *t = r->thread;

	copy_answer(r, a);
	if (pthread_equal(pthread_self(), t->self) && t->in_call == r) {
		r->state = REQUEST_ANSWERED;
		return false;
	}
	post(r);
	return true;
}

/* `open` goes down last: whoever sees 0 may stop the server. */
void http_answer(struct http_request *r, const struct http_answer *a)
{
	struct server_thread *t = r->thread;

	if (give(r, a))
		ring(t);
	atomic_fetch_sub(&t->open, 1);
}

void http_answer_hold(struct http_request *r, const struct http_answer *a)
{
	struct server_thread *t = r->thread;

	if (give(r, a))
		atomic_fetch_add(&t->held, 1);
	else
		atomic_fetch_sub(&t->open, 1);
}

/* Two passes for the same reason: a thread with something held keeps the server alive
 * until its `open` falls, and nothing is touched behind the last of them. */
void http_answer_flush(struct http_server *s)
{
	size_t held[THREADS_MAX];
	int count = s->thread_count;

	for (int i = 0; i < count; i++) {
		held[i] = atomic_exchange(&s->threads[i].held, 0);
		if (held[i] > 0)
			ring(&s->threads[i]);
	}
	for (int i = 0; i < count; i++)
		if (held[i] > 0)
			atomic_fetch_sub(&s->threads[i].open, held[i]);
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
	if (MHD_add_response_header(response, name, value) != MHD_YES)
		log_warn("http.header.refused", "name=%s", name);
}

/* Half of a cut answer, then libmicrohttpd is told that the source broke. */
static ssize_t read_half(void *arg, uint64_t at, char *out, size_t max)
{
	const struct http_request *r = arg;
	size_t half = r->answer_body_len / 2;
	size_t len = half - (size_t)at;

	if (len == 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (len > max)
		len = max;
	memcpy(out, buf_text(&r->answer) + at, len);
	return (ssize_t)len;
}

static struct MHD_Response *response_for(struct http_request *r)
{
	if (r->cut)
		return MHD_create_response_from_callback(r->answer_body_len, 4096,
							 read_half, r, NULL);
	return MHD_create_response_from_buffer(
		r->answer_body_len, (void *)buf_text(&r->answer), MHD_RESPMEM_PERSISTENT);
}

/* The response points into r->answer: on_completed() comes when it was sent. */
static enum MHD_Result queue_answer(struct http_request *r)
{
	const char *text = buf_text(&r->answer);
	struct MHD_Response *response;
	enum MHD_Result rc;

	if (r->cut && r->answer_body_len == 0)
		return MHD_NO; /* closes the connection */
	response = response_for(r);
	if (response == NULL)
		return MHD_NO;
	text += r->answer_body_len;
	if (r->has_type) {
		add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, text);
		text += strlen(text) + 1;
	}
	for (int i = 0; i < r->headers; i++) {
		const char *value = text + strlen(text) + 1;

		add_header(response, text, value);
		text = value + strlen(value) + 1;
	}
	if (r->close || r->thread->quiesced)
		add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	rc = MHD_queue_response(r->connection, (unsigned int)r->status, response);
	MHD_destroy_response(response);
	if (rc == MHD_YES) {
		r->state = REQUEST_QUEUED;
		r->thread->unsent++;
	}
	return rc;
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

/* Calls the handler, or on_fault when status is not 0; queues the answer or suspends. */
static enum MHD_Result hand_over(struct http_request *r, int status)
{
	struct server_thread *t = r->thread;
	const struct http_server_settings *settings = &t->server->settings;

	r->received_us = clock_utc_us();
	r->state = REQUEST_OPEN;
	atomic_fetch_add(&t->open, 1);
	t->in_call = r;
	if (status == 0)
		settings->handler(settings->arg, r);
	else if (settings->on_fault != NULL)
		settings->on_fault(settings->arg, r, status);
	else
		refuse_plainly(r, status);
	/* r->state is this thread's: an answer from elsewhere waits in the mailbox. */
	t->in_call = NULL;
	if (r->state == REQUEST_ANSWERED)
		return queue_answer(r);
	MHD_suspend_connection(r->connection);
	return MHD_YES;
}

/* What decides where a body ends. Two lengths, or a length beside a transfer coding, are
 * how requests are smuggled past a proxy that reads them differently (RFC 9112 section
 * 6.3); libmicrohttpd would take the first. */
struct framing {
	int lengths, codings;
	bool chunked;
	unsigned long long length;
};

static enum MHD_Result see_header(void *arg, enum MHD_ValueKind kind, const char *name,
				  const char *value)
{
	struct framing *f = arg;

	(void)kind;
	if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
		f->lengths++;
		if (value != NULL && sscanf(value, "%20llu", &f->length) != 1)
			f->length = 0; /* libmicrohttpd has refused what is no number */
	} else if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
		f->codings++;
		f->chunked = value != NULL && strcasecmp(value, "chunked") == 0;
	}
	return MHD_YES;
}

/* 0, or the status that the headers alone are answered with. */
static int judge(struct http_request *r)
{
	struct framing f = {0};

	MHD_get_connection_values(r->connection, MHD_HEADER_KIND, see_header, &f);
	if (f.lengths + f.codings > 1 || (f.codings == 1 && !f.chunked))
		return MHD_HTTP_BAD_REQUEST;
	if (f.length > r->body.max_bytes)
		return MHD_HTTP_CONTENT_TOO_LARGE;
	return 0;
}

static enum MHD_Result gather(struct http_request *r, const char *piece, size_t *len)
{
	if (r->state == REQUEST_READING) {
		buf_add(&r->body, piece, *len);
		if (r->body.overflowed) {
			buf_release(&r->body);
			r->state = REQUEST_DISCARDING;
		}
	} else {
		r->discarded += *len;
	}
	*len = 0;
	return r->discarded <= DISCARD_MAX_BYTES ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection,
				  const char *url, const char *method,
				  const char *version, const char *upload,
				  size_t *upload_len, void **slot)
{
	struct server_thread *t = arg;
	struct http_request *r = *slot;
	int status;

	(void)version;
	if (r == NULL) {
		if (atomic_load_explicit(&t->server->stopping, memory_order_relaxed))
			return MHD_NO;
		*slot = r = request_new(t);
		r->connection = connection;
		r->method = strcmp(method, "HEAD") == 0 ? "GET" : method;
		r->path = url;
		status = judge(r);
		return status == 0 ? MHD_YES : hand_over(r, status);
	}
	if (r->state == REQUEST_ANSWERED)
		return queue_answer(r);
	if (*upload_len > 0)
		return gather(r, upload, upload_len);
	if (r->state == REQUEST_DISCARDING)
		return hand_over(r, MHD_HTTP_CONTENT_TOO_LARGE);
	return hand_over(r, 0);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **slot,
			 enum MHD_RequestTerminationCode code)
{
	struct server_thread *t = arg;
	struct http_request *r = *slot;

	(void)connection;
	(void)code;
	if (r == NULL)
		return;
	*slot = NULL;
	assert(r->state != REQUEST_OPEN);
	if (r->state == REQUEST_QUEUED)
		t->unsent--;
	request_recycle(r);
}

/* ---- from libmicrohttpd: the rest ---- */

static enum MHD_Result on_accept(void *arg, const struct sockaddr *addr, socklen_t len)
{
	struct server_thread *t = arg;

	(void)addr;
	(void)len;
	return t->connections < t->connections_max ? MHD_YES : MHD_NO;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **slot,
			  enum MHD_ConnectionNotificationCode code)
{
	struct server_thread *t = arg;

	(void)connection;
	(void)slot;
	t->connections += code == MHD_CONNECTION_NOTIFY_STARTED ? 1 : -1;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place. "%00" stays as it is, as does what is no escape: a text that ends early would
 * be another path than the one that a proxy has judged. */
static size_t on_unescape(void *arg, struct MHD_Connection *connection, char *text)
{
	char *out = text;

	(void)arg;
	(void)connection;
	for (const char *in = text; *in != '\0'; out++) {
		int high = *in == '%' ? hex(in[1]) : -1;
		int low = high >= 0 ? hex(in[2]) : -1;

		if (low >= 0 && high * 16 + low > 0) {
			*out = (char)(high * 16 + low);
			in += 3;
		} else {
			*out = *in++;
		}
	}
	*out = '\0';
	return (size_t)(out - text);
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
static void quiesce(struct server_thread *t)
{
	struct pollfd waiting = {.fd = t->listen_fd, .events = POLLIN};

	for (int i = 0; i < ACCEPT_ROUNDS_MAX && poll(&waiting, 1, 0) > 0; i++)
		MHD_run(t->daemon);
	MHD_quiesce_daemon(t->daemon);
	close(t->listen_fd);
	t->listen_fd = -1;
	t->quiesced = true;
}

static void hush(struct server_thread *t)
{
	uint64_t count;

	while (read(t->event_fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

static void run(struct server_thread *t)
{
	if (!t->quiesced && atomic_load(&t->server->quiescing))
		quiesce(t);
	take_mail(t);
	MHD_run(t->daemon);
}

/* Until libmicrohttpd wants to run again: 0 at once, -1 never. */
static int wait_ms(struct server_thread *t)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(t->daemon, &ms) != MHD_YES)
		return -1;
	return ms > 60000 ? 60000 : (int)ms;
}

static void wait_and_run(struct server_thread *t, int ms)
{
	struct pollfd fds[2] = {{.fd = t->epoll_fd, .events = POLLIN},
				{.fd = t->event_fd, .events = POLLIN}};

	if (poll(fds, 2, ms) > 0 && fds[1].revents != 0)
		hush(t);
	run(t);
}

/* While stopping it looks around by itself: `open` falls after the ring. */
static int stopping_ms(struct server_thread *t)
{
	return wait_ms(t) == 0 ? 0 : STOPPING_MS;
}

/* All is answered; lets the last bytes leave. */
static void linger(struct server_thread *t)
{
	int64_t until_us = clock_mono_us() + STOP_LINGER_MS * US_PER_MS;

	run(t);
	while (t->unsent > 0 && clock_mono_us() < until_us)
		wait_and_run(t, stopping_ms(t));
}

/* Requests are handed over on this thread only, and none once `stopping` is seen: from
 * then on `open` only falls. */
static bool may_end(struct server_thread *t)
{
	return atomic_load(&t->server->stopping) && atomic_load(&t->open) == 0;
}

static void *serve(void *arg)
{
	struct server_thread *t = arg;

	t->self = pthread_self();
	run(t); /* puts the listener into the daemon's epoll */
	while (!may_end(t))
		wait_and_run(t, atomic_load(&t->server->stopping) ? stopping_ms(t)
								  : wait_ms(t));
	linger(t);
	return NULL;
}

/* On a caller's loop. */
static void run_on_loop(struct server_thread *t)
{
	int ms;

	run(t);
	ms = wait_ms(t);
	if (ms > 0)
		loop_timer_start(t->timer, ms, 0);
	else
		loop_timer_stop(t->timer);
	if (ms == 0)
		loop_task_want(t->server->settings.loop, &t->again);
}

static void on_loop_ready(void *arg, int events)
{
	(void)events;
	run_on_loop(arg);
}

static void on_loop_ring(void *arg, int events)
{
	(void)events;
	hush(arg);
	run_on_loop(arg);
}

static void on_loop_again(void *arg)
{
	run_on_loop(arg);
}

/* ---- starting and stopping ---- */

static int thread_open(struct server_thread *t, struct err *e)
{
	const struct http_server_settings *settings = &t->server->settings;

	t->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->event_fd < 0)
		return err_set_errno(e, ERR_IO, errno, "eventfd");
	t->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
		on_accept, t, on_request, t, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, t->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned int)t->connections_max + 1, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned int)settings->idle_timeout_s,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, t, MHD_OPTION_NOTIFY_CONNECTION, on_connection, t,
		MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL, MHD_OPTION_END);
	if (t->daemon == NULL)
		return err_set(e, ERR_IO, "libmicrohttpd did not start");
	t->epoll_fd = MHD_get_daemon_info(t->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	return 0;
}

static int thread_begin(struct server_thread *t, struct err *e)
{
	struct loop *loop = t->server->settings.loop;
	int rc;

	if (loop != NULL) {
		t->self = pthread_self();
		t->timer = loop_timer_new(loop, on_loop_again, t);
		t->watch_epoll = loop_watch_new(loop, t->epoll_fd, on_loop_ready, t);
		t->watch_event = loop_watch_new(loop, t->event_fd, on_loop_ring, t);
		loop_watch_set(t->watch_epoll, LOOP_READ);
		loop_watch_set(t->watch_event, LOOP_READ);
		loop_task_init(&t->again, on_loop_again, t);
		loop_task_want(loop, &t->again); /* the first run puts the listener in */
		return 0;
	}
	rc = pthread_create(&t->handle, NULL, serve, t);
	if (rc != 0)
		return err_set_errno(e, ERR_IO, rc, "pthread_create");
	t->running = true;
	return 0;
}

static void thread_close(struct server_thread *t)
{
	struct http_request *r;

	if (t->timer != NULL)
		loop_task_cancel(&t->again);
	loop_timer_free(t->timer);
	loop_watch_free(t->watch_epoll);
	loop_watch_free(t->watch_event);
	if (t->daemon != NULL) {
		if (!t->quiesced)
			MHD_quiesce_daemon(t->daemon); /* the listener stays ours */
		MHD_stop_daemon(t->daemon);
	}
	while ((r = t->free_list) != NULL) {
		t->free_list = r->next;
		request_free(r);
	}
	if (t->event_fd >= 0)
		close(t->event_fd);
}

int http_server_start(struct http_server **out,
		      const struct http_server_settings *settings, struct err *e)
{
	int count = settings->loop != NULL ? 1 : settings->threads;
	struct http_server *s = mem_alloc(sizeof(*s));
	int fds[THREADS_MAX];

	assert(count >= 1 && count <= THREADS_MAX && settings->max_connections > 0);
	s->settings = *settings;
	if (listen_open(fds, count, settings->listen, s->address, e) < 0) {
		mem_free(s);
		return -1;
	}
	s->thread_count = count;
	for (int i = 0; i < count; i++)
		s->threads[i] = (struct server_thread){
			.server = s,
			.listen_fd = fds[i],
			.event_fd = -1,
			.connections_max =
				(settings->max_connections + count - 1) / count};
	for (int i = 0; i < count; i++)
		if (thread_open(&s->threads[i], e) < 0 ||
		    thread_begin(&s->threads[i], e) < 0) {
			http_server_stop(s);
			return err_wrap(e, "http on %s", settings->listen);
		}
	*out = s;
	return 0;
}

void http_server_quiesce(struct http_server *s)
{
	atomic_store(&s->quiescing, true);
	for (int i = 0; i < s->thread_count; i++)
		ring(&s->threads[i]);
}

void http_server_stop(struct http_server *s)
{
	int fds[THREADS_MAX];

	if (s == NULL)
		return;
	atomic_store(&s->stopping, true);
	assert(s->settings.loop == NULL || http_server_open_requests(s) == 0);
	for (int i = 0; i < s->thread_count; i++) {
		struct server_thread *t = &s->threads[i];

		if (t->running) {
			ring(t);
			pthread_join(t->handle, NULL);
		} else if (t->timer != NULL) {
			linger(t);
		}
	}
	for (int i = 0; i < s->thread_count; i++) {
		thread_close(&s->threads[i]);
		fds[i] = s->threads[i].listen_fd;
	}
	listen_close(fds, s->thread_count, s->address);
	mem_free(s);
}

size_t http_server_open_requests(const struct http_server *s)
{
	size_t open = 0;

	for (int i = 0; i < s->thread_count; i++)
		open += atomic_load(&s->threads[i].open);
	return open;
}

const char *http_server_address(const struct http_server *s)
{
	return s->address;
}

/* ---- what a handler reads ---- */

const char *http_method(const struct http_request *r)
{
	return r->method;
}

const char *http_path(const struct http_request *r)
{
	return r->path;
}

const char *http_query(const struct http_request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *http_header(const struct http_request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

const char *http_body(const struct http_request *r, size_t *len)
{
	*len = r->body.len;
	return buf_text(&r->body);
}

int64_t http_received_us(const struct http_request *r)
{
	return r->received_us;
}

void http_set_context(struct http_request *r, void *context)
{
	r->context = context;
}

void *http_context(const struct http_request *r)
{
	return r->context;
}
