#include "base/monitor.h"

#include <time.h>

#include "base/clock.h"

void monitor_init(struct monitor *m)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&m->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

void monitor_release(struct monitor *m)
{
	pthread_cond_destroy(&m->changed);
	pthread_mutex_destroy(&m->lock);
}

void monitor_lock(struct monitor *m)
{
	pthread_mutex_lock(&m->lock);
}

void monitor_unlock(struct monitor *m)
{
	pthread_mutex_unlock(&m->lock);
}

void monitor_wait(struct monitor *m)
{
	pthread_cond_wait(&m->changed, &m->lock);
}

bool monitor_wait_until(struct monitor *m, int64_t mono_us)
{
	struct timespec until = {mono_us / US_PER_S, mono_us % US_PER_S * 1000};

	return pthread_cond_timedwait(&m->changed, &m->lock, &until) == 0;
}

void monitor_wake(struct monitor *m)
{
	pthread_cond_broadcast(&m->changed);
}
