#include "load_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "load_json.h"

/* One line of a file: where it begins and ends, and the next one of its connection. */
struct line {
	size_t offset, len;
	int32_t next; /* -1: the last */
};

struct source {
	const struct source_settings *settings;
	struct buf head; /* everything between the path and Content-Length */
	struct buf body; /* scratch */
	char *file;
	size_t file_len;
	struct line *lines;
	int32_t line_count, line_capacity;
	int32_t *positions; /* a connection: its next line; in a file of bodies how many
			     * it has taken */
	int connections;
	int64_t issued;
	int64_t a, b; /* the two users of the request being made; -1: not drawn yet */
	uint64_t random;
};

/* splitmix64: seeded, so that two runs with one seed send the same bytes. */
static uint64_t next_random(struct source *s)
{
	uint64_t z = (s->random += 0x9e3779b97f4a7c15u);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static int read_file(struct source *s, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = -1;
	struct stat st;

	if (fd < 0)
		return err_set_errno(e, ERR_IO, errno, "%s", path);
	if (fstat(fd, &st) < 0 || st.st_size > SOURCE_FILE_MAX) {
		err_set(e, ERR_FULL, "%s: not readable, or over %d bytes", path,
			SOURCE_FILE_MAX);
		goto out;
	}
	s->file = mem_alloc((size_t)st.st_size + 1);
	while (s->file_len < (size_t)st.st_size) {
		ssize_t n =
			read(fd, s->file + s->file_len, (size_t)st.st_size - s->file_len);

		if (n <= 0) {
			err_set(e, ERR_IO, "%s: could not be read to its end", path);
			goto out;
		}
		s->file_len += (size_t)n;
	}
	rc = 0;
out:
	close(fd);
	return rc;
}

static int add_line(struct source *s, size_t offset, size_t len, struct err *e)
{
	if (s->line_count == SOURCE_LINES_MAX)
		return err_set(e, ERR_FULL, "more than %d lines", SOURCE_LINES_MAX);
	if (s->line_count == s->line_capacity) {
		s->line_capacity = s->line_capacity > 0 ? s->line_capacity * 2 : 1024;
		s->lines =
			mem_resize(s->lines, (size_t)s->line_capacity, sizeof(*s->lines));
	}
	s->lines[s->line_count++] = (struct line){offset, len, -1};
	return 0;
}

static int split_lines(struct source *s, struct err *e)
{
	for (size_t at = 0; at < s->file_len;) {
		const char *end = memchr(s->file + at, '\n', s->file_len - at);
		size_t len =
			end != NULL ? (size_t)(end - s->file) - at : s->file_len - at;

		if (len > 0 && add_line(s, at, len, e) < 0)
			return -1;
		at += len + 1;
	}
	if (s->line_count == 0)
		return err_set(e, ERR_INVALID, "the file has no lines");
	return 0;
}

/* One line of a file of requests, decoded. */
struct recorded {
	int64_t connection;
	struct buf method, path, headers, body;
	bool has_host;
};

static void recorded_init(struct recorded *q)
{
	memset(q, 0, sizeof(*q));
	buf_init(&q->method, 64);
	buf_init(&q->path, 16384);
	buf_init(&q->headers, SOURCE_REQUEST_MAX);
	buf_init(&q->body, SOURCE_REQUEST_MAX);
}

static void recorded_release(struct recorded *q)
{
	buf_release(&q->method);
	buf_release(&q->path);
	buf_release(&q->headers);
	buf_release(&q->body);
}

static bool read_headers(struct line_reader *r, struct recorded *q)
{
	bool first = true;

	if (!line_take(r, '{'))
		return false;
	while (!line_take(r, '}')) {
		size_t from;

		if (!first && !line_take(r, ','))
			return false;
		first = false;
		from = q->headers.len;
		if (!line_text(r, &q->headers) || !line_take(r, ':'))
			return false;
		q->has_host |= strcasecmp(buf_text(&q->headers) + from, "host") == 0;
		buf_add_text(&q->headers, ": ");
		if (!line_text(r, &q->headers))
			return false;
		buf_add_text(&q->headers, "\r\n");
	}
	return true;
}

static bool read_member(struct line_reader *r, struct recorded *q, struct buf *scratch)
{
	char key[16];

	buf_clear(scratch);
	if (!line_text(r, scratch) || !line_take(r, ':') ||
	    !mem_copy_text(key, sizeof(key), buf_text(scratch)))
		return false;
	if (strcmp(key, "conn") == 0)
		return line_int(r, &q->connection);
	if (strcmp(key, "method") == 0)
		return line_text(r, &q->method);
	if (strcmp(key, "path") == 0)
		return line_text(r, &q->path);
	if (strcmp(key, "headers") == 0)
		return read_headers(r, q);
	if (strcmp(key, "body") == 0)
		return line_text(r, &q->body);
	if (strcmp(key, "body_base64") != 0)
		return false;
	buf_clear(scratch);
	return line_text(r, scratch) &&
	       base64_decode_text(buf_text(scratch), scratch->len, &q->body);
}

static bool recorded_read(struct recorded *q, const char *text, size_t len)
{
	struct line_reader r = {text, text + len};
	struct buf scratch;
	bool ok;

	buf_init(&scratch, SOURCE_REQUEST_MAX * 2);
	ok = line_take(&r, '{') && read_member(&r, q, &scratch);
	while (ok && line_take(&r, ','))
		ok = read_member(&r, q, &scratch);
	buf_release(&scratch);
	return ok && line_take(&r, '}') && line_end(&r) && q->method.len > 0 &&
	       q->path.len > 0 && q->connection < SOURCE_CONNECTIONS;
}

/* Chains the lines of each connection, in order, and finds every faulty line now. */
static int bind_lines(struct source *s, struct err *e)
{
	int32_t *last = mem_array(SOURCE_CONNECTIONS, sizeof(*last));
	int rc = 0;

	for (int i = 0; i < SOURCE_CONNECTIONS; i++)
		last[i] = s->positions[i] = -1;
	for (int32_t i = 0; i < s->line_count && rc == 0; i++) {
		struct recorded q;

		recorded_init(&q);
		if (!recorded_read(&q, s->file + s->lines[i].offset, s->lines[i].len)) {
			rc = err_set(e, ERR_INVALID, "request %d is malformed", i + 1);
		} else {
			int32_t *link = last[q.connection] < 0
						? &s->positions[q.connection]
						: &s->lines[last[q.connection]].next;

			*link = i;
			last[q.connection] = i;
			if (q.connection >= s->connections)
				s->connections = (int)q.connection + 1;
		}
		recorded_release(&q);
	}
	mem_free(last);
	return rc;
}

int source_open(struct source **out, const struct source_settings *settings,
		struct err *e)
{
	struct source *s = mem_alloc(sizeof(*s));
	const char *path =
		settings->requests != NULL ? settings->requests : settings->body_file;

	s->settings = settings;
	s->random = settings->seed;
	buf_init(&s->head, 65536);
	buf_init(&s->body, SOURCE_REQUEST_MAX);
	buf_addf(&s->head, " HTTP/1.1\r\nHost: %s\r\n", settings->host);
	for (int i = 0; i < settings->header_count; i++)
		buf_addf(&s->head, "%s\r\n", settings->headers[i]);
	s->positions = mem_array(SOURCE_CONNECTIONS, sizeof(*s->positions));
	if (path != NULL && (read_file(s, path, e) < 0 || split_lines(s, e) < 0 ||
			     (settings->requests != NULL && bind_lines(s, e) < 0))) {
		err_wrap(e, "%s", path);
		source_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

void source_free(struct source *s)
{
	if (s == NULL)
		return;
	buf_release(&s->head);
	buf_release(&s->body);
	mem_free(s->file);
	mem_free(s->lines);
	mem_free(s->positions);
	mem_free(s);
}

int source_connections(const struct source *s)
{
	return s->connections;
}

int64_t source_count(const struct source *s)
{
	return s->settings->requests != NULL ? s->line_count : -1;
}

static void draw_users(struct source *s)
{
	uint64_t users = s->settings->users > 1 ? (uint64_t)s->settings->users : 2;

	s->a = (int64_t)(next_random(s) % users);
	s->b = (int64_t)(next_random(s) % (users - 1));
	s->b += s->b >= s->a;
}

/* Copies a template and fills in {n}, {a} and {b}. */
static void expand(struct source *s, const char *text, int64_t n, struct buf *out)
{
	const char *brace;

	for (; (brace = strchr(text, '{')) != NULL; text = brace) {
		buf_add(out, text, (size_t)(brace - text));
		if (strncmp(brace, "{n}", 3) != 0 && strncmp(brace, "{a}", 3) != 0 &&
		    strncmp(brace, "{b}", 3) != 0) {
			buf_add_char(out, *brace++);
			continue;
		}
		if (brace[1] != 'n' && s->a < 0)
			draw_users(s);
		buf_add_int(out, brace[1] == 'n' ? n : brace[1] == 'a' ? s->a : s->b);
		brace += 3;
	}
	buf_add_text(out, text);
}

static bool next_recorded(struct source *s, int connection, struct buf *out,
			  int64_t *index)
{
	int32_t at = s->positions[connection];
	struct recorded q;

	if (at < 0)
		return false;
	recorded_init(&q);
	recorded_read(&q, s->file + s->lines[at].offset, s->lines[at].len);
	buf_addf(out, "%s %s HTTP/1.1\r\n", buf_text(&q.method), buf_text(&q.path));
	if (!q.has_host)
		buf_addf(out, "Host: %s\r\n", s->settings->host);
	for (int i = 0; i < s->settings->header_count; i++)
		buf_addf(out, "%s\r\n", s->settings->headers[i]);
	buf_add(out, buf_text(&q.headers), q.headers.len);
	if (q.body.len > 0 || strcmp(buf_text(&q.method), "GET") != 0)
		buf_addf(out, "Content-Length: %zu\r\n", q.body.len);
	buf_add_text(out, "\r\n");
	buf_add(out, buf_text(&q.body), q.body.len);
	recorded_release(&q);
	s->positions[connection] = s->lines[at].next;
	*index = at;
	return true;
}

static void make_body(struct source *s, int connection, int64_t n)
{
	buf_clear(&s->body);
	if (s->settings->body_file != NULL) {
		/* 7919 is prime: connections start far apart and meet every line. */
		uint64_t k = (uint64_t)s->positions[connection]++ +
			     (uint64_t)connection * 7919u;
		const struct line *l = &s->lines[k % (uint64_t)s->line_count];

		buf_add(&s->body, s->file + l->offset, l->len);
	} else if (s->settings->body != NULL) {
		expand(s, s->settings->body, n, &s->body);
	}
}

bool source_next(struct source *s, int connection, struct buf *out, int64_t *index)
{
	int64_t n = s->issued;

	buf_clear(out);
	if (s->settings->requests != NULL)
		return next_recorded(s, connection, out, index);
	s->issued++;
	s->a = -1;
	*index = n;
	buf_add_text(out, s->settings->method);
	buf_add_char(out, ' ');
	expand(s, s->settings->path, n, out);
	buf_add(out, s->head.data, s->head.len);
	if (s->settings->key_prefix != NULL) {
		buf_add_text(out, "Idempotency-Key: ");
		buf_add_text(out, s->settings->key_prefix);
		buf_add_char(out, '-');
		buf_add_int(out, n);
		buf_add_text(out, "\r\n");
	}
	make_body(s, connection, n);
	if (s->body.len > 0 || strcmp(s->settings->method, "GET") != 0) {
		buf_add_text(out, "Content-Length: ");
		buf_add_int(out, (long long)s->body.len);
		buf_add_text(out, "\r\n");
	}
	buf_add_text(out, "\r\n");
	buf_add(out, buf_text(&s->body), s->body.len);
	return true;
}
