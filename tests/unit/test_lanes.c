#include <check.h>
#include <stdio.h>

#include "worker/lanes.h"

Suite *lanes_suite(void);

START_TEST(who_came_first_goes_first)
{
	struct lanes *l = lanes_new();
	struct lane_node a = {0}, b = {0}, c = {0};

	ck_assert(lanes_join(l, "alice", &a));
	ck_assert(!lanes_join(l, "alice", &b));
	ck_assert(!lanes_join(l, "alice", &c));
	ck_assert(lanes_is_first(&a) && !lanes_is_first(&b));
	ck_assert_ptr_eq(lanes_leave(l, &a), &b);
	ck_assert_ptr_eq(lanes_leave(l, &b), &c);
	ck_assert_ptr_null(lanes_leave(l, &c));
	lanes_free(l);
}
END_TEST

START_TEST(nobody_waits_for_another_user)
{
	struct lanes *l = lanes_new();
	struct lane_node a = {0}, b = {0};

	ck_assert(lanes_join(l, "alice", &a));
	ck_assert(lanes_join(l, "bob", &b));
	ck_assert_ptr_null(lanes_leave(l, &a));
	ck_assert(lanes_is_first(&b));
	lanes_leave(l, &b);
	lanes_free(l);
}
END_TEST

START_TEST(one_who_leaves_from_the_middle_moves_nobody_up)
{
	struct lanes *l = lanes_new();
	struct lane_node a = {0}, b = {0}, c = {0};

	lanes_join(l, "alice", &a);
	lanes_join(l, "alice", &b);
	lanes_join(l, "alice", &c);
	ck_assert_ptr_null(lanes_leave(l, &b));
	ck_assert_ptr_eq(lanes_leave(l, &a), &c);
	lanes_leave(l, &c);
	lanes_free(l);
}
END_TEST

START_TEST(leaving_twice_is_harmless)
{
	struct lanes *l = lanes_new();
	struct lane_node a = {0};

	lanes_join(l, "alice", &a);
	lanes_leave(l, &a);
	ck_assert_ptr_null(lanes_leave(l, &a));
	ck_assert(!lanes_is_first(&a));
	lanes_free(l);
}
END_TEST

START_TEST(an_empty_lane_is_gone)
{
	struct lanes *l = lanes_new();
	struct lane_node nodes[100] = {0};
	char user[16];

	for (int i = 0; i < 100; i++) {
		snprintf(user, sizeof(user), "u%d", i % 10);
		lanes_join(l, user, &nodes[i]);
	}
	ck_assert_uint_eq(lanes_count(l), 10);
	for (int i = 0; i < 100; i++)
		lanes_leave(l, &nodes[i]);
	ck_assert_uint_eq(lanes_count(l), 0);
	lanes_free(l);
}
END_TEST

Suite *lanes_suite(void)
{
	Suite *s = suite_create("lanes");
	TCase *t = tcase_create("lanes");

	tcase_add_test(t, who_came_first_goes_first);
	tcase_add_test(t, nobody_waits_for_another_user);
	tcase_add_test(t, one_who_leaves_from_the_middle_moves_nobody_up);
	tcase_add_test(t, leaving_twice_is_harmless);
	tcase_add_test(t, an_empty_lane_is_gone);
	suite_add_tcase(s, t);
	return s;
}
