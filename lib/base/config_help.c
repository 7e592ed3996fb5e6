/* The table that --help prints: flag, variable, default and limits in columns, and under
 * each row its sentence. A cell that would go over the right edge begins a line of its
 * own. */
#include <stdbool.h>
#include <string.h>

#include "base/config.h"
#include "base/setting.h"
#include "base/utf8.h"

#define COLUMNS        100
#define GAP            2
#define INDENT         6
#define CELL_MAX_BYTES 512

/* Where the columns begin, and what was written of the line. */
struct page {
	struct buf *out;
	size_t variable_at, default_at, limits_at;
	size_t at;
};

static void new_line(struct page *p)
{
	buf_add_char(p->out, '\n');
	p->at = 0;
}

static void put_cell(struct page *p, size_t column, const char *text)
{
	size_t width = utf8_count(text, strlen(text));
	size_t from = p->at == 0 || p->at + GAP <= column ? column : p->at + GAP;

	if (from + width > COLUMNS && p->at > 0) {
		new_line(p);
		from = column + width > COLUMNS ? INDENT : column;
	}
	for (; p->at < from; p->at++)
		buf_add_char(p->out, ' ');
	buf_add_text(p->out, text);
	p->at += width;
}

/* Breaks the sentence at blanks. */
static void put_sentence(struct page *p, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, " ");
		size_t width = utf8_count(text, len);

		if (p->at > INDENT && p->at + 1 + width > COLUMNS)
			new_line(p);
		if (p->at > INDENT) {
			buf_add_char(p->out, ' ');
			p->at++;
		}
		for (; p->at < INDENT; p->at++)
			buf_add_char(p->out, ' ');
		buf_add(p->out, text, len);
		p->at += width;
		text += len;
		text += strspn(text, " ");
	}
}

static const char *shown_default(const struct setting *s)
{
	if (s->fallback == NULL)
		return "required";
	if (s->fallback[0] == '\0')
		return "-";
	return s->kind == SETTING_SECRET ? "(set)" : s->fallback;
}

static void put_row(struct page *p, const struct setting *s)
{
	char name[SETTING_NAME_SIZE];
	struct buf limits;

	buf_init(&limits, CELL_MAX_BYTES);
	setting_limits(&limits, s);
	put_cell(p, GAP, setting_flag(name, s->name));
	put_cell(p, p->variable_at, setting_variable(name, s->name));
	put_cell(p, p->default_at, shown_default(s));
	put_cell(p, p->limits_at, buf_text(&limits));
	new_line(p);
	put_sentence(p, s->help);
	new_line(p);
	buf_release(&limits);
}

static size_t larger_of(size_t a, size_t b)
{
	return a > b ? a : b;
}

void config_help(const struct setting_table *tables, struct buf *out)
{
	struct page p = {out, 0, 0, 0, 0};
	size_t name = 0, fallback = sizeof("Default") - 1;

	for (const struct setting_table *t = tables; t->rows != NULL; t++) {
		for (const struct setting *s = t->rows; s->name != NULL; s++) {
			name = larger_of(name, strlen(s->name));
			/* One long address shall not push everybody's limits away. */
			if (strlen(shown_default(s)) <= 16)
				fallback = larger_of(fallback, strlen(shown_default(s)));
		}
	}
	p.variable_at = GAP + sizeof("--") - 1 + name + GAP;
	p.default_at = p.variable_at + sizeof(SETTING_PREFIX) - 1 + name + GAP;
	p.limits_at = p.default_at + fallback + GAP;
	put_cell(&p, GAP, "Flag");
	put_cell(&p, p.variable_at, "Variable");
	put_cell(&p, p.default_at, "Default");
	put_cell(&p, p.limits_at, "Allowed");
	new_line(&p);
	for (const struct setting_table *t = tables; t->rows != NULL; t++) {
		for (const struct setting *s = t->rows; s->name != NULL; s++)
			put_row(&p, s);
	}
	buf_add_text(out, "A flag wins over its variable.\n"
			  "Each value can also stand in a file: PAYBELL_NAME_FILE or "
			  "--name-file.\n");
}
