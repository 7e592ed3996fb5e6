#include "cli/interrupt.h"

static void *await(void *arg)
{
	struct interrupt *i = arg;
	int number;

	while (sigwait(&i->signals, &number) == 0 && !atomic_load(&i->over))
		i->fn(i->arg);
	return NULL;
}

void interrupt_block(struct interrupt *i)
{
	sigemptyset(&i->signals);
	sigaddset(&i->signals, SIGINT);
	sigaddset(&i->signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &i->signals, NULL);
}

int interrupt_start(struct interrupt *i, interrupt_fn *fn, void *arg, struct err *e)
{
	int rc;

	i->fn = fn;
	i->arg = arg;
	atomic_init(&i->over, false);
	rc = pthread_create(&i->thread, NULL, await, i);
	if (rc != 0)
		return err_set_errno(e, ERR_IO, rc, "a thread cannot be started");
	return 0;
}

void interrupt_end(struct interrupt *i)
{
	atomic_store(&i->over, true);
	pthread_kill(i->thread, SIGINT);
	pthread_join(i->thread, NULL);
}
