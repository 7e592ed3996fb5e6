#include "sandbox/held.h"

#include "base/mem.h"

struct late {
	struct list link;
	struct http_request *request;
	struct loop_timer *timer;
	struct http_answer answer;
};

struct hung {
	struct list link;
	struct http_request *request;
	enum channel channel;
};

void held_init(struct held *h, struct loop *l)
{
	h->loop = l;
	h->hung_count = 0;
	list_init(&h->late);
	list_init(&h->hung);
}

static void give(void *arg)
{
	struct late *late = arg;
	struct http_answer *a = &late->answer;

	list_remove(&late->link);
	loop_timer_free(late->timer);
	http_answer(late->request, a);
	for (int i = 0; i < HTTP_EXTRA_HEADERS_MAX; i++) {
		mem_free((char *)a->headers[i].name);
		mem_free((char *)a->headers[i].value);
	}
	mem_free((char *)a->body);
	mem_free((char *)a->content_type);
	mem_free(late);
}

void held_late(struct held *h, struct http_request *r, const struct http_answer *a,
	       int latency_ms)
{
	struct late *late = mem_alloc(sizeof(*late));

	late->request = r;
	late->answer = *a;
	late->answer.body = mem_dup(a->body, a->body_len);
	late->answer.content_type = mem_strdup(a->content_type);
	for (int i = 0; i < HTTP_EXTRA_HEADERS_MAX; i++) {
		late->answer.headers[i].name = mem_strdup(a->headers[i].name);
		late->answer.headers[i].value = mem_strdup(a->headers[i].value);
	}
	list_append(&h->late, &late->link);
	late->timer = loop_timer_new(h->loop, give, late);
	loop_timer_start(late->timer, latency_ms, 0);
}

static void drop(struct held *h, struct hung *hung)
{
	list_remove(&hung->link);
	h->hung_count--;
	http_answer(hung->request, &(struct http_answer){.status = 503, .cut = true});
	mem_free(hung);
}

void held_hang(struct held *h, struct http_request *r, enum channel c)
{
	struct hung *hung = mem_alloc(sizeof(*hung));

	if (h->hung_count == HELD_HUNG_MAX)
		drop(h, container_of(h->hung.next, struct hung, link));
	hung->request = r;
	hung->channel = c;
	list_append(&h->hung, &hung->link);
	h->hung_count++;
}

void held_drop_hung(struct held *h, enum channel c)
{
	struct list *next;

	for (struct list *at = h->hung.next; at != &h->hung; at = next) {
		struct hung *hung = container_of(at, struct hung, link);

		next = at->next;
		if (hung->channel == c)
			drop(h, hung);
	}
}

void held_release(struct held *h)
{
	while (!list_empty(&h->hung))
		drop(h, container_of(h->hung.next, struct hung, link));
	while (!list_empty(&h->late))
		give(container_of(h->late.next, struct late, link));
}
