/* Settings: one table says name, kind, default, limits and help; environment and flags
 * fill it.
 *
 * PAYBELL_QUEUE_MAX=1000 and --queue-max 1000 (or --queue-max=1000) set the same thing;
 * the flag wins. For every setting NAME_FILE (and --name-file) names a file that holds
 * the value (systemd credentials, compose secrets; one trailing newline is dropped, 64
 * KiB at most). Both NAME and NAME_FILE: refused. Refused with the name and the remedy:
 * an unknown PAYBELL_* name (with the nearest known one), a unit that is missing or
 * wrong, a value out of range. PAYBELL_* names that another program of the suite owns are
 * told by config_set_foreign and ignored, so that one environment file serves all.
 *
 * Durations take a unit: "250ms", "30s", "5m", "24h", "90d" (a bare 0 is allowed); sizes
 * take "K", "M", "G" (1024) or none for bytes. */
#ifndef PAYBELL_BASE_CONFIG_H
#define PAYBELL_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum setting_kind {
	SETTING_TEXT,     /* const char *: never NULL after config_load */
	SETTING_SECRET,   /* const char *: like TEXT, shown as "(set)" */
	SETTING_INT,      /* int64_t */
	SETTING_BOOL,     /* bool: true false yes no 1 0 on off */
	SETTING_DURATION, /* int64_t milliseconds */
	SETTING_SIZE,     /* int64_t bytes */
	SETTING_WORD,     /* const char *: one of `words` */
};

struct setting {
	const char *name; /* without PAYBELL_: "QUEUE_MAX" */
	enum setting_kind kind;
	size_t offset; /* where the value goes: offsetof(struct x_settings, queue_max) */
	const char *fallback; /* as text, in the same form; NULL: required */
	/* INT, DURATION (ms), SIZE: the limits, unless both are 0; max INT64_MAX: none
	 * above. TEXT, SECRET: the length in bytes, max 0 being 4,096; min 1 forbids an
	 * empty one. */
	int64_t min, max;
	const char *words; /* WORD: "retry|fail" */
	const char *help;  /* one sentence */
};

/* clang-format off */
#define SETTING_END {NULL, SETTING_TEXT, 0, NULL, 0, 0, NULL, NULL}
/* clang-format on */

/* One module's settings: constant rows (ended by SETTING_END), and the struct of the
 * caller's that they fill. */
struct setting_table {
	const struct setting *rows;
	void *base;
};

/* Fills the tables (an array, ended by one with rows == NULL) from flags and environment
 * ("NAME=value" strings, ended by NULL). argv[0] is skipped; what is no setting (--help,
 * a subcommand) was taken out before, anything left over is a fault. A BOOL flag may
 * stand alone; a flag that is given twice counts as it was given last. Texts are copies
 * that belong to the process for its whole life. All faults are reported, not only the
 * first: e->text holds the first, `faults` (may be NULL) a line for each; nothing is
 * written to the tables then. ERR_INVALID. Before the threads start. */
int config_load(const struct setting_table *tables, int argc, char **argv,
		char **environment, struct buf *faults, struct err *e);

/* Frees the texts that a successful config_load() put into the tables; they are NULL
 * then. */
void config_release(const struct setting_table *tables);

/* The table for --help: names, flags, defaults, limits and help, aligned. */
void config_help(const struct setting_table *tables, struct buf *out);

/* Names that belong to other programs of the suite: a NULL-ended list that config_load
 * accepts and ignores (set once at start). */
void config_set_foreign(const char *const *names);

#endif
