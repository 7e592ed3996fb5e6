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
 * all that recovery asks for.
 *
 * With the database file it is like that once more. A checkpoint under load moves what it
 * can and does not sync, since there is more to come; a later one moves the rest, syncs,
 * and then the log may start over. When that sync fails SQLite moves the rest again, but
 * not what the earlier ones had moved, whose pages are clean now and may never have
 * reached the disk. So after a checkpoint that failed each page that the log names is
 * written over itself too. (After a crash SQLite moves all of the log again.)
 *
 * A descriptor of our own is closed here. That lets go of the process's POSIX locks on
 * that file, but SQLite's locks are on the database and on the shared memory, never on
 * the log. */
#include "store/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define CHUNK_BYTES ((size_t)1 << 20)

/* sqlite.org/fileformat2.html section 4 */
#define HEADER_BYTES       32
#define HEADER_PAGE_SIZE   8 /* where it stands, four bytes, the first one highest */
#define FRAME_HEADER_BYTES 24
#define PAGE_BYTES_MAX     65536

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

/* The log's descriptor; -1 with *e, or without when there is no log. */
static int open_log(const char *database, struct err *e)
{
	char path[4096];
	int fd;

	if (snprintf(path, sizeof path, "%s-wal", database) >= (int)sizeof path)
		return err_set(e, ERR_INVALID, "the database's path is too long");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		err_set_errno(e, ERR_IO, errno, "%s", path);
	return fd;
}

int wal_settle(const char *database, struct err *e)
{
	int fd, rc;

	e->code = ERR_NONE;
	fd = open_log(database, e);
	if (fd < 0)
		return e->code == ERR_NONE ? 0 : -1;
	rc = rewrite(fd);
	if (rc < 0)
		err_set_errno(e, ERR_IO, errno, "%s-wal cannot be written", database);
	close(fd);
	return rc;
}

static uint32_t big_endian(const unsigned char b[4])
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* One that the file does not have yet is left out. */
static int rewrite_page(int fd, char *page, size_t bytes, uint32_t number)
{
	off_t at = (off_t)(number - 1) * (off_t)bytes;

	if (pread(fd, page, bytes, at) != (ssize_t)bytes)
		return 0;
	return write_over(fd, page, bytes, at);
}

/* done: a bit a page of the database, so that each is written once. */
static int rewrite_named(int log_fd, int fd, size_t bytes, unsigned char *done,
			 uint32_t pages)
{
	char *page = mem_alloc(bytes);
	unsigned char name[4];
	off_t at = HEADER_BYTES;
	int rc = 0;

	while (rc == 0 && pread(log_fd, name, sizeof name, at) == sizeof name) {
		uint32_t number = big_endian(name);

		at += FRAME_HEADER_BYTES + (off_t)bytes;
		if (number == 0 || number > pages ||
		    (done[number / 8] & 1 << number % 8) != 0)
			continue;
		done[number / 8] |= (unsigned char)(1 << number % 8);
		rc = rewrite_page(fd, page, bytes, number);
	}
	mem_free(page);
	return rc < 0 ? -1 : fsync(fd);
}

static int rewrite_pages(int log_fd, int fd)
{
	unsigned char header[HEADER_BYTES], *done;
	struct stat database;
	uint32_t bytes, pages;
	int rc;

	if (pread(log_fd, header, sizeof header, 0) != sizeof header)
		return 0; /* nothing was ever moved from it */
	bytes = big_endian(header + HEADER_PAGE_SIZE);
	if (bytes < 512 || bytes > PAGE_BYTES_MAX || fstat(fd, &database) < 0)
		return -1;
	pages = (uint32_t)(database.st_size / bytes);
	done = mem_alloc((size_t)pages / 8 + 1);
	rc = rewrite_named(log_fd, fd, bytes, done, pages);
	mem_free(done);
	return rc;
}

int wal_settle_pages(const char *database, int database_fd, struct err *e)
{
	int log_fd, rc;

	e->code = ERR_NONE;
	log_fd = open_log(database, e);
	if (log_fd < 0)
		return e->code == ERR_NONE ? 0 : -1;
	rc = rewrite_pages(log_fd, database_fd);
	if (rc < 0)
		err_set_errno(e, ERR_IO, errno, "%s cannot be written", database);
	close(log_fd);
	return rc;
}
