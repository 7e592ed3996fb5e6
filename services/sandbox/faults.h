/* What goes wrong on request, for each channel.
 *
 * PUT /faults/sms {"latency_ms":200,"error_rate":0.1,"status":503,"retry_after_s":2}
 * A fault says what happens to a message: it is answered late, refused with a status,
 * never answered (hang), cut off in the middle of its answer (reset), or the provider is
 * not there at all (outage). `status` alone refuses every message; `error_rate` alone
 * refuses that share with 503 (SMTP: 451). A refusal over HTTP says when to come again,
 * in seconds (`retry_after_s`), or as the date that they end at (`retry_after_date` too).
 * A message that waits, or whose answer is cut off, has been accepted and recorded; one
 * that is refused or hangs has not.
 *
 * Which messages an error rate hits is settled by the seed and by their order since the
 * fault was set: of n messages n * error_rate are hit, give or take two, for every n, and
 * spread out, so that tests can count. Loop thread only. */
#ifndef PAYBELL_SANDBOX_FAULTS_H
#define PAYBELL_SANDBOX_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "sandbox/channel.h"
#include "wire/problem.h"

#define FAULT_LATENCY_MAX_MS 600000

struct fault {
	bool active;
	int latency_ms;
	int64_t error_threshold; /* of 2^32: a message whose draw is below it is refused
				  */
	char error_rate[24];     /* to be shown; "" when not given */
	int status;              /* 0: the channel's default */
	int retry_after_s;
	bool retry_after_date; /* said as a date */
	bool hang, reset, outage;
};

struct faults {
	struct fault of[CHANNEL_COUNT];
	uint64_t seed;
	uint64_t draw[CHANNEL_COUNT];   /* the next one */
	int64_t judged[CHANNEL_COUNT];  /* messages since the fault was set */
	int64_t refused[CHANNEL_COUNT]; /* by error rate or status */
};

/* What happens to one message. */
struct verdict {
	int latency_ms;
	int status; /* not 0: refuse with it */
	int retry_after_s;
	bool retry_after_date;
	bool hang, reset, outage;
};

void faults_init(struct faults *f, uint64_t seed);

/* Takes a PUT's body: replaces the channel's fault. 0, or -1 with *p filled and nothing
 * changed. Statuses: 400 to 599; all of them mean something to HTTP and to SMTP. */
int faults_put(struct faults *f, enum channel c, const char *body, size_t len,
	       struct problem *p);
void faults_end(struct faults *f, enum channel c);

/* Judges the next message of a channel; counts it. */
void faults_judge(struct faults *f, enum channel c, struct verdict *v);

/* One channel's fault as JSON, {"active":false} when there is none. */
void faults_encode(const struct faults *f, enum channel c, struct buf *out);
/* All of them: {"push":…,"email":…,"sms":…}. */
void faults_encode_all(const struct faults *f, struct buf *out);

#endif
