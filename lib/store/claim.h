/* The right to write a database: the exclusive lock on "<database>.lock", and in that
 * file the mark of a clean stop.
 *
 * The mark names the database file by device, inode, size and time of its last change, so
 * it holds for this file as it was left and for no other: a copied, restored or edited
 * database counts as one that was not stopped cleanly. It is taken away when the claim is
 * taken. One thread; the caller's storage. */
#ifndef PAYBELL_STORE_CLAIM_H
#define PAYBELL_STORE_CLAIM_H

#include <stdbool.h>

#include "base/err.h"

struct claim {
	int fd;          /* -1: not held */
	bool clean;      /* the last owner marked it, or there is no database yet */
	bool unsettled;  /* a checkpoint has failed: set by whose it was */
	int database_fd; /* for claim_settle(); -1: not needed yet */
};

/* ERR_CONFLICT: somebody else holds it. After an unclean stop the write-ahead log is
 * settled as well (wal.h). */
int claim_take(struct claim *c, const char *database, struct err *e);
/* Everything is in the database file, and no connection of this process is open any more.
 * What fails only means that the next start looks closer. */
int claim_mark_clean(struct claim *c, const char *database, struct err *e);
/* After a checkpoint that failed, before the next one: what was moved so far is made to
 * be on disk (wal.h). Not while another thread is at a checkpoint. */
int claim_settle(struct claim *c, const char *database, struct err *e);
/* When no connection of this process is open any more. */
void claim_release(struct claim *c); /* zeroed or released storage: nothing happens */

#endif
