/* One feed: how far one channel's stream (or the bell) has been brought, and how it goes
 * on.
 *
 * The place is a cursor in Redis, "<ledger id>:<sequence>", which only the script that
 * appends also moves, and only from where the sender expected it. So whatever happens to
 * a connection with commands in flight, to the server's files, or to a second feeder: no
 * hole and no repeat. A command that finds another cursor changes nothing and says what
 * it found; the feed then asks and goes on from there. What lies between the cursor found
 * and the newest event of that moment is asked for in the ledger, and what has ended is
 * skipped: an append-only file that lost its end brings back an older cursor. Cursor
 * missing: Redis was wiped, and the feed starts below the channel's lowest open event. A
 * cursor of another ledger is refused. Loop thread only. */
#ifndef PAYBELL_BACKEND_FEED_H
#define PAYBELL_BACKEND_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "app/bus.h"
#include "backend/books.h"
#include "base/log.h"
#include "base/metrics.h"
#include "io/redis.h"
#include "wire/event.h"

#define FEED_BATCH    64 /* events a command */
#define FEED_PIPELINE 8  /* commands in flight a feed */

enum feed_state {
	FEED_UNKNOWN, /* the cursor must be asked for */
	FEED_ASKED,
	FEED_READY,
	FEED_FOREIGN, /* the cursor is of another ledger, or ahead of ours: refused until
			 somebody decides */
};

/* What all feeds of a backend share. */
struct feed_context {
	const struct bus *bus;
	struct redis *redis;
	struct redis_args *args;
	struct books *books; /* a reader */
	const char *ledger_id;
	const struct event_naming *naming;
	int64_t queue_max;
	int64_t head; /* newest sequence on disk */
	/* SHA-1 in hex, as SCRIPT LOAD answered; "" not loaded */
	char feed_script[41], ring_script[41], hand_script[41];
	/* The bell rang for everything up to here. */
	void (*published)(void *arg, int64_t last_event);
	void *arg;
};

/* Whether the deliveries are in the stream; false also when nobody knows. */
typedef void feed_handed_fn(void *arg, bool appended);

struct feed {
	struct feed_context *context;
	char channel[CHANNEL_NAME_MAX + 1]; /* BUS_LIVE: the bell */
	bool live;
	struct bus_name cursor_name, queue_name;
	enum feed_state state;
	bool missing;      /* there is no cursor: the next command expects none */
	int64_t sent;      /* up to where commands were sent: what the next one expects */
	int64_t confirmed; /* up to where Redis has confirmed */
	int64_t recover_until; /* up to here what has ended is skipped, by asking the
				  database */
	int64_t backlog;       /* XLEN, as last heard */
	int in_flight;
	bool handing; /* from feed_hand_out() to feed_handed_out() */
	feed_handed_fn *handed;
	void *handed_arg;
	struct log_limit refused_limit;
	char labels[64];
	struct metric fed_total, lag, backlog_entries;
};

/* Says the newest sequence: those who listen look into their streams. */
void feed_say_head(const struct feed_context *c);

void feed_init(struct feed *f, struct feed_context *context, const char *channel);

/* Forgets what it knows: the connection is new. */
void feed_reset(struct feed *f);

/* Sends as much as may be sent. */
void feed_push(struct feed *f);

/* Entries that the stream may get before it is at its bound. */
int64_t feed_room(const struct feed *f);

/* Once a second: asks for the cursor when nothing is in flight (a wipe shows), for the
 * backlog when it was full. */
void feed_check(struct feed *f);

/* Appends deliveries of events that were fed before, if the cursor is as it is known:
 * then calls fn. False: not now, and fn is not called. Until feed_handed_out() the ledger
 * may still call them waiting, and so a recovery that begins meanwhile waits for it: it
 * would take them for somebody else's. */
bool feed_hand_out(struct feed *f, const struct due *due, int count, feed_handed_fn *fn,
		   void *arg);
void feed_handed_out(struct feed *f);

/* The scripts, for SCRIPT LOAD. */
extern const char FEED_SCRIPT[], RING_SCRIPT[], HAND_SCRIPT[];

#endif
