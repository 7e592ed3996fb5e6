/* A page of the inbox: up to three files, each in order of its numbers, merged by them.
 *
 * Each file is a source that holds the line it is at. A step reads at most STEP_BYTES,
 * then gives the loop its turn. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "sandbox/recorder_files.h"
#include "wire/json.h"

#define CHUNK      65536
#define STEP_BYTES (1024 * 1024)
#define TO_LEAD    ",\"to\":\""

struct recorder_source {
	const struct channel_log *log;
	int64_t offset; /* of what is read next */
	int64_t skip;   /* lines to pass over */
	struct buf data;
	size_t at, line_len; /* the line in data; line_len 0: none yet */
	size_t seen;         /* bytes behind `at` that hold no line end */
	int64_t n;
};

/* ---- a source ---- */

static struct recorder_source *source_new(const struct channel_log *log)
{
	struct recorder_source *s = mem_alloc(sizeof(*s));

	s->log = log;
	buf_init(&s->data, (size_t)RECORDER_LINE_MAX + CHUNK);
	return s;
}

static void source_free(struct recorder_source *s)
{
	if (s == NULL)
		return;
	buf_release(&s->data);
	mem_free(s);
}

/* Finds the end of the line at `at`; false: more bytes are needed. */
static bool find_line(struct recorder_source *s)
{
	const char *start = buf_text(&s->data) + s->at;
	size_t left = s->data.len - s->at;
	const char *end = memchr(start + s->seen, '\n', left - s->seen);

	if (end == NULL) {
		s->seen = left;
		return false;
	}
	s->seen = 0;
	s->line_len = (size_t)(end - start) + 1;
	s->n = channel_log_number(start, s->line_len);
	return true;
}

static void drop_line(struct recorder_source *s)
{
	s->at += s->line_len;
	s->line_len = 0;
}

static int read_more(struct recorder_source *s, size_t *budget, struct err *e)
{
	int64_t left = s->log->size - s->offset;
	size_t want = left < CHUNK ? (size_t)left : CHUNK;
	ssize_t len;
	char *room;

	buf_consume(&s->data, s->at);
	s->at = 0;
	room = buf_reserve(&s->data, want);
	if (room == NULL)
		return err_set(e, ERR_CORRUPT, "a line of the inbox is too long");
	len = pread(s->log->fd, room, want, s->offset);
	if (len <= 0)
		return err_set_errno(e, ERR_IO, errno, "reading the inbox");
	buf_commit(&s->data, (size_t)len);
	s->offset += len;
	*budget -= *budget > (size_t)len ? (size_t)len : *budget;
	return 0;
}

/* Makes the source stand at a line: 1 it does, 2 the file is at its end, 0 the budget is
 * used up, -1 failed. */
static int source_line(struct recorder_source *s, size_t *budget, struct err *e)
{
	while (s->line_len == 0 || s->skip > 0) {
		if (s->line_len > 0) {
			drop_line(s);
			s->skip--;
		}
		if (find_line(s))
			continue;
		if (s->offset >= s->log->size)
			return 2;
		if (*budget == 0)
			return 0;
		if (read_more(s, budget, e) < 0)
			return -1;
	}
	return 1;
}

/* ---- the filter ---- */

/* Is `wanted` (escaped as in JSON) one of the line's recipients? */
static bool is_to(const char *line, size_t len, const char *wanted, size_t wanted_len)
{
	const char *at = memmem(line, len, TO_LEAD, sizeof(TO_LEAD) - 1);
	const char *end = line + len;

	if (at == NULL)
		return false;
	at += sizeof(TO_LEAD) - 1;
	while (at + wanted_len < end) {
		const char *behind = at + wanted_len;

		if (memcmp(at, wanted, wanted_len) == 0 &&
		    (*behind == '"' || *behind == ','))
			return true;
		while (at < end && *at != ',' && *at != '"')
			at += *at == '\\' ? 2 : 1;
		if (at >= end || *at == '"')
			return false;
		at++;
	}
	return false;
}

static bool passes(const struct recorder_page *p, const char *line, size_t len)
{
	struct buf escaped;
	struct json_writer w;
	bool is;

	if (p->to[0] == '\0')
		return true;
	buf_init(&escaped, RECORDER_FILTER_MAX * 6 + 2);
	json_writer_init(&w, &escaped);
	json_put_text(&w, NULL, p->to);
	is = escaped.len >= 2 && is_to(line, len, escaped.data + 1, escaped.len - 2);
	buf_release(&escaped);
	return is;
}

/* ---- a page ---- */

void recorder_page_begin(const struct recorder *r, struct recorder_page *p)
{
	buf_init(&p->lines, RECORDER_LINE_MAX);
	p->count = 0;
	p->next = p->after;
	p->generation = r->generation;
	for (int c = 0; c < CHANNEL_COUNT; c++) {
		struct recorder_source *s;

		p->sources[c] = NULL;
		if (!p->wanted[c])
			continue;
		s = p->sources[c] = source_new(&r->logs[c]);
		if (p->newest > 0)
			s->offset = channel_log_seek_newest(s->log, p->newest, &s->skip);
		else
			s->offset = channel_log_seek(s->log, p->after);
	}
}

/* The source with the smallest number; NULL when all are at their ends. 1, 0, -1 as for a
 * step. */
static int choose(struct recorder_page *p, size_t *budget, struct recorder_source **out,
		  struct err *e)
{
	*out = NULL;
	for (int c = 0; c < CHANNEL_COUNT; c++) {
		struct recorder_source *s = p->sources[c];
		int rc = s != NULL ? source_line(s, budget, e) : 2;

		if (rc <= 0)
			return rc;
		if (rc == 1 && (*out == NULL || s->n < (*out)->n))
			*out = s;
	}
	return 1;
}

/* False when the page is full without it. */
static bool take(struct recorder_page *p, struct recorder_source *s)
{
	const char *line = buf_text(&s->data) + s->at;
	size_t len = s->line_len - 1;

	if (s->n > p->after && passes(p, line, len)) {
		if (p->count > 0 && len + 1 > p->page_bytes - p->lines.len)
			return false;
		if (p->count > 0)
			buf_add_char(&p->lines, ',');
		buf_add(&p->lines, line, len);
		p->count++;
	}
	if (s->n > p->next)
		p->next = s->n;
	drop_line(s);
	return true;
}

int recorder_page_step(const struct recorder *r, struct recorder_page *p, struct err *e)
{
	size_t budget = STEP_BYTES;

	while (p->count < p->limit && p->lines.len < p->page_bytes) {
		struct recorder_source *s;
		int rc;

		if (p->generation != r->generation)
			return 1; /* emptied meanwhile */
		rc = choose(p, &budget, &s, e);
		if (rc <= 0)
			return rc;
		if (s == NULL || !take(p, s))
			return 1;
	}
	return 1;
}

void recorder_page_release(struct recorder_page *p)
{
	for (int c = 0; c < CHANNEL_COUNT; c++) {
		source_free(p->sources[c]);
		p->sources[c] = NULL;
	}
	buf_release(&p->lines);
}
