/* Ctrl-C and SIGTERM as a call, for a command that has to put something away first and
 * sits in the same call for long.
 *
 * They are waited for in a thread of their own, so fn runs there, each time one comes,
 * until interrupt_end(); it may call only what any thread may. The
 * signals stay blocked afterwards: the process ends soon. Main thread. */
#ifndef PAYBELL_CLI_INTERRUPT_H
#define PAYBELL_CLI_INTERRUPT_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"

typedef void interrupt_fn(void *arg);

/* The caller's storage. */
struct interrupt {
	interrupt_fn *fn;
	void *arg;
	sigset_t signals;
	pthread_t thread;
	atomic_bool over;
};

/* From here on none of them ends the process; one that comes is kept for fn. */
void interrupt_block(struct interrupt *i);
int interrupt_start(struct interrupt *i, interrupt_fn *fn, void *arg, struct err *e);
void interrupt_end(struct interrupt *i);

#endif
