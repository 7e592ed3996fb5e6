/* The two clocks: UTC microseconds for what is written down, monotonic ones for every
 * timer. Any thread. */
#ifndef PAYBELL_BASE_CLOCK_H
#define PAYBELL_BASE_CLOCK_H

#include <stdint.h>

#define US_PER_MS 1000LL
#define US_PER_S  1000000LL

int64_t clock_utc_us(void);  /* since 1970-01-01, CLOCK_REALTIME */
int64_t clock_mono_us(void); /* since some fixed moment, CLOCK_MONOTONIC */

#define CLOCK_RFC3339_SIZE 28
/* "2026-01-18T09:30:00.123456Z" (RFC 3339, always six decimals, always Z). Times outside
 * the years 1970 to 9999 are moved to the nearest one inside. */
void clock_rfc3339(char out[CLOCK_RFC3339_SIZE], int64_t utc_us);
/* The inverse for the same form, 0 to 9 decimals (cut to 6), "Z" or an offset. -1 for
 * anything else, a leap second and times outside the years 1970 to 9999 included. */
int clock_parse_rfc3339(const char *text, int64_t *utc_us);

#define CLOCK_RFC5322_SIZE 40
/* "Sun, 18 Jan 2026 09:30:00 +0000", for mail headers (RFC 5322 section 3.3). */
void clock_rfc5322(char out[CLOCK_RFC5322_SIZE], int64_t utc_us);

#endif
