#include "backend/underway.h"

#include <pthread.h>

#include "base/map.h"
#include "base/mem.h"

struct underway {
	pthread_mutex_t lock;
	struct map *keys;
};

struct underway *underway_new(void)
{
	struct underway *u = mem_alloc(sizeof *u);

	pthread_mutex_init(&u->lock, NULL);
	u->keys = map_new();
	return u;
}

void underway_free(struct underway *u)
{
	if (u == NULL)
		return;
	map_free(u->keys);
	pthread_mutex_destroy(&u->lock);
	mem_free(u);
}

bool underway_enter(struct underway *u, const uint8_t key[IDEMPOTENCY_HASH_BYTES])
{
	bool free;

	pthread_mutex_lock(&u->lock);
	free = map_get(u->keys, (const char *)key, IDEMPOTENCY_HASH_BYTES) == NULL;
	if (free)
		map_put(u->keys, (const char *)key, IDEMPOTENCY_HASH_BYTES, u);
	pthread_mutex_unlock(&u->lock);
	return free;
}

void underway_leave(struct underway *u, const uint8_t key[IDEMPOTENCY_HASH_BYTES])
{
	pthread_mutex_lock(&u->lock);
	map_remove(u->keys, (const char *)key, IDEMPOTENCY_HASH_BYTES);
	pthread_mutex_unlock(&u->lock);
}
