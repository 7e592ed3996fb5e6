#include "gateway/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#define KEY_BYTES 9 /* the family, then an IPv4 address or half of an IPv6 one */

struct address {
	int count;
	char key[KEY_BYTES];
};

struct addresses {
	pthread_mutex_t lock;
	struct map *counted;
	struct address **of; /* by descriptor */
	int most;
};

struct addresses *addresses_new(int most, int descriptors)
{
	struct addresses *a = mem_alloc(sizeof(*a));

	pthread_mutex_init(&a->lock, NULL);
	a->counted = map_new();
	a->of = mem_array((size_t)descriptors, sizeof(*a->of));
	a->most = most;
	return a;
}

void addresses_free(struct addresses *a)
{
	const char *key;
	size_t cursor = 0, len;
	void *value;

	if (!a)
		return;
	while (map_next(a->counted, &cursor, &key, &len, &value))
		mem_free(value);
	map_free(a->counted);
	pthread_mutex_destroy(&a->lock);
	mem_free(a->of);
	mem_free(a);
}

static bool make_key(char key[KEY_BYTES], const struct sockaddr *peer)
{
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)peer)->sin6_addr;

	bool mapped = peer->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(v6);

	memset(key, 0, KEY_BYTES);
	key[0] = mapped ? AF_INET : (char)peer->sa_family;
	if (peer->sa_family == AF_INET)
		memcpy(key + 1, &((const struct sockaddr_in *)peer)->sin_addr, 4);
	else if (mapped)
		memcpy(key + 1, &v6->s6_addr[12], 4);
	else if (peer->sa_family == AF_INET6)
		memcpy(key + 1, v6, 8);
	else
		return false;
	return true;
}

bool addresses_enter(struct addresses *a, int fd, const struct sockaddr *peer)
{
	char key[KEY_BYTES];
	struct address *address;
	bool taken;

	if (!make_key(key, peer))
		return true;
	pthread_mutex_lock(&a->lock);
	address = map_get(a->counted, key, KEY_BYTES);
	if (!address) {
		address = mem_alloc(sizeof(*address));
		memcpy(address->key, key, KEY_BYTES);
		map_put(a->counted, key, KEY_BYTES, address);
	}
	taken = address->count < a->most;
	if (taken) {
		address->count++;
		a->of[fd] = address;
	}
	pthread_mutex_unlock(&a->lock);
	return taken;
}

/* Under the lock. */
static void let_go(struct addresses *a, struct address *address)
{
	if (--address->count > 0)
		return;
	map_remove(a->counted, address->key, KEY_BYTES);
	mem_free(address);
}

void addresses_leave(struct addresses *a, int fd)
{
	pthread_mutex_lock(&a->lock);
	if (a->of[fd])
		let_go(a, a->of[fd]);
	a->of[fd] = NULL;
	pthread_mutex_unlock(&a->lock);
}

bool addresses_hold(struct addresses *a, int fd, struct address **out)
{
	struct address *address;
	bool taken;

	pthread_mutex_lock(&a->lock);
	address = a->of[fd];
	taken = !address || address->count < a->most;
	if (address && taken)
		address->count++;
	pthread_mutex_unlock(&a->lock);
	*out = taken ? address : NULL;
	return taken;
}

void addresses_let_go(struct addresses *a, struct address *address)
{
	if (!address)
		return;
	pthread_mutex_lock(&a->lock);
	let_go(a, address);
	pthread_mutex_unlock(&a->lock);
}
