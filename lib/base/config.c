#include "base/config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/setting.h"

/* In three steps, so that every fault is found and nothing is half set: first each flag
 * and each variable is put beside the setting that it names; then each setting's text is
 * read in its kind; and only when there was no fault are the targets written. */

#define FILE_MAX_BYTES  65536
#define FAULT_MAX_BYTES 4096

static const char *const *config_foreign;

/* Where a setting was mentioned; NULL: nowhere. */
struct source {
	const char *flag, *flag_file;
	const char *variable, *variable_file;
};

/* One row on its way. */
struct entry {
	const struct setting *s;
	void *target;
	struct source from;
	char *file_text; /* what a file held; ours */
	const char *text;
	int64_t number; /* INT, BOOL, DURATION, SIZE */
};

struct loader {
	struct entry *entries;
	size_t count;
	struct buf *faults;
	struct err *e;
	int fault_count;
};

static void fault(struct loader *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void fault(struct loader *l, const char *fmt, ...)
{
	struct buf line;
	va_list args;

	buf_init(&line, FAULT_MAX_BYTES);
	va_start(args, fmt);
	buf_addv(&line, fmt, args);
	va_end(args);
	if (l->fault_count++ == 0)
		err_set(l->e, ERR_INVALID, "%s", buf_text(&line));
	if (l->faults != NULL) {
		buf_add_char(&line, '\n');
		buf_add(l->faults, line.data, line.len);
	}
	buf_release(&line);
}

/* ---- names ------------------------------------------------------------------------- */

/* True for NAME and for NAME_FILE; *is_file tells which. */
static bool name_matches(const char *known, const char *name, bool *is_file)
{
	size_t len = strlen(known);

	if (strncmp(known, name, len) != 0)
		return false;
	*is_file = strcmp(name + len, "_FILE") == 0;
	return *is_file || name[len] == '\0';
}

/* An exact name goes first: TLS_KEY_FILE may be a setting of its own beside TLS_KEY. */
static struct entry *entry_of(struct loader *l, const char *name, bool *is_file)
{
	struct entry *found = NULL;
	bool file;

	for (size_t i = 0; i < l->count; i++) {
		if (!name_matches(l->entries[i].s->name, name, &file))
			continue;
		found = &l->entries[i];
		*is_file = file;
		if (!file)
			break;
	}
	return found;
}

static bool is_foreign(const char *name)
{
	bool file;

	if (config_foreign == NULL)
		return false;
	for (size_t i = 0; config_foreign[i] != NULL; i++) {
		if (name_matches(config_foreign[i], name, &file))
			return true;
	}
	return false;
}

static size_t least_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many characters must be added, dropped or changed (Levenshtein), on one row of his
 * table. */
static size_t distance(const char *a, const char *b)
{
	size_t row[SETTING_NAME_SIZE + 1];
	size_t width = strnlen(b, SETTING_NAME_SIZE);

	for (size_t j = 0; j <= width; j++)
		row[j] = j;
	for (size_t i = 0; i < SETTING_NAME_SIZE && a[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < width; j++) {
			size_t changed = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			row[j + 1] = least_of(changed, 1 + least_of(row[j], row[j + 1]));
		}
	}
	return row[width];
}

/* The known name that is nearest; NULL when none has even half of its characters in
 * common. */
static const char *nearest(const struct loader *l, const char *name, bool with_foreign)
{
	const char *best = NULL;
	size_t best_distance = strlen(name) / 2 + 1;

	for (size_t i = 0; i < l->count; i++) {
		size_t d = distance(name, l->entries[i].s->name);

		if (d < best_distance) {
			best_distance = d;
			best = l->entries[i].s->name;
		}
	}
	for (size_t i = 0; with_foreign && config_foreign && config_foreign[i]; i++) {
		size_t d = distance(name, config_foreign[i]);

		if (d < best_distance) {
			best_distance = d;
			best = config_foreign[i];
		}
	}
	return best;
}

void config_set_foreign(const char *const *names)
{
	config_foreign = names;
}

/* ---- what was mentioned ------------------------------------------------------------ */

static void take_variable(struct loader *l, const char *assignment)
{
	const char *name = assignment + sizeof(SETTING_PREFIX) - 1;
	const char *equals = strchr(name, '=');
	struct log_quote quoted;
	char copy[SETTING_NAME_SIZE];
	const char *near;
	struct entry *entry;
	bool is_file = false;

	if (equals == NULL)
		return;
	mem_copy_text(copy, least_of((size_t)(equals - name) + 1, sizeof(copy)), name);
	entry = entry_of(l, copy, &is_file);
	if (entry != NULL && is_file)
		entry->from.variable_file = equals + 1;
	else if (entry != NULL)
		entry->from.variable = equals + 1;
	if (entry != NULL || is_foreign(copy))
		return;
	near = nearest(l, copy, true);
	log_quote(&quoted, copy);
	if (near == NULL)
		fault(l, "%s%.*s is not a setting; --help lists all", SETTING_PREFIX,
		      (int)strlen(quoted.text) - 2, quoted.text + 1);
	else
		fault(l, "%s%.*s is not a setting; the nearest is %s%s", SETTING_PREFIX,
		      (int)strlen(quoted.text) - 2, quoted.text + 1, SETTING_PREFIX,
		      near);
}

static void fault_flag(struct loader *l, const char *arg, size_t len, const char *name)
{
	struct log_quote quoted;
	char shown[SETTING_NAME_SIZE], flag[SETTING_NAME_SIZE];
	const char *near = name != NULL ? nearest(l, name, false) : NULL;

	mem_copy_text(shown, least_of(len + 1, sizeof(shown)), arg);
	log_quote(&quoted, shown);
	if (near == NULL)
		fault(l, "%s is not a flag; --help lists all", quoted.text);
	else
		fault(l, "%s is not a flag; the nearest is %s", quoted.text,
		      setting_flag(flag, near));
}

/* The value of a flag without '=': the next argument, if that can be one. Moves *i over
 * it. */
static const char *next_value(const struct entry *entry, bool is_file, int argc,
			      char **argv, int *i)
{
	const char *next = *i + 1 < argc ? argv[*i + 1] : NULL;
	bool alone = entry->s->kind == SETTING_BOOL && !is_file;
	bool ignored;

	if (alone && (next == NULL || !setting_bool(next, &ignored)))
		return "true";
	if (next == NULL || strncmp(next, "--", 2) == 0)
		return NULL;
	(*i)++;
	return next;
}

static void take_flag(struct loader *l, int argc, char **argv, int *i)
{
	const char *arg = argv[*i];
	size_t len = strcspn(arg, "=");
	char name[SETTING_NAME_SIZE];
	struct entry *entry;
	const char *value;
	bool is_file = false;

	if (!setting_name(name, arg + 2, len - 2)) {
		fault_flag(l, arg, len, NULL);
		return;
	}
	entry = entry_of(l, name, &is_file);
	if (entry == NULL) {
		fault_flag(l, arg, len, name);
		/* What follows is most likely its value: one fault is enough. */
		if (arg[len] == '\0' && *i + 1 < argc && argv[*i + 1][0] != '-')
			(*i)++;
		return;
	}
	value = arg[len] == '=' ? arg + len + 1
				: next_value(entry, is_file, argc, argv, i);
	if (value == NULL)
		fault(l, "%s needs a value (one that begins with -- is written %s=VALUE)",
		      arg, arg);
	else if (is_file)
		entry->from.flag_file = value;
	else
		entry->from.flag = value;
}

static void take_flags(struct loader *l, int argc, char **argv)
{
	struct log_quote quoted;

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) == 0)
			take_flag(l, argc, argv, &i);
		else
			fault(l, "%s is not expected here; flags begin with --",
			      log_quote(&quoted, argv[i]));
	}
}

/* ---- reading a value --------------------------------------------------------------- */

/* What stands in front of a fault: the setting as its user wrote it. */
static const char *label_of(char out[SETTING_NAME_SIZE], const struct entry *entry)
{
	if (entry->from.flag != NULL || entry->from.flag_file != NULL)
		return setting_flag(out, entry->s->name);
	return setting_variable(out, entry->s->name);
}

static int read_all(int fd, struct buf *text)
{
	for (;;) {
		char part[4096];
		ssize_t n = read(fd, part, sizeof(part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			return 0;
		buf_add(text, part, (size_t)n);
		if (text->overflowed)
			return 0;
	}
}

/* The file's text, without one newline at its end; the caller's. NULL after a fault. */
static char *read_file(struct loader *l, const char *label, const char *path)
{
	struct log_quote quoted;
	struct buf text;
	char *result = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc, saved;

	buf_init(&text, FILE_MAX_BYTES);
	rc = fd < 0 ? -1 : read_all(fd, &text);
	saved = errno;
	if (fd >= 0)
		close(fd);
	if (rc < 0)
		fault(l, "%s: cannot read the file %s: %s", label,
		      log_quote(&quoted, path), strerror(saved));
	else if (text.overflowed)
		fault(l, "%s: the file %s has more than %d bytes", label,
		      log_quote(&quoted, path), FILE_MAX_BYTES);
	else if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL)
		fault(l, "%s: the file %s is not text (it holds a NUL byte)", label,
		      log_quote(&quoted, path));
	else {
		if (text.len > 0 && text.data[text.len - 1] == '\n')
			text.len--;
		result = mem_dup(buf_text(&text), text.len);
	}
	if (text.data != NULL)
		explicit_bzero(text.data, text.capacity);
	buf_release(&text);
	return result;
}

/* Picks one of the four sources, or the fallback. False after a fault. */
static bool pick(struct loader *l, struct entry *entry)
{
	char label[SETTING_NAME_SIZE];
	const char *by_flag = entry->from.flag, *path = entry->from.flag_file;
	const char *file = "-file";

	label_of(label, entry);
	if (by_flag == NULL && path == NULL) {
		by_flag = entry->from.variable;
		path = entry->from.variable_file;
		file = "_FILE";
	}
	if (by_flag != NULL && path != NULL) {
		fault(l, "%s and %s%s are both given; keep one of them", label, label,
		      file);
		return false;
	}
	if (path != NULL) {
		entry->file_text = read_file(l, label, path);
		entry->text = entry->file_text;
		return entry->text != NULL;
	}
	entry->text = by_flag != NULL ? by_flag : entry->s->fallback;
	if (entry->text == NULL)
		fault(l, "%s is required: %s", label, entry->s->help);
	return entry->text != NULL;
}

static void judge(struct loader *l, struct entry *entry)
{
	char label[SETTING_NAME_SIZE];
	struct buf why;

	buf_init(&why, FAULT_MAX_BYTES);
	if (!setting_read(entry->s, entry->text, &entry->number, &why))
		fault(l, "%s%s", label_of(label, entry), buf_text(&why));
	buf_release(&why);
}

/* ---- loading ----------------------------------------------------------------------- */

static void collect(struct loader *l, const struct setting_table *tables)
{
	size_t count = 0;

	for (const struct setting_table *t = tables; t->rows != NULL; t++) {
		for (const struct setting *s = t->rows; s->name != NULL; s++)
			count++;
	}
	l->entries = mem_array(count, sizeof(*l->entries));
	for (const struct setting_table *t = tables; t->rows != NULL; t++) {
		for (const struct setting *s = t->rows; s->name != NULL; s++) {
			l->entries[l->count].s = s;
			l->entries[l->count++].target = (char *)t->base + s->offset;
		}
	}
}

/* Hands the text over: it lives until config_release(). */
static void keep_text(struct entry *entry)
{
	char *kept = entry->file_text;

	if (kept == NULL)
		kept = mem_strdup(entry->text);
	entry->file_text = NULL;
	*(const char **)entry->target = kept;
}

static void apply(struct entry *entry)
{
	switch (entry->s->kind) {
	case SETTING_TEXT:
	case SETTING_SECRET:
	case SETTING_WORD:
		keep_text(entry);
		break;
	case SETTING_INT:
	case SETTING_DURATION:
	case SETTING_SIZE:
		*(int64_t *)entry->target = entry->number;
		break;
	case SETTING_BOOL:
		*(bool *)entry->target = entry->number != 0;
		break;
	}
}

int config_load(const struct setting_table *tables, int argc, char **argv,
		char **environment, struct buf *faults, struct err *e)
{
	struct loader l = {NULL, 0, faults, e, 0};

	collect(&l, tables);
	take_flags(&l, argc, argv);
	for (char **v = environment; *v != NULL; v++) {
		if (strncmp(*v, SETTING_PREFIX, sizeof(SETTING_PREFIX) - 1) == 0)
			take_variable(&l, *v);
	}
	for (size_t i = 0; i < l.count; i++) {
		if (pick(&l, &l.entries[i]))
			judge(&l, &l.entries[i]);
	}
	for (size_t i = 0; i < l.count; i++) {
		if (l.fault_count == 0)
			apply(&l.entries[i]);
		mem_free(l.entries[i].file_text);
	}
	mem_free(l.entries);
	return l.fault_count == 0 ? 0 : -1;
}

static bool is_text(enum setting_kind kind)
{
	return kind == SETTING_TEXT || kind == SETTING_SECRET || kind == SETTING_WORD;
}

void config_release(const struct setting_table *tables)
{
	for (const struct setting_table *t = tables; t->rows != NULL; t++) {
		for (const struct setting *s = t->rows; s->name != NULL; s++) {
			char **text = (char **)((char *)t->base + s->offset);

			if (!is_text(s->kind))
				continue;
			mem_free(*text);
			*text = NULL;
		}
	}
}
