#include "base/table.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum {
	FIRST_BUCKETS = 16,
	PER_BUCKET = 2, /* things, then it grows */
};

void table_init(struct table *t, table_key_fn *key)
{
	t->key = key;
	siphash_key_init(&t->hash_key);
	t->buckets = mem_array(FIRST_BUCKETS, sizeof(struct table_node *));
	t->mask = FIRST_BUCKETS - 1;
	t->count = 0;
}

void table_release(struct table *t)
{
	mem_free(t->buckets);
}

static struct table_node **bucket_of(const struct table *t, const char *key, size_t len)
{
	return &t->buckets[siphash(&t->hash_key, key, len) & t->mask];
}

static struct table_node **bucket_of_node(const struct table *t,
					  const struct table_node *n)
{
	size_t len;
	const char *key = t->key(n, &len);

	return bucket_of(t, key, len);
}

struct table_node *table_find(const struct table *t, const char *key, size_t len)
{
	for (struct table_node *n = *bucket_of(t, key, len); n; n = n->next) {
		size_t its_len;
		const char *its = t->key(n, &its_len);

		if (its_len == len && memcmp(its, key, len) == 0)
			return n;
	}
	return NULL;
}

static void put(struct table *t, struct table_node *n)
{
	struct table_node **bucket = bucket_of_node(t, n);

	n->next = *bucket;
	*bucket = n;
}

static void grow(struct table *t)
{
	struct table_node **old = t->buckets;
	size_t count = t->mask + 1;

	t->buckets = mem_array(count * 2, sizeof(struct table_node *));
	t->mask = count * 2 - 1;
	for (size_t i = 0; i < count; i++) {
		struct table_node *n = old[i], *next;

		for (; n; n = next) {
			next = n->next;
			put(t, n);
		}
	}
	mem_free(old);
}

void table_add(struct table *t, struct table_node *n)
{
	if (++t->count > PER_BUCKET * (t->mask + 1))
		grow(t);
	put(t, n);
}

void table_remove(struct table *t, struct table_node *n)
{
	struct table_node **at = bucket_of_node(t, n);

	while (*at != n) {
		assert(*at);
		at = &(*at)->next;
	}
	*at = n->next;
	n->next = NULL;
	t->count--;
}
