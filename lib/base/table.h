/* An intrusive hash table: the node lives in the thing that is kept, and so does its key.
 *
 * For many small things: an entry costs its node of 8 bytes and 4 to 8 bytes of buckets,
 * where a struct map has a slot of 32 bytes and a copy of the key. Chained, grown at two
 * things a bucket, hashed with a key of its own (siphash.h). The table owns nothing of
 * what is in it; a thing's key may not change while it is. Not for two threads at once.
 */
#ifndef PAYBELL_BASE_TABLE_H
#define PAYBELL_BASE_TABLE_H

#include <stddef.h>

#include "base/siphash.h"

struct table_node {
	struct table_node *next; /* of its bucket */
};

/* A thing's key: borrowed from it. */
typedef const char *table_key_fn(const struct table_node *n, size_t *len);

struct table {
	table_key_fn *key;
	struct siphash_key hash_key;
	struct table_node **buckets;
	size_t mask, count;
};

void table_init(struct table *t, table_key_fn *key);
void table_release(struct table *t); /* not the things */

struct table_node *table_find(const struct table *t, const char *key, size_t len);
/* No other of this key is in it. */
void table_add(struct table *t, struct table_node *n);
void table_remove(struct table *t, struct table_node *n); /* which is in it */

#endif
