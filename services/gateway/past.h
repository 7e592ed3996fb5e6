/* The past: from a session's beginning until it is live.
 *
 * The position is fixed first, then slices are read (reader.h), each in one short
 * snapshot, until the session has been told everything up to the newest event that it met
 * meanwhile (room.h); from there it is live. A session that takes slowly is read for
 * slowly, and holds at most one slice. */
#ifndef PAYBELL_GATEWAY_PAST_H
#define PAYBELL_GATEWAY_PAST_H

#include "gateway/reader.h"
#include "gateway/room.h"

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
