#include "sandbox/channel_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define FIRST_STRIDE 64
#define FIRST_MARKS  64
#define CHUNK        65536
#define LEAD         "{\"n\":"
#define LEAD_LEN     (sizeof(LEAD) - 1)
#define NUMBER_MAX   (LEAD_LEN + 20)

int64_t channel_log_number(const char *line, size_t len)
{
	int64_t n = 0;
	size_t i = LEAD_LEN;

	if (len < LEAD_LEN + 2 || memcmp(line, LEAD, LEAD_LEN) != 0)
		return -1;
	for (; i < len && i < NUMBER_MAX && line[i] >= '0' && line[i] <= '9'; i++) {
		if (n > (INT64_MAX - 9) / 10)
			return -1;
		n = n * 10 + (line[i] - '0');
	}
	return i > LEAD_LEN && i < len && line[i] == ',' ? n : -1;
}

/* ---- marks ---- */

static void thin_out(struct channel_log *log)
{
	size_t kept = 0;

	for (size_t i = 0; i < log->mark_count; i += 2)
		log->marks[kept++] = log->marks[i];
	log->mark_count = kept;
	log->stride *= 2;
}

static void mark(struct channel_log *log, int64_t n)
{
	size_t count = log->mark_count;

	if (log->count % log->stride != 0)
		return;
	if (count == CHANNEL_LOG_MARKS_MAX) {
		thin_out(log);
		count = log->mark_count;
		if (log->count % log->stride != 0)
			return;
	}
	if (count == 0 || (count >= FIRST_MARKS && (count & (count - 1)) == 0))
		log->marks = mem_resize(log->marks, count ? count * 2 : FIRST_MARKS,
					sizeof(log->marks[0]));
	log->marks[count] = (struct channel_log_mark){
		.n = n, .ordinal = log->count, .offset = log->size};
	log->mark_count++;
}

static void count_line(struct channel_log *log, int64_t n, size_t len)
{
	mark(log, n);
	log->size += (int64_t)len;
	log->count++;
}

int64_t channel_log_seek(const struct channel_log *log, int64_t after)
{
	size_t low = 0, high = log->mark_count;

	while (low < high) { /* marks before `low` have n <= after */
		size_t middle = low + (high - low) / 2;

		if (log->marks[middle].n <= after)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? log->marks[low - 1].offset : 0;
}

int64_t channel_log_seek_newest(const struct channel_log *log, int64_t count,
				int64_t *skip)
{
	int64_t first = count < log->count ? log->count - count : 0;
	size_t i = (size_t)(first / log->stride);

	if (i >= log->mark_count) {
		*skip = first;
		return 0;
	}
	*skip = first - log->marks[i].ordinal;
	return log->marks[i].offset;
}

/* ---- the file ---- */

/* What a start has to know of a line: its beginning and its length. */
struct line_start {
	char lead[NUMBER_MAX + 1];
	size_t len;
};

static int scan_chunk(struct channel_log *log, struct line_start *line, const char *bytes,
		      size_t len, int64_t *newest)
{
	for (size_t i = 0; i < len; i++) {
		const char *end = memchr(bytes + i, '\n', len - i);
		size_t piece = end ? (size_t)(end - bytes) - i + 1 : len - i;
		int64_t n;

		for (size_t k = 0; k < piece && line->len + k < sizeof(line->lead); k++)
			line->lead[line->len + k] = bytes[i + k];
		line->len += piece;
		i += piece - 1;
		if (end == NULL)
			return 0;
		n = channel_log_number(line->lead, line->len < sizeof(line->lead)
							   ? line->len
							   : sizeof(line->lead));
		if (n < 0)
			return -1;
		if (n > *newest)
			*newest = n;
		count_line(log, n, line->len);
		line->len = 0;
	}
	return 0;
}

static int scan(struct channel_log *log, const char *path, int64_t *newest, struct err *e)
{
	char *chunk = mem_alloc(CHUNK);
	struct line_start line = {.len = 0};
	int64_t at = 0;
	int rc = -1;

	for (;;) {
		ssize_t len = pread(log->fd, chunk, CHUNK, at);

		if (len < 0) {
			err_set_errno(e, ERR_IO, errno, "%s", path);
			goto out;
		}
		if (len == 0)
			break;
		at += len;
		if (scan_chunk(log, &line, chunk, (size_t)len, newest) < 0) {
			err_set(e, ERR_CORRUPT, "%s: line %lld is not a recorded message",
				path, (long long)log->count + 1);
			goto out;
		}
	}
	if (line.len > 0 && ftruncate(log->fd, log->size) < 0) {
		err_set_errno(e, ERR_IO, errno, "%s", path);
		goto out;
	}
	rc = 0;
out:
	mem_free(chunk);
	return rc;
}

int channel_log_open(struct channel_log *log, const char *path, int64_t *newest,
		     struct err *e)
{
	*log = (struct channel_log){.stride = FIRST_STRIDE};
	log->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0640);
	if (log->fd < 0)
		return err_set_errno(e, ERR_IO, errno, "%s", path);
	if (scan(log, path, newest, e) == 0)
		return 0;
	channel_log_close(log);
	return -1;
}

void channel_log_close(struct channel_log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	mem_free(log->marks);
	*log = (struct channel_log){.fd = -1, .stride = FIRST_STRIDE};
}

int channel_log_append(struct channel_log *log, int64_t n, const char *line, size_t len,
		       struct err *e)
{
	size_t done = 0;

	while (done < len) {
		ssize_t wrote = write(log->fd, line + done, len - done);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0) {
			err_set_errno(e, ERR_IO, errno, "writing a message down");
			if (done > 0 && ftruncate(log->fd, log->size) < 0)
				err_wrap(e, "half a line stayed");
			return -1;
		}
		done += (size_t)wrote;
	}
	count_line(log, n, len);
	return 0;
}

int channel_log_empty(struct channel_log *log, struct err *e)
{
	if (ftruncate(log->fd, 0) < 0)
		return err_set_errno(e, ERR_IO, errno, "emptying the inbox");
	log->size = log->count = 0;
	log->mark_count = 0;
	log->stride = FIRST_STRIDE;
	mem_free(log->marks);
	log->marks = NULL;
	return 0;
}
