#include "backend/queue.h"

#include "base/clock.h"

#define BACK_ALONE_MAX 8 /* jobs from the back in a batch without clients */

/* How long the back waits for a batch of clients that it can go along with: an fsync of
 * its own costs more than its rows. */
#define BACK_WAIT_MS 15

void queue_init(struct queue *q, int max)
{
	*q = (struct queue){.max = max};
	list_init(&q->front);
	list_init(&q->back);
	monitor_init(&q->monitor);
}

void queue_release(struct queue *q)
{
	monitor_release(&q->monitor);
}

bool queue_put(struct queue *q, bool front, struct list *node)
{
	bool taken;

	monitor_lock(&q->monitor);
	taken = !q->stopping && !q->shut &&
		(front ? q->front_count : q->back_count) < q->max &&
		!(front && atomic_load_explicit(&q->hold, memory_order_relaxed));
	if (taken) {
		if (!front && list_empty(&q->back))
			q->back_since_us = clock_mono_us();
		list_append(front ? &q->front : &q->back, node);
		*(front ? &q->front_count : &q->back_count) += 1;
		monitor_wake(&q->monitor);
	}
	monitor_unlock(&q->monitor);
	return taken;
}

void queue_hold(struct queue *q, bool hold)
{
	atomic_store(&q->hold, hold);
}

void queue_stop(struct queue *q)
{
	monitor_lock(&q->monitor);
	q->stopping = true;
	monitor_wake(&q->monitor);
	monitor_unlock(&q->monitor);
}

/* Moves up to `most` jobs behind the batch. */
static int move(struct list *from, int *count, struct list *batch, int most)
{
	struct list *node;
	int moved = 0;

	while (moved < most && (node = list_pop(from)) != NULL) {
		list_append(batch, node);
		moved++;
	}
	*count -= moved;
	return moved;
}

/* Until a client's job is there, the back has waited long enough, or it is due_us. */
static void wait_for_work(struct queue *q, int64_t due_us)
{
	while (!q->stopping && list_empty(&q->front)) {
		int64_t until_us = due_us, now_us;

		if (q->back_count >= BACK_ALONE_MAX)
			return;
		if (!list_empty(&q->back))
			until_us = q->back_since_us + BACK_WAIT_MS * US_PER_MS;
		if (until_us == INT64_MAX) {
			monitor_wait(&q->monitor);
			continue;
		}
		now_us = clock_mono_us();
		if (now_us >= until_us)
			return;
		monitor_wait_until(&q->monitor, until_us);
	}
}

int queue_take(struct queue *q, int most, int64_t due_us, struct list *batch,
	       bool *stopping)
{
	int count;

	list_init(batch);
	monitor_lock(&q->monitor);
	wait_for_work(q, due_us);
	count = move(&q->front, &q->front_count, batch, most);
	count += move(&q->back, &q->back_count, batch, count > 0 ? 1 : BACK_ALONE_MAX);
	q->back_since_us = clock_mono_us();
	*stopping = q->stopping;
	monitor_unlock(&q->monitor);
	return count;
}

int queue_shut(struct queue *q, struct list *all)
{
	int count;

	list_init(all);
	monitor_lock(&q->monitor);
	q->shut = true;
	count = move(&q->front, &q->front_count, all, q->front_count) +
		move(&q->back, &q->back_count, all, q->back_count);
	monitor_unlock(&q->monitor);
	return count;
}

void queue_open(struct queue *q)
{
	monitor_lock(&q->monitor);
	q->shut = false;
	monitor_unlock(&q->monitor);
}

bool queue_is_shut(struct queue *q)
{
	bool shut;

	monitor_lock(&q->monitor);
	shut = q->shut;
	monitor_unlock(&q->monitor);
	return shut;
}

bool queue_pause(struct queue *q, int64_t until_us)
{
	bool stopping;

	monitor_lock(&q->monitor);
	while (!q->stopping && monitor_wait_until(&q->monitor, until_us))
		;
	stopping = q->stopping;
	monitor_unlock(&q->monitor);
	return stopping;
}
