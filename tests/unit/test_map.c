#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/random.h"

Suite *map_suite(void);

#define KEYS 2000

START_TEST(a_value_is_found_under_its_key_only)
{
	struct map *m = map_new();
	int a, b;

	ck_assert_ptr_null(map_get(m, "k", 1));
	ck_assert_ptr_null(map_put(m, "k", 1, &a));
	ck_assert_ptr_eq(map_get(m, "k", 1), &a);
	ck_assert_ptr_null(map_get(m, "kk", 2));
	ck_assert_ptr_null(map_get(m, "", 0));
	ck_assert_ptr_eq(map_put(m, "k", 1, &b), &a);
	ck_assert_ptr_eq(map_get(m, "k", 1), &b);
	ck_assert_uint_eq(map_count(m), 1);
	ck_assert_ptr_eq(map_remove(m, "k", 1), &b);
	ck_assert_ptr_null(map_remove(m, "k", 1));
	ck_assert_uint_eq(map_count(m), 0);
	map_free(m);
	map_free(NULL);
}
END_TEST

START_TEST(keys_are_bytes_of_any_kind_up_to_the_maximum)
{
	struct map *m = map_new();
	char longest[MAP_KEY_MAX + 1];
	int values[4];

	memset(longest, 0, sizeof(longest));
	map_put(m, "", 0, &values[0]);
	map_put(m, "\0", 1, &values[1]);
	map_put(m, "\0\0", 2, &values[2]);
	map_put(m, longest, MAP_KEY_MAX, &values[3]);
	ck_assert_uint_eq(map_count(m), 4);
	ck_assert_ptr_eq(map_get(m, "", 0), &values[0]);
	ck_assert_ptr_eq(map_get(m, "\0", 1), &values[1]);
	ck_assert_ptr_eq(map_get(m, "\0\0", 2), &values[2]);
	ck_assert_ptr_eq(map_get(m, longest, MAP_KEY_MAX), &values[3]);
	ck_assert_ptr_null(map_get(m, longest, MAP_KEY_MAX + 1));
	ck_assert_ptr_null(map_remove(m, longest, MAP_KEY_MAX + 1));
	map_free(m);
}
END_TEST

START_TEST(the_key_is_copied)
{
	struct map *m = map_new();
	char key[] = "abc";
	int a;

	map_put(m, key, 3, &a);
	key[0] = 'x';
	ck_assert_ptr_eq(map_get(m, "abc", 3), &a);
	map_free(m);
}
END_TEST

START_TEST(it_agrees_with_a_plain_table_while_keys_come_and_go)
{
	static int values[KEYS];
	static bool inside[KEYS];
	struct map *m = map_new();
	size_t count = 0;

	for (int round = 0; round < 100000; round++) {
		size_t i = (size_t)random_below(KEYS);
		char key[32];
		size_t len = (size_t)snprintf(key, sizeof(key), "user-%zu", i);

		void *expected = inside[i] ? &values[i] : NULL;

		if (map_get(m, key, len) != expected)
			ck_abort_msg("round %d: %s", round, key);
		if ((inside[i] ? map_remove(m, key, len)
			       : map_put(m, key, len, &values[i])) != expected)
			ck_abort_msg("round %d: %s gives another", round, key);
		inside[i] = !inside[i];
		count += inside[i] ? 1 : (size_t)-1;
		if (map_count(m) != count)
			ck_abort_msg("round %d: %zu entries", round, map_count(m));
	}
	for (size_t i = 0; i < KEYS; i++) {
		char key[32];
		size_t len = (size_t)snprintf(key, sizeof(key), "user-%zu", i);

		ck_assert_ptr_eq(map_get(m, key, len), inside[i] ? &values[i] : NULL);
	}
	map_free(m);
}
END_TEST

START_TEST(walking_meets_every_entry_once)
{
	static int seen[KEYS];
	struct map *m = map_new();
	size_t cursor = 0, len, met = 0;
	const char *key;
	void *value;

	ck_assert(!map_next(m, &cursor, &key, &len, &value));
	for (int i = 0; i < KEYS; i++)
		map_put(m, (const char *)&i, sizeof(i), &seen[i]);
	for (cursor = 0; map_next(m, &cursor, &key, &len, &value); met++) {
		int i;

		ck_assert_uint_eq(len, sizeof(i));
		memcpy(&i, key, sizeof(i));
		ck_assert_ptr_eq(value, &seen[i]);
		ck_assert_int_eq(seen[i]++, 0);
	}
	ck_assert_uint_eq(met, KEYS);
	ck_assert(!map_next(m, &cursor, &key, &len, &value));
	map_free(m);
}
END_TEST

START_TEST(two_maps_do_not_share_their_order)
{
	struct map *maps[2] = {map_new(), map_new()};
	char orders[2][64] = {"", ""};
	int value;

	for (int which = 0; which < 2; which++) {
		size_t cursor = 0, len, at = 0;
		const char *key;
		void *found;

		for (char c = 'a'; c <= 'z'; c++)
			map_put(maps[which], &c, 1, &value);
		while (map_next(maps[which], &cursor, &key, &len, &found))
			orders[which][at++] = key[0];
	}
	ck_assert_str_ne(orders[0], orders[1]);
	map_free(maps[0]);
	map_free(maps[1]);
}
END_TEST

Suite *map_suite(void)
{
	Suite *s = suite_create("map");
	TCase *t = tcase_create("map");

	tcase_add_test(t, a_value_is_found_under_its_key_only);
	tcase_add_test(t, keys_are_bytes_of_any_kind_up_to_the_maximum);
	tcase_add_test(t, the_key_is_copied);
	tcase_add_test(t, it_agrees_with_a_plain_table_while_keys_come_and_go);
	tcase_add_test(t, walking_meets_every_entry_once);
	tcase_add_test(t, two_maps_do_not_share_their_order);
	suite_add_tcase(s, t);
	return s;
}
