/* A copy of the whole database in one file, made while the backend writes on.
 *
 * It is one snapshot, held for as long as copying takes: no commit makes it begin again,
 * but the write-ahead log cannot start over meanwhile. The pages go into FILE.partial; it
 * gets a ledger id of its own (a restored database is not the one that Redis knows), is
 * checked (quick_check), synced and renamed to FILE. FILE needs no -wal beside it.
 * Whatever fails, the partial file goes with backup_free().
 *
 * One thread, but for backup_stop(). Sizes in bytes. Errors say what to do: ERR_CONFLICT
 * FILE is there, or another backup is at work on it; ERR_FULL no room; ERR_CORRUPT the
 * copy is not good; ERR_CLOSED it was stopped; ERR_IO, ERR_NOT_FOUND, ERR_INVALID. */
#ifndef PAYBELL_STORE_BACKUP_H
#define PAYBELL_STORE_BACKUP_H

#include "store/store.h"

struct backup;

/* Begins the snapshot. replace: FILE may be there already. */
int backup_new(struct backup **out, const char *database, const char *file, bool replace,
	       struct err *e);
/* Copies a few MB. 1: there is more, 0: all is copied and the snapshot let go, -1. */
int backup_step(struct backup *b, int64_t *done_bytes, int64_t *total_bytes,
		struct err *e);

struct backup_result {
	int64_t events; /* the sequence of the newest one */
	int64_t bytes;
	char ledger_id[LEDGER_ID_SIZE]; /* the copy's */
};
/* After the last step. 0: FILE is on disk. */
int backup_finish(struct backup *b, struct backup_result *result, struct err *e);

/* Any thread, before backup_free(): the step or the check that runs ends with ERR_CLOSED.
 */
void backup_stop(struct backup *b);
void backup_free(struct backup *b); /* NULL does nothing */

#endif
