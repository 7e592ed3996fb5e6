/* The reader: what sessions missed, read from the database on a thread of its own.
 *
 * One reading is a session's: where it is, and what the last slice brought. It goes back
 * and forth: reader_ask() gives it away, and it comes back as a letter to its thread,
 * read to a further place. A first slice is small and takes turns with the later ones, so
 * that who comes is greeted soon however much others have to catch up with. A database
 * that cannot be read is tried until it can: the sessions wait. */
#ifndef PAYBELL_GATEWAY_READER_H
#define PAYBELL_GATEWAY_READER_H

#include "gateway/batch.h"
#include "gateway/engine.h"
#include "store/store.h"
#include "wire/event.h"

struct reader;

struct reader_settings {
	const char *database;
	const struct event_naming *naming;
	int64_t resume_max; /* events of the ledger: who is further behind starts anew */
};

/* An event for one session. */
struct missed {
	int64_t sequence;
	struct message message;
};

struct reading {
	struct letter letter; /* fn: it has come back */
	struct list link;     /* the reader's */
	struct thread *thread;
	/* Frees it instead: the thread has ended. Any thread. */
	void (*drop)(struct reading *g);

	bool first; /* no slice has come back yet */
	bool all;   /* of all users */
	enum dialect dialect;
	char user_id[USER_ID_MAX + 1];
	char ledger[LEDGER_ID_SIZE]; /* that `after` is of, "" ours; then ours */
	int64_t after;               /* known up to here; -1 at first: from now on */

	/* What was read. */
	bool resync; /* of the first slice: it cannot be served from there */
	bool more;
	int64_t head;          /* the ledger's newest sequence */
	int64_t unread;        /* of the first slice: behind the user's mark; or -1 */
	struct missed *missed; /* `count` of them; the receiver's */
	int count;
};

int reader_start(struct reader **out, const struct reader_settings *settings,
		 struct err *e);
/* Readings are read from now on, which was put off until then. Any thread. */
void reader_open(struct reader *r);
void reader_stop(struct reader *r); /* before the engine stops; NULL does nothing */
void reader_free(struct reader *r); /* after it; NULL does nothing */

/* The next slice. On the reading's thread. */
void reader_ask(struct reader *r, struct reading *g);
/* Takes it back unread; false: it is being read, or on its way back. */
bool reader_call_back(struct reader *r, struct reading *g);

/* Frees what was read, from that one on. */
void reading_release(struct reading *g, int from);

#endif
