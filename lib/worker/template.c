/* Compiled to a flat list of steps. A section is one step that knows where it ends, so
 * rendering is a loop with a jump, whatever the depth. */
#include "worker/template.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

enum step_kind { STEP_TEXT, STEP_VALUE, STEP_IF, STEP_UNLESS };

struct step {
	enum step_kind kind;
	size_t at, len; /* TEXT: where in the source */
	int name;       /* the others */
	size_t end;     /* IF, UNLESS: the first step behind the section */
};

struct template
{
	char *source;
	bool html;
	struct step *steps;
	size_t count, capacity;
};

struct compiler {
	struct template *t;
	const char *const *names;
	size_t len, at;
	size_t open[TEMPLATE_DEPTH_MAX]; /* sections' steps */
	int depth;
	struct err *e;
};

/* One tag of the source, from '{' to behind the last '}'. */
struct tag {
	char kind; /* 'v' value, '#', '^', '/', '!' */
	const char *name;
	size_t name_len;
	size_t begin, end;
};

static int line_of(const struct compiler *c, size_t at)
{
	int line = 1;

	for (size_t i = 0; i < at; i++)
		line += c->t->source[i] == '\n';
	return line;
}

static struct step *add_step(struct template *t, enum step_kind kind)
{
	if (t->count == t->capacity) {
		t->capacity = t->capacity ? t->capacity * 2 : 16;
		t->steps = mem_resize(t->steps, t->capacity, sizeof(*t->steps));
	}
	t->steps[t->count] = (struct step){.kind = kind};
	return &t->steps[t->count++];
}

static void add_text(struct template *t, size_t from, size_t to)
{
	struct step *s;

	if (from >= to)
		return;
	s = add_step(t, STEP_TEXT);
	s->at = from;
	s->len = to - from;
}

static int name_index(const struct compiler *c, const struct tag *tag)
{
	for (int i = 0; c->names[i]; i++) {
		if (strlen(c->names[i]) == tag->name_len &&
		    memcmp(c->names[i], tag->name, tag->name_len) == 0)
			return i;
	}
	return err_set(c->e, ERR_INVALID, "line %d: \"%.*s\" is not a name",
		       line_of(c, tag->begin), (int)tag->name_len, tag->name);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* 1: *tag is the next one; 0: there is none; -1: it never ends. */
static int next_tag(const struct compiler *c, struct tag *tag)
{
	const char *source = c->t->source;
	const char *begin = strstr(source + c->at, "{{");
	const char *end, *from;

	if (!begin)
		return 0;
	tag->begin = (size_t)(begin - source);
	end = strstr(begin, "}}");
	if (!end)
		return err_set(c->e, ERR_INVALID, "line %d: {{ without }}",
			       line_of(c, tag->begin));
	tag->end = (size_t)(end - source) + 2;
	from = begin + 2;
	tag->kind = 'v';
	if (from < end && strchr("#^/!", *from))
		tag->kind = *from++;
	while (from < end && is_blank(*from))
		from++;
	while (from < end && is_blank(end[-1]))
		end--;
	tag->name = from;
	tag->name_len = (size_t)(end - from);
	return 1;
}

/* Widens *from and *to over the tag's whole line when there is nothing else on it. */
static void take_line(const struct compiler *c, const struct tag *tag, size_t *from,
		      size_t *to)
{
	const char *s = c->t->source;
	size_t first = tag->begin, last = tag->end;

	while (first > c->at && is_blank(s[first - 1]))
		first--;
	if (first > 0 && s[first - 1] != '\n')
		return;
	while (is_blank(s[last]))
		last++;
	if (s[last] == '\r' && s[last + 1] == '\n')
		last++;
	if (s[last] == '\n')
		last++;
	else if (last < c->len)
		return;
	*from = first;
	*to = last;
}

static int open_section(struct compiler *c, const struct tag *tag)
{
	int name = name_index(c, tag);
	struct step *s;

	if (name < 0)
		return -1;
	if (c->depth == TEMPLATE_DEPTH_MAX)
		return err_set(c->e, ERR_INVALID, "line %d: sections are at most %d deep",
			       line_of(c, tag->begin), TEMPLATE_DEPTH_MAX);
	c->open[c->depth++] = c->t->count;
	s = add_step(c->t, tag->kind == '#' ? STEP_IF : STEP_UNLESS);
	s->name = name;
	return 0;
}

static int close_section(struct compiler *c, const struct tag *tag)
{
	int name = name_index(c, tag);
	struct step *s;

	if (name < 0)
		return -1;
	if (c->depth == 0)
		return err_set(c->e, ERR_INVALID, "line %d: {{/%s}} opens nowhere",
			       line_of(c, tag->begin), c->names[name]);
	s = &c->t->steps[c->open[--c->depth]];
	if (s->name != name)
		return err_set(c->e, ERR_INVALID, "line %d: {{/%s}} ends section \"%s\"",
			       line_of(c, tag->begin), c->names[name], c->names[s->name]);
	s->end = c->t->count;
	return 0;
}

static int add_tag(struct compiler *c, const struct tag *tag)
{
	int name;

	switch (tag->kind) {
	case '!':
		return 0;
	case '#':
	case '^':
		return open_section(c, tag);
	case '/':
		return close_section(c, tag);
	default:
		name = name_index(c, tag);
		if (name < 0)
			return -1;
		add_step(c->t, STEP_VALUE)->name = name;
		return 0;
	}
}

static int compile(struct compiler *c)
{
	struct tag tag;
	int rc;

	while ((rc = next_tag(c, &tag)) == 1) {
		size_t from = tag.begin, to = tag.end;

		if (tag.kind != 'v')
			take_line(c, &tag, &from, &to);
		add_text(c->t, c->at, from);
		if (add_tag(c, &tag) < 0)
			return -1;
		c->at = to;
	}
	if (rc < 0)
		return -1;
	add_text(c->t, c->at, c->len);
	if (c->depth > 0)
		return err_set(c->e, ERR_INVALID, "section \"%s\" has no end",
			       c->names[c->t->steps[c->open[c->depth - 1]].name]);
	return 0;
}

int template_compile(struct template **out, const char *text, size_t len,
		     const char *const *names, bool html, struct err *e)
{
	struct template *t;
	struct compiler c = {.names = names, .len = len, .e = e};

	if (len > TEMPLATE_MAX_BYTES)
		return err_set(e, ERR_INVALID, "a template has at most %d bytes",
			       TEMPLATE_MAX_BYTES);
	if (!utf8_valid(text, len) || memchr(text, '\0', len))
		return err_set(e, ERR_INVALID, "a template is UTF-8 text");
	t = mem_alloc(sizeof(*t));
	t->source = mem_dup(text, len);
	t->html = html;
	c.t = t;
	if (compile(&c) < 0) {
		template_free(t);
		return -1;
	}
	*out = t;
	return 0;
}

void template_free(struct template *t)
{
	if (!t)
		return;
	mem_free(t->source);
	mem_free(t->steps);
	mem_free(t);
}

static void add_escaped(struct buf *out, const char *text)
{
	for (;;) {
		size_t plain = strcspn(text, "&<>\"'");

		buf_add(out, text, plain);
		text += plain;
		switch (*text++) {
		case '\0':
			return;
		case '&':
			buf_add_text(out, "&amp;");
			break;
		case '<':
			buf_add_text(out, "&lt;");
			break;
		case '>':
			buf_add_text(out, "&gt;");
			break;
		case '"':
			buf_add_text(out, "&quot;");
			break;
		default:
			buf_add_text(out, "&#39;");
			break;
		}
	}
}

void template_render(const struct template *t, const char *const *values, struct buf *out)
{
	size_t i = 0;

	while (i < t->count) {
		const struct step *s = &t->steps[i++];

		if (s->kind == STEP_TEXT)
			buf_add(out, t->source + s->at, s->len);
		else if (s->kind == STEP_VALUE && t->html)
			add_escaped(out, values[s->name]);
		else if (s->kind == STEP_VALUE)
			buf_add_text(out, values[s->name]);
		else if ((values[s->name][0] != '\0') != (s->kind == STEP_IF))
			i = s->end;
	}
}
