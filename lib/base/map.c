#include "base/map.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"

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
	uint64_t k0, k1; /* the hash's key */
	size_t count, mask;
	struct slot *slots;
};

static uint64_t rotate(uint64_t x, int by)
{
	return (x << by) | (x >> (64 - by));
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", one compression
 * and three finalization rounds). Words are read in the machine's order: the result never
 * leaves the process. */
static uint64_t sip_hash(const struct map *m, const char *key, size_t len)
{
	uint64_t v[4] = {m->k0 ^ 0x736f6d6570736575, m->k1 ^ 0x646f72616e646f6d,
			 m->k0 ^ 0x6c7967656e657261, m->k1 ^ 0x7465646279746573};
	uint64_t word;
	size_t at;

	for (at = 0; at + 8 <= len; at += 8) {
		memcpy(&word, key + at, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)len << 56;
	for (int shift = 0; at < len; at++, shift += 8)
		word |= (uint64_t)(unsigned char)key[at] << shift;
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct map *map_new(void)
{
	struct map *m = mem_alloc(sizeof(*m));

	random_bytes(&m->k0, sizeof(m->k0));
	random_bytes(&m->k1, sizeof(m->k1));
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
	return m->slots[find(m, sip_hash(m, key, len), key, len)].value;
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
	uint64_t hash = sip_hash(m, key, len);
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
	at = find(m, sip_hash(m, key, len), key, len);
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
