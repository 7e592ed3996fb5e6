/* SipHash-1-3: a keyed hash of short byte strings, so that nobody outside can choose
 * collisions. The result depends on the machine's byte order and never leaves the
 * process. Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", with one
 * compression and three finalization rounds. Any thread. */
#ifndef PAYBELL_BASE_SIPHASH_H
#define PAYBELL_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t k0, k1;
};

void siphash_key_init(struct siphash_key *k); /* at random */
uint64_t siphash(const struct siphash_key *k, const char *bytes, size_t len);

#endif
