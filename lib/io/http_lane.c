#include "io/http_lane.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

#define DISCARD_MAX_BYTES (1024 * 1024)
#define KEEP_REQUESTS     256
#define KEEP_BYTES        (16 * 1024)

int http_lane_init(struct http_lane *l, size_t max_body_bytes, struct err *e)
{
	*l = (struct http_lane){.max_body_bytes = max_body_bytes};
	l->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return l->event_fd >= 0 ? 0 : err_set_errno(e, ERR_IO, errno, "eventfd");
}

/* ---- requests ---- */

struct http_request *http_lane_take(struct http_lane *l)
{
	struct http_request *r = l->free_list;

	if (r != NULL) {
		l->free_list = r->next;
		l->free_count--;
		r->next = NULL;
		return r;
	}
	r = mem_alloc(sizeof(*r));
	r->lane = l;
	r->file = -1;
	buf_init(&r->body, l->max_body_bytes);
	buf_init(&r->answer, SIZE_MAX);
	return r;
}

static void request_free(struct http_request *r)
{
	buf_release(&r->body);
	buf_release(&r->answer);
	mem_free(r);
}

static void recycle_buf(struct buf *b)
{
	if (b->capacity > KEEP_BYTES)
		buf_release(b);
	else
		buf_clear(b);
}

void http_lane_recycle(struct http_request *r)
{
	struct http_lane *l = r->lane;

	if (r->file >= 0)
		close(r->file); /* its answer was not sent */
	r->file = -1;
	if (l->free_count == KEEP_REQUESTS) {
		request_free(r);
		return;
	}
	recycle_buf(&r->body);
	recycle_buf(&r->answer);
	r->connection = NULL;
	r->context = NULL;
	r->state = REQUEST_READING;
	r->discarded = 0;
	r->next = l->free_list;
	l->free_list = r;
	l->free_count++;
}

void http_lane_release(struct http_lane *l)
{
	struct http_request *r;

	while ((r = l->free_list) != NULL) {
		l->free_list = r->next;
		request_free(r);
	}
	if (l->event_fd >= 0)
		close(l->event_fd);
}

bool http_lane_gather(struct http_request *r, const char *piece, size_t len)
{
	if (r->state == REQUEST_DISCARDING) {
		r->discarded += len;
		return r->discarded <= DISCARD_MAX_BYTES;
	}
	buf_add(&r->body, piece, len);
	if (r->body.overflowed) {
		buf_release(&r->body);
		r->state = REQUEST_DISCARDING;
	}
	return true;
}

/* ---- the mailbox ---- */

void http_lane_ring(struct http_lane *l)
{
	uint64_t one = 1;

	/* Fails only when the counter is full, and then it is readable already. */
	while (write(l->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void http_lane_hush(struct http_lane *l)
{
	uint64_t count;

	while (read(l->event_fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

static void post(struct http_request *r)
{
	struct http_lane *l = r->lane;
	struct http_request *head =
		atomic_load_explicit(&l->mailbox, memory_order_relaxed);

	do
		r->next = head;
	while (!atomic_compare_exchange_weak_explicit(
		&l->mailbox, &head, r, memory_order_release, memory_order_relaxed));
}

struct http_request *http_lane_mail(struct http_lane *l)
{
	struct http_request *r, *next, *ordered = NULL;

	if (atomic_load_explicit(&l->mailbox, memory_order_relaxed) == NULL)
		return NULL;
	r = atomic_exchange_explicit(&l->mailbox, NULL, memory_order_acquire);
	for (; r != NULL; r = next) {
		next = r->next;
		r->state = REQUEST_ANSWERED;
		r->next = ordered;
		ordered = r;
	}
	return ordered;
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

/* True when the answer has to be rung for: it did not come from inside of the handler. */
static bool give(struct http_request *r, const struct http_answer *a)
{
	struct http_lane *l = r->lane;

	copy_answer(r, a);
	if (pthread_equal(pthread_self(), l->self) && l->in_call == r) {
		r->state = REQUEST_ANSWERED;
		return false;
	}
	post(r);
	return true;
}

void http_answer(struct http_request *r, const struct http_answer *a)
{
	struct http_lane *l = r->lane;

	if (give(r, a))
		http_lane_ring(l);
	atomic_fetch_sub(&l->open, 1);
}

void http_answer_file(struct http_request *r, const struct http_answer *a, int fd,
		      uint64_t size)
{
	struct http_answer without = *a;

	without.body = NULL;
	without.body_len = 0;
	without.cut = false;
	r->file = fd;
	r->file_size = size;
	http_answer(r, &without);
}

void http_answer_hold(struct http_request *r, const struct http_answer *a)
{
	struct http_lane *l = r->lane;

	if (give(r, a))
		atomic_fetch_add(&l->held, 1);
	else
		atomic_fetch_sub(&l->open, 1);
}

/* ---- what a handler reads; what libmicrohttpd keeps is read in http_thread.c ---- */

const char *http_method(const struct http_request *r)
{
	return r->method;
}

const char *http_path(const struct http_request *r)
{
	return r->path;
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
