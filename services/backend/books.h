/* The database as the committer holds it, and as everybody else in the backend reads it.
 */
#ifndef PAYBELL_BACKEND_BOOKS_H
#define PAYBELL_BACKEND_BOOKS_H

#include "base/err.h"
#include "store/channels.h"
#include "store/deliveries.h"
#include "store/events.h"
#include "store/ledger.h"
#include "store/listing.h"
#include "store/reads.h"
#include "store/store.h"
#include "store/users.h"

/* One connection with the statements of all of lib/store; the ledger's only on the
 * writer's. One thread at a time. */
struct books {
	struct store store;
	struct ledger *ledger; /* NULL on a reader */
	struct users *users;
	struct events *events;
	struct deliveries *deliveries;
	struct channels *channels;
	struct listing *listing;
	struct reads *reads;
};

/* Under the claim that the caller holds. */
int books_open_writer(struct books *b, const char *path, struct err *e);
/* Closes the writer's connection and opens it again, after a COMMIT that failed. 0: what
 * it shows now is on disk, nothing else ever will be, and the disk takes writes. -1: it
 * is closed; try again. */
int books_reopen_writer(struct books *b, const char *path, struct err *e);
/* One more connection of this process that may checkpoint. */
int books_open_second(struct books *b, const char *path, struct err *e);
int books_open_reader(struct books *b, const char *path, struct err *e);
void books_close(struct books *b);

/* A few readers for the threads of the HTTP server. Any thread; a reader is opened when
 * none is free. */
struct readers;
struct readers *readers_new(const char *path);
void readers_free(struct readers *r); /* all must be back */
struct books *readers_take(struct readers *r, struct err *e);
void readers_give(struct readers *r, struct books *b);

#endif
