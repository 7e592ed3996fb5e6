#include "store/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/wal.h"

#define MARK_SIZE 192

/* The time of the last change of the inode, not of the content: a copy tool can set the
 * latter to what it likes. */
static int describe(const char *database, char out[MARK_SIZE])
{
	struct stat s;

	if (stat(database, &s) < 0)
		return -1;
	return snprintf(out, MARK_SIZE, "clean %llu:%llu %lld %lld.%09ld\n",
			(unsigned long long)s.st_dev, (unsigned long long)s.st_ino,
			(long long)s.st_size, (long long)s.st_ctim.tv_sec,
			s.st_ctim.tv_nsec);
}

static bool is_marked(int fd, const char *database)
{
	char found[MARK_SIZE], wanted[MARK_SIZE];
	ssize_t n = pread(fd, found, sizeof found, 0);
	int len = describe(database, wanted);

	return len > 0 && n == len && memcmp(found, wanted, (size_t)n) == 0;
}

static int lock(struct claim *c, const char *database, struct err *e)
{
	char path[4096];

	if (snprintf(path, sizeof path, "%s.lock", database) >= (int)sizeof path)
		return err_set(e, ERR_INVALID, "the database's path is too long");
	c->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (c->fd < 0)
		return err_set_errno(e, ERR_IO, errno, "%s", path);
	if (flock(c->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return err_set(e, ERR_CONFLICT,
			       "%s: another backend is running on this database", path);
	return err_set_errno(e, ERR_IO, errno, "%s", path);
}

/* On disk before anything is written: a mark that a power cut brought back would speak of
 * a run that it knows nothing of. */
static int remove_mark(struct claim *c, const char *database, struct err *e)
{
	struct stat s;

	if (fstat(c->fd, &s) == 0 && s.st_size == 0)
		return 0;
	if (ftruncate(c->fd, 0) == 0 && fsync(c->fd) == 0)
		return 0;
	return err_set_errno(e, ERR_IO, errno, "%s.lock", database);
}

int claim_take(struct claim *c, const char *database, struct err *e)
{
	*c = (struct claim){.fd = -1, .database_fd = -1};
	if (lock(c, database, e) == 0) {
		c->clean = access(database, F_OK) < 0 || is_marked(c->fd, database);
		if (remove_mark(c, database, e) == 0 &&
		    (c->clean || wal_settle(database, e) == 0))
			return 0;
	}
	claim_release(c);
	return -1;
}

int claim_mark_clean(struct claim *c, const char *database, struct err *e)
{
	char mark[MARK_SIZE];
	int len = describe(database, mark);

	if (len > 0 && pwrite(c->fd, mark, (size_t)len, 0) == len && fsync(c->fd) == 0)
		return 0;
	return err_set_errno(e, ERR_IO, errno, "%s.lock", database);
}

int claim_settle(struct claim *c, const char *database, struct err *e)
{
	if (c->database_fd < 0)
		c->database_fd = open(database, O_RDWR | O_CLOEXEC);
	if (c->database_fd < 0)
		return err_set_errno(e, ERR_IO, errno, "%s", database);
	if (wal_settle_pages(database, c->database_fd, e) < 0)
		return -1;
	c->unsettled = false;
	return 0;
}

void claim_release(struct claim *c)
{
	if (c->database_fd > 0)
		close(c->database_fd);
	c->database_fd = -1;
	if (c->fd > 0)
		close(c->fd);
	c->fd = -1;
}
