/* What waits for the committer: two bounded lists of jobs, and the committer's waiting
 * for them.
 *
 * `front` is what a client waits for; `back` can wait (attempt records, notes) and goes
 * along with a batch of clients, one job at a time, or alone when it has waited long
 * enough. queue_put() and what says so: any thread; the rest: the committer's. */
#ifndef PAYBELL_BACKEND_QUEUE_H
#define PAYBELL_BACKEND_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/monitor.h"

struct queue {
	struct monitor monitor; /* over the rest, but for `hold` */
	struct list front, back;
	int front_count, back_count, max; /* of each */
	int64_t back_since_us; /* the oldest job in the back has waited from here on, or
				  since the last batch */
	bool stopping;
	bool shut; /* takes nothing until it is opened again */
	atomic_bool hold;
};

void queue_init(struct queue *q, int max);
void queue_release(struct queue *q); /* nothing is in it */

/* False: full, stopping, shut, or (front only) held. Any thread. */
bool queue_put(struct queue *q, bool front, struct list *node);

/* Set: the front takes nothing. Any thread. */
void queue_hold(struct queue *q, bool hold);
/* No job comes in any more. Any thread. */
void queue_stop(struct queue *q);

/* The next batch: at most `most` from the front. Waits for one, until it is due_us on the
 * monotonic clock (INT64_MAX: for ever), or the end. How many; 0 with *stopping: all is
 * done. */
int queue_take(struct queue *q, int most, int64_t due_us, struct list *batch,
	       bool *stopping);

/* Takes nothing from here on, and gives what is there. How many. */
int queue_shut(struct queue *q, struct list *all);
void queue_open(struct queue *q);
bool queue_is_shut(struct queue *q); /* any thread */

/* Until that moment, or until it is stopping: true. */
bool queue_pause(struct queue *q, int64_t until_us);

#endif
