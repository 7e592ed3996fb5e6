#include "base/heap.h"

#include <assert.h>

#include "base/mem.h"

#define FIRST_CAPACITY 16

void heap_init(struct heap *h)
{
	*h = (struct heap){NULL, 0, 0};
}

void heap_release(struct heap *h)
{
	for (size_t i = 0; i < h->count; i++)
		h->nodes[i]->slot = 0;
	mem_free(h->nodes);
	heap_init(h);
}

static void place(struct heap *h, size_t at, struct heap_node *node)
{
	h->nodes[at] = node;
	node->slot = at + 1;
}

/* Moves a hole up until the node fits in it. */
static void sift_up(struct heap *h, size_t hole, struct heap_node *node)
{
	while (hole > 0) {
		size_t parent = (hole - 1) / 2;

		if (h->nodes[parent]->at <= node->at)
			break;
		place(h, hole, h->nodes[parent]);
		hole = parent;
	}
	place(h, hole, node);
}

static void sift_down(struct heap *h, size_t hole, struct heap_node *node)
{
	for (;;) {
		size_t child = hole * 2 + 1;

		if (child >= h->count)
			break;
		if (child + 1 < h->count && h->nodes[child + 1]->at < h->nodes[child]->at)
			child++;
		if (node->at <= h->nodes[child]->at)
			break;
		place(h, hole, h->nodes[child]);
		hole = child;
	}
	place(h, hole, node);
}

void heap_push(struct heap *h, struct heap_node *node, int64_t at)
{
	assert(node->slot == 0);
	if (h->count == h->capacity) {
		h->capacity = h->capacity > 0 ? h->capacity * 2 : FIRST_CAPACITY;
		h->nodes = mem_resize(h->nodes, h->capacity, sizeof(*h->nodes));
	}
	node->at = at;
	sift_up(h, h->count++, node);
}

struct heap_node *heap_peek(const struct heap *h)
{
	return h->count > 0 ? h->nodes[0] : NULL;
}

struct heap_node *heap_pop(struct heap *h)
{
	struct heap_node *first = heap_peek(h);

	if (first != NULL)
		heap_remove(h, first);
	return first;
}

void heap_remove(struct heap *h, struct heap_node *node)
{
	size_t hole;
	struct heap_node *last;

	if (node->slot == 0)
		return;
	hole = node->slot - 1;
	assert(hole < h->count && h->nodes[hole] == node);
	node->slot = 0;
	last = h->nodes[--h->count];
	if (last == node)
		return;
	/* The last one may belong above the hole: it comes from another branch. */
	if (hole > 0 && last->at < h->nodes[(hole - 1) / 2]->at)
		sift_up(h, hole, last);
	else
		sift_down(h, hole, last);
}
