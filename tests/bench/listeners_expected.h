/* What each client is to get next, byte for byte, and how far each has got.
 *
 * The bytes are the same for all: whole frames, one after the other. The usual way is one
 * comparison of whatever came (expected_take); what comes between them (a ping) sends the
 * rest through the crowd's frames, each of which is compared then (expected_take_frame).
 * The caller's storage. One thread. */
#ifndef PAYBELL_BENCH_LISTENERS_EXPECTED_H
#define PAYBELL_BENCH_LISTENERS_EXPECTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct expected {
	uint8_t *bytes;
	size_t len;
	uint32_t *offsets; /* by client */
	int clients;
	int complete;              /* clients that have all of it */
	int64_t first_us, last_us; /* when the first and the last had it; monotonic */
};

void expected_init(struct expected *x, int clients);
void expected_release(struct expected *x);

/* From a file, at most 64 MB; all clients begin at its beginning. */
int expected_load(struct expected *x, const char *path, struct err *e);

/* How many of these bytes are what this client was to get next. */
size_t expected_take(struct expected *x, int client, const uint8_t *bytes, size_t len);
/* Is this frame what it was to get next? */
bool expected_take_frame(struct expected *x, int client, int opcode,
			 const uint8_t *payload, size_t len);

#endif
