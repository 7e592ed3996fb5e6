/* The idempotency keys of the requests that are between queue and commit: the same key
 * meanwhile is a 409. Any thread. */
#ifndef PAYBELL_BACKEND_UNDERWAY_H
#define PAYBELL_BACKEND_UNDERWAY_H

#include <stdbool.h>

#include "store/ledger.h"

struct underway;

struct underway *underway_new(void);
void underway_free(struct underway *u); /* empty by then */

/* False: somebody is at it. */
bool underway_enter(struct underway *u, const uint8_t key[IDEMPOTENCY_HASH_BYTES]);
void underway_leave(struct underway *u, const uint8_t key[IDEMPOTENCY_HASH_BYTES]);

#endif
