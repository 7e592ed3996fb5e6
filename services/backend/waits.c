#include "backend/waits.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

static int apply(struct job *j, struct books *b, int64_t now_us, struct err *e)
{
	struct waits *w = container_of(j, struct waits, job);

	(void)now_us;
	for (int i = 0; i < w->count; i++) {
		if (deliveries_handed_out(b->deliveries, w->feed->channel, &w->due[i],
					  e) < 0)
			return -1;
	}
	return 0;
}

static void end(struct waits *w)
{
	w->busy = false;
	feed_handed_out(w->feed);
	if (w->again)
		waits_look(w);
}

static void on_committed(void *arg)
{
	end(arg);
}

/* When it failed they are handed out again: twice in the stream, which the worker tells
 * by the ledger. */
static void finish(struct job *j, enum job_outcome outcome)
{
	struct waits *w = container_of(j, struct waits, job);

	(void)outcome;
	loop_post(w->loop, on_committed, w);
}

static void on_appended(void *arg, bool appended)
{
	struct waits *w = arg;

	if (appended && committer_put(w->committer, COMMITTER_BACK, &w->job))
		return;
	w->again = false;
	end(w);
}

void waits_init(struct waits *w, struct loop *loop, struct committer *committer,
		struct feed *feed)
{
	*w = (struct waits){
		.loop = loop,
		.committer = committer,
		.feed = feed,
		.job = {.apply = apply, .finish = finish},
	};
}

void waits_look(struct waits *w)
{
	struct feed *f = w->feed;
	struct err e = ERR_INIT;
	int64_t room = feed_room(f);

	w->again = w->busy;
	if (w->busy || f->state != FEED_READY || room == 0)
		return;
	/* What is above the cursor is the feed's to skip until then. */
	w->count = deliveries_due(f->context->books->deliveries, f->channel,
				  clock_utc_us(), f->sent, w->due,
				  room < WAITS_BATCH ? (int)room : WAITS_BATCH, &e);
	if (w->count < 0)
		log_error("waits.failed", "channel=%s error=\"%s\"", f->channel, e.text);
	if (w->count <= 0)
		return;
	w->again = w->count == WAITS_BATCH;
	w->busy = feed_hand_out(f, w->due, w->count, on_appended, w);
}
