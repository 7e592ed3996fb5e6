/* Design
 *
 * One curl multi handle, driven by the loop. What costs when thousands of requests a
 * second go over kept connections is not the bytes but what is done again for each, so:
 *
 * - An easy handle with all constant options stays with its `struct exchange`. What
 * changes is set only when it does change; the header list is made of nodes of ours,
 * linked in place.
 * - curl asks to unwatch a socket when its transfer ends, and to watch it again for the
 *   next. The first is put off (see watches.h): a kept connection needs no epoll_ctl.
 * - exchange_start() only hands over; curl works in a task at the end of the iteration,
 *   once for everything that was started in it.
 *
 * Sent once: curl sends a request again when a kept connection ends without an answer,
 * also after all of it was written, and a payment's SMS would go out twice. on_attempt()
 * stands before each attempt and refuses a second one that is not safe.
 *
 * Whether the whole request was written is what curl's counters say about bytes that the
 * socket (or TLS) took: the body's, or without a body any at all, the safe side.
 *
 * Known limits of curl 7.88: an HTTP/2 stream that the server refused unprocessed is seen
 * as ambiguous; a resolver's thread that hangs outlives its exchange
 * (CURLOPT_QUICK_EXIT), instead of blocking the loop. */
#include "io/exchange.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/stream.h"
#include "io/watches.h"

enum {
	KEEP_BYTES_MAX = 16384, /* of a buffer between two exchanges */
	HEADER_BYTES_MAX = TRANSFER_HEADERS_MAX * TRANSFER_URL_MAX,
	RETRY_AFTER_MAX_S = 86400,
};

struct exchange_door {
	struct loop *loop;
	CURLM *multi;
	char *ca_file;
	struct watches *watches;
	struct loop_timer *timer;
	struct loop_task drive;   /* what was started wants to go */
	int64_t due_us, armed_us; /* what curl wants, what the timer is set to; 0: none */
};

/* CURLOPT_PRIVATE of every handle points at one of these: an exchange's or a stream's. */
struct owner {
	bool is_stream;
};

struct exchange {
	struct owner owner;
	struct exchange_door *door;
	transfer_fn *fn;
	void *arg;
	CURL *easy;
	int attempts;
	bool repeatable;  /* sent twice does no harm */
	bool sent_before; /* a first attempt wrote it and broke, a second was refused */
	struct buf body, response, header_bytes;
	struct curl_slist headers[TRANSFER_HEADERS_MAX + 1];
	/* What the easy handle is set to. */
	struct buf url, username, password;
	char method[16];
	bool has_body;
	int connect_timeout_ms;
};

struct stream {
	struct owner owner;
	struct exchange_door *door;
	CURL *easy;
	int fd; /* -1 while curl opens it */
	const struct stream_calls *calls;
	void *arg;
};

static int on_attempt(void *arg, char *remote, char *local, int remote_port,
		      int local_port);
static size_t on_response(char *bytes, size_t one, size_t len, void *arg);
static CURL *new_easy(struct exchange_door *t, struct owner *owner);
static int prepare(struct exchange *x, const struct transfer_request *request,
		   struct err *e);
static void fill(struct exchange *x, struct transfer_result *result, CURLcode rc);
static void finish(struct exchange *x, CURLcode rc);
static void finish_opening(struct stream *s, CURLcode rc);
static void on_drive(void *arg);
static void on_timer(void *arg);
static void on_event(void *arg, int fd, int events);
static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg);
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *ignored);

struct exchange_door *exchange_door_new(struct loop *l,
					const struct transfer_engine_settings *settings)
{
	struct exchange_door *t = mem_alloc(sizeof(*t));

	curl_global_init(CURL_GLOBAL_DEFAULT);
	t->loop = l;
	t->ca_file = mem_strdup(settings->ca_file != NULL ? settings->ca_file : "");
	t->multi = curl_multi_init();
	if (t->multi == NULL) {
		log_error("exchange.fatal", "call=curl_multi_init");
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

void exchange_door_free(struct exchange_door *t)
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

struct exchange *exchange_new(struct exchange_door *t, transfer_fn *fn, void *arg)
{
	struct exchange *x = mem_alloc(sizeof(*x));

	x->door = t;
	x->fn = fn;
	x->arg = arg;
	buf_init(&x->body, TRANSFER_BODY_MAX);
	buf_init(&x->response, TRANSFER_RESPONSE_MAX);
	buf_init(&x->header_bytes, HEADER_BYTES_MAX);
	buf_init(&x->url, TRANSFER_URL_MAX);
	buf_init(&x->username, TRANSFER_URL_MAX);
	buf_init(&x->password, TRANSFER_URL_MAX);
	x->easy = new_easy(t, &x->owner);
	/* Without this, curl waits a second for "100 Continue" before a larger body. The
	 * node stays the list's first, and so CURLOPT_HTTPHEADER is set once. */
	x->headers[0].data = (char *)"Expect:";
	curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, &x->headers[0]);
	curl_easy_setopt(x->easy, CURLOPT_PREREQFUNCTION, on_attempt);
	curl_easy_setopt(x->easy, CURLOPT_PREREQDATA, x);
	curl_easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, on_response);
	curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, x);
	return x;
}

void exchange_free(struct exchange *x)
{
	if (x == NULL)
		return;
	curl_easy_cleanup(x->easy);
	buf_release(&x->body);
	buf_release(&x->response);
	buf_release(&x->header_bytes);
	buf_release(&x->url);
	buf_release(&x->username);
	buf_release(&x->password);
	mem_free(x);
}

int exchange_start(struct exchange *x, const struct transfer_request *request,
		   struct err *e)
{
	if (prepare(x, request, e) < 0)
		return -1;
	/* curl answers with its timer, and that with the task. */
	curl_multi_add_handle(x->door->multi, x->easy);
	return 0;
}

void exchange_stop(struct exchange *x, struct transfer_result *result)
{
	if (result != NULL)
		fill(x, result, CURLE_OPERATION_TIMEDOUT);
	curl_multi_remove_handle(x->door->multi, x->easy);
}

/* ---- what goes out ---- */

/* In a list of words that each have a space behind. */
static bool is_one_of(const char *word, const char *words)
{
	size_t len = strlen(word);

	for (const char *at = words; (at = strstr(at, word)) != NULL; at += len)
		if (at[len] == ' ' && (at == words || at[-1] == ' '))
			return true;
	return false;
}

/* Sets *kept and says true when it held something else. NULL is kept as "". */
static bool changes(struct buf *kept, const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;

	if (kept->len == len &&
	    memcmp(buf_text(kept), text != NULL ? text : "", len) == 0)
		return false;
	buf_clear(kept);
	buf_add(kept, text, len);
	return true;
}

static int set_url(struct exchange *x, const char *url, struct err *e)
{
	CURLU *parsed;
	CURLUcode rc;

	if (!changes(&x->url, url) && url[0] != '\0')
		return 0;
	parsed = curl_url();
	rc = curl_url_set(parsed, CURLUPART_URL, url, 0);
	curl_url_cleanup(parsed);
	if (rc != CURLUE_OK ||
	    (strncasecmp(url, "http:", 5) != 0 && strncasecmp(url, "https:", 6) != 0)) {
		buf_clear(&x->url);
		return err_set(e, ERR_INVALID, "not a URL of http, https, smtp or smtps");
	}
	curl_easy_setopt(x->easy, CURLOPT_URL, url);
	/* Over TLS it may become HTTP/2: wait and share it, rather than open many. */
	curl_easy_setopt(x->easy, CURLOPT_PIPEWAIT,
			 strncasecmp(url, "https:", 6) == 0 ? 1L : 0L);
	return 0;
}

static void set_method(struct exchange *x, const char *method, bool has_body)
{
	bool head = strcmp(method, "HEAD") == 0;

	/* In this order: each of the three undoes the one before. */
	curl_easy_setopt(x->easy, CURLOPT_NOBODY, head ? 1L : 0L);
	if (has_body)
		curl_easy_setopt(x->easy, CURLOPT_POST, 1L);
	else if (!head)
		curl_easy_setopt(x->easy, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, head ? NULL : method);
	mem_copy_text(x->method, sizeof(x->method), method);
	x->has_body = has_body;
}

static int set_headers(struct exchange *x, const char *const *headers, struct err *e)
{
	size_t count = 0, at = 0;

	buf_clear(&x->header_bytes);
	for (; headers[count] != NULL; count++) {
		if (count == TRANSFER_HEADERS_MAX)
			return err_set(e, ERR_INVALID, "a request has at most %d headers",
				       TRANSFER_HEADERS_MAX);
		buf_add(&x->header_bytes, headers[count], strlen(headers[count]) + 1);
	}
	for (size_t i = 0; i < count; i++) {
		struct curl_slist *node = &x->headers[i + 1];

		node->data = x->header_bytes.data + at;
		at += strlen(node->data) + 1;
		x->headers[i].next = node;
	}
	x->headers[count].next = NULL;
	return 0;
}

static int prepare(struct exchange *x, const struct transfer_request *request,
		   struct err *e)
{
	const char *method = request->method;
	bool has_body = (request->body != NULL && strcmp(method, "HEAD") != 0) ||
			is_one_of(method, "POST PUT PATCH ");

	if (set_url(x, request->url, e) < 0 || set_headers(x, request->headers, e) < 0)
		return -1;
	if (x->body.capacity > KEEP_BYTES_MAX)
		buf_release(&x->body);
	if (x->response.capacity > KEEP_BYTES_MAX)
		buf_release(&x->response);
	buf_clear(&x->body);
	buf_clear(&x->response);
	x->response.max_bytes =
		request->response_max > 0 ? request->response_max : TRANSFER_RESPONSE_MAX;
	if (request->body != NULL && has_body)
		buf_add(&x->body, request->body, request->body_len);
	if (has_body) {
		curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)x->body.len);
		curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, buf_text(&x->body));
	}
	if (x->has_body != has_body || strcmp(x->method, method) != 0)
		set_method(x, method, has_body);
	if (changes(&x->username, request->username))
		curl_easy_setopt(x->easy, CURLOPT_USERNAME, request->username);
	if (changes(&x->password, request->password))
		curl_easy_setopt(x->easy, CURLOPT_PASSWORD, request->password);
	if (x->connect_timeout_ms != request->connect_timeout_ms) {
		x->connect_timeout_ms = request->connect_timeout_ms;
		curl_easy_setopt(x->easy, CURLOPT_CONNECTTIMEOUT_MS,
				 (long)request->connect_timeout_ms);
	}
	x->attempts = 0;
	x->sent_before = false;
	x->repeatable = is_one_of(method, "GET HEAD OPTIONS PUT DELETE ");
	return 0;
}

/* ---- handles ---- */

/* curl is about to send. A second time is refused when the first may have been done. */
static int on_attempt(void *arg, char *remote, char *local, int remote_port,
		      int local_port)
{
	struct exchange *x = arg;
	long written = 0;

	if (x->attempts++ == 0 || x->repeatable)
		return CURL_PREREQFUNC_OK;
	curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &written);
	if (written == 0)
		return CURL_PREREQFUNC_OK;
	x->sent_before = true;
	return CURL_PREREQFUNC_ABORT;
}

static size_t on_response(char *bytes, size_t one, size_t len, void *arg)
{
	struct exchange *x = arg;

	buf_add(&x->response, bytes, len);
	return x->response.overflowed ? 0 : len;
}

static size_t on_stream_line(char *bytes, size_t one, size_t len, void *arg)
{
	struct stream *s = arg;

	s->calls->line(s->arg, bytes, len);
	return len;
}

static size_t drop_bytes(char *bytes, size_t one, size_t len, void *arg)
{
	return len;
}

static curl_socket_t on_open_socket(void *arg, curlsocktype purpose,
				    struct curl_sockaddr *address)
{
	struct exchange_door *t = arg;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
			address->protocol);

	if (fd < 0)
		return CURL_SOCKET_BAD;
	watches_keep(t->watches, fd);
	return fd;
}

static int on_close_socket(void *arg, curl_socket_t fd)
{
	struct exchange_door *t = arg;

	watches_closed(t->watches, fd);
	return close(fd);
}

/* Everything that is the same for every request. */
static CURL *new_easy(struct exchange_door *t, struct owner *owner)
{
	CURL *easy = curl_easy_init();

	if (easy == NULL) {
		log_error("exchange.fatal", "call=curl_easy_init");
		abort();
	}
	curl_easy_setopt(easy, CURLOPT_PRIVATE, owner);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https,smtp,smtps");
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, t);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	if (t->ca_file[0] != '\0')
		curl_easy_setopt(easy, CURLOPT_CAINFO, t->ca_file);
	return easy;
}

/* ---- what comes back ---- */

static int64_t retry_after_s(CURL *easy)
{
	struct curl_header *header;
	const char *text;
	size_t digits;
	time_t date;

	if (curl_easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &header) !=
	    CURLHE_OK)
		return -1;
	text = header->value;
	digits = strspn(text, "0123456789");
	if (digits > 0 && text[digits] == '\0') {
		long seconds = digits < 9 ? strtol(text, NULL, 10) : RETRY_AFTER_MAX_S;

		return seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S;
	}
	date = curl_getdate(text, NULL);
	if (digits > 0 || date == -1)
		return -1;
	date -= (time_t)(clock_utc_us() / US_PER_S);
	if (date < 0)
		return 0;
	return date < RETRY_AFTER_MAX_S ? date : RETRY_AFTER_MAX_S;
}

static bool whole_was_written(const struct exchange *x)
{
	curl_off_t body = 0;
	long request = 0;

	if (x->sent_before)
		return true;
	curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &request);
	curl_easy_getinfo(x->easy, CURLINFO_SIZE_UPLOAD_T, &body);
	return request > 0 && (size_t)body >= x->body.len;
}

static enum transfer_outcome judge(const struct exchange *x, CURLcode rc)
{
	switch (rc) {
	case CURLE_OK:
		return TRANSFER_ANSWERED;
	case CURLE_WRITE_ERROR: /* on_response(): too large */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return TRANSFER_BAD_ANSWER;
	case CURLE_UNSUPPORTED_PROTOCOL: /* of the answer: HTTP/0.9, or anything */
		return x->attempts > 0 ? TRANSFER_BAD_ANSWER : TRANSFER_NO_CONNECT;
	default:
		break;
	}
	if (x->attempts == 0)
		return TRANSFER_NO_CONNECT;
	if (whole_was_written(x))
		return TRANSFER_AMBIGUOUS;
	return rc == CURLE_OPERATION_TIMEDOUT ? TRANSFER_TIMEOUT : TRANSFER_LOST;
}

static void say_failure(char *out, size_t size, CURL *easy, CURLcode rc)
{
	long error = 0;
	struct buf text;

	buf_init(&text, size - 1);
	buf_add_text(&text, curl_easy_strerror(rc));
	curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
	if (rc == CURLE_COULDNT_CONNECT && error != 0)
		buf_addf(&text, ": %s", strerror((int)error));
	mem_copy_text(out, size, buf_text(&text));
	buf_release(&text);
}

static void fill(struct exchange *x, struct transfer_result *result, CURLcode rc)
{
	long status = 0, connects = 0;

	*result = (struct transfer_result){.outcome = judge(x, rc), .retry_after_s = -1};
	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(x->easy, CURLINFO_NUM_CONNECTS, &connects);
	result->status = (int)status;
	result->reused = x->attempts > 0 && connects == 0;
	result->body = buf_text(&x->response);
	result->body_len = x->response.len;
	if (status >= 300)
		result->retry_after_s = retry_after_s(x->easy);
	if (rc != CURLE_OK)
		say_failure(result->text, sizeof(result->text), x->easy, rc);
}

static void finish(struct exchange *x, CURLcode rc)
{
	struct transfer_result result;

	fill(x, &result, rc);
	curl_multi_remove_handle(x->door->multi, x->easy);
	x->fn(x->arg, &result);
}

/* ---- curl and the loop ---- */

/* All that ended. Callbacks may start and cancel meanwhile: the queue is curl's, and
 * removing a handle takes its message out. */
static void collect(struct exchange_door *t)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(t->multi, &left)) != NULL) {
		CURLcode rc = message->data.result;
		struct owner *owner;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
		if (owner->is_stream)
			finish_opening(container_of(owner, struct stream, owner), rc);
		else
			finish(container_of(owner, struct exchange, owner), rc);
	}
}

static void act(struct exchange_door *t, curl_socket_t fd, int mask)
{
	int running;

	curl_multi_socket_action(t->multi, fd, mask, &running);
	collect(t);
}

static void on_drive(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void on_event(void *arg, int fd, int events)
{
	act(arg, fd,
	    ((events & LOOP_READ) ? CURL_CSELECT_IN : 0) |
		    ((events & LOOP_WRITE) ? CURL_CSELECT_OUT : 0));
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *ignored)
{
	struct exchange_door *t = arg;
	int events = 0;

	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= LOOP_READ;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= LOOP_WRITE;
	watches_want(t->watches, fd, events);
	return 0;
}

/* The timer is never moved to a later time, since hardly any of curl's ever comes: one
 * wake-up too many is cheaper than a change for each exchange. */
static void arm(struct exchange_door *t)
{
	int64_t after_us = t->due_us - clock_mono_us();

	if (t->due_us == 0 || (t->armed_us != 0 && t->armed_us <= t->due_us))
		return;
	t->armed_us = t->due_us;
	loop_timer_start(t->timer, after_us > 0 ? after_us / US_PER_MS : 0, 0);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct exchange_door *t = arg;

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
	struct exchange_door *t = arg;

	t->armed_us = 0;
	if (t->due_us != 0 && t->due_us <= clock_mono_us()) {
		t->due_us = 0;
		act(t, CURL_SOCKET_TIMEOUT, 0);
	}
	arm(t);
}

/* ---- streams ---- */

struct stream *stream_open(struct exchange_door *t,
			   const struct stream_settings *settings,
			   const struct stream_calls *calls, void *arg, struct err *e)
{
	struct stream *s = mem_alloc(sizeof(*s));

	s->owner.is_stream = true;
	s->door = t;
	s->fd = -1;
	s->calls = calls;
	s->arg = arg;
	s->easy = new_easy(t, &s->owner);
	curl_easy_setopt(s->easy, CURLOPT_URL, settings->url);
	curl_easy_setopt(s->easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(s->easy, CURLOPT_HEADERFUNCTION, on_stream_line);
	curl_easy_setopt(s->easy, CURLOPT_HEADERDATA, s);
	curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, drop_bytes);
	curl_easy_setopt(s->easy, CURLOPT_SASL_IR, 1L); /* a round trip less */
	curl_easy_setopt(s->easy, CURLOPT_USERNAME, settings->username);
	curl_easy_setopt(s->easy, CURLOPT_PASSWORD, settings->password);
	curl_easy_setopt(
		s->easy, CURLOPT_USE_SSL,
		(long)(settings->starttls_required ? CURLUSESSL_ALL : CURLUSESSL_TRY));
	curl_easy_setopt(s->easy, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)settings->connect_timeout_ms);
	if (curl_multi_add_handle(t->multi, s->easy) != CURLM_OK) {
		err_set(e, ERR_IO, "curl takes no more transfers");
		stream_close(s);
		return NULL;
	}
	return s;
}

void stream_close(struct stream *s)
{
	if (s == NULL)
		return;
	if (s->fd >= 0)
		watches_lend(s->door->watches, s->fd, 0, NULL, NULL);
	/* This closes the connection too, since it was for us only. */
	curl_multi_remove_handle(s->door->multi, s->easy);
	curl_easy_cleanup(s->easy);
	mem_free(s);
}

static void on_stream_event(void *arg, int events)
{
	struct stream *s = arg;

	s->calls->ready(s->arg, events);
}

static void finish_opening(struct stream *s, CURLcode rc)
{
	struct stream_opening opening = {.ok = rc == CURLE_OK};
	curl_socket_t fd = CURL_SOCKET_BAD;
	char text[128] = "";
	long status = 0;

	if (opening.ok)
		curl_easy_getinfo(s->easy, CURLINFO_ACTIVESOCKET, &fd);
	if (fd == CURL_SOCKET_BAD)
		opening.ok = false;
	else
		s->fd = fd;
	if (!opening.ok)
		say_failure(text, sizeof(text), s->easy, rc);
	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	opening.status = status >= 400 ? (int)status : 0; /* else it refused nothing */
	opening.text = text;
	s->calls->opened(s->arg, &opening);
}

void stream_watch(struct stream *s, int events)
{
	watches_lend(s->door->watches, s->fd, events, on_stream_event, s);
}

ssize_t stream_send(struct stream *s, const void *bytes, size_t len)
{
	size_t n = 0;
	CURLcode rc = curl_easy_send(s->easy, bytes, len, &n);

	if (rc == CURLE_AGAIN)
		return 0;
	return rc == CURLE_OK ? (ssize_t)n : -1;
}

ssize_t stream_recv(struct stream *s, void *bytes, size_t size)
{
	size_t n = 0;
	CURLcode rc = curl_easy_recv(s->easy, bytes, size, &n);

	if (rc == CURLE_AGAIN)
		return 0;
	return rc == CURLE_OK && n > 0 ? (ssize_t)n : -1;
}
