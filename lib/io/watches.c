#include "io/watches.h"

#include <string.h>

#include "base/mem.h"

#define GROW 64

struct watched {
	struct watches *table;
	struct loop_watch *watch;
	int fd;
	int wanted;
	bool kept;
	loop_watch_fn *lent; /* NULL: the table's */
	void *lent_arg;
};

struct watches {
	struct loop *loop;
	watches_fn *fn;
	void *arg;
	struct watched **by_fd;
	size_t size;
};

static void on_event(void *arg, int events);
static struct watched *watched_of(struct watches *w, int fd);
static void forget(struct watched *it);

struct watches *watches_new(struct loop *l, watches_fn *fn, void *arg)
{
	struct watches *w = mem_alloc(sizeof(*w));

	w->loop = l;
	w->fn = fn;
	w->arg = arg;
	return w;
}

void watches_free(struct watches *w)
{
	if (w == NULL)
		return;
	for (size_t fd = 0; fd < w->size; fd++)
		if (w->by_fd[fd] != NULL)
			forget(w->by_fd[fd]);
	mem_free(w->by_fd);
	mem_free(w);
}

void watches_keep(struct watches *w, int fd)
{
	watched_of(w, fd)->kept = true;
}

void watches_want(struct watches *w, int fd, int events)
{
	struct watched *it;

	if (events == 0 && ((size_t)fd >= w->size || w->by_fd[fd] == NULL))
		return;
	it = watched_of(w, fd);
	it->wanted = events;
	if (it->lent != NULL)
		return;
	if (events != 0)
		loop_watch_set(it->watch, events);
	else if (it->kept)
		loop_watch_set(it->watch, LOOP_READ);
	else
		forget(it);
}

void watches_closed(struct watches *w, int fd)
{
	if ((size_t)fd < w->size && w->by_fd[fd] != NULL)
		forget(w->by_fd[fd]);
}

void watches_lend(struct watches *w, int fd, int events, loop_watch_fn *fn, void *arg)
{
	struct watched *it = watched_of(w, fd);

	it->lent = fn;
	it->lent_arg = arg;
	loop_watch_set(it->watch, events);
}

static struct watched *watched_of(struct watches *w, int fd)
{
	struct watched *it;

	if ((size_t)fd >= w->size) {
		size_t size = ((size_t)fd / GROW + 1) * GROW;

		w->by_fd = mem_resize(w->by_fd, size, sizeof(w->by_fd[0]));
		memset(w->by_fd + w->size, 0, (size - w->size) * sizeof(w->by_fd[0]));
		w->size = size;
	}
	it = w->by_fd[fd];
	if (it == NULL) {
		it = mem_alloc(sizeof(*it));
		it->table = w;
		it->fd = fd;
		it->watch = loop_watch_new(w->loop, fd, on_event, it);
		w->by_fd[fd] = it;
	}
	return it;
}

static void on_event(void *arg, int events)
{
	struct watched *it = arg;

	if (it->lent != NULL)
		it->lent(it->lent_arg, events);
	else if ((events & it->wanted) != 0)
		it->table->fn(it->table->arg, it->fd, events & it->wanted);
	else
		/* Mostly the peer's good-bye on a kept connection. Level triggered: it
		 * would come again and again. */
		loop_watch_set(it->watch, it->wanted);
}

static void forget(struct watched *it)
{
	it->table->by_fd[it->fd] = NULL;
	loop_watch_free(it->watch);
	mem_free(it);
}
