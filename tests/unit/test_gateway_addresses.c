#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "gateway/addresses.h"

Suite *gateway_addresses_suite(void);

#define MOST        3
#define DESCRIPTORS 64

static struct addresses *a;

static void set_up(void)
{
	a = addresses_new(MOST, DESCRIPTORS);
}

static void tear_down(void)
{
	addresses_free(a);
}

static bool enter(int fd, const char *text)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(fd + 1000)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(fd + 1000)};

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return addresses_enter(a, fd, (const struct sockaddr *)&v4);
	ck_assert_int_eq(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
	return addresses_enter(a, fd, (const struct sockaddr *)&v6);
}

/* MOST of them enter, and one more does not. */
static void takes_the_most(int first_fd, const char *text)
{
	for (int i = 0; i < MOST; i++)
		ck_assert_msg(enter(first_fd + i, text), "%s, %d", text, i);
	ck_assert_msg(!enter(first_fd + MOST, text), "%s", text);
}

START_TEST(each_ipv4_address_has_its_own_number)
{
	takes_the_most(0, "10.0.0.1");
	takes_the_most(10, "10.0.0.2");
	takes_the_most(20, "110.0.0.1");
}
END_TEST

START_TEST(an_ipv6_network_counts_as_one_and_the_next_one_for_itself)
{
	takes_the_most(0, "2001:db8:0:1::1");
	ck_assert(!enter(10, "2001:db8:0:1:ffff:ffff:ffff:ffff"));
	takes_the_most(20, "2001:db8:0:2::1");
}
END_TEST

START_TEST(an_ipv4_address_on_an_ipv6_socket_is_the_same_address)
{
	takes_the_most(0, "::ffff:10.0.0.1");
	ck_assert(!enter(10, "10.0.0.1"));
	takes_the_most(20, "::ffff:10.0.0.2");
	takes_the_most(30, "::1");
}
END_TEST

START_TEST(who_leaves_makes_room_for_another)
{
	takes_the_most(0, "10.0.0.1");
	for (int round = 0; round < 3; round++) {
		addresses_leave(a, 1);
		ck_assert(enter(40 + round, "10.0.0.1"));
		ck_assert(!enter(50, "10.0.0.1"));
		addresses_leave(a, 40 + round);
		ck_assert(enter(1, "10.0.0.1"));
	}
}
END_TEST

START_TEST(who_was_not_counted_leaves_without_harm)
{
	takes_the_most(0, "10.0.0.1");
	addresses_leave(a, MOST); /* was refused */
	addresses_leave(a, 60);   /* was never there */
	addresses_leave(a, 0);
	addresses_leave(a, 0); /* twice */
	ck_assert(enter(0, "10.0.0.1"));
	ck_assert(!enter(50, "10.0.0.1"));
}
END_TEST

START_TEST(an_address_that_nobody_has_any_more_is_forgotten_and_comes_anew)
{
	for (int round = 0; round < 3; round++) {
		takes_the_most(0, "10.0.0.1");
		for (int fd = 0; fd < MOST; fd++)
			addresses_leave(a, fd);
	}
}
END_TEST

START_TEST(what_else_an_address_holds_counts_and_may_outlive_its_connection)
{
	struct address *held, *other;

	ck_assert(enter(0, "10.0.0.1"));
	ck_assert(addresses_hold(a, 0, &held));
	ck_assert_ptr_nonnull(held);
	addresses_leave(a, 0);
	ck_assert(enter(1, "10.0.0.1"));
	ck_assert(enter(2, "10.0.0.1"));
	ck_assert(!enter(3, "10.0.0.1"));
	ck_assert(!addresses_hold(a, 1, &other));
	ck_assert_ptr_null(other);
	addresses_let_go(a, held);
	ck_assert(addresses_hold(a, 1, &other));
	addresses_leave(a, 1);
	addresses_leave(a, 2);
	addresses_let_go(a, other);
	addresses_let_go(a, NULL);
	takes_the_most(0, "10.0.0.1");
}
END_TEST

START_TEST(unix_sockets_are_not_counted)
{
	struct address *held;
	const struct sockaddr_un peer = {.sun_family = AF_UNIX};

	for (int fd = 0; fd < 2 * MOST; fd++)
		ck_assert(addresses_enter(a, fd, (const struct sockaddr *)&peer));
	for (int i = 0; i < 2 * MOST; i++) {
		ck_assert(addresses_hold(a, 0, &held));
		ck_assert_ptr_null(held);
	}
	for (int fd = 0; fd < 2 * MOST; fd++)
		addresses_leave(a, fd);
}
END_TEST

Suite *gateway_addresses_suite(void)
{
	Suite *s = suite_create("gateway_addresses");
	TCase *t = tcase_create("gateway_addresses");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, each_ipv4_address_has_its_own_number);
	tcase_add_test(t, an_ipv6_network_counts_as_one_and_the_next_one_for_itself);
	tcase_add_test(t, an_ipv4_address_on_an_ipv6_socket_is_the_same_address);
	tcase_add_test(t, who_leaves_makes_room_for_another);
	tcase_add_test(t, who_was_not_counted_leaves_without_harm);
	tcase_add_test(t,
		       an_address_that_nobody_has_any_more_is_forgotten_and_comes_anew);
	tcase_add_test(t,
		       what_else_an_address_holds_counts_and_may_outlive_its_connection);
	tcase_add_test(t, unix_sockets_are_not_counted);
	suite_add_tcase(s, t);
	return s;
}
