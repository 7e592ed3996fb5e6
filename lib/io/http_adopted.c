#include "io/http_adopted.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define LOOK_US US_PER_S

void http_adopted_init(struct http_adopted *a, int most, int64_t life_us)
{
	*a = (struct http_adopted){.most = most, .life_us = life_us};
	list_init(&a->living);
}

void http_adopted_release(struct http_adopted *a)
{
	struct http_adoptee *one;

	while ((one = http_adopted_take(a)) != NULL) {
		close(one->fd);
		http_adopted_drop(a, one);
	}
}

/* Counted before it is looked at: two that come at once may both be refused for the last
 * place, never both taken. */
bool http_adopted_put(struct http_adopted *a, int fd)
{
	struct http_adoptee *one, *first;

	if (atomic_fetch_add(&a->count, 1) >= a->most) {
		atomic_fetch_sub(&a->count, 1);
		return false;
	}
	one = mem_alloc(sizeof(*one));
	one->fd = fd;
	first = atomic_load_explicit(&a->mailbox, memory_order_relaxed);
	do
		one->next = first;
	while (!atomic_compare_exchange_weak_explicit(
		&a->mailbox, &first, one, memory_order_release, memory_order_relaxed));
	return true;
}

/* One taker only, so the first one's `next` cannot change under it. */
struct http_adoptee *http_adopted_take(struct http_adopted *a)
{
	struct http_adoptee *one =
		atomic_load_explicit(&a->mailbox, memory_order_acquire);

	while (one != NULL && !atomic_compare_exchange_weak_explicit(
				      &a->mailbox, &one, one->next, memory_order_acquire,
				      memory_order_acquire))
		;
	return one;
}

void http_adopted_begin(struct http_adopted *a, struct http_adoptee *one, int64_t now_us)
{
	if (list_empty(&a->living))
		a->look_at_us = now_us + LOOK_US;
	one->until_us = now_us + a->life_us;
	list_append(&a->living, &one->link);
}

void http_adopted_drop(struct http_adopted *a, struct http_adoptee *one)
{
	if (list_linked(&one->link))
		list_remove(&one->link);
	mem_free(one);
	atomic_fetch_sub(&a->count, 1);
}

static struct http_adoptee *oldest(const struct http_adopted *a)
{
	return list_empty(&a->living)
		       ? NULL
		       : container_of(a->living.next, struct http_adoptee, link);
}

/* libmicrohttpd 0.9.75 is told by an edge, and takes a read that came short for the last
 * of it: when the end came before that read, the edge was for both, and the connection
 * would stay until it had been idle for long enough. Shutting the half that the other end
 * has shut already changes nothing, and is an edge. */
static void nudge(struct http_adopted *a)
{
	for (struct list *n = a->living.next; n != &a->living; n = n->next) {
		struct http_adoptee *one = container_of(n, struct http_adoptee, link);
		struct pollfd end = {.fd = one->fd, .events = POLLRDHUP};

		if (one->nudged || poll(&end, 1, 0) <= 0)
			continue;
		one->nudged = true;
		shutdown(one->fd, SHUT_RD);
	}
}

void http_adopted_look(struct http_adopted *a, int64_t now_us)
{
	struct http_adoptee *one;

	while ((one = oldest(a)) != NULL && one->until_us <= now_us) {
		list_remove(&one->link);
		shutdown(one->fd, SHUT_RDWR);
	}
	if (now_us < a->look_at_us)
		return;
	a->look_at_us = now_us + LOOK_US;
	nudge(a);
}

int64_t http_adopted_wait_us(const struct http_adopted *a, int64_t now_us)
{
	const struct http_adoptee *one = oldest(a);
	int64_t at_us;

	if (one == NULL)
		return -1;
	at_us = one->until_us < a->look_at_us ? one->until_us : a->look_at_us;
	return at_us > now_us ? at_us - now_us : 0;
}
