/* A disk that fails on demand: for LD_PRELOAD into a process that writes a database.
 *
 * It stands before the calls that write, sync, cut and allocate files whose name begins
 * with STORAGE_FAULTS_NAME ("paybell.db": also its -wal, -shm and .lock). What is to fail
 * stands in the file STORAGE_FAULTS, which the test maps as well: a row of eight 64-bit
 * numbers a kind of call (struct rule), changed at any time.
 *
 * The disk itself (STORAGE_FAULTS_DISK, a folder; without it nothing of this happens):
 * for the database and its log a second file there holds what has reached the disk, which
 * is what was synced and nothing else: the worst that a power cut leaves. It is kept page
 * by page: a write makes pages dirty, a sync copies the dirty ones, and a sync that fails
 * makes them clean without copying, as Linux does. The dirty pages are in a file too, so
 * they outlive the process, as the page cache does.
 *
 * System calls are made directly, so it does not matter which library comes before this
 * one (AddressSanitizer wants to be the first: verify_asan_link_order=0); but for open
 * and close, of which ThreadSanitizer keeps book. Any thread. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDS_MAX    4096
#define PAGE_BYTES 4096
#define PAGES_MAX  65536 /* 256 MB of a file */

enum call { CALL_WRITE, CALL_SYNC, CALL_TRUNCATE, CALL_ALLOCATE, CALL_OPEN, CALL_COUNT };
enum target { NONE, DATABASE = 1, LOG = 2, SHARED_MEMORY = 4, LOCK = 8 };
enum how { NOT_DONE, DONE, SHORT }; /* what happens before the failure is reported */

struct rule {
	_Atomic int64_t errnum, left, how, targets, hits, calls, unused[2];
};

/* What is known of a file's pages. */
struct disk {
	int fd; /* what has reached the disk */
	_Atomic unsigned char *dirty;
};

static struct rule *rules;
static const char *name;
static struct disk database_disk, log_disk;
static _Atomic unsigned char targets[FDS_MAX];

static int sys_open(int at, const char *path, int flags, mode_t mode)
{
	return (int)syscall(SYS_openat, at, path, flags, mode);
}

/* The library's next in line; ISO C has no cast from an object to a function. */
static void find_next(void *function, const char *symbol)
{
	void *found = dlsym(RTLD_NEXT, symbol);

	memcpy(function, &found, sizeof found);
}

static int next_openat(int at, const char *path, int flags, mode_t mode)
{
	int (*next)(int, const char *, int, ...);

	find_next(&next, "openat");
	return next(at, path, flags, mode);
}

static int next_close(int fd)
{
	int (*next)(int);

	find_next(&next, "close");
	return next(fd);
}

static void *map_file(const char *path, size_t size)
{
	int fd = sys_open(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *map = MAP_FAILED;

	if (fd >= 0 && syscall(SYS_ftruncate, fd, (off_t)size) == 0)
		map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		abort();
	syscall(SYS_close, fd);
	return map;
}

static void open_disk(struct disk *d, const char *folder, const char *suffix)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
	d->fd = sys_open(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	snprintf(path, sizeof path, "%s/%s%s.dirty", folder, name, suffix);
	d->dirty = map_file(path, PAGES_MAX);
}

__attribute__((constructor)) static void begin(void)
{
	const char *control = getenv("STORAGE_FAULTS"),
		   *folder = getenv("STORAGE_FAULTS_DISK");

	name = getenv("STORAGE_FAULTS_NAME");
	database_disk.fd = log_disk.fd = -1;
	if (control == NULL || name == NULL)
		return;
	if (folder != NULL) {
		open_disk(&database_disk, folder, "");
		open_disk(&log_disk, folder, "-wal");
	}
	rules = map_file(control, CALL_COUNT * sizeof *rules);
}

/* ---- which file ---- */

static enum target target_of_path(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash == NULL ? path : slash + 1;
	size_t len = name == NULL ? 0 : strlen(name);

	if (rules == NULL || name == NULL || strncmp(base, name, len) != 0)
		return NONE;
	if (base[len] == '\0')
		return DATABASE;
	if (strcmp(base + len, "-wal") == 0)
		return LOG;
	if (strcmp(base + len, "-shm") == 0)
		return SHARED_MEMORY;
	return strcmp(base + len, ".lock") == 0 ? LOCK : NONE;
}

static enum target target_of(int fd)
{
	return fd >= 0 && fd < FDS_MAX ? (enum target)targets[fd] : NONE;
}

static struct disk *disk_of(enum target target)
{
	struct disk *d = target == DATABASE ? &database_disk
			 : target == LOG    ? &log_disk
					    : NULL;

	return d != NULL && d->fd >= 0 ? d : NULL;
}

/* ---- whether it fails ---- */

/* The rule, when this call is to fail; NULL. */
static struct rule *failing(enum call call, enum target target)
{
	struct rule *r;
	int64_t left;

	if (target == NONE)
		return NULL;
	r = &rules[call];
	r->calls++;
	if ((r->targets & target) == 0)
		return NULL;
	left = r->left;
	while (left > 0 && !atomic_compare_exchange_weak(&r->left, &left, left - 1))
		;
	if (left == 0)
		return NULL;
	r->hits++;
	return r;
}

static long fail(const struct rule *r)
{
	errno = (int)r->errnum;
	return -1;
}

/* ---- the disk behind the page cache ---- */

static void made_dirty(enum target target, off_t at, ssize_t len)
{
	struct disk *d = disk_of(target);

	if (d == NULL || len <= 0)
		return;
	for (off_t page = at / PAGE_BYTES; page <= (at + len - 1) / PAGE_BYTES; page++)
		if (page < PAGES_MAX)
			d->dirty[page] = 1;
}

static void copy_page(const struct disk *d, int fd, off_t page)
{
	char bytes[PAGE_BYTES];
	long n = syscall(SYS_pread64, fd, bytes, sizeof bytes, page * PAGE_BYTES);

	if (n > 0 &&
	    syscall(SYS_pwrite64, d->fd, bytes, (size_t)n, page * PAGE_BYTES) != n)
		abort();
}

static void clean(enum target target, int fd, bool reaches_the_disk)
{
	struct disk *d = disk_of(target);
	struct stat s;

	if (d == NULL)
		return;
	for (off_t page = 0; page < PAGES_MAX; page++) {
		if (atomic_exchange(&d->dirty[page], 0) != 0 && reaches_the_disk)
			copy_page(d, fd, page);
	}
	if (reaches_the_disk && fstat(fd, &s) == 0)
		syscall(SYS_ftruncate, d->fd, s.st_size);
}

/* ---- the calls ---- */

static int opened(int fd, const char *path)
{
	if (fd >= 0 && fd < FDS_MAX)
		targets[fd] = (unsigned char)target_of_path(path);
	return fd;
}

static int do_open(int at, const char *path, int flags, mode_t mode)
{
	enum target target = target_of_path(path);
	bool writes = (flags & O_ACCMODE) != O_RDONLY;
	struct rule *r = writes ? failing(CALL_OPEN, target) : NULL;

	if (r != NULL)
		return (int)fail(r);
	return opened(next_openat(at, path, flags, mode), path);
}

static mode_t mode_of(int flags, va_list rest)
{
	return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
}

#define OPEN(function, parameters, at)                                                   \
	__attribute__((visibility("default"))) int function parameters                   \
	{                                                                                \
		va_list rest;                                                            \
		mode_t mode;                                                             \
                                                                                         \
		va_start(rest, flags);                                                   \
		mode = mode_of(flags, rest);                                             \
		va_end(rest);                                                            \
		return do_open(at, path, flags, mode);                                   \
	}
OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int folder, const char *path, int flags, ...), folder)
OPEN(openat64, (int folder, const char *path, int flags, ...), folder)

int close(int fd)
{
	if (fd >= 0 && fd < FDS_MAX)
		targets[fd] = NONE;
	return next_close(fd);
}

/* at -1: where the descriptor stands. */
static ssize_t do_write(int fd, const void *bytes, size_t len, off_t at)
{
	enum target target = target_of(fd);
	struct rule *r = failing(CALL_WRITE, target);
	ssize_t n;

	if (r != NULL && r->how == NOT_DONE)
		return fail(r);
	if (r != NULL && r->how == SHORT && len > 1)
		len /= 2;
	if (at < 0 && target != NONE)
		at = lseek(fd, 0, SEEK_CUR);
	n = target == NONE && at < 0 ? syscall(SYS_write, fd, bytes, len)
				     : syscall(SYS_pwrite64, fd, bytes, len, at);
	made_dirty(target, at, n);
	if (r != NULL && (r->how == DONE || n < 0))
		return n < 0 ? -1 : fail(r);
	return n;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	return do_write(fd, bytes, len, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
	return do_write(fd, bytes, len, at);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	ssize_t n = do_write(fd, bytes, len, -1);

	if (n > 0 && target_of(fd) != NONE)
		lseek(fd, n, SEEK_CUR);
	return n;
}

static int do_sync(int fd, long number)
{
	enum target target = target_of(fd);
	struct rule *r = failing(CALL_SYNC, target);
	int rc;

	if (r != NULL && r->how == NOT_DONE) {
		clean(target, fd, false);
		return (int)fail(r);
	}
	rc = (int)syscall(number, fd);
	clean(target, fd, rc == 0);
	return r == NULL ? rc : (int)fail(r);
}

int fsync(int fd)
{
	return do_sync(fd, SYS_fsync);
}

int fdatasync(int fd)
{
	return do_sync(fd, SYS_fdatasync);
}

int ftruncate(int fd, off_t size)
{
	struct rule *r = failing(CALL_TRUNCATE, target_of(fd));

	return r != NULL ? (int)fail(r) : (int)syscall(SYS_ftruncate, fd, size);
}

int ftruncate64(int fd, off_t size)
{
	return ftruncate(fd, size);
}

int fallocate(int fd, int mode, off_t at, off_t len)
{
	struct rule *r = failing(CALL_ALLOCATE, target_of(fd));

	return r != NULL ? (int)fail(r) : (int)syscall(SYS_fallocate, fd, mode, at, len);
}

/* This one returns its error. */
int posix_fallocate(int fd, off_t at, off_t len)
{
	return fallocate(fd, 0, at, len) == 0 ? 0 : errno;
}
