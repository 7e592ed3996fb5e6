#include "io/http_adopted.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

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

void http_adopted_expire(struct http_adopted *a, int64_t now_us)
{
	struct http_adoptee *one;

	while ((one = oldest(a)) != NULL && one->until_us <= now_us) {
		list_remove(&one->link);
		shutdown(one->fd, SHUT_RDWR);
	}
}

int64_t http_adopted_wait_us(const struct http_adopted *a, int64_t now_us)
{
	const struct http_adoptee *one = oldest(a);

	if (one == NULL)
		return -1;
	return one->until_us > now_us ? one->until_us - now_us : 0;
}
