/* An intrusive binary min-heap of times: what is due first comes out first.
 *
 * The node lives in the thing that waits; the heap holds pointers only and owns nothing.
 * Ties come out in any order. Push, pop and remove are O(log n). Not for two threads at
 * once. */
#ifndef PAYBELL_BASE_HEAP_H
#define PAYBELL_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t at;  /* the key; set by heap_push, not to be changed while in a heap */
	size_t slot; /* position + 1; 0 means in no heap */
};

struct heap {
	struct heap_node **nodes;
	size_t count, capacity;
};

void heap_init(struct heap *h);
void heap_release(struct heap *h);
void heap_push(struct heap *h, struct heap_node *node, int64_t at);
struct heap_node *heap_peek(const struct heap *h); /* NULL when empty */
struct heap_node *heap_pop(struct heap *h);        /* NULL when empty */
void heap_remove(struct heap *h,
		 struct heap_node *node); /* in no heap: nothing happens */

static inline bool heap_linked(const struct heap_node *node)
{
	return node->slot != 0;
}

#endif
