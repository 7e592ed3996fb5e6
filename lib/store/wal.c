/* Design
 *
 * When fsync fails, Linux marks the pages that it could not write as clean: they are read
 * back as they were written until memory is needed for something else, and the next fsync
 * has nothing to do and succeeds. So after a failure the log may look better than it is,
 * and SQLite, which believes what it reads, would build on it:
 *
 *  - Each frame's checksum goes on from the one before it, so recovery ends at the first
 *    frame that is not there. Batches that are committed and synced after a hole are
 *    lost with it when the power goes, though each of their fsyncs succeeded.
 *  - A checkpoint would not close the hole: its own fsync of the log has nothing to do
 *    either, and when the power goes while it copies, the database file has half of a
 *    batch whose other half is nowhere.
 *
 * Therefore the log is written over itself, byte for byte, before anything is built on
 * it: that makes its pages dirty again, and an fsync that succeeds now is about these
 * bytes. Whatever moment the power goes at, the log is then a prefix of itself, which is
 * all that recovery asks for. The database file needs none of this: SQLite counts a frame
 * as moved only after the fsync of the database file, and moves it again otherwise.
 *
 * A descriptor of our own is closed here. That lets go of the process's POSIX locks on
 * that file, but SQLite's locks are on the database and on the shared memory, never on
 * the log. */
#include "store/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"

#define CHUNK_BYTES ((size_t)1 << 20)

static int write_over(int fd, const char *bytes, size_t len, off_t at)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, bytes, len, at);

		if (n <= 0)
			return -1;
		bytes += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int rewrite(int fd)
{
	char *chunk = mem_alloc(CHUNK_BYTES);
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, chunk, CHUNK_BYTES, at)) > 0 &&
	       write_over(fd, chunk, (size_t)n, at) == 0)
		at += n;
	mem_free(chunk);
	return n == 0 ? fsync(fd) : -1;
}

int wal_settle(const char *database, struct err *e)
{
	char path[4096];
	int fd, rc;

	if (snprintf(path, sizeof path, "%s-wal", database) >= (int)sizeof path)
		return err_set(e, ERR_INVALID, "the database's path is too long");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	rc = fd < 0 ? -1 : rewrite(fd);
	if (rc < 0)
		err_set_errno(e, ERR_IO, errno, "%s cannot be written", path);
	if (fd >= 0)
		close(fd);
	return rc;
}
