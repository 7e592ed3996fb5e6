/* What a worker counts. */
#ifndef PAYBELL_WORKER_TALLY_H
#define PAYBELL_WORKER_TALLY_H

#include "base/metrics.h"
#include "wire/attempt.h"

#define TALLY_LABELS_SIZE 64

/* Lives as long as the process: metrics are never unlinked. */
struct tally {
	char labels[ATTEMPT_FAILED + 1][TALLY_LABELS_SIZE];
	char channel[TALLY_LABELS_SIZE];
	struct metric attempts[ATTEMPT_FAILED + 1];
	struct metric deliveries[ATTEMPT_FAILED + 1];
	struct metric latency; /* from the event to the provider's yes */
	struct metric took;    /* one try */
	struct metric in_flight, held, parked, due, backlog, unconfirmed;
	struct metric breaker_open, outages;
	struct metric reconnects, claimed, duplicates;
};

void tally_init(struct tally *t, const char *channel);
void tally_record(struct tally *t, const struct attempt *a);

#endif
