#include <check.h>
#include <stdio.h>
#include <string.h>

#include "ledger_fixture.h"

Suite *users_suite(void);

static struct ledger_fixture f;
static struct err e;

static void setup(void)
{
	ledger_fixture_init(&f);
	ledger_fixture_add_user(&f, "alice");
	ledger_fixture_begin(&f);
}

static void teardown(void)
{
	ledger_fixture_commit(&f);
	ledger_fixture_release(&f);
}

START_TEST(a_user_comes_back_as_put)
{
	struct user u = {.id = "bob",
			 .name = "Bob",
			 .phone = "+43660123",
			 .locale = "de-AT",
			 .preference_count = 1,
			 .preferences = {{.channel = "sms", .enabled = false}}};
	struct user got;

	ck_assert_int_eq(users_put(f.users, &u, 100, &e), 1);
	ck_assert_int_eq(users_get(f.users, "bob", &got, &e), 1);
	ck_assert_str_eq(got.name, "Bob");
	ck_assert_str_eq(got.email, "");
	ck_assert_str_eq(got.phone, "+43660123");
	ck_assert_ptr_nonnull(user_preference(&got, "sms"));
	ck_assert(!user_preference(&got, "sms")->enabled);
	ck_assert_int_eq(users_put(f.users, &u, 200, &e), 0);
	ck_assert_int_eq(users_get(f.users, "bob", &got, &e), 1);
	ck_assert_int_eq(got.created_us, 100);
	ck_assert_int_eq(got.updated_us, 200);
}
END_TEST

START_TEST(deleting_erases_what_could_reach_anybody)
{
	struct device d = {.user_id = "alice", .kind = DEVICE_FCM, .token = "token"},
		      got[DEVICES_MAX];
	struct user u;

	ck_assert_int_eq(users_add_device(f.users, &d, 1, &e), 1);
	ck_assert_int_eq(users_delete(f.users, "alice", 5, &e), 1);
	ck_assert_int_eq(users_delete(f.users, "alice", 6, &e), 0);
	ck_assert_int_eq(users_get(f.users, "alice", &u, &e), 0);
	ck_assert_int_eq(users_devices(f.users, "alice", got, &e), 0);
}
END_TEST

START_TEST(the_same_device_twice_is_one)
{
	struct device d = {.user_id = "alice", .kind = DEVICE_FCM, .token = "token"},
		      again = d;

	ck_assert_int_eq(users_add_device(f.users, &d, 1, &e), 1);
	ck_assert_int_eq(users_add_device(f.users, &again, 2, &e), 0);
	ck_assert_str_eq(again.id, d.id);
	ck_assert_int_eq(users_remove_device(f.users, "bob", d.id, &e), 0);
	ck_assert_int_eq(users_remove_device(f.users, "alice", d.id, &e), 1);
	ck_assert_int_eq(users_remove_device(f.users, "alice", d.id, &e), 0);
}
END_TEST

START_TEST(devices_have_a_maximum_and_need_a_user)
{
	struct device d = {.user_id = "alice", .kind = DEVICE_FCM};

	for (int i = 0; i < DEVICES_MAX; i++) {
		snprintf(d.token, sizeof d.token, "token-%d", i);
		ck_assert_int_eq(users_add_device(f.users, &d, 1, &e), 1);
	}
	strcpy(d.token, "one more");
	ck_assert_int_eq(users_add_device(f.users, &d, 1, &e), -1);
	ck_assert_int_eq(e.code, ERR_FULL);
	strcpy(d.user_id, "nobody");
	ck_assert_int_eq(users_add_device(f.users, &d, 1, &e), -1);
	ck_assert_int_eq(e.code, ERR_NOT_FOUND);
}
END_TEST

START_TEST(a_device_key_is_never_given_twice)
{
	struct device d = {.user_id = "alice", .kind = DEVICE_FCM, .token = "a"};
	int64_t first;

	users_add_device(f.users, &d, 1, &e);
	first = d.key;
	users_remove_device(f.users, "alice", d.id, &e);
	strcpy(d.token, "b");
	users_add_device(f.users, &d, 1, &e);
	ck_assert_int_gt(d.key, first);
}
END_TEST

Suite *users_suite(void)
{
	Suite *s = suite_create("users");
	TCase *t = tcase_create("users");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_user_comes_back_as_put);
	tcase_add_test(t, deleting_erases_what_could_reach_anybody);
	tcase_add_test(t, the_same_device_twice_is_one);
	tcase_add_test(t, devices_have_a_maximum_and_need_a_user);
	tcase_add_test(t, a_device_key_is_never_given_twice);
	suite_add_tcase(s, t);
	return s;
}
