/* Answers that are not given yet: late ones, and those that never come.
 *
 * Any number waits side by side, each with its own timer, and none holds up another. Of
 * those that hang at most HELD_HUNG_MAX are kept; then the oldest is closed. Loop thread
 * only; the caller's storage. */
#ifndef PAYBELL_SANDBOX_HELD_H
#define PAYBELL_SANDBOX_HELD_H

#include "base/list.h"
#include "io/http_server.h"
#include "sandbox/channel.h"

#define HELD_HUNG_MAX 1000

struct held {
	struct loop *loop;
	struct list late, hung;
	int hung_count;
};

void held_init(struct held *h, struct loop *l);

/* Answers in latency_ms; the answer is copied, its header texts included. */
void held_late(struct held *h, struct http_request *r, const struct http_answer *a,
	       int latency_ms);
/* Does not answer. */
void held_hang(struct held *h, struct http_request *r, enum channel c);

/* Closes the connections of a channel that hang. */
void held_drop_hung(struct held *h, enum channel c);
/* Closes all that hang, answers all that are late: at the end. */
void held_release(struct held *h);

#endif
