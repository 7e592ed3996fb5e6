#include "sandbox/inbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sandbox/control.h"
#include "sandbox/message.h"
#include "wire/json.h"

#define LIMIT_DEFAULT 100

/* A page that is being gathered, one slice a turn of the loop. */
struct listing {
	struct sandbox *sandbox;
	struct http_request *request;
	bool single; /* /inbox/<n>: page.after is n - 1 */
	struct recorder_page page;
};

/* ---- what was asked ---- */

/* A whole number from a query; -1 when it is none. Absent: fallback. */
static int64_t number(const struct http_request *r, const char *name, int64_t fallback)
{
	const char *text = http_query(r, name);
	char *end;
	long long value;

	if (text == NULL || text[0] == '\0')
		return fallback;
	if (strlen(text) > 18 || strspn(text, "0123456789") != strlen(text))
		return -1;
	value = strtoll(text, &end, 10);
	return value;
}

static int want_channels(const struct http_request *r, struct recorder_page *p)
{
	const char *name = http_query(r, "channel");
	bool all = name == NULL || name[0] == '\0';
	int c = all ? -1 : channel_parse(name);

	if (!all && c < 0)
		return -1;
	for (int i = 0; i < CHANNEL_COUNT; i++)
		p->wanted[i] = all || i == c;
	return 0;
}

/* NULL, or what is wrong. */
static const char *ask(const struct http_request *r, struct recorder_page *p)
{
	const char *to = http_query(r, "to");
	int64_t limit = number(r, "limit", LIMIT_DEFAULT);

	p->page_bytes = INBOX_PAGE_BYTES;
	p->after = number(r, "after", 0);
	p->newest = number(r, "newest", 0);
	if (want_channels(r, p) < 0)
		return "channel must be push, email or sms";
	if (p->after < 0)
		return "after must be a number";
	if (p->newest < 0 || p->newest > RECORDER_LIMIT_MAX)
		return "newest must be from 1 to 1000";
	if (limit < 1 || limit > RECORDER_LIMIT_MAX)
		return "limit must be from 1 to 1000";
	if (to != NULL && !mem_copy_text(p->to, sizeof(p->to), to))
		return "to is too long";
	p->limit = p->newest > 0 ? RECORDER_LIMIT_MAX : (int)limit;
	return NULL;
}

/* ---- what is answered ---- */

static void answer_list(struct listing *l)
{
	struct buf out;

	buf_init(&out, RECORDER_LINE_MAX + 64);
	buf_add_text(&out, "{\"messages\":[");
	buf_add(&out, buf_text(&l->page.lines), l->page.lines.len);
	buf_addf(&out, "],\"next\":%lld}\n", (long long)l->page.next);
	control_answer_json(l->request, 200, &out);
	buf_release(&out);
}

static void put_part(struct json_writer *w, const struct message *m, const char *key,
		     const char *type)
{
	struct buf part;

	buf_init(&part, RECORDER_LINE_MAX);
	if (message_part(m, type, &part))
		json_put_text(w, key, buf_text(&part));
	buf_release(&part);
}

/* Adds what a person wants to read of a mail. */
static void put_parts(struct json_writer *w, const char *line, size_t len)
{
	struct err e = ERR_INIT;
	struct json_t *value = json_read(line, len, &e), *member;
	const char *key, *raw = NULL;
	void *cursor = NULL;
	struct message m;

	while (value != NULL && json_next(value, &cursor, &key, &member))
		if (strcmp(key, "raw") == 0)
			raw = json_text(member);
	if (raw != NULL) {
		message_parse(&m, raw, strlen(raw));
		put_part(w, &m, "text", "text/plain");
		put_part(w, &m, "html", "text/html");
	}
	json_free(value);
}

static void answer_single(struct listing *l)
{
	const struct buf *line = &l->page.lines;
	struct json_writer w;
	struct buf out;

	if (l->page.count == 0 || l->page.next != l->page.after + 1) {
		control_answer_fault(l->request, PROBLEM_NOT_FOUND,
				     "there is no such message");
		return;
	}
	buf_init(&out, (size_t)RECORDER_LINE_MAX * 2);
	buf_add(&out, line->data, line->len - 1); /* without its closing bracket */
	json_writer_init(&w, &out);
	w.comma = true;
	put_parts(&w, line->data, line->len);
	json_close(&w, '}');
	control_answer_json(l->request, 200, &out);
	buf_release(&out);
}

static void gather(void *arg)
{
	struct listing *l = arg;
	struct err e = ERR_INIT;
	int rc = recorder_page_step(l->sandbox->recorder, &l->page, &e);

	if (rc == 0) {
		loop_post(l->sandbox->loop, gather, l);
		return;
	}
	if (rc < 0)
		control_answer_fault(l->request, PROBLEM_INTERNAL, e.text);
	else
		(l->single ? answer_single : answer_list)(l);
	recorder_page_release(&l->page);
	mem_free(l);
}

static void list(struct sandbox *s, struct http_request *r)
{
	struct listing *l = mem_alloc(sizeof(*l));
	const char *fault = ask(r, &l->page);

	if (fault != NULL) {
		control_answer_fault(r, PROBLEM_MALFORMED, fault);
		mem_free(l);
		return;
	}
	l->sandbox = s;
	l->request = r;
	recorder_page_begin(s->recorder, &l->page);
	gather(l);
}

static void show(struct sandbox *s, struct http_request *r, const char *text)
{
	struct listing *l;
	long long n = strtoll(text, NULL, 10);

	if (strlen(text) > 18 || strspn(text, "0123456789") != strlen(text) || n < 1) {
		control_answer_fault(r, PROBLEM_NOT_FOUND, "there is no such message");
		return;
	}
	l = mem_alloc(sizeof(*l));
	l->sandbox = s;
	l->request = r;
	l->single = true;
	l->page.after = n - 1;
	l->page.limit = 1;
	l->page.page_bytes = INBOX_PAGE_BYTES;
	for (int c = 0; c < CHANNEL_COUNT; c++)
		l->page.wanted[c] = true;
	recorder_page_begin(s->recorder, &l->page);
	gather(l);
}

static void count(struct sandbox *s, struct http_request *r)
{
	struct json_writer w;
	struct buf out;
	int64_t total = 0;

	buf_init(&out, 1024);
	json_writer_init(&w, &out);
	json_open(&w, NULL, '{');
	for (int c = 0; c < CHANNEL_COUNT; c++) {
		int64_t n = recorder_count(s->recorder, (enum channel)c);

		json_put_int(&w, channel_name((enum channel)c), n);
		total += n;
	}
	json_put_int(&w, "total", total);
	json_put_int(&w, "newest", recorder_newest(s->recorder));
	json_open(&w, "refused", '{');
	for (int c = 0; c < CHANNEL_COUNT; c++)
		json_put_int(&w, channel_name((enum channel)c), s->refusals.count[c]);
	json_close(&w, '}');
	json_close(&w, '}');
	control_answer_json(r, 200, &out);
	buf_release(&out);
}

static void empty(struct sandbox *s, struct http_request *r)
{
	struct err e = ERR_INIT;

	refusals_empty(&s->refusals);
	if (recorder_empty(s->recorder, &e) < 0)
		control_answer_fault(r, PROBLEM_INTERNAL, e.text);
	else
		http_answer(r, &(struct http_answer){.status = 204});
}

bool inbox_request(struct sandbox *s, struct http_request *r)
{
	const char *path = http_path(r), *method = http_method(r);
	bool get = strcmp(method, "GET") == 0, delete = strcmp(method, "DELETE") == 0;

	if (strncmp(path, "/inbox", 6) != 0 || (path[6] != '\0' && path[6] != '/'))
		return false;
	path += 6;
	if (path[0] == '\0' && delete)
		empty(s, r);
	else if (!get)
		control_answer_fault(r, PROBLEM_METHOD_NOT_ALLOWED,
				     "GET, and DELETE on /inbox");
	else if (path[0] == '\0')
		list(s, r);
	else if (strcmp(path, "/count") == 0)
		count(s, r);
	else
		show(s, r, path + 1);
	return true;
}
