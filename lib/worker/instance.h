/* Nobody else goes by this consumer's name: a lease on it in Redis.
 *
 * Two workers under one name would share one list of pending entries, and each would
 * believe all of it to be its own. The lease says which process of which machine holds
 * the name. One that a dead process of this machine left is taken over at once, another's
 * is waited for until it has run out; if it is renewed meanwhile, somebody lives under
 * the name and this process must not. Loop thread. */
#ifndef PAYBELL_WORKER_INSTANCE_H
#define PAYBELL_WORKER_INSTANCE_H

#include <stdbool.h>

#include "base/err.h"
#include "io/loop.h"
#include "io/redis.h"

#define INSTANCE_LEASE_MS 10000

struct instance;

struct instance_hooks {
	loop_fn *held;                                 /* the name is ours now */
	void (*taken)(void *arg, const struct err *e); /* another's, for good */
	loop_fn *released;
	void *arg;
};

/* key is bus_instance()'s; copied. */
struct instance *instance_new(struct loop *l, struct redis *r, const char *key,
			      const struct instance_hooks *hooks);
void instance_free(struct instance *i); /* NULL does nothing */

bool instance_is_held(const struct instance *i);
void instance_claim(struct instance *i); /* on every connect, and to renew */
void instance_lost_connection(struct instance *i);
/* Gives the name back; `released` is called in any case, at once when it is not held. */
void instance_release(struct instance *i);

#endif
