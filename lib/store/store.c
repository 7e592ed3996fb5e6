#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"

static const struct migration {
	const char *name;
	const char *sql;
} MIGRATIONS[] = {
#include "schema.inc"
};
#define MIGRATION_COUNT ((int)(sizeof MIGRATIONS / sizeof MIGRATIONS[0]))

int store_schema_version(void)
{
	return MIGRATION_COUNT;
}

/* The first column of the first row as a number; `fallback` when there is no row. */
static int read_int(struct db *db, const char *sql, int64_t fallback, int64_t *out,
		    struct err *e)
{
	struct db_stmt *s;
	int rc;

	if (db_prepare(db, &s, sql, e) < 0)
		return -1;
	rc = db_step(s, e);
	*out = rc == 1 ? db_int(s, 0) : fallback;
	db_finalize(s);
	return rc < 0 ? -1 : 0;
}

static int read_ledger_id(struct store *s, struct err *e)
{
	struct db_stmt *stmt;
	int rc;

	if (db_prepare(s->db, &stmt, "SELECT value FROM meta WHERE name = 'ledger_id'",
		       e) < 0)
		return -1;
	rc = db_step(stmt, e);
	if (rc == 1)
		db_copy_text(stmt, 0, s->ledger_id, sizeof s->ledger_id);
	db_finalize(stmt);
	if (rc == 0)
		return err_set(e, ERR_CORRUPT, "the database has no ledger id");
	return rc < 0 ? -1 : 0;
}

void store_new_ledger_id(char out[LEDGER_ID_SIZE])
{
	random_hex(out, (LEDGER_ID_SIZE - 1) / 2);
}

static int write_ledger_id(struct store *s, struct err *e)
{
	char sql[128], hex[LEDGER_ID_SIZE];

	store_new_ledger_id(hex);
	snprintf(sql, sizeof sql,
		 "INSERT OR IGNORE INTO meta (name, value) VALUES ('ledger_id', '%s')",
		 hex);
	return db_exec(s->db, sql, e);
}

static int apply_migrations(struct store *s, int64_t from, struct err *e)
{
	char sql[64];

	for (int64_t i = from; i < MIGRATION_COUNT; i++) {
		if (db_exec(s->db, MIGRATIONS[i].sql, e) < 0)
			return err_wrap(e, "schema/%s", MIGRATIONS[i].name);
	}
	snprintf(sql, sizeof sql, "PRAGMA user_version=%d", MIGRATION_COUNT);
	if (db_exec(s->db, sql, e) < 0)
		return -1;
	return write_ledger_id(s, e);
}

static int migrate(struct store *s, struct err *e)
{
	int64_t version;

	if (read_int(s->db, "PRAGMA user_version", 0, &version, e) < 0)
		return -1;
	if (version > MIGRATION_COUNT)
		return err_set(e, ERR_INVALID,
			       "schema version %lld is newer than this program's %d: "
			       "install the newer program",
			       (long long)version, MIGRATION_COUNT);
	if (version == MIGRATION_COUNT)
		return 0;
	if (db_exec(s->db, "BEGIN IMMEDIATE", e) < 0)
		return -1;
	if (apply_migrations(s, version, e) == 0)
		return db_exec(s->db, "COMMIT", e);
	db_exec(s->db, "ROLLBACK", &(struct err)ERR_INIT);
	return -1;
}

int store_open_claimed(struct store *s, const char *path, struct err *e)
{
	*s = (struct store){.claim = {.fd = -1, .database_fd = -1}};
	if (db_open(&s->db, path, DB_WRITER, e) == 0 && migrate(s, e) == 0 &&
	    read_ledger_id(s, e) == 0)
		return 0;
	store_close(s);
	return -1;
}

int store_open_writer(struct store *s, const char *path, struct err *e)
{
	struct claim claim;

	*s = (struct store){.claim = {.fd = -1, .database_fd = -1}};
	if (claim_take(&claim, path, e) < 0)
		return -1;
	if (store_open_claimed(s, path, e) == 0) {
		s->claim = claim;
		return 0;
	}
	claim_release(&claim);
	return -1;
}

int store_open_second(struct store *s, const char *path, struct err *e)
{
	*s = (struct store){.claim = {.fd = -1, .database_fd = -1}};
	/* One that has been moved away is not made anew. */
	if (access(path, F_OK) < 0)
		return err_set_errno(e, ERR_NOT_FOUND, errno, "database %s", path);
	if (db_open(&s->db, path, DB_WRITER, e) == 0 && read_ledger_id(s, e) == 0)
		return 0;
	store_close(s);
	return -1;
}

int store_seal(struct store *s, int64_t now_us, struct err *e)
{
	char sql[128];

	snprintf(sql, sizeof sql,
		 "INSERT OR REPLACE INTO meta (name, value) VALUES ('sealed_us', '%lld')",
		 (long long)now_us);
	return db_exec(s->db, sql, e);
}

int store_explain(const char *path, struct err *e)
{
	if (e->code != ERR_CORRUPT)
		return -1;
	return err_wrap(e,
			"database %s is damaged, stop here and restore a backup as "
			"docs/operations.md says (`paybell backup` makes them)",
			path);
}

static int expect_version(struct store *s, struct err *e)
{
	int64_t version;

	if (read_int(s->db, "PRAGMA user_version", 0, &version, e) < 0)
		return -1;
	if (version != MIGRATION_COUNT)
		return err_set(e, ERR_NOT_FOUND,
			       "schema version %lld, this program knows %d",
			       (long long)version, MIGRATION_COUNT);
	return read_ledger_id(s, e);
}

int store_open_reader(struct store *s, const char *path, struct err *e)
{
	*s = (struct store){.claim = {.fd = -1, .database_fd = -1}};
	if (access(path, F_OK) < 0)
		return err_set_errno(e, ERR_NOT_FOUND, errno, "database %s", path);
	if (db_open(&s->db, path, DB_READER, e) == 0 && expect_version(s, e) == 0)
		return 0;
	store_close(s);
	return -1;
}

void store_close(struct store *s)
{
	db_close(s->db);
	s->db = NULL;
	claim_release(&s->claim);
}

int store_snapshot_begin(struct store *s, struct err *e)
{
	return db_exec(s->db, "BEGIN", e);
}

void store_snapshot_end(struct store *s)
{
	struct err ignored = ERR_INIT;

	/* An error may have ended it already. */
	if (db_in_transaction(s->db))
		db_exec(s->db, "COMMIT", &ignored);
}

int store_prepare(struct store *s, const char *const *sql, struct db_stmt **stmts,
		  int count, struct err *e)
{
	for (int i = 0; i < count; i++) {
		if (db_prepare(s->db, &stmts[i], sql[i], e) == 0)
			continue;
		store_finalize(stmts, i);
		return -1;
	}
	return 0;
}

void store_finalize(struct db_stmt **stmts, int count)
{
	for (int i = 0; i < count; i++) {
		db_finalize(stmts[i]);
		stmts[i] = NULL;
	}
}
