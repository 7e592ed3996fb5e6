/* SQLite behind one door: connections, prepared statements, transactions, checkpoints.
 *
 * SQL itself lives in lib/store and nowhere else, with numbered parameters (?1). A
 * connection and its statements belong to one thread at a time. Texts and blobs that are
 * bound are borrowed until the statement is reset; columns are borrowed until the next
 * step or reset. Source: sqlite.org/c3ref, /wal.html, /pragma.html. */
#ifndef PAYBELL_IO_DB_H
#define PAYBELL_IO_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct db;
struct db_stmt;

enum db_mode {
	DB_WRITER, /* creates the file (mode 0640); WAL kept on close, synchronous=FULL,
		      foreign keys off, no automatic checkpoint */
	DB_READER, /* must exist; query only; waits at most DB_BUSY_MS for a lock */
	DB_COPY,   /* creates the file (mode 0640) for db_copy_start() and one connection
		      alone; neither journal nor sync: one that broke off is thrown away */
};

#define DB_BUSY_MS 2000

int db_open(struct db **out, const char *path, enum db_mode mode, struct err *e);
/* How long this connection waits for a lock, instead of DB_BUSY_MS. */
void db_set_busy_ms(struct db *db, int busy_ms);

void db_close(struct db *db); /* all statements must be freed; NULL does nothing */

/* One or several statements without parameters or rows. */
int db_exec(struct db *db, const char *sql, struct err *e);

/* Prepared once, used for ever (SQLITE_PREPARE_PERSISTENT). */
int db_prepare(struct db *db, struct db_stmt **out, const char *sql, struct err *e);
void db_finalize(struct db_stmt *s); /* NULL does nothing */

void db_bind_int(struct db_stmt *s, int index, int64_t value);
void db_bind_text(struct db_stmt *s, int index, const char *text); /* NULL binds NULL */
void db_bind_text_or_null(struct db_stmt *s, int index,
			  const char *text); /* "" binds NULL as well */
void db_bind_blob(struct db_stmt *s, int index, const void *bytes, size_t len);
void db_bind_null(struct db_stmt *s, int index);

/* 1: a row; 0: done (and reset); -1: failed (and reset), *e filled: ERR_CONFLICT for a
 * constraint, ERR_FULL for a full disk, ERR_CORRUPT, ERR_IO. */
int db_step(struct db_stmt *s, struct err *e);
/* For statements without rows, or of which only whether there was one matters: steps once
 * and resets. Same results. */
int db_run(struct db_stmt *s, struct err *e);
/* After the row that was wanted: lets go of the snapshot. */
void db_reset(struct db_stmt *s);

int64_t db_int(struct db_stmt *s, int column);
const char *db_text(struct db_stmt *s, int column); /* "" for NULL */
size_t db_bytes(struct db_stmt *s, int column);     /* length of text or blob */
const void *db_blob(struct db_stmt *s, int column);
bool db_is_null(struct db_stmt *s, int column);
/* Copies text into fixed storage; cut when longer. */
void db_copy_text(struct db_stmt *s, int column, char *out, size_t size);

int64_t db_last_rowid(const struct db *db);
int db_changes(const struct db *db); /* rows changed by the last statement */
bool db_in_transaction(const struct db *db);

enum db_checkpoint {
	DB_CHECKPOINT_PASSIVE, /* what can be moved without waiting */
	DB_CHECKPOINT_RESTART, /* waits for readers, so that the next writer starts the
				  WAL from its beginning */
	DB_CHECKPOINT_TRUNCATE,
};
/* Frames in the WAL and how many of them are in the database file after it. 1 when it was
 * busy (not an error), 0 done, -1 failed. */
int db_checkpoint(struct db *db, enum db_checkpoint mode, int *wal_frames,
		  int *moved_frames, struct err *e);

/* Online backup (sqlite.org/c3ref/backup_finish.html): source, whole, over what target
 * holds. While source stands in a read transaction of its own it is one snapshot, and no
 * commit of others makes the copy begin again. Both connections stay the caller's and are
 * not to be written through meanwhile. */
struct db_copy;
int db_copy_start(struct db_copy **out, struct db *target, struct db *source,
		  struct err *e);
/* At most `pages` more. 1: there is more, 0: target is complete, -1: failed; *done of
 * *total pages are copied. */
int db_copy_step(struct db_copy *c, int pages, int64_t *done, int64_t *total,
		 struct err *e);
void db_copy_free(struct db_copy *c); /* before both connections; NULL does nothing */

/* Any thread, while db is open: the statement that runs on it fails soon. */
void db_interrupt(struct db *db);

#endif
