/* Latencies by the thousand million in fixed memory: exact up to 511 us, then to 0.4 %.
 *
 * The caller's storage; plain value, no memory taken. One thread. */
#ifndef PAYBELL_BENCH_LOAD_HISTOGRAM_H
#define PAYBELL_BENCH_LOAD_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS  8 /* 256 steps to each doubling */
#define HISTOGRAM_SLOTS (56 << HISTOGRAM_BITS)

struct histogram {
	uint64_t slots[HISTOGRAM_SLOTS];
	uint64_t count;
	int64_t max_us;
	int64_t sum_us;
};

void histogram_init(struct histogram *h);
void histogram_add(struct histogram *h, int64_t us); /* below 0 counts as 0 */

/* The smallest value that `permille_of_percent` / 1,000 percent of all values do not
 * pass: 50000 is the median, 99900 the 99.9th percentile. 0 when empty. */
int64_t histogram_percentile(const struct histogram *h, int permille_of_percent);

#endif
