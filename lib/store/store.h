/* The database as the suite knows it: opened, brought to its schema, told apart by its
 * ledger id.
 *
 * The backend opens it as the one writer, under a claim (claim.h); everybody else as
 * readers, who wait until the file has the schema they know. What is in
 * lib/store takes a `struct store` and prepares its own statements on it. A store belongs
 * to one thread at a time. */
#ifndef PAYBELL_STORE_STORE_H
#define PAYBELL_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/db.h"
#include "store/claim.h"

#define LEDGER_ID_SIZE 33 /* 32 hex digits and NUL */

struct store {
	struct db *db;
	char ledger_id[LEDGER_ID_SIZE];
	struct claim claim; /* held only after store_open_writer() */
};

/* Takes the claim, and makes file and schema when they are missing. ERR_CONFLICT: another
 * process holds it; ERR_INVALID: schema of a newer program. */
int store_open_writer(struct store *s, const char *path, struct err *e);
/* The same under a claim that the caller holds. */
int store_open_claimed(struct store *s, const char *path, struct err *e);
/* One more connection of the owner's process that may write or checkpoint; no lock of its
 * own. */
int store_open_second(struct store *s, const char *path, struct err *e);
/* ERR_NOT_FOUND: not there, or not yet with our schema: try again later. */
int store_open_reader(struct store *s, const char *path, struct err *e);

/* One small commit: it returns 0 when the disk takes writes and syncs them. What an
 * earlier COMMIT that failed has left in the write-ahead log is cut off by it: see
 * backend/committer.c. */
int store_seal(struct store *s, int64_t now_us, struct err *e);

/* Puts in front of ERR_CORRUPT which database it is and what to do; leaves other errors
 * alone. -1. */
int store_explain(const char *path, struct err *e);

void store_close(struct store *s); /* zeroed or closed storage: nothing happens */

/* Several reads on one snapshot: cheaper, since each read of its own locks and looks
 * anew, and the pages in the cache stay good. For at most 100 ms: a checkpoint cannot
 * pass it. */
int store_snapshot_begin(struct store *s, struct err *e);
void store_snapshot_end(struct store *s);

/* A random id, for a database that is new or told apart from the one it was copied from.
 */
void store_new_ledger_id(char out[LEDGER_ID_SIZE]);

/* The newest schema this program knows. */
int store_schema_version(void);

/* Prepares each statement of a table: sql[i] into stmts[i]; on failure none is left. */
int store_prepare(struct store *s, const char *const *sql, struct db_stmt **stmts,
		  int count, struct err *e);
void store_finalize(struct db_stmt **stmts, int count);

#endif
