#include <check.h>

#include "base/list.h"
#include "base/mem.h"

Suite *list_suite(void);

struct item {
	int number;
	struct list node;
};

static int number_of(struct list *node)
{
	return node == NULL ? -1 : container_of(node, struct item, node)->number;
}

START_TEST(appended_come_out_in_order_and_prepended_before_them)
{
	struct item items[3] = {{1, {NULL, NULL}}, {2, {NULL, NULL}}, {3, {NULL, NULL}}};
	struct list head;

	list_init(&head);
	ck_assert(list_empty(&head));
	list_append(&head, &items[0].node);
	list_append(&head, &items[1].node);
	list_prepend(&head, &items[2].node);
	ck_assert(!list_empty(&head));
	ck_assert_int_eq(number_of(list_pop(&head)), 3);
	ck_assert_int_eq(number_of(list_pop(&head)), 1);
	ck_assert_int_eq(number_of(list_pop(&head)), 2);
	ck_assert_int_eq(number_of(list_pop(&head)), -1);
}
END_TEST

START_TEST(a_removed_node_is_in_no_list)
{
	struct item items[2] = {{1, {NULL, NULL}}, {2, {NULL, NULL}}};
	struct list head;

	list_init(&head);
	ck_assert(!list_linked(&items[0].node));
	list_append(&head, &items[0].node);
	list_append(&head, &items[1].node);
	ck_assert(list_linked(&items[0].node));
	list_remove(&items[0].node);
	ck_assert(!list_linked(&items[0].node));
	ck_assert_int_eq(number_of(list_pop(&head)), 2);
	ck_assert(list_empty(&head));
}
END_TEST

Suite *list_suite(void)
{
	Suite *s = suite_create("list");
	TCase *t = tcase_create("list");

	tcase_add_test(t, appended_come_out_in_order_and_prepended_before_them);
	tcase_add_test(t, a_removed_node_is_in_no_list);
	suite_add_tcase(s, t);
	return s;
}
