/* Design
 *
 * What HTTP and mail have in common: a start, one end, and a time by which it comes. The
 * timeout is counted here (a heap), because curl does not count it for what waits for a
 * connection, and a mail waits for a session.
 *
 * A transfer is a pooled block, last used first, that keeps its exchange: an exchange is
 * dear to make (curl's handle with all its options) and cheap to use again. */
#include "io/transfer.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/mem.h"
#include "io/curl_door.h"
#include "io/exchange.h"
#include "io/mail.h"

#define POOL_MAX 256 /* kept without work: about 15 KiB each */

struct transfer_engine {
	struct loop *loop;
	struct curl_door *door;
	struct mail_pool *mails;
	struct loop_timer *timer;
	int64_t armed_us; /* 0: the timer is not set */
	struct heap deadlines;
	struct list running, pool;
	size_t running_count, pool_count;
};

struct transfer {
	struct list link; /* running, or in the pool */
	struct transfer_engine *engine;
	struct heap_node deadline;
	int64_t started_us;
	transfer_fn *fn;
	void *arg;
	struct exchange *exchange; /* NULL: was never used for HTTP */
	struct mail *mail;         /* NULL: it is HTTP this time */
};

static int check_request(const struct transfer_request *request, struct err *e);
static bool is_mail_url(const char *url);
static struct transfer *take(struct transfer_engine *t);
static void give_back(struct transfer *x);
static void free_transfer(struct transfer *x);
static void on_end(void *arg, const struct transfer_result *result);
static void on_timer(void *arg);
static void arm(struct transfer_engine *t);
static void stop(struct transfer *x, struct transfer_result *result);

struct transfer_engine *
transfer_engine_new(struct loop *l, const struct transfer_engine_settings *settings)
{
	struct transfer_engine *t = mem_alloc(sizeof(*t));

	t->loop = l;
	t->door = curl_door_new(l, settings);
	t->mails = mail_pool_new(l, t->door, settings->max_connections);
	t->timer = loop_timer_new(l, on_timer, t);
	heap_init(&t->deadlines);
	list_init(&t->running);
	list_init(&t->pool);
	return t;
}

void transfer_engine_free(struct transfer_engine *t)
{
	if (t == NULL)
		return;
	while (!list_empty(&t->running))
		transfer_cancel(container_of(t->running.next, struct transfer, link));
	for (struct list *n; (n = list_pop(&t->pool)) != NULL;)
		free_transfer(container_of(n, struct transfer, link));
	mail_pool_free(t->mails);
	curl_door_free(t->door);
	loop_timer_free(t->timer);
	heap_release(&t->deadlines);
	mem_free(t);
}

struct transfer *transfer_start(struct transfer_engine *t,
				const struct transfer_request *request, transfer_fn *fn,
				void *arg, struct err *e)
{
	struct transfer *x;
	int rc;

	if (check_request(request, e) < 0)
		return NULL;
	x = take(t);
	x->fn = fn;
	x->arg = arg;
	x->started_us = clock_mono_us();
	if (is_mail_url(request->url)) {
		x->mail = mail_start(t->mails, request, on_end, x, e);
		rc = x->mail != NULL ? 0 : -1;
	} else {
		if (x->exchange == NULL)
			x->exchange = exchange_new(t->door, on_end, x);
		rc = exchange_start(x->exchange, request, e);
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
	return x;
}

void transfer_cancel(struct transfer *x)
{
	struct transfer_engine *t = x->engine;

	stop(x, NULL);
	heap_remove(&t->deadlines, &x->deadline);
	list_remove(&x->link);
	t->running_count--;
	give_back(x);
}

size_t transfer_running(const struct transfer_engine *t)
{
	return t->running_count;
}

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

static bool is_method(const char *method)
{
	size_t len = strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return len > 0 && len < 16 && method[len] == '\0';
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
	for (const char *const *h = request->headers;
	     h < request->headers + TRANSFER_HEADERS_MAX && *h != NULL; h++)
		if (!is_one_line(*h) || strchr(*h, ':') == NULL)
			return err_set(e, ERR_INVALID,
				       "a header is not one, or too long");
	if (request->body_len > TRANSFER_BODY_MAX)
		return err_set(e, ERR_INVALID, "a body has at most %d bytes",
			       TRANSFER_BODY_MAX);
	if (!is_mail_url(request->url) &&
	    (request->method == NULL || !is_method(request->method)))
		return err_set(e, ERR_INVALID, "not an HTTP method");
	return 0;
}

static struct transfer *take(struct transfer_engine *t)
{
	struct list *n = list_pop(&t->pool);
	struct transfer *x;

	if (n != NULL) {
		t->pool_count--;
		return container_of(n, struct transfer, link);
	}
	x = mem_alloc(sizeof(*x));
	x->engine = t;
	return x;
}

static void give_back(struct transfer *x)
{
	struct transfer_engine *t = x->engine;

	x->mail = NULL;
	if (t->pool_count >= POOL_MAX) {
		free_transfer(x);
		return;
	}
	list_prepend(&t->pool, &x->link);
	t->pool_count++;
}

static void free_transfer(struct transfer *x)
{
	exchange_free(x->exchange);
	mem_free(x);
}

static void on_end(void *arg, const struct transfer_result *result)
{
	struct transfer *x = arg;
	struct transfer_engine *t = x->engine;
	struct transfer_result whole = *result;

	heap_remove(&t->deadlines, &x->deadline);
	list_remove(&x->link);
	t->running_count--;
	whole.took_us = clock_mono_us() - x->started_us;
	x->fn(x->arg, &whole);
	give_back(x);
}

static void stop(struct transfer *x, struct transfer_result *result)
{
	if (x->mail != NULL)
		mail_stop(x->mail, result);
	else
		exchange_stop(x->exchange, result);
}

/* Never to a later time: nearly all transfers end long before theirs, and one wake-up too
 * many is cheaper than a change for each. */
static void arm(struct transfer_engine *t)
{
	struct heap_node *first = heap_peek(&t->deadlines);
	int64_t after_us;

	if (first == NULL || (t->armed_us != 0 && t->armed_us <= first->at))
		return;
	t->armed_us = first->at;
	after_us = first->at - clock_mono_us();
	loop_timer_start(t->timer, after_us > 0 ? after_us / US_PER_MS : 0, 0);
}

static void on_timer(void *arg)
{
	struct transfer_engine *t = arg;
	int64_t now_us = clock_mono_us();
	struct heap_node *first;

	t->armed_us = 0;
	while ((first = heap_peek(&t->deadlines)) != NULL && first->at <= now_us) {
		struct transfer *x = container_of(first, struct transfer, deadline);
		struct transfer_result result;

		stop(x, &result);
		/* The connect timeout is curl's: this one waited for its turn. */
		if (result.outcome == TRANSFER_NO_CONNECT)
			result.outcome = TRANSFER_TIMEOUT;
		on_end(x, &result);
	}
	arm(t);
}
