/* SQLite: see db.h.
 *
 * The writer asks for the durability that a 201 promises: WAL with synchronous=FULL, so
 * COMMIT returns after the log is on disk. It never checkpoints by itself (in the
 * committer that costs 18 ms at the 99th percentile); a thread with a connection of its
 * own does. The WAL outlives the last connection (SQLITE_FCNTL_PERSIST_WAL): a reader
 * under another user could not make it anew. */
#include "io/db.h"

#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

struct db {
	sqlite3 *handle;
};

struct db_stmt {
	sqlite3_stmt *handle;
};

struct db_copy {
	sqlite3_backup *handle;
};

static enum err_code code_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_CONSTRAINT:
		return ERR_CONFLICT;
	case SQLITE_FULL:
		return ERR_FULL;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_CORRUPT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ERR_TIMEOUT;
	case SQLITE_INTERRUPT:
		return ERR_CLOSED;
	default:
		return ERR_IO;
	}
}

static int fail(sqlite3 *handle, int rc, struct err *e)
{
	return err_set(e, code_of(rc), "%s (%s)", sqlite3_errmsg(handle),
		       sqlite3_errstr(rc));
}

static const char WRITER_PRAGMAS[] = "PRAGMA journal_mode=WAL;"
				     "PRAGMA synchronous=FULL;"
				     "PRAGMA wal_autocheckpoint=0;"
				     "PRAGMA journal_size_limit=-1;"
				     "PRAGMA temp_store=MEMORY;"
				     "PRAGMA cache_size=-16384;";
static const char READER_PRAGMAS[] = "PRAGMA query_only=1;"
				     "PRAGMA temp_store=MEMORY;"
				     "PRAGMA cache_size=-2048;";
static const char COPY_PRAGMAS[] = "PRAGMA journal_mode=OFF;"
				   "PRAGMA synchronous=OFF;"
				   "PRAGMA locking_mode=EXCLUSIVE;"
				   "PRAGMA cache_size=-8192;";

static int configure(struct db *db, enum db_mode mode, struct err *e)
{
	int keep_wal = 1;

	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
	if (mode == DB_COPY)
		return db_exec(db, COPY_PRAGMAS, e);
	/* Whoever closes last decides, so all have to say it. */
	sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_wal);
	if (mode == DB_READER)
		return db_exec(db, READER_PRAGMAS, e);
	return db_exec(db, WRITER_PRAGMAS, e);
}

int db_open(struct db **out, const char *path, enum db_mode mode, struct err *e)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
	struct db *db = mem_alloc(sizeof *db);
	mode_t old_umask = 0;
	int rc;

	/* A reader opens read-write as well: it must be able to use the shared memory of
	 * the WAL; query_only keeps it from writing. */
	flags |= SQLITE_OPEN_READWRITE | (mode == DB_READER ? 0 : SQLITE_OPEN_CREATE);
	old_umask = umask(0027);
	rc = sqlite3_open_v2(path, &db->handle, flags, NULL);
	if (rc == SQLITE_OK && configure(db, mode, e) == 0) {
		umask(old_umask);
		*out = db;
		return 0;
	}
	umask(old_umask);
	if (rc != SQLITE_OK)
		fail(db->handle, rc, e);
	err_wrap(e, "database %s", path);
	db_close(db);
	return -1;
}

void db_close(struct db *db)
{
	if (db == NULL)
		return;
	sqlite3_close_v2(db->handle);
	mem_free(db);
}

void db_set_busy_ms(struct db *db, int busy_ms)
{
	sqlite3_busy_timeout(db->handle, busy_ms);
}

int db_exec(struct db *db, const char *sql, struct err *e)
{
	int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : fail(db->handle, rc, e);
}

int db_prepare(struct db *db, struct db_stmt **out, const char *sql, struct err *e)
{
	sqlite3_stmt *handle = NULL;
	int rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
				    &handle, NULL);

	if (rc != SQLITE_OK)
		return fail(db->handle, rc, e);
	*out = mem_alloc(sizeof **out);
	(*out)->handle = handle;
	return 0;
}

void db_finalize(struct db_stmt *s)
{
	if (s == NULL)
		return;
	sqlite3_finalize(s->handle);
	mem_free(s);
}

void db_bind_int(struct db_stmt *s, int index, int64_t value)
{
	sqlite3_bind_int64(s->handle, index, value);
}

void db_bind_text(struct db_stmt *s, int index, const char *text)
{
	sqlite3_bind_text(s->handle, index, text, -1, SQLITE_STATIC);
}

void db_bind_text_or_null(struct db_stmt *s, int index, const char *text)
{
	db_bind_text(s, index, text != NULL && text[0] != '\0' ? text : NULL);
}

void db_bind_blob(struct db_stmt *s, int index, const void *bytes, size_t len)
{
	sqlite3_bind_blob64(s->handle, index, bytes, len, SQLITE_STATIC);
}

void db_bind_null(struct db_stmt *s, int index)
{
	sqlite3_bind_null(s->handle, index);
}

int db_step(struct db_stmt *s, struct err *e)
{
	int rc = sqlite3_step(s->handle);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		fail(sqlite3_db_handle(s->handle), rc, e);
	sqlite3_reset(s->handle);
	return rc == SQLITE_DONE ? 0 : -1;
}

int db_run(struct db_stmt *s, struct err *e)
{
	int rc = db_step(s, e);

	if (rc == 1)
		sqlite3_reset(s->handle);
	return rc;
}

void db_reset(struct db_stmt *s)
{
	sqlite3_reset(s->handle);
}

int64_t db_int(struct db_stmt *s, int column)
{
	return sqlite3_column_int64(s->handle, column);
}

const char *db_text(struct db_stmt *s, int column)
{
	const unsigned char *text = sqlite3_column_text(s->handle, column);

	return text == NULL ? "" : (const char *)text;
}

size_t db_bytes(struct db_stmt *s, int column)
{
	return (size_t)sqlite3_column_bytes(s->handle, column);
}

const void *db_blob(struct db_stmt *s, int column)
{
	return sqlite3_column_blob(s->handle, column);
}

bool db_is_null(struct db_stmt *s, int column)
{
	return sqlite3_column_type(s->handle, column) == SQLITE_NULL;
}

void db_copy_text(struct db_stmt *s, int column, char *out, size_t size)
{
	mem_copy_text(out, size, db_text(s, column));
}

int64_t db_last_rowid(const struct db *db)
{
	return sqlite3_last_insert_rowid(db->handle);
}

int db_changes(const struct db *db)
{
	return sqlite3_changes(db->handle);
}

bool db_in_transaction(const struct db *db)
{
	return sqlite3_get_autocommit(db->handle) == 0;
}

static int checkpoint_mode(enum db_checkpoint mode)
{
	switch (mode) {
	case DB_CHECKPOINT_PASSIVE:
		return SQLITE_CHECKPOINT_PASSIVE;
	case DB_CHECKPOINT_RESTART:
		return SQLITE_CHECKPOINT_RESTART;
	default:
		return SQLITE_CHECKPOINT_TRUNCATE;
	}
}

int db_checkpoint(struct db *db, enum db_checkpoint mode, int *wal_frames,
		  int *moved_frames, struct err *e)
{
	int rc = sqlite3_wal_checkpoint_v2(db->handle, "main", checkpoint_mode(mode),
					   wal_frames, moved_frames);

	if (rc == SQLITE_OK)
		return 0;
	if ((rc & 0xff) == SQLITE_BUSY)
		return 1;
	return fail(db->handle, rc, e);
}

int db_copy_start(struct db_copy **out, struct db *target, struct db *source,
		  struct err *e)
{
	sqlite3_backup *handle =
		sqlite3_backup_init(target->handle, "main", source->handle, "main");

	if (handle == NULL)
		return fail(target->handle, sqlite3_errcode(target->handle), e);
	*out = mem_alloc(sizeof **out);
	(*out)->handle = handle;
	return 0;
}

int db_copy_step(struct db_copy *c, int pages, int64_t *done, int64_t *total,
		 struct err *e)
{
	int rc = sqlite3_backup_step(c->handle, pages);

	*total = sqlite3_backup_pagecount(c->handle);
	*done = *total - sqlite3_backup_remaining(c->handle);
	if (rc == SQLITE_OK || rc == SQLITE_DONE)
		return rc == SQLITE_OK;
	/* The handle keeps its error to itself until it is finished. */
	return err_set(e, code_of(rc), "%s", sqlite3_errstr(rc));
}

void db_copy_free(struct db_copy *c)
{
	if (c == NULL)
		return;
	sqlite3_backup_finish(c->handle);
	mem_free(c);
}

void db_interrupt(struct db *db)
{
	sqlite3_interrupt(db->handle);
}
