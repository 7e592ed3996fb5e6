/* Design
 *
 * One curl multi handle, driven by the loop. What costs when thousands of requests a
 * second go over kept connections is not the bytes but what is done again for each, so:
 *
 * - An easy handle with all constant options stays with its `struct transfer`, and those
 *   are pooled, last used first. What changes is set only when it does change; the header
 *   list is made of nodes of ours, linked in place.
 * - curl asks to unwatch a socket when its transfer ends, and to watch it again for the
 *   next. The first is put off (see watches.h): a kept connection needs no epoll_ctl.
 * - The whole timeout is ours (a heap), because curl does not count it for a transfer
 * that waits for a connection; it gets the connect timeout only, which it divides among a
 *   name's addresses. One timer of the loop serves both.
 * - transfer_start() only hands over; curl works in a task at the end of the iteration,
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
 * as ambiguous; a resolver's thread that hangs outlives its transfer
 * (CURLOPT_QUICK_EXIT), instead of blocking the loop. */
#include "io/transfer.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/mail.h"
#include "io/stream.h"
#include "io/watches.h"

enum {
	POOL_MAX = 256,         /* easy handles kept without work: 10 KiB each */
	KEEP_BYTES_MAX = 16384, /* of a pooled buffer */
	HEADER_BYTES_MAX = TRANSFER_HEADERS_MAX * TRANSFER_URL_MAX,
	RETRY_AFTER_MAX_S = 86400,
};

struct transfer_engine {
	struct loop *loop;
	CURLM *multi;
	char *ca_file;
	struct mail_pool *mails;
	struct watches *watches;
	struct loop_timer *timer;
	struct loop_task drive;        /* what was started wants to go */
	int64_t curl_due_us, armed_us; /* 0: none */
	struct heap deadlines;
	struct list running, pool;
	size_t running_count, pool_count;
};

/* CURLOPT_PRIVATE of every handle points at one of these: a transfer's or a stream's. */
struct owner {
	bool is_stream;
};

struct transfer {
	struct owner owner;
	struct list link; /* running, or in the pool */
	struct transfer_engine *engine;
	struct heap_node deadline;
	int64_t started_us;
	transfer_fn *fn;
	void *arg;
	struct mail *mail; /* NULL: HTTP */
	CURL *easy;        /* NULL: was never used for HTTP */
	int attempts;
	bool repeatable;  /* sent twice does no harm */
	bool sent_before; /* a first attempt wrote it and broke, a second was refused */
	struct buf body, response, header_bytes;
	struct curl_slist headers[TRANSFER_HEADERS_MAX + 1];
	/* What the easy handle is set to. */
	struct buf url, method, username, password;
	int connect_timeout_ms;
};

struct stream {
	struct owner owner;
	struct transfer_engine *engine;
	CURL *easy;
	int fd; /* -1 while curl opens it */
	const struct stream_calls *calls;
	void *arg;
};

static CURL *new_easy(struct transfer_engine *t, struct owner *owner);
static struct transfer *take_slot(struct transfer_engine *t);
static void give_back(struct transfer *x);
static void free_slot(struct transfer *x);
static int check_request(const struct transfer_request *request, struct err *e);
static bool is_mail_url(const char *url);
static int prepare_http(struct transfer *x, const struct transfer_request *request,
			struct err *e);
static void on_mail(void *arg, const struct transfer_result *result);
static void end_transfer(struct transfer *x, struct transfer_result *result);
static void on_drive(void *arg);
static void on_timer(void *arg);
static void arm(struct transfer_engine *t);
static void expire(struct transfer *x);
static void collect(struct transfer_engine *t);
static void finish_http(struct transfer *x, CURLcode rc);
static void finish_opening(struct stream *s, CURLcode rc);
static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg);
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *ignored);
static void on_event(void *arg, int fd, int events);

struct transfer_engine *
transfer_engine_new(struct loop *l, const struct transfer_engine_settings *settings)
{
	struct transfer_engine *t = mem_alloc(sizeof(*t));

	curl_global_init(CURL_GLOBAL_DEFAULT);
	t->loop = l;
	t->ca_file = mem_strdup(settings->ca_file != NULL ? settings->ca_file : "");
	t->multi = curl_multi_init();
	if (t->multi == NULL) {
		log_error("transfer.fatal", "call=curl_multi_init");
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
	heap_init(&t->deadlines);
	list_init(&t->running);
	list_init(&t->pool);
	t->mails = mail_pool_new(l, t, settings->max_connections);
	return t;
}

void transfer_engine_free(struct transfer_engine *t)
{
	if (t == NULL)
		return;
	while (!list_empty(&t->running))
		transfer_cancel(container_of(t->running.next, struct transfer, link));
	mail_pool_free(t->mails);
	for (struct list *n; (n = list_pop(&t->pool)) != NULL;)
		free_slot(container_of(n, struct transfer, link));
	curl_multi_cleanup(t->multi);
	watches_free(t->watches);
	loop_timer_free(t->timer);
	loop_task_cancel(&t->drive);
	heap_release(&t->deadlines);
	mem_free(t->ca_file);
	mem_free(t);
	curl_global_cleanup();
}

struct transfer *transfer_start(struct transfer_engine *t,
				const struct transfer_request *request, transfer_fn *fn,
				void *arg, struct err *e)
{
	struct transfer *x;
	int rc = 0;

	if (check_request(request, e) < 0)
		return NULL;
	x = take_slot(t);
	x->fn = fn;
	x->arg = arg;
	x->started_us = clock_mono_us();
	if (is_mail_url(request->url)) {
		x->mail = mail_start(t->mails, request, on_mail, x, e);
		rc = x->mail != NULL ? 0 : -1;
	} else {
		rc = prepare_http(x, request, e);
	}
	if (rc < 0) {
		give_back(x);
		return NULL;
	}
	list_append(&t->running, &x->link);
	t->running_count++;
	heap_push(&t->deadlines, &x->deadline,
		  x->started_us + request->timeout_ms * US_PER_MS);
	arm(t);
	/* curl answers with its timer, and that with the task. */
	if (x->mail == NULL)
		curl_multi_add_handle(t->multi, x->easy);
	return x;
}

void transfer_cancel(struct transfer *x)
{
	struct transfer_engine *t = x->engine;

	if (x->mail != NULL)
		mail_abandon(x->mail, NULL);
	else
		curl_multi_remove_handle(t->multi, x->easy);
	heap_remove(&t->deadlines, &x->deadline);
	list_remove(&x->link);
	t->running_count--;
	give_back(x);
}

size_t transfer_running(const struct transfer_engine *t)
{
	return t->running_count;
}

/* ---- what goes out ---- */

static bool is_mail_url(const char *url)
{
	return strncasecmp(url, "smtp:", 5) == 0 || strncasecmp(url, "smtps:", 6) == 0;
}

/* Text that may stand in a header or a command: no line's end that would begin another.
 */
static bool is_one_line(const char *text)
{
	size_t len = strcspn(text, "\r\n");

	return text[len] == '\0' && len < TRANSFER_URL_MAX;
}

static int check_request(const struct transfer_request *request, struct err *e)
{
	const char *texts[] = {request->url, request->username, request->password,
			       request->hello};

	if (request->url == NULL || request->timeout_ms <= 0 ||
	    request->connect_timeout_ms <= 0)
		return err_set(e, ERR_INVALID, "a request needs a URL and its timeouts");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i] != NULL && !is_one_line(texts[i]))
			return err_set(e, ERR_INVALID,
				       "a text of the request is too long "
				       "or has a line's end in it");
	if (request->body_len > TRANSFER_BODY_MAX)
		return err_set(e, ERR_INVALID, "a body has at most %d bytes",
			       TRANSFER_BODY_MAX);
	return 0;
}

static bool is_method(const char *method)
{
	size_t len = strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return len > 0 && len < 16 && method[len] == '\0';
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

static int set_url(struct transfer *x, const char *url, struct err *e)
{
	CURLU *parsed;
	CURLUcode rc;

	if (!changes(&x->url, url))
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

static void set_method(struct transfer *x, const char *method, bool has_body)
{
	bool head = strcmp(method, "HEAD") == 0;

	/* In this order: each of the three undoes the one before. */
	curl_easy_setopt(x->easy, CURLOPT_NOBODY, head ? 1L : 0L);
	if (has_body)
		curl_easy_setopt(x->easy, CURLOPT_POST, 1L);
	else if (!head)
		curl_easy_setopt(x->easy, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, head ? NULL : method);
}

/* The list's first node stays, and with it CURLOPT_HTTPHEADER. */
static int set_headers(struct transfer *x, const char *const *headers, struct err *e)
{
	size_t count = 0, at = 0;

	buf_clear(&x->header_bytes);
	for (; headers[count] != NULL; count++) {
		if (count == TRANSFER_HEADERS_MAX || !is_one_line(headers[count]) ||
		    strchr(headers[count], ':') == NULL)
			return err_set(e, ERR_INVALID,
				       "a header is not one, or too much");
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

static int prepare_http(struct transfer *x, const struct transfer_request *request,
			struct err *e)
{
	static const char *const with_body[] = {"POST", "PUT", "PATCH"};
	static const char *const idempotent[] = {"GET", "HEAD", "OPTIONS", "PUT",
						 "DELETE"};
	const char *method = request->method != NULL ? request->method : "";
	bool has_body = request->body != NULL;

	if (!is_method(method))
		return err_set(e, ERR_INVALID, "not an HTTP method");
	if (x->easy == NULL)
		x->easy = new_easy(x->engine, &x->owner);
	if (set_url(x, request->url, e) < 0 || set_headers(x, request->headers, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(with_body) / sizeof(with_body[0]); i++)
		has_body = has_body || strcmp(method, with_body[i]) == 0;
	x->repeatable = false;
	for (size_t i = 0; i < sizeof(idempotent) / sizeof(idempotent[0]); i++)
		x->repeatable = x->repeatable || strcmp(method, idempotent[i]) == 0;

	buf_clear(&x->body);
	if (has_body) {
		if (request->body != NULL)
			buf_add(&x->body, request->body, request->body_len);
		curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)x->body.len);
		curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, buf_text(&x->body));
	}
	/* A method with and without a body is two. */
	buf_clear(&x->response);
	buf_add_text(&x->response, method);
	buf_add_text(&x->response, has_body ? "+" : "");
	if (changes(&x->method, buf_text(&x->response)))
		set_method(x, method, has_body);
	buf_clear(&x->response);
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
	return 0;
}

/* ---- handles ---- */

/* curl is about to send. A second time is refused when the first may have been done. */
static int on_attempt(void *arg, char *remote, char *local, int remote_port,
		      int local_port)
{
	struct transfer *x = arg;
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
	struct transfer *x = arg;

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
	struct transfer_engine *t = arg;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
			address->protocol);

	if (fd < 0)
		return CURL_SOCKET_BAD;
	watches_keep(t->watches, fd);
	return fd;
}

static int on_close_socket(void *arg, curl_socket_t fd)
{
	struct transfer_engine *t = arg;

	watches_closed(t->watches, fd);
	return close(fd);
}

/* Everything that is the same for every request. */
static CURL *new_easy(struct transfer_engine *t, struct owner *owner)
{
	CURL *easy = curl_easy_init();

	if (easy == NULL) {
		log_error("transfer.fatal", "call=curl_easy_init");
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
	if (owner->is_stream)
		return easy;

	struct transfer *x = container_of(owner, struct transfer, owner);

	/* Without this, curl waits a second for "100 Continue" before a larger body. */
	x->headers[0].data = (char *)"Expect:";
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, &x->headers[0]);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_attempt);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, x);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_response);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
	return easy;
}

static struct transfer *take_slot(struct transfer_engine *t)
{
	struct list *n = list_pop(&t->pool);
	struct transfer *x;

	if (n != NULL) {
		t->pool_count--;
		return container_of(n, struct transfer, link);
	}
	x = mem_alloc(sizeof(*x));
	x->engine = t;
	buf_init(&x->body, TRANSFER_BODY_MAX);
	buf_init(&x->response, TRANSFER_RESPONSE_MAX);
	buf_init(&x->header_bytes, HEADER_BYTES_MAX);
	buf_init(&x->url, TRANSFER_URL_MAX);
	buf_init(&x->method, TRANSFER_URL_MAX);
	buf_init(&x->username, TRANSFER_URL_MAX);
	buf_init(&x->password, TRANSFER_URL_MAX);
	return x;
}

static void give_back(struct transfer *x)
{
	struct transfer_engine *t = x->engine;

	x->mail = NULL;
	if (x->body.capacity > KEEP_BYTES_MAX)
		buf_release(&x->body);
	if (x->response.capacity > KEEP_BYTES_MAX)
		buf_release(&x->response);
	if (t->pool_count >= POOL_MAX) {
		free_slot(x);
		return;
	}
	list_prepend(&t->pool, &x->link);
	t->pool_count++;
}

static void free_slot(struct transfer *x)
{
	curl_easy_cleanup(x->easy);
	buf_release(&x->body);
	buf_release(&x->response);
	buf_release(&x->header_bytes);
	buf_release(&x->url);
	buf_release(&x->method);
	buf_release(&x->username);
	buf_release(&x->password);
	mem_free(x);
}

/* ---- what comes back ---- */

static void end_transfer(struct transfer *x, struct transfer_result *result)
{
	struct transfer_engine *t = x->engine;

	heap_remove(&t->deadlines, &x->deadline);
	list_remove(&x->link);
	t->running_count--;
	result->took_us = clock_mono_us() - x->started_us;
	if (result->body == NULL)
		result->body = "";
	x->fn(x->arg, result);
	give_back(x);
}

static void on_mail(void *arg, const struct transfer_result *result)
{
	struct transfer *x = arg;
	struct transfer_result copy = *result;

	x->mail = NULL;
	end_transfer(x, &copy);
}

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

static bool whole_was_written(const struct transfer *x)
{
	curl_off_t body = 0;
	long request = 0;

	if (x->sent_before)
		return true;
	curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &request);
	curl_easy_getinfo(x->easy, CURLINFO_SIZE_UPLOAD_T, &body);
	return request > 0 && (size_t)body >= x->body.len;
}

static enum transfer_outcome judge(const struct transfer *x, CURLcode rc)
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

static void fill_http(struct transfer *x, struct transfer_result *result, CURLcode rc)
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

static void finish_http(struct transfer *x, CURLcode rc)
{
	struct transfer_result result;

	fill_http(x, &result, rc);
	curl_multi_remove_handle(x->engine->multi, x->easy);
	end_transfer(x, &result);
}

static void expire(struct transfer *x)
{
	struct transfer_result result;

	if (x->mail != NULL) {
		mail_abandon(x->mail, &result);
		x->mail = NULL;
		end_transfer(x, &result);
		return;
	}
	fill_http(x, &result, CURLE_OPERATION_TIMEDOUT);
	/* The connect timeout is curl's: this one waited for its turn. */
	if (result.outcome == TRANSFER_NO_CONNECT)
		result.outcome = TRANSFER_TIMEOUT;
	curl_multi_remove_handle(x->engine->multi, x->easy);
	end_transfer(x, &result);
}

/* ---- curl and the loop ---- */

/* All that ended. Callbacks may start and cancel meanwhile: the queue is curl's, and
 * removing a handle takes its message out. */
static void collect(struct transfer_engine *t)
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
			finish_http(container_of(owner, struct transfer, owner), rc);
	}
}

static void act(struct transfer_engine *t, curl_socket_t fd, int mask)
{
	int running;

	curl_multi_socket_action(t->multi, fd, mask, &running);
	collect(t);
	arm(t);
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
	struct transfer_engine *t = arg;
	int events = 0;

	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= LOOP_READ;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= LOOP_WRITE;
	watches_want(t->watches, fd, events);
	return 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct transfer_engine *t = arg;

	t->curl_due_us = 0;
	if (timeout_ms == 0)
		loop_task_want(t->loop, &t->drive);
	else if (timeout_ms > 0)
		t->curl_due_us = clock_mono_us() + timeout_ms * US_PER_MS;
	if (timeout_ms > 0)
		arm(t);
	return 0;
}

/* The timer is set for the earliest of both. It is never moved to a later time: nearly
 * all transfers end long before theirs, and one wake-up too many is cheaper than a change
 * for each. */
static void arm(struct transfer_engine *t)
{
	struct heap_node *first = heap_peek(&t->deadlines);
	int64_t due_us = t->curl_due_us, after_us;

	if (first != NULL && (due_us == 0 || first->at < due_us))
		due_us = first->at;
	if (due_us == 0 || (t->armed_us != 0 && t->armed_us <= due_us))
		return;
	t->armed_us = due_us;
	after_us = due_us - clock_mono_us();
	loop_timer_start(t->timer, after_us > 0 ? after_us / US_PER_MS : 0, 0);
}

static void on_timer(void *arg)
{
	struct transfer_engine *t = arg;
	int64_t now_us = clock_mono_us();
	struct heap_node *first;

	t->armed_us = 0;
	if (t->curl_due_us != 0 && t->curl_due_us <= now_us) {
		t->curl_due_us = 0;
		act(t, CURL_SOCKET_TIMEOUT, 0);
	}
	while ((first = heap_peek(&t->deadlines)) != NULL && first->at <= now_us)
		expire(container_of(first, struct transfer, deadline));
	arm(t);
}

/* ---- streams ---- */

struct stream *stream_open(struct transfer_engine *t,
			   const struct stream_settings *settings,
			   const struct stream_calls *calls, void *arg, struct err *e)
{
	struct stream *s = mem_alloc(sizeof(*s));

	s->owner.is_stream = true;
	s->engine = t;
	s->fd = -1;
	s->calls = calls;
	s->arg = arg;
	s->easy = new_easy(t, &s->owner);
	curl_easy_setopt(s->easy, CURLOPT_URL, settings->url);
	curl_easy_setopt(s->easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(s->easy, CURLOPT_HEADERFUNCTION, on_stream_line);
	curl_easy_setopt(s->easy, CURLOPT_HEADERDATA, s);
	curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, drop_bytes);
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
		watches_lend(s->engine->watches, s->fd, 0, NULL, NULL);
	/* This closes the connection too, since it was for us only. */
	curl_multi_remove_handle(s->engine->multi, s->easy);
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
	opening.status = (int)status;
	opening.text = text;
	s->calls->opened(s->arg, &opening);
}

void stream_watch(struct stream *s, int events)
{
	watches_lend(s->engine->watches, s->fd, events, on_stream_event, s);
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
