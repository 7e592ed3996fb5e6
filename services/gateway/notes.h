/* Notes from the engine's threads to the main loop: in order of each thread, as many as
 * come, and the loop is woken once for all that wait. What still lies there at the end is
 * given back, which loop_post() alone would not do. */
#ifndef PAYBELL_GATEWAY_NOTES_H
#define PAYBELL_GATEWAY_NOTES_H

#include <pthread.h>
#include <stdbool.h>

#include "base/list.h"
#include "io/loop.h"

struct note {
	struct list link;
};

struct notes {
	struct loop *loop;
	void (*fn)(void *arg, struct note *n); /* takes it; on the loop */
	void *arg;
	pthread_mutex_t lock;
	struct list list;
	bool posted;
};

/* The caller's storage. Loop thread. */
void notes_init(struct notes *n, struct loop *loop, void (*fn)(void *arg, struct note *n),
		void *arg);
/* Gives all that lies there to fn once more. No thread puts any more, and the loop has
 * stopped running. Loop thread. */
void notes_release(struct notes *n);

/* Takes the note. Any thread; never blocks for long. */
void notes_put(struct notes *n, struct note *note);

#endif
