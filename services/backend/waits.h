/* What waited in the ledger goes back into its channel's stream when its time has come: a
 * retry that was far away, and what an operator replays.
 *
 * First into the stream, then out of the ledger's list: a crash in between repeats, and
 * never loses. And only into a stream whose cursor is the one that the feed knows
 * (feed_hand_out): what is given to a Redis that is being wiped stays in the list. Loop
 * thread only. */
#ifndef PAYBELL_BACKEND_WAITS_H
#define PAYBELL_BACKEND_WAITS_H

#include "backend/committer.h"
#include "backend/feed.h"
#include "io/loop.h"

#define WAITS_BATCH 256 /* deliveries at a time */

struct waits {
	struct loop *loop;
	struct committer *committer;
	struct feed *feed;
	struct job job;
	struct due due[WAITS_BATCH];
	int count;
	bool busy;  /* they are on their way */
	bool again; /* somebody looked meanwhile, or there were more */
};

void waits_init(struct waits *w, struct loop *loop, struct committer *committer,
		struct feed *feed);

/* Hands out what is due. */
void waits_look(struct waits *w);

#endif
