/* Design
 *
 * SQLite's online backup begins again whenever somebody else has written to the source,
 * which under load is always. A read transaction on the source makes it one snapshot
 * instead; what it costs is the write-ahead log, which grows until the last page is
 * copied. So copying comes first and alone, and all else (the check, the sync) works on
 * the copy, when the snapshot is gone.
 *
 * The copy is written without a journal and synced once, at its end: it is nothing until
 * it is renamed. (Synced every 4 to 64 MB, so that less is gathered for the end, it took
 * two to three times as long and cost the payments beside it more.)
 *
 * FILE.partial is locked (flock, which SQLite does not use), so that two backups to one
 * name do not write into each other; what a killed one left is written over. */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"

#define STEP_PAGES    1024 /* 4 MB */
#define FILE_PATH_MAX 4096

struct backup {
	struct db *source;
	struct db_copy *copy;
	struct db *target;
	pthread_mutex_t lock; /* over target's coming and going, for backup_stop() */
	atomic_bool stopped;
	int fd;     /* of the partial file; -1: it is not ours */
	bool there; /* the partial file is, and has to go */
	bool replace;
	int64_t page_bytes, page_count, events;
	char file[FILE_PATH_MAX], partial[FILE_PATH_MAX + 16];
};

static const char *const COMPANIONS[] = {"-wal", "-shm", "-journal"};
#define COMPANION_COUNT (sizeof COMPANIONS / sizeof COMPANIONS[0])

/* The path with a suffix of SQLite's. */
struct companion {
	char path[FILE_PATH_MAX + 32];
};

static const char *companion(struct companion *c, const char *path, size_t i)
{
	snprintf(c->path, sizeof c->path, "%s%s", path, COMPANIONS[i]);
	return c->path;
}

static int stopped(const struct backup *b, struct err *e)
{
	if (!atomic_load(&b->stopped))
		return 0;
	return err_set(e, ERR_CLOSED, "stopped: %s was not made", b->file);
}

/* ---- is FILE ours to make ---- */

static int refuse_existing(const struct backup *b, const char *database, struct err *e)
{
	struct stat there, source;

	if (stat(b->file, &there) < 0)
		return errno == ENOENT ? 0
				       : err_set_errno(e, ERR_IO, errno, "%s", b->file);
	if (!S_ISREG(there.st_mode))
		return err_set(e, ERR_INVALID, "%s is not a file: name one", b->file);
	if (stat(database, &source) == 0 && source.st_dev == there.st_dev &&
	    source.st_ino == there.st_ino)
		return err_set(e, ERR_INVALID,
			       "%s is the database itself: name another file", b->file);
	if (!b->replace)
		return err_set(e, ERR_CONFLICT,
			       "%s is there already: --force replaces it", b->file);
	return 0;
}

/* A log that lies beside FILE would be played into it by whoever opens it. */
static int refuse_companions(const struct backup *b, struct err *e)
{
	struct companion c;

	for (size_t i = 0; i < COMPANION_COUNT; i++)
		if (access(companion(&c, b->file, i), F_OK) == 0)
			return err_set(e, ERR_CONFLICT,
				       "%s is of a database that was in use: remove it "
				       "or name another file",
				       c.path);
	return 0;
}

/* ---- the partial file ---- */

static void remove_partial(struct backup *b)
{
	struct companion c;

	for (size_t i = 0; i < COMPANION_COUNT; i++)
		unlink(companion(&c, b->partial, i));
	unlink(b->partial);
	b->there = false;
}

static int lock_partial(struct backup *b, struct err *e)
{
	struct stat opened, named;

	b->fd = open(b->partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (b->fd < 0)
		return err_set_errno(e, ERR_IO, errno,
				     "%s cannot be made: name a file in a folder that "
				     "is there and can be written",
				     b->partial);
	/* Whoever had the lock may have removed the name since it was opened here. */
	if (flock(b->fd, LOCK_EX | LOCK_NB) < 0 || fstat(b->fd, &opened) < 0 ||
	    stat(b->partial, &named) < 0 || opened.st_ino != named.st_ino)
		return err_set(e, ERR_CONFLICT,
			       "another backup is at work on %s: wait for its end",
			       b->partial);
	b->there = true;
	return 0;
}

/* Whatever a backup that was killed has left is emptied. */
static int make_partial(struct backup *b, struct err *e)
{
	struct companion c;

	if (lock_partial(b, e) < 0)
		return -1;
	for (size_t i = 0; i < COMPANION_COUNT; i++)
		unlink(companion(&c, b->partial, i));
	if (ftruncate(b->fd, 0) < 0 || fchmod(b->fd, 0640) < 0)
		return err_set_errno(e, ERR_IO, errno, "%s", b->partial);
	return 0;
}

/* ---- the snapshot ---- */

static int read_number(struct db *db, const char *sql, int64_t *out, struct err *e)
{
	struct db_stmt *s;
	int rc;

	if (db_prepare(db, &s, sql, e) < 0)
		return -1;
	rc = db_step(s, e);
	if (rc == 1)
		*out = db_int(s, 0);
	db_finalize(s);
	return rc < 0 ? -1 : 0;
}

/* It begins with the first read. */
static int begin_snapshot(struct backup *b, const char *database, struct err *e)
{
	if (access(database, F_OK) < 0)
		return err_set_errno(e, ERR_NOT_FOUND, errno,
				     "database %s: PAYBELL_DATABASE says where it is",
				     database);
	if (db_open(&b->source, database, DB_READER, e) < 0)
		return -1;
	if (db_exec(b->source, "BEGIN", e) < 0 ||
	    read_number(b->source, "SELECT coalesce(max(sequence), 0) FROM events",
			&b->events, e) < 0 ||
	    read_number(b->source, "PRAGMA page_size", &b->page_bytes, e) < 0 ||
	    read_number(b->source, "PRAGMA page_count", &b->page_count, e) < 0)
		return err_wrap(e, "database %s", database);
	return 0;
}

static void end_snapshot(struct backup *b)
{
	db_copy_free(b->copy);
	b->copy = NULL;
	db_close(b->source); /* rolls back */
	b->source = NULL;
}

/* Before a disk is filled to its end in vain. */
static int expect_room(const struct backup *b, struct err *e)
{
	int64_t need = b->page_bytes * b->page_count, room;
	struct statvfs fs;

	if (fstatvfs(b->fd, &fs) < 0)
		return 0; /* writing will tell */
	room = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	if (room >= need)
		return 0;
	return err_set(e, ERR_FULL,
		       "%s needs %lld MB and there are %lld MB: make room or name a "
		       "file elsewhere",
		       b->file, (long long)(need >> 20) + 1, (long long)(room >> 20));
}

static int open_both(struct backup *b, const char *database, struct err *e)
{
	if (begin_snapshot(b, database, e) < 0 || make_partial(b, e) < 0 ||
	    expect_room(b, e) < 0 || db_open(&b->target, b->partial, DB_COPY, e) < 0)
		return -1;
	return db_copy_start(&b->copy, b->target, b->source, e);
}

int backup_new(struct backup **out, const char *database, const char *file, bool replace,
	       struct err *e)
{
	struct backup *b = mem_alloc(sizeof *b);

	b->fd = -1;
	b->replace = replace;
	pthread_mutex_init(&b->lock, NULL);
	if (!mem_copy_text(b->file, sizeof b->file, file)) {
		err_set(e, ERR_INVALID, "the file's name is too long");
	} else {
		snprintf(b->partial, sizeof b->partial, "%s.partial", file);
		if (refuse_existing(b, database, e) == 0 &&
		    refuse_companions(b, e) == 0 && open_both(b, database, e) == 0) {
			*out = b;
			return 0;
		}
	}
	backup_free(b);
	return -1;
}

/* ---- copying ---- */

/* What went wrong with the copy, and what can be done about it. */
static int explain(const struct backup *b, struct err *e)
{
	if (e->code == ERR_FULL)
		return err_wrap(e, "%s: make room, or name a file elsewhere", b->file);
	if (e->code == ERR_CORRUPT)
		return err_wrap(e, "the database is damaged, keep the backups that there "
				   "are");
	return err_wrap(e, "%s: see to its disk, or name a file elsewhere", b->partial);
}

int backup_step(struct backup *b, int64_t *done_bytes, int64_t *total_bytes,
		struct err *e)
{
	int64_t done, total;
	int more;

	if (stopped(b, e) < 0)
		return -1;
	more = db_copy_step(b->copy, STEP_PAGES, &done, &total, e);
	if (more < 0)
		return explain(b, e);
	*done_bytes = done * b->page_bytes;
	*total_bytes = total * b->page_bytes;
	if (more == 0)
		end_snapshot(b);
	return more;
}

/* ---- what makes a backup of the copy ---- */

/* The header still says WAL, as the source's did: the first read opens a log, which goes
 * with the change of mode. */
static int give_own_id(struct backup *b, char ledger_id[LEDGER_ID_SIZE], struct err *e)
{
	struct db_stmt *s;
	int rc;

	store_new_ledger_id(ledger_id);
	if (db_exec(b->target, "PRAGMA journal_mode=MEMORY", e) < 0 ||
	    db_prepare(b->target, &s,
		       "UPDATE meta SET value = ?1 WHERE name = 'ledger_id'", e) < 0)
		return explain(b, e);
	db_bind_text(s, 1, ledger_id);
	rc = db_run(s, e);
	db_finalize(s);
	if (rc < 0)
		return explain(b, e);
	if (db_changes(b->target) != 1)
		return err_set(e, ERR_CORRUPT, "the database has no ledger id");
	return 0;
}

static int check(struct backup *b, struct err *e)
{
	struct db_stmt *s;
	int rc;

	if (db_prepare(b->target, &s, "PRAGMA quick_check(1)", e) < 0)
		return explain(b, e);
	rc = db_step(s, e);
	if (rc == 1 && strcmp(db_text(s, 0), "ok") != 0)
		rc = err_set(e, ERR_CORRUPT, "%s", db_text(s, 0));
	db_finalize(s);
	if (stopped(b, e) < 0)
		return -1;
	return rc < 0 ? explain(b, e) : 0;
}

static void close_target(struct backup *b)
{
	pthread_mutex_lock(&b->lock);
	db_close(b->target);
	b->target = NULL;
	pthread_mutex_unlock(&b->lock);
}

static int rename_partial(const struct backup *b)
{
	unsigned flags = b->replace ? 0 : RENAME_NOREPLACE;
	int rc = renameat2(AT_FDCWD, b->partial, AT_FDCWD, b->file, flags);

	/* Not every file system has that flag; that nobody was there was seen before. */
	return rc < 0 && errno == EINVAL ? rename(b->partial, b->file) : rc;
}

static int sync_folder(const struct backup *b)
{
	const char *slash = strrchr(b->file, '/');
	char folder[FILE_PATH_MAX] = ".";
	int fd, rc;

	if (slash != NULL)
		snprintf(folder, sizeof folder, "%.*s", (int)(slash - b->file) + 1,
			 b->file);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

static int publish(struct backup *b, int64_t *bytes, struct err *e)
{
	struct stat copy;

	if (fsync(b->fd) < 0 || fstat(b->fd, &copy) < 0)
		return err_set_errno(e, ERR_IO, errno,
				     "%s cannot be brought to the disk: name a file "
				     "elsewhere",
				     b->partial);
	if (rename_partial(b) < 0)
		return err_set_errno(e, errno == EEXIST ? ERR_CONFLICT : ERR_IO, errno,
				     "%s cannot be put in its place", b->file);
	b->there = false;
	*bytes = copy.st_size;
	if (sync_folder(b) < 0)
		return err_set_errno(e, ERR_IO, errno,
				     "%s is there, but its folder cannot be synced: "
				     "a power cut may take it back",
				     b->file);
	return 0;
}

int backup_finish(struct backup *b, struct backup_result *result, struct err *e)
{
	if (give_own_id(b, result->ledger_id, e) < 0 || check(b, e) < 0)
		return -1;
	close_target(b);
	result->events = b->events;
	return publish(b, &result->bytes, e);
}

void backup_stop(struct backup *b)
{
	atomic_store(&b->stopped, true);
	pthread_mutex_lock(&b->lock);
	if (b->target != NULL)
		db_interrupt(b->target);
	pthread_mutex_unlock(&b->lock);
}

void backup_free(struct backup *b)
{
	if (b == NULL)
		return;
	end_snapshot(b);
	close_target(b);
	if (b->there)
		remove_partial(b);
	if (b->fd >= 0)
		close(b->fd);
	pthread_mutex_destroy(&b->lock);
	mem_free(b);
}
