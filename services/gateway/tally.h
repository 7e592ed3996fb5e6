/* What the gateway counts. Any thread. */
#ifndef PAYBELL_GATEWAY_TALLY_H
#define PAYBELL_GATEWAY_TALLY_H

#include "base/metrics.h"

struct tally {
	struct metric accepted, refused, too_slow, too_many, connections;
	struct metric events, missed, deliveries;
};
extern struct tally tally;

void tally_init(void);

#endif
