/* A token bucket: so many a second, so many at once.
 *
 * Fills by itself with time, up to `burst`; what is taken may leave a debt, which time
 * pays back, so that a message to several devices goes out as a whole. Pure; the caller
 * gives the monotonic time. A bucket with a rate of 0 and nothing added stays empty. */
#ifndef PAYBELL_WORKER_BUCKET_H
#define PAYBELL_WORKER_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define BUCKET_TOKEN 1000000 /* a token in the millionths that are counted */

struct bucket {
	int64_t rate_per_s, burst; /* tokens */
	int64_t level_millionths;  /* below 0: a debt */
	int64_t filled_us;         /* monotonic: up to when time has been counted */
};

/* Full at the beginning. At most 1,000,000 each. */
void bucket_init(struct bucket *b, int64_t rate_per_s, int64_t burst, int64_t now_us);

/* Is there a token? */
bool bucket_has(struct bucket *b, int64_t now_us);
void bucket_take(struct bucket *b, int64_t now_us);
/* Puts something in beside what time does; what is above the burst is lost. */
void bucket_add(struct bucket *b, int64_t millionths);

/* Until time alone has filled in a token: 0 now, -1 never. */
int64_t bucket_wait_us(struct bucket *b, int64_t now_us);

#endif
