/* A hash map from short byte strings to pointers.
 *
 * Keys are copied and owned by the map, values belong to the caller. Open addressing,
 * grown at three quarters full; the hash is keyed (SipHash-1-3, each map with its own key
 * from random_bytes), so that nobody outside can choose collisions. Keys have at most
 * MAP_KEY_MAX bytes. Not for two threads at once. */
#ifndef PAYBELL_BASE_MAP_H
#define PAYBELL_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#define MAP_KEY_MAX 512

struct map; /* opaque */

struct map *map_new(void);
void map_free(struct map *m); /* not the values */
size_t map_count(const struct map *m);
void *map_get(const struct map *m, const char *key, size_t len); /* NULL when absent */

/* Puts a value (not NULL); returns the one that was there before, else NULL. */
void *map_put(struct map *m, const char *key, size_t len, void *value);
void *map_remove(struct map *m, const char *key,
		 size_t len); /* what was there, else NULL */

/* Walks all entries in no order; start with *cursor = 0; false at the end. The map may
 * not change meanwhile. key and value are borrowed. */
bool map_next(const struct map *m, size_t *cursor, const char **key, size_t *len,
	      void **value);

#endif
