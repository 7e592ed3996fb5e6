/* What was refused: counted for ever, and the last REFUSALS_MAX with their reasons.
 * The caller's storage; loop thread only. */
#ifndef PAYBELL_SANDBOX_REFUSALS_H
#define PAYBELL_SANDBOX_REFUSALS_H

#include <stdint.h>

#include "base/buf.h"
#include "sandbox/channel.h"

#define REFUSALS_MAX        100
#define REFUSALS_REASON_MAX 240

struct refusal_entry {
	int64_t at_us; /* UTC */
	enum channel channel;
	int status; /* HTTP or SMTP */
	char reason[REFUSALS_REASON_MAX];
};

struct refusals {
	int64_t count[CHANNEL_COUNT];
	int64_t total; /* entries ever; the next one's slot modulo REFUSALS_MAX */
	struct refusal_entry entries[REFUSALS_MAX];
};

/* A zeroed struct is an empty one. reason may be cut. */
void refusals_add(struct refusals *r, enum channel c, int64_t at_us, int status,
		  const char *reason);
void refusals_empty(struct refusals *r);

/* {"counts":{"push":…},"refusals":[…]}, newest first. */
void refusals_encode(const struct refusals *r, struct buf *out);

#endif
