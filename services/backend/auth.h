/* Who may call: bearer keys, known by their digests only, compared in constant time.
 * Pure; plain value. */
#ifndef PAYBELL_BACKEND_AUTH_H
#define PAYBELL_BACKEND_AUTH_H

#include <stdint.h>

#include "base/err.h"
#include "io/digest.h"
#include "wire/problem.h"

#define AUTH_KEYS_MAX 16
#define AUTH_KEY_MAX  256 /* bytes of a key */

struct auth {
	int count;
	uint8_t digests[AUTH_KEYS_MAX][SHA256_BYTES];
};

/* Digests in hex, separated by commas. */
int auth_init(struct auth *a, const char *digests, struct err *e);

/* The header's value (NULL: none). 0 and the key's digest, or -1 and *p (401). */
int auth_check(const struct auth *a, const char *authorization,
	       uint8_t digest[SHA256_BYTES], struct problem *p);

#endif
