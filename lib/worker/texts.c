#include "worker/texts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "worker/template.h"
#include "worker/wording.h"

#define PATH_BYTES 1024
#define EVENT_TYPE "transaction.completed"

/* HTML grows by escaping; what a transport wants at most is judged after it. */
#define RENDERED_MAX (512 * 1024)

struct locale {
	char name[LOCALE_MAX + 1];
	struct template *parts[TRANSPORT_PARTS_MAX];
};

struct texts {
	const struct transport_part *parts;
	int part_count;
	bool any_html;
	struct locale *locales;
	int count, fallback;
	struct wording plain, html;
	struct buf rendered[TRANSPORT_PARTS_MAX];
};

static bool is_html(const struct transport_part *part)
{
	size_t len = strlen(part->name);

	return len > 5 && strcmp(part->name + len - 5, ".html") == 0;
}

static bool locale_name_valid(const char *name)
{
	size_t len = strlen(name);

	return len >= 2 && len <= LOCALE_MAX &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			    "0123456789-") == len;
}

/* ---- loading ---- */

static int read_file(const char *path, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;

	if (fd < 0)
		return err_set_errno(e, ERR_INVALID, errno, "%s", path);
	for (;;) {
		char *into = buf_reserve(out, 4096);

		if (!into)
			break;
		got = read(fd, into, 4096);
		if (got <= 0)
			break;
		buf_commit(out, (size_t)got);
	}
	close(fd);
	if (out->overflowed)
		return err_set(e, ERR_INVALID, "%s: more than %d bytes", path,
			       TEMPLATE_MAX_BYTES);
	return got < 0 ? err_set(e, ERR_IO, "%s cannot be read", path) : 0;
}

static int load_part(struct template **out, const char *path, bool html, struct err *e)
{
	struct buf text;
	int rc;

	buf_init(&text, TEMPLATE_MAX_BYTES + 4096);
	rc = read_file(path, &text, e);
	if (rc == 0) {
		rc = template_compile(out, buf_text(&text), text.len, wording_names, html,
				      e);
		if (rc < 0)
			err_wrap(e, "%s", path);
	}
	buf_release(&text);
	return rc;
}

static int load_locale(struct texts *t, const char *folder, const char *channel,
		       const char *name, struct err *e)
{
	struct locale *l;
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s/%s", folder, name, channel);
	if (access(path, F_OK) < 0)
		return 0; /* a language that this channel does not speak */
	if (t->count == TEXTS_LOCALES_MAX)
		return err_set(e, ERR_INVALID, "%s: at most %d locales", folder,
			       TEXTS_LOCALES_MAX);
	t->locales = mem_resize(t->locales, (size_t)t->count + 1, sizeof(*t->locales));
	l = &t->locales[t->count++];
	memset(l, 0, sizeof(*l));
	mem_copy_text(l->name, sizeof(l->name), name);
	for (int i = 0; i < t->part_count; i++) {
		snprintf(path, sizeof(path), "%s/%s/%s/" EVENT_TYPE ".%s", folder, name,
			 channel, t->parts[i].name);
		if (load_part(&l->parts[i], path, is_html(&t->parts[i]), e) < 0)
			return -1;
	}
	return 0;
}

/* The index of the locale with this name of `len` bytes, -1 when there is none. */
static int find(const struct texts *t, const char *name, size_t len)
{
	for (int i = 0; i < t->count; i++) {
		if (strlen(t->locales[i].name) == len &&
		    strncasecmp(t->locales[i].name, name, len) == 0)
			return i;
	}
	return -1;
}

static int load_folder(struct texts *t, const char *folder, const char *channel,
		       struct err *e)
{
	DIR *d = opendir(folder);
	struct dirent *entry;
	int rc = 0;

	if (!d)
		return err_set_errno(e, ERR_INVALID, errno, "templates: %s", folder);
	while (rc == 0 && (entry = readdir(d)) != NULL) {
		if (locale_name_valid(entry->d_name))
			rc = load_locale(t, folder, channel, entry->d_name, e);
	}
	closedir(d);
	return rc;
}

int texts_load(struct texts **out, const char *folder, const char *channel,
	       const struct transport_part *parts, const char *fallback, struct err *e)
{
	struct texts *t = mem_alloc(sizeof(*t));

	t->parts = parts;
	while (t->part_count < TRANSPORT_PARTS_MAX && parts[t->part_count].name) {
		t->any_html |= is_html(&parts[t->part_count]);
		buf_init(&t->rendered[t->part_count++], RENDERED_MAX);
	}
	wording_init(&t->plain);
	wording_init(&t->html);
	if (load_folder(t, folder, channel, e) < 0)
		goto failed;
	t->fallback = find(t, fallback, strlen(fallback));
	if (t->fallback < 0) {
		err_set(e, ERR_INVALID,
			"templates: %s has no %s/%s, and PAYBELL_LOCALE is %s", folder,
			fallback, channel, fallback);
		goto failed;
	}
	*out = t;
	return 0;
failed:
	texts_free(t);
	return -1;
}

void texts_free(struct texts *t)
{
	if (!t)
		return;
	for (int i = 0; i < t->count; i++) {
		for (int p = 0; p < TRANSPORT_PARTS_MAX; p++)
			template_free(t->locales[i].parts[p]);
	}
	for (int p = 0; p < t->part_count; p++)
		buf_release(&t->rendered[p]);
	wording_release(&t->plain);
	wording_release(&t->html);
	mem_free(t->locales);
	mem_free(t);
}

/* ---- rendering ---- */

static const struct locale *lookup(const struct texts *t, const char *wanted)
{
	size_t len = strlen(wanted);

	while (len > 0) {
		int i = find(t, wanted, len);

		if (i >= 0)
			return &t->locales[i];
		while (len > 0 && wanted[--len] != '-') {}
		/* A single character before the cut goes with it ("de-x-…"). */
		if (len >= 2 && wanted[len - 2] == '-')
			len -= 2;
	}
	return &t->locales[t->fallback];
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void trim(struct buf *b)
{
	while (b->len > 0 && is_space(b->data[b->len - 1]))
		b->data[--b->len] = '\0';
}

static void join_lines(struct buf *b)
{
	size_t to = 0;

	for (size_t from = 0; from < b->len; from++) {
		bool space = is_space(b->data[from]);

		if (space && (to == 0 || b->data[to - 1] == ' '))
			continue;
		b->data[to++] = space ? ' ' : b->data[from];
	}
	b->len = to;
	if (b->data)
		b->data[to] = '\0';
}

/* Cuts at a code point's boundary and says so with an ellipsis. */
static void cut(struct buf *b, size_t max_bytes)
{
	static const char ellipsis[] = "…";

	if (b->len <= max_bytes)
		return;
	b->len = utf8_prefix(b->data, b->len, max_bytes - (sizeof(ellipsis) - 1));
	buf_add_text(b, ellipsis);
}

static int render_part(struct texts *t, const struct locale *l, int i, struct err *e)
{
	const struct transport_part *part = &t->parts[i];
	bool html = is_html(part);
	struct buf *out = &t->rendered[i];

	buf_clear(out);
	template_render(l->parts[i], html ? t->html.values : t->plain.values, out);
	if (out->overflowed || (html && out->len > part->max_bytes))
		return err_set(e, ERR_FULL, "%s/%s is too long", l->name, part->name);
	if (part->one_line)
		join_lines(out);
	if (!html) {
		trim(out);
		cut(out, part->max_bytes);
	}
	return 0;
}

int texts_render(struct texts *t, struct message *m, struct err *e)
{
	const struct locale *l = lookup(t, m->recipient->user.locale);

	wording_fill(&t->plain, m->recipient, false);
	if (t->any_html)
		wording_fill(&t->html, m->recipient, true);
	m->locale = l->name;
	for (int i = 0; i < t->part_count; i++) {
		if (render_part(t, l, i, e) < 0)
			return -1;
		m->parts[i] = buf_text(&t->rendered[i]);
	}
	return 0;
}
