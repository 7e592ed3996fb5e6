#include <check.h>
#include <string.h>

#include "base/heap.h"
#include "base/random.h"

Suite *heap_suite(void);

#define NODES 500

START_TEST(an_empty_heap_has_nothing_to_give)
{
	struct heap h;

	heap_init(&h);
	ck_assert_ptr_null(heap_peek(&h));
	ck_assert_ptr_null(heap_pop(&h));
	heap_release(&h);
}
END_TEST

START_TEST(what_is_due_first_comes_out_first)
{
	struct heap_node nodes[NODES] = {{0, 0}};
	struct heap h;
	int64_t last = INT64_MIN;

	heap_init(&h);
	for (int i = 0; i < NODES; i++) /* with ties and negative times */
		heap_push(&h, &nodes[i], (int64_t)random_below(200) - 100);
	for (int i = 0; i < NODES; i++) {
		struct heap_node *node = heap_peek(&h);

		ck_assert_ptr_eq(heap_pop(&h), node);
		ck_assert_int_ge(node->at, last);
		ck_assert(!heap_linked(node));
		last = node->at;
	}
	ck_assert_ptr_null(heap_pop(&h));
	heap_release(&h);
}
END_TEST

START_TEST(removing_from_anywhere_keeps_the_order)
{
	struct heap_node nodes[NODES] = {{0, 0}};
	struct heap h;
	size_t inside = 0;

	heap_init(&h);
	for (int round = 0; round < 20000; round++) {
		struct heap_node *node = &nodes[random_below(NODES)];

		if (heap_linked(node)) {
			heap_remove(&h, node);
			inside--;
		} else {
			heap_push(&h, node, (int64_t)random_below(1000));
			inside++;
		}
		if (h.count != inside)
			ck_abort_msg("round %d: %zu nodes", round, h.count);
		for (size_t i = 1; i < h.count; i++) {
			if (h.nodes[i]->at < h.nodes[(i - 1) / 2]->at ||
			    h.nodes[i]->slot != i + 1)
				ck_abort_msg("round %d, slot %zu", round, i);
		}
	}
	heap_release(&h);
}
END_TEST

START_TEST(removing_what_is_in_no_heap_does_nothing)
{
	struct heap_node in = {0, 0}, out = {0, 0};
	struct heap h;

	heap_init(&h);
	heap_push(&h, &in, 5);
	heap_remove(&h, &out);
	ck_assert_ptr_eq(heap_peek(&h), &in);
	heap_release(&h);
	ck_assert(!heap_linked(&in));
}
END_TEST

Suite *heap_suite(void)
{
	Suite *s = suite_create("heap");
	TCase *t = tcase_create("heap");

	tcase_add_test(t, an_empty_heap_has_nothing_to_give);
	tcase_add_test(t, what_is_due_first_comes_out_first);
	tcase_add_test(t, removing_from_anywhere_keeps_the_order);
	tcase_add_test(t, removing_what_is_in_no_heap_does_nothing);
	suite_add_tcase(s, t);
	return s;
}
