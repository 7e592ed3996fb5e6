#include "base/map.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/siphash.h"

/* Linear probing over a power of two of slots. Removing moves the later ones of a run
 * back instead of leaving a mark, so a map that lives for months and changes all the time
 * stays as fast as a fresh one. */

#define FIRST_SLOTS 16

struct slot {
	uint64_t hash;
	char *key; /* NULL: free */
	size_t len;
	void *value;
};

struct map {
	struct siphash_key hash_key;
	size_t count, mask;
	struct slot *slots;
};

struct map *map_new(void)
{
	struct map *m = mem_alloc(sizeof(*m));

	siphash_key_init(&m->hash_key);
	m->slots = mem_array(FIRST_SLOTS, sizeof(*m->slots));
	m->mask = FIRST_SLOTS - 1;
	return m;
}

void map_free(struct map *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i <= m->mask; i++)
		mem_free(m->slots[i].key);
	mem_free(m->slots);
	mem_free(m);
}

size_t map_count(const struct map *m)
{
	return m->count;
}

/* The slot that holds the key, or the free one where it would go. */
static size_t find(const struct map *m, uint64_t hash, const char *key, size_t len)
{
	size_t at = hash & m->mask;

	for (;; at = (at + 1) & m->mask) {
		const struct slot *s = &m->slots[at];

		if (s->key == NULL)
			return at;
		if (s->hash == hash && s->len == len && memcmp(s->key, key, len) == 0)
			return at;
	}
}

void *map_get(const struct map *m, const char *key, size_t len)
{
	if (len > MAP_KEY_MAX || m->count == 0)
		return NULL;
	return m->slots[find(m, siphash(&m->hash_key, key, len), key, len)].value;
}

static void grow(struct map *m)
{
	size_t count = m->mask + 1;
	struct slot *old = m->slots;

	m->slots = mem_array(count * 2, sizeof(*m->slots));
	m->mask = count * 2 - 1;
	for (size_t i = 0; i < count; i++) {
		size_t at = old[i].hash & m->mask;

		if (old[i].key == NULL)
			continue;
		while (m->slots[at].key != NULL)
			at = (at + 1) & m->mask;
		m->slots[at] = old[i];
	}
	mem_free(old);
}

void *map_put(struct map *m, const char *key, size_t len, void *value)
{
	uint64_t hash = siphash(&m->hash_key, key, len);
	struct slot *s = &m->slots[find(m, hash, key, len)];
	void *before = s->value;

	assert(len <= MAP_KEY_MAX && value != NULL);
	if (s->key != NULL) {
		s->value = value;
		return before;
	}
	if ((m->count + 1) * 4 > (m->mask + 1) * 3) {
		grow(m);
		s = &m->slots[find(m, hash, key, len)];
	}
	*s = (struct slot){hash, mem_dup(key, len), len, value};
	m->count++;
	return NULL;
}

/* Closes a hole: whoever stands later in the run and may stand in the hole moves into it.
 */
static void close_hole(struct map *m, size_t hole)
{
	for (size_t at = (hole + 1) & m->mask; m->slots[at].key != NULL;
	     at = (at + 1) & m->mask) {
		size_t home = m->slots[at].hash & m->mask;

		if (((at - home) & m->mask) < ((at - hole) & m->mask))
			continue;
		m->slots[hole] = m->slots[at];
		hole = at;
	}
	m->slots[hole] = (struct slot){0, NULL, 0, NULL};
}

void *map_remove(struct map *m, const char *key, size_t len)
{
	size_t at;
	void *value;

	if (len > MAP_KEY_MAX || m->count == 0)
		return NULL;
	at = find(m, siphash(&m->hash_key, key, len), key, len);
	if (m->slots[at].key == NULL)
		return NULL;
	value = m->slots[at].value;
	mem_free(m->slots[at].key);
	close_hole(m, at);
	m->count--;
	return value;
}

bool map_next(const struct map *m, size_t *cursor, const char **key, size_t *len,
	      void **value)
{
	while (*cursor <= m->mask) {
		const struct slot *s = &m->slots[(*cursor)++];

		if (s->key == NULL)
			continue;
		*key = s->key;
		*len = s->len;
		*value = s->value;
		return true;
	}
	return false;
}
