#include "base/random.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

/* getrandom(2) costs a system call, and an id needs five bytes: each thread keeps a few
 * hundred bytes in stock. What was given out is wiped, and a fork throws the stock away,
 * or parent and child would hand out the same bytes. The child counts it as it is made:
 * to ask getpid(2) each time would be the system call that the stock saves. */

#define STOCK_BYTES 512

struct stock {
	unsigned filled_in; /* which generation; 0: never filled */
	size_t left;
	unsigned char bytes[STOCK_BYTES];
};

struct spread {
	unsigned seeded_in;
	uint64_t s[4];
};

static _Thread_local struct stock stock;
static _Thread_local struct spread spread;
static unsigned generation =
	1; /* forks up to this process; a child is one thread when it counts */

static void count_fork(void)
{
	generation++;
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, count_fork);
}

static unsigned current_generation(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch_forks);
	return generation;
}

static void from_kernel(unsigned char *out, size_t len)
{
	while (len > 0) {
		ssize_t got = getrandom(out, len, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			log_error("random.none", "errno=%d", errno);
			abort();
		}
		out += got;
		len -= (size_t)got;
	}
}

void random_bytes(void *out, size_t len)
{
	if (len > STOCK_BYTES / 4) {
		from_kernel(out, len);
		return;
	}
	if (stock.filled_in != current_generation() || stock.left < len) {
		from_kernel(stock.bytes, sizeof(stock.bytes));
		stock.filled_in = current_generation();
		stock.left = sizeof(stock.bytes);
	}
	stock.left -= len;
	memcpy(out, stock.bytes + stock.left, len);
	explicit_bzero(stock.bytes + stock.left, len);
}

void random_hex(char *out, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char *bytes = (unsigned char *)out + len;

	/* Into the text's second half, which is overwritten from its front, always behind
	 * what is still to be read. */
	random_bytes(bytes, len);
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = bytes[i];

		out[2 * i] = digits[byte >> 4];
		out[2 * i + 1] = digits[byte & 15];
	}
	out[2 * len] = '\0';
}

static uint64_t rotate(uint64_t x, int by)
{
	return (x << by) | (x >> (64 - by));
}

/* xoshiro256** 1.0 by David Blackman and Sebastiano Vigna (public domain,
 * https://prng.di.unimi.it). */
static uint64_t spread_next(void)
{
	uint64_t *s = spread.s;
	uint64_t result = rotate(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

uint64_t random_below(uint64_t bound)
{
	uint64_t skewed, x;

	assert(bound > 0);
	if (spread.seeded_in != current_generation()) {
		random_bytes(spread.s, sizeof(spread.s));
		spread.s[0] |= 1; /* all zeros is the one state it never leaves */
		spread.seeded_in = current_generation();
	}
	/* 2^64 mod bound numbers are dropped, or the low results would come more often.
	 */
	skewed = (0 - bound) % bound;
	do {
		x = spread_next();
	} while (x < skewed);
	return x % bound;
}
