/* Where the messages go.
 *
 * Buffering lines and flushing them at the end of a turn would save a write(2) a message,
 * a few µs; but then an answer could leave before its message is in the file, and a test
 * that counts after a kill -9 would count wrong. So a message is written at once, and the
 * files are always as true as the answers. */
#include "sandbox/recorder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "sandbox/recorder_files.h"
#include "wire/json.h"

#define KEEP_LINE_BYTES 65536 /* of the line's memory, from one message to the next */

/* ---- the folder ---- */

static int make_directory(struct recorder *r, const char *directory, struct err *e)
{
	const char *base = getenv("TMPDIR");

	if (directory[0]) {
		if (!mem_copy_text(r->directory, sizeof(r->directory), directory))
			return err_set(e, ERR_INVALID, "the path is too long");
		if (mkdir(r->directory, 0750) < 0 && errno != EEXIST)
			return err_set_errno(e, ERR_IO, errno, "%s", r->directory);
		return 0;
	}
	if (base == NULL || base[0] != '/')
		base = "/tmp";
	if (snprintf(r->directory, sizeof(r->directory), "%s/paybell-sandbox-XXXXXX",
		     base) >= (int)sizeof(r->directory))
		return err_set(e, ERR_INVALID, "TMPDIR is too long");
	if (mkdtemp(r->directory) == NULL)
		return err_set_errno(e, ERR_IO, errno, "%s", r->directory);
	r->temporary = true;
	return 0;
}

static void file_path(const struct recorder *r, int c, char path[RECORDER_PATH_MAX + 16])
{
	snprintf(path, RECORDER_PATH_MAX + 16, "%s/%s.jsonl", r->directory,
		 channel_name((enum channel)c));
}

int recorder_open(struct recorder **out, const char *directory, int64_t max_bytes,
		  struct err *e)
{
	struct recorder *r = mem_alloc(sizeof(*r));
	char path[RECORDER_PATH_MAX + 16];

	r->max_bytes = max_bytes;
	buf_init(&r->line, RECORDER_LINE_MAX);
	for (int c = 0; c < CHANNEL_COUNT; c++)
		r->logs[c].fd = -1;
	if (make_directory(r, directory, e) < 0)
		goto fail;
	for (int c = 0; c < CHANNEL_COUNT; c++) {
		file_path(r, c, path);
		if (channel_log_open(&r->logs[c], path, &r->newest, e) < 0)
			goto fail;
	}
	*out = r;
	return 0;
fail:
	err_wrap(e, "the recorder");
	recorder_close(r);
	return -1;
}

void recorder_close(struct recorder *r)
{
	char path[RECORDER_PATH_MAX + 16];

	if (r == NULL)
		return;
	for (int c = 0; c < CHANNEL_COUNT; c++) {
		channel_log_close(&r->logs[c]);
		if (!r->temporary)
			continue;
		file_path(r, c, path);
		unlink(path);
	}
	if (r->temporary)
		rmdir(r->directory);
	buf_release(&r->line);
	mem_free(r);
}

/* ---- writing ---- */

static void put_present(struct json_writer *w, const char *key, const char *text)
{
	if (text != NULL)
		json_put_text(w, key, text);
}

/* "to" comes before anything long: a search reads no further. */
static void encode(const struct recorder *r, enum channel c, const struct record *record,
		   struct buf *line)
{
	struct json_writer w;

	json_writer_init(&w, line);
	json_open(&w, NULL, '{');
	json_put_int(&w, "n", r->newest + 1);
	json_put_text(&w, "channel", channel_name(c));
	json_put_int(&w, "received_us", record->received_us);
	put_present(&w, "id", record->id);
	json_put_text(&w, "to", record->to);
	put_present(&w, "from", record->from);
	if (record->key != NULL)
		json_put_text(&w, "key", record->key);
	else
		json_put_null(&w, "key");
	put_present(&w, "subject", record->subject);
	if (record->body_is_json)
		json_put_raw(&w, "body", record->body, strlen(record->body));
	else
		put_present(&w, "body", record->body);
	put_present(&w, "raw", record->raw);
	json_close(&w, '}');
	buf_add_char(line, '\n');
}

static int64_t total_bytes(const struct recorder *r)
{
	int64_t total = 0;

	for (int c = 0; c < CHANNEL_COUNT; c++)
		total += r->logs[c].size;
	return total;
}

int recorder_add(struct recorder *r, enum channel c, const struct record *record,
		 struct err *e)
{
	int rc = -1;

	buf_clear(&r->line);
	encode(r, c, record, &r->line);
	if (r->line.overflowed)
		err_set(e, ERR_FULL, "the message is too large to be recorded");
	else if (total_bytes(r) + (int64_t)r->line.len > r->max_bytes)
		err_set(e, ERR_FULL, "the inbox is full");
	else
		rc = channel_log_append(&r->logs[c], r->newest + 1, r->line.data,
					r->line.len, e);
	if (rc == 0)
		r->newest++;
	if (r->line.capacity > KEEP_LINE_BYTES)
		buf_release(&r->line);
	return rc;
}

int64_t recorder_count(const struct recorder *r, enum channel c)
{
	return r->logs[c].count;
}

int64_t recorder_newest(const struct recorder *r)
{
	return r->newest;
}

const char *recorder_directory(const struct recorder *r)
{
	return r->directory;
}

int recorder_empty(struct recorder *r, struct err *e)
{
	int rc = 0;

	r->generation++;
	for (int c = 0; c < CHANNEL_COUNT; c++)
		if (channel_log_empty(&r->logs[c], e) < 0)
			rc = -1;
	return rc;
}
