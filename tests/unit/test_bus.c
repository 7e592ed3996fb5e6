#include <check.h>
#include <string.h>

#include "app/bus.h"

Suite *bus_suite(void);

START_TEST(every_name_carries_the_prefix)
{
	struct bus b;
	struct bus_name n;

	bus_init(&b, "pb:");
	ck_assert_str_eq(b.transactions.text, "pb:transactions");
	ck_assert_str_eq(b.head.text, "pb:transactions:head");
	ck_assert_str_eq(b.deliveries.text, "pb:deliveries");
	ck_assert_str_eq(b.attempts_log.text, "pb:attempts:log");
	ck_assert_str_eq(b.reads_log.text, "pb:reads:log");
	ck_assert_str_eq(bus_queue(&n, &b, "sms"), "pb:queue:sms");
	ck_assert_str_eq(bus_cursor(&n, &b, BUS_LIVE), "pb:cursor:live");
	ck_assert_str_eq(bus_lease(&n, &b, "sms", "evt_1"), "pb:lease:sms:evt_1");
	ck_assert_str_eq(bus_instance(&n, &b, "sms", "a"), "pb:instance:sms:a");
}
END_TEST

START_TEST(the_longest_name_fits)
{
	char prefix[BUS_PREFIX_MAX + 1], worker[65];
	struct bus b;
	struct bus_name n;

	memset(prefix, 'p', sizeof(prefix) - 1);
	prefix[sizeof(prefix) - 1] = '\0';
	memset(worker, 'w', sizeof(worker) - 1);
	worker[sizeof(worker) - 1] = '\0';
	bus_init(&b, prefix);
	bus_instance(&n, &b, "abcdefghijklmnop", worker);
	ck_assert_uint_eq(strlen(n.text), 64 + strlen("instance:") + 16 + 1 + 64);
	ck_assert_str_eq(n.text + strlen(n.text) - 64, worker);
}
END_TEST

START_TEST(a_list_of_channels_is_read_in_its_order)
{
	struct bus_channels c;
	struct err e = ERR_INIT;

	ck_assert_int_eq(bus_channels_parse(&c, "push, email ,sms", &e), 0);
	ck_assert_int_eq(c.count, 3);
	ck_assert_str_eq(c.names[0], "push");
	ck_assert_str_eq(c.names[1], "email");
	ck_assert_str_eq(c.names[2], "sms");
}
END_TEST

START_TEST(a_list_that_is_wrong_is_refused)
{
	static const char *const wrong[] = {
		"",
		",",
		"push,",
		"push,,sms",
		"Push",
		"push,push",
		"live",
		"p-ush",
		"1push",
		"a,b,c,d,e,f,g,h,i",
		"abcdefghijklmnopq",
	};
	struct bus_channels c;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err e = ERR_INIT;

		ck_assert_msg(bus_channels_parse(&c, wrong[i], &e) < 0, "\"%s\"",
			      wrong[i]);
		ck_assert_int_eq(e.code, ERR_INVALID);
	}
}
END_TEST

Suite *bus_suite(void)
{
	Suite *s = suite_create("bus");
	TCase *t = tcase_create("bus");

	tcase_add_test(t, every_name_carries_the_prefix);
	tcase_add_test(t, the_longest_name_fits);
	tcase_add_test(t, a_list_of_channels_is_read_in_its_order);
	tcase_add_test(t, a_list_that_is_wrong_is_refused);
	suite_add_tcase(s, t);
	return s;
}
