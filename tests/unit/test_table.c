#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"

Suite *table_suite(void);

#define THINGS 5000

struct thing {
	struct table_node node;
	bool in;
	char key[16];
};

static const char *key_of(const struct table_node *n, size_t *len)
{
	const struct thing *thing = container_of(n, struct thing, node);

	*len = strlen(thing->key);
	return thing->key;
}

static struct thing *find(const struct table *t, const char *key)
{
	struct table_node *n = table_find(t, key, strlen(key));

	return n ? container_of(n, struct thing, node) : NULL;
}

START_TEST(a_thing_is_found_by_its_own_key_only)
{
	struct thing a = {.key = "bob"}, b = {.key = "bobby"};
	struct table t;

	table_init(&t, key_of);
	ck_assert_ptr_null(find(&t, "bob"));
	table_add(&t, &a.node);
	ck_assert_ptr_eq(find(&t, "bob"), &a);
	ck_assert_ptr_null(find(&t, "bobby"));
	ck_assert_ptr_null(find(&t, ""));
	table_add(&t, &b.node);
	ck_assert_ptr_eq(find(&t, "bobby"), &b);
	ck_assert_uint_eq(t.count, 2);
	table_remove(&t, &a.node);
	ck_assert_ptr_null(find(&t, "bob"));
	ck_assert_ptr_eq(find(&t, "bobby"), &b);
	table_release(&t);
}
END_TEST

/* Each tenth of them goes as the others come, over many times of growing. */
START_TEST(it_holds_what_it_was_given_while_it_grows)
{
	struct thing *things = mem_array(THINGS, sizeof(*things));
	struct table t;
	size_t count = 0;

	table_init(&t, key_of);
	for (int i = 0; i < THINGS; i++) {
		snprintf(things[i].key, sizeof(things[i].key), "user%d", i);
		table_add(&t, &things[i].node);
		things[i].in = true;
		if (i % 10 == 9) {
			table_remove(&t, &things[i / 2].node);
			things[i / 2].in = false;
		}
	}
	for (int i = 0; i < THINGS; i++) {
		struct thing *found = find(&t, things[i].key);

		ck_assert(found == (things[i].in ? &things[i] : NULL));
		count += things[i].in;
	}
	ck_assert_uint_eq(t.count, count);
	ck_assert_uint_lt(t.mask, 2 * (size_t)THINGS);
	table_release(&t);
	mem_free(things);
}
END_TEST

Suite *table_suite(void)
{
	Suite *s = suite_create("table");
	TCase *c = tcase_create("table");

	tcase_add_test(c, a_thing_is_found_by_its_own_key_only);
	tcase_add_test(c, it_holds_what_it_was_given_while_it_grows);
	suite_add_tcase(s, c);
	return s;
}
