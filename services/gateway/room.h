/* The sessions of one thread, and who of them hears what.
 *
 * A session hears its own user's events and delivery statuses; an operator's hears all.
 * Each event is heard once and in order: a session knows up to where it knows everything
 * (`last`). While it reads the past from the database nothing live reaches it; only the
 * newest sequence that it missed is kept, and when the past has been read up to there it
 * is live. So no event is held in memory for it, however long that takes.
 *
 * What one batch has for a session goes out in one call. The room's thread only. */
#ifndef PAYBELL_GATEWAY_ROOM_H
#define PAYBELL_GATEWAY_ROOM_H

#include "gateway/batch.h"
#include "gateway/engine.h"

struct room;
struct session;
struct member;
struct live_hello;

/* How a session is spoken to: a WebSocket, or a Socket.IO client on any transport. False
 * means: it is gone, and room_leave() was called. */
struct voice {
	enum dialect dialect;
	/* Before everything else, once for each past_begin(). */
	bool (*greet)(struct thread *t, struct session *s,
		      const struct live_hello *hello);
	bool (*say)(struct thread *t, struct session *s,
		    const struct message *const *messages, int count);
	/* Bytes that it was told and has not taken yet. */
	size_t (*arrears)(struct thread *t, const struct session *s);
};

/* Of a session that reads the past (past.h). */
struct behind {
	int64_t missed; /* the newest sequence that came meanwhile; 0: none */
};

/* Part of whoever speaks; its storage. There is one for each connection: 64 bytes. */
struct session {
	const struct voice *voice;
	struct member *member; /* NULL: hears all */
	union {
		struct list link; /* of its user's sessions */
		struct {
			uint32_t place; /* among those that hear all */
			uint32_t heard; /* the newest batch that it was given */
		} all;
	};
	struct behind *behind; /* NULL: live */
	int64_t last;          /* sequence: it knows everything up to here */
	int64_t seen;          /* the newest read mark that it gave (reads.h) */
	uint32_t touched;      /* its place, counted from 1, among those that the batch
				  which is given out has something for; 0: not among them */
};

struct room *room_new(void);
void room_free(struct room *r); /* empty by then */

/* From now on it hears; user_id NULL: everything. `last` and `behind` are set by the
 * caller before. */
void room_join(struct room *r, struct session *s, const char *user_id);
void room_leave(struct room *r, struct session *s); /* harmless when it is not in */
const char *room_user(const struct session *s);     /* borrowed; NULL: hears all */
int room_sessions(const struct room *r, const char *user_id); /* of this user, here */

/* Gives the batch out (takes the caller's reference); large ones in several goes, one
 * batch after the other. */
void room_tell(struct room *r, struct thread *t, struct batch *b);

/* fn hears of a user's first session here and of its last one's end. Before anybody
 * joins. */
typedef void room_watch_fn(void *arg, const char *user_id, bool here);
void room_watch(struct room *r, room_watch_fn *fn, void *arg);

#endif
