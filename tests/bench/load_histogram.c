#include "load_histogram.h"

#include <string.h>

void histogram_init(struct histogram *h)
{
	memset(h, 0, sizeof(*h));
}

/* Values below 2^9 have a slot each; above, the top 9 bits choose it. */
static unsigned slot_of(uint64_t value)
{
	unsigned shift = 0;

	if (value >= 2u << HISTOGRAM_BITS)
		shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_BITS;
	return (shift << HISTOGRAM_BITS) + (unsigned)(value >> shift);
}

/* The largest value that falls into a slot. */
static int64_t top_of(unsigned slot)
{
	unsigned shift = slot >> HISTOGRAM_BITS;

	if (shift > 0)
		shift -= 1;
	return (int64_t)((((uint64_t)slot - (shift << HISTOGRAM_BITS) + 1) << shift) - 1);
}

void histogram_add(struct histogram *h, int64_t us)
{
	if (us < 0)
		us = 0;
	h->slots[slot_of((uint64_t)us)]++;
	h->count++;
	h->sum_us += us;
	if (us > h->max_us)
		h->max_us = us;
}

int64_t histogram_percentile(const struct histogram *h, int permille_of_percent)
{
	uint64_t wanted, seen = 0;

	wanted = (h->count * (uint64_t)permille_of_percent + 99999) / 100000;
	for (unsigned i = 0; i < HISTOGRAM_SLOTS && h->count > 0; i++) {
		seen += h->slots[i];
		if (seen >= wanted && seen > 0)
			return top_of(i) < h->max_us ? top_of(i) : h->max_us;
	}
	return h->max_us;
}
