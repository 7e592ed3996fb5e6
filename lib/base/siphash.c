#include "base/siphash.h"

#include <string.h>

#include "base/random.h"

void siphash_key_init(struct siphash_key *k)
{
	random_bytes(k, sizeof(*k));
}

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

/* Words are read in the machine's order. */
uint64_t siphash(const struct siphash_key *k, const char *bytes, size_t len)
{
	uint64_t v[4] = {k->k0 ^ 0x736f6d6570736575, k->k1 ^ 0x646f72616e646f6d,
			 k->k0 ^ 0x6c7967656e657261, k->k1 ^ 0x7465646279746573};
	uint64_t word;
	size_t at;

	for (at = 0; at + 8 <= len; at += 8) {
		memcpy(&word, bytes + at, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)len << 56;
	for (int shift = 0; at < len; at++, shift += 8)
		word |= (uint64_t)(unsigned char)bytes[at] << shift;
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
