/* A lock, and waiting for what it guards to change, at most until a moment of the
 * monotonic clock (a condition variable waits on the wall clock unless told otherwise).
 *
 *	monitor_lock(&m);
 *	while (!ready && monitor_wait_until(&m, deadline_us))
 *		;
 *	monitor_unlock(&m);
 *
 * A wait may end without a reason (POSIX: spuriously), so it stands in a loop over its
 * condition. Any thread; the caller's storage. */
#ifndef PAYBELL_BASE_MONITOR_H
#define PAYBELL_BASE_MONITOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct monitor {
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

void monitor_init(struct monitor *m);
void monitor_release(struct monitor *m); /* nobody holds it or waits */

void monitor_lock(struct monitor *m);
void monitor_unlock(struct monitor *m);

/* With the lock held, which is let go of meanwhile. */
void monitor_wait(struct monitor *m);
bool monitor_wait_until(struct monitor *m, int64_t mono_us); /* false: it is that late */
/* Ends all waits. */
void monitor_wake(struct monitor *m);

#endif
