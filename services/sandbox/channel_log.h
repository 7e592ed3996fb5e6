/* One channel's file of lines, and where in it the n-th message is.
 *
 * The file is append-only, so a mark (number, ordinal, offset) stays true for ever. Marks
 * are set every `stride` lines; at CHANNEL_LOG_MARKS_MAX every second one goes and the
 * stride doubles, so that the index is bounded and a search reads at most two strides.
 * Loop thread only; the caller's storage. */
#ifndef PAYBELL_SANDBOX_CHANNEL_LOG_H
#define PAYBELL_SANDBOX_CHANNEL_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CHANNEL_LOG_MARKS_MAX 4096

struct channel_log_mark {
	int64_t n;       /* the line's message number */
	int64_t ordinal; /* lines before it */
	int64_t offset;  /* bytes before it */
};

struct channel_log {
	int fd; /* -1: not open */
	int64_t size, count;
	int64_t stride;
	struct channel_log_mark *marks;
	size_t mark_count;
};

/* Opens or makes the file, indexes what is there and cuts off a torn last line; raises
 * *newest to the largest number found. */
int channel_log_open(struct channel_log *log, const char *path, int64_t *newest,
		     struct err *e);
void channel_log_close(struct channel_log *log);

/* line ends in '\n' and starts with {"n":<n>,. All of it or, on failure, none. */
int channel_log_append(struct channel_log *log, int64_t n, const char *line, size_t len,
		       struct err *e);
int channel_log_empty(struct channel_log *log, struct err *e);

/* The offset of a line that is not behind the first one with a number above `after`. */
int64_t channel_log_seek(const struct channel_log *log, int64_t after);
/* The offset of a line from which `*skip` lines on the newest `count` ones begin. */
int64_t channel_log_seek_newest(const struct channel_log *log, int64_t count,
				int64_t *skip);

/* The number that a line starts with; -1 when it does not. */
int64_t channel_log_number(const char *line, size_t len);

#endif
