#include "gateway/notes.h"

#include "base/mem.h"

static void on_posted(void *arg)
{
	struct notes *n = arg;
	struct list taken, *node;

	list_init(&taken);
	pthread_mutex_lock(&n->lock);
	n->posted = false;
	while ((node = list_pop(&n->list)) != NULL)
		list_append(&taken, node);
	pthread_mutex_unlock(&n->lock);
	while ((node = list_pop(&taken)) != NULL)
		n->fn(n->arg, container_of(node, struct note, link));
}

void notes_init(struct notes *n, struct loop *loop, void (*fn)(void *arg, struct note *n),
		void *arg)
{
	n->loop = loop;
	n->fn = fn;
	n->arg = arg;
	n->posted = false;
	list_init(&n->list);
	pthread_mutex_init(&n->lock, NULL);
}

void notes_release(struct notes *n)
{
	on_posted(n);
	pthread_mutex_destroy(&n->lock);
}

void notes_put(struct notes *n, struct note *note)
{
	bool post;

	pthread_mutex_lock(&n->lock);
	list_append(&n->list, &note->link);
	post = !n->posted;
	n->posted = true;
	pthread_mutex_unlock(&n->lock);
	if (post)
		loop_post(n->loop, on_posted, n);
}
