/* Randomness: from the kernel where it must not be guessed, from a small generator where
 * it must only be spread. */
#ifndef PAYBELL_BASE_RANDOM_H
#define PAYBELL_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Unpredictable bytes (getrandom(2), buffered per thread). Any thread. Cannot fail:
 * aborts. */
void random_bytes(void *out, size_t len);

/* The same as text: 2 lower-case hex digits for each of len bytes, and a NUL. */
void random_hex(char *out, size_t len);

/* A uniform number below `bound` (> 0) from a per-thread xoshiro256** that was seeded by
 * the kernel; for jitter and spreading, never for secrets. Any thread. */
uint64_t random_below(uint64_t bound);

#endif
