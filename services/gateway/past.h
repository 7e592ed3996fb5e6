/* The past: what a session missed, read from the database on a thread of its own.
 *
 * The position is fixed first, then slices are read, each in one short snapshot, until
 * the session has been told everything up to the newest event that it met meanwhile
 * (room.h); from there it is live. A session that takes slowly is read for slowly. */
#ifndef PAYBELL_GATEWAY_PAST_H
#define PAYBELL_GATEWAY_PAST_H

#include "gateway/room.h"
#include "wire/event.h"

struct reader; /* the thread that reads */

struct reader_settings {
	const char *database;
	const struct event_naming *naming;
	int64_t resume_max; /* events of the ledger: who is further behind starts anew */
};

int reader_start(struct reader **out, const struct reader_settings *settings,
		 struct err *e);
/* Sessions are read for from now on, which was put off until then: what is committed
 * later they will hear. Any thread. */
void reader_open(struct reader *r);
void reader_stop(struct reader *r); /* before the engine stops; NULL does nothing */
void reader_free(struct reader *r); /* after it; NULL does nothing */

/* The session begins: joins the room, is greeted, is told what it missed after `after`
 * (-1: nothing, from now on), and goes live. ledger: whose sequence that is ("" ours).
 * user_id NULL: all users. On the session's thread. */
void past_begin(struct reader *r, struct room *room, struct thread *t, struct session *s,
		const char *user_id, int64_t after, const char *ledger);
/* Leaves the room, and whatever is read for it is forgotten. Harmless when it is not in.
 */
void past_end(struct room *room, struct session *s);
/* Once a second: goes on for those who took what they had. False: it is gone. */
bool past_second(struct thread *t, struct session *s);

#endif
