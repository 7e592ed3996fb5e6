/* Every accepted message, on disk: <directory>/<channel>.jsonl, one JSON object a line.
 *
 *   {"n":7,"channel":"email","received_us":…,"id":"…","to":"…","from":"…","key":"…",
 *    "subject":"…","body":…,"raw":"…"}
 *
 * n counts the messages of all channels in the order they came, and is never used twice
 * by one recorder, also not after it was emptied. `id` is what the provider called the
 * message, `key` the idempotency key in it. Absent fields are left out, but for key:
 * null.
 *
 * A message is written (not synced) before recorder_add() returns, so before it is
 * answered. In memory there is only a sparse index of offsets
 * (channel_log.h). Files that
 * are there already are taken up; a last line that was cut off by a crash is dropped.
 * Text that is not UTF-8 (8-bit mail in another charset) has U+FFFD in those places.
 * Loop thread only. */
#ifndef PAYBELL_SANDBOX_RECORDER_H
#define PAYBELL_SANDBOX_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "sandbox/channel.h"

#define RECORDER_LIMIT_MAX  1000
#define RECORDER_FILTER_MAX 512
#define RECORDER_LINE_MAX   (96 * 1024 * 1024) /* 10 MiB of mail, every byte escaped */

struct record {              /* borrowed; texts are NULL when absent */
	int64_t received_us; /* UTC */
	const char *id, *to, *from, *key, *subject;
	const char *body; /* text, or a JSON value when body_is_json */
	bool body_is_json;
	const char *raw;
};

struct recorder;

/* directory "": a fresh temporary one, which recorder_close() removes. max_bytes: of all
 * files together; what would go over is refused with ERR_FULL. */
int recorder_open(struct recorder **out, const char *directory, int64_t max_bytes,
		  struct err *e);
void recorder_close(struct recorder *r); /* NULL does nothing */

/* ERR_FULL or ERR_IO: nothing of it was kept. */
int recorder_add(struct recorder *r, enum channel c, const struct record *record,
		 struct err *e);

int64_t recorder_count(const struct recorder *r, enum channel c); /* what is there now */
int64_t recorder_newest(const struct recorder *r);                /* n; 0: none yet */
const char *recorder_directory(const struct recorder *r);
int recorder_empty(struct recorder *r, struct err *e);

/* Reading: a page is gathered in slices of bounded work, so that a search through
 * everything does not stop the loop for long. */
struct recorder_page {
	/* Asked. */
	bool wanted[CHANNEL_COUNT];
	int64_t after;  /* messages with a larger n */
	int64_t newest; /* not 0: the newest so many of each channel instead */
	int limit;      /* 1 to RECORDER_LIMIT_MAX */
	char to[RECORDER_FILTER_MAX]; /* one of the recipients, exactly; "" all */
	size_t page_bytes; /* bounds a page, but for one line that is larger alone */
	/* Answered: `count` lines, parted by commas. */
	struct buf lines; /* initialised by recorder_page_begin() */
	int count;
	int64_t next; /* `after` of the following page */
	/* Its own. */
	struct recorder_source *sources[CHANNEL_COUNT];
	int64_t generation;
};

/* Takes the fields under "asked". The recorder outlives the page. */
void recorder_page_begin(const struct recorder *r, struct recorder_page *p);
/* Reads on: 1 the page is complete, 0 call again, -1 failed. An empty page means that
 * there is nothing more. */
int recorder_page_step(const struct recorder *r, struct recorder_page *p, struct err *e);
void recorder_page_release(struct recorder_page *p);

#endif
