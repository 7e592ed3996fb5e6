/* Design
 *
 * What costs when thousands of requests a second go over kept connections is not the
 * bytes but what is done again for each. So an easy handle with all constant options
 * stays with its `struct exchange`; what changes is set only when it does change; and the
 * header list is made of nodes of ours, linked in place.
 *
 * Sent once: curl sends a request again when a kept connection ends without an answer,
 * also after all of it was written, and a payment's SMS would go out twice. on_attempt()
 * stands before each attempt and refuses a second one that is not safe.
 *
 * Whether the whole request was written is what curl's counters say about bytes that the
 * socket (or TLS) took: the body's, or without a body any at all, the safe side.
 *
 * Known limit: an HTTP/2 stream that the server refused unprocessed is seen as ambiguous.
 */
#include "io/exchange.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "io/curl_door.h"

enum {
	KEEP_BYTES_MAX = 16384, /* of a buffer between two exchanges */
	HEADER_BYTES_MAX = TRANSFER_HEADERS_MAX * TRANSFER_URL_MAX,
	RETRY_AFTER_MAX_S = 86400,
};

struct exchange {
	struct curl_owner owner;
	struct curl_door *door;
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

static int on_attempt(void *arg, char *remote, char *local, int remote_port,
		      int local_port);
static size_t on_response(char *bytes, size_t one, size_t len, void *arg);
static int prepare(struct exchange *x, const struct transfer_request *request,
		   struct err *e);
static void fill(struct exchange *x, struct transfer_result *result, CURLcode rc);
static void on_ended(struct curl_owner *owner, int code);

struct exchange *exchange_new(struct curl_door *t, transfer_fn *fn, void *arg)
{
	struct exchange *x = mem_alloc(sizeof(*x));

	x->owner.ended = on_ended;
	x->door = t;
	x->fn = fn;
	x->arg = arg;
	buf_init(&x->body, TRANSFER_BODY_MAX);
	buf_init(&x->response, TRANSFER_RESPONSE_MAX);
	buf_init(&x->header_bytes, HEADER_BYTES_MAX);
	buf_init(&x->url, TRANSFER_URL_MAX);
	buf_init(&x->username, TRANSFER_URL_MAX);
	buf_init(&x->password, TRANSFER_URL_MAX);
	x->easy = curl_door_handle(t, &x->owner);
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
	curl_door_start(x->door, x->easy);
	return 0;
}

void exchange_stop(struct exchange *x, struct transfer_result *result)
{
	if (result != NULL)
		fill(x, result, CURLE_OPERATION_TIMEDOUT);
	curl_door_stop(x->door, x->easy);
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

/* curl is about to send. A second time is refused when the first may have been done. */
static int on_attempt(void *arg, char *remote, char *local, int remote_port,
		      int local_port)
{
	struct exchange *x = arg;
	long written = 0;

	x->owner.connected = true;
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
		curl_door_say(result->text, sizeof(result->text), x->easy, (int)rc);
}

static void on_ended(struct curl_owner *owner, int code)
{
	struct exchange *x = container_of(owner, struct exchange, owner);
	struct transfer_result result;

	fill(x, &result, (CURLcode)code);
	curl_door_stop(x->door, x->easy);
	x->fn(x->arg, &result);
}
