/* paybell backup: the whole ledger in one file, while the backend writes on.
 *
 * Reads the database, not the API: it works as well while the backend is away. */
#include "store/backup.h"

#include <string.h>

#include "app/process.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "wire/json.h"

/* Whoever makes payments goes first. */
#define NICE 10

const struct option backup_options[] = {
	{"--force", NULL, "replace FILE when it is there"},
	{NULL, NULL, NULL},
};

struct outcome {
	struct backup_result copy;
	int64_t snapshot_us;        /* UTC: what was committed by then is in it */
	int64_t took_us, copied_us; /* the second is how long the snapshot was held */
};

static void on_interrupt(void *arg)
{
	backup_stop(arg);
}

static int copy_all(struct backup *b, struct progress *p, struct err *e)
{
	int64_t done, total;
	int more;

	while ((more = backup_step(b, &done, &total, e)) == 1)
		progress_show(p, "%lld of %lld MB copied, Ctrl-C stops it",
			      (long long)(done >> 20), (long long)(total >> 20));
	return more;
}

static int copy_and_finish(struct backup *b, struct outcome *o, struct err *e)
{
	int64_t began_us = clock_mono_us();
	struct progress p;
	int rc;

	progress_init(&p);
	o->snapshot_us = clock_utc_us();
	rc = copy_all(b, &p, e);
	o->copied_us = clock_mono_us() - began_us;
	if (rc == 0) {
		p.next_us = 0;
		progress_show(&p, "copied, checking the copy; Ctrl-C stops it");
		rc = backup_finish(b, &o->copy, e);
	}
	o->took_us = clock_mono_us() - began_us;
	progress_clear(&p);
	return rc;
}

static int make(struct cli *c, const char *file, struct outcome *o, struct err *e)
{
	struct interrupt interrupt;
	struct backup *b;
	int rc;

	interrupt_block(&interrupt);
	if (backup_new(&b, c->settings.common.database, file,
		       args_has(&c->args, "--force"), e) < 0)
		return -1;
	rc = interrupt_start(&interrupt, on_interrupt, b, e);
	if (rc == 0) {
		rc = copy_and_finish(b, o, e);
		interrupt_end(&interrupt);
	}
	backup_free(b);
	return rc;
}

static void print_json(struct cli *c, const char *file, const struct outcome *o)
{
	struct json_writer w;

	json_writer_init(&w, &c->text);
	json_open(&w, NULL, '{');
	json_put_text(&w, "file", file);
	json_put_int(&w, "events", o->copy.events);
	json_put_int(&w, "bytes", o->copy.bytes);
	json_put_text(&w, "ledger_id", o->copy.ledger_id);
	json_put_int(&w, "snapshot_us", o->snapshot_us);
	json_put_int(&w, "copied_us", o->copied_us);
	json_put_int(&w, "took_us", o->took_us);
	json_close(&w, '}');
	buf_add_char(&c->text, '\n');
}

static void print_text(struct cli *c, const char *file, const struct outcome *o)
{
	struct ink *k = &c->ink;
	int64_t us = o->copied_us > 0 ? o->copied_us : 1;
	char span[INK_SPAN_SIZE], time[INK_TIME_SIZE];

	ink_text(k, TINT_STRONG, file);
	ink_rawf(k, "  %lld events, as of %s UTC\n", (long long)o->copy.events,
		 ink_time(time, o->snapshot_us, true));
	ink_rawf(k, "  %lld.%lld MB in %s (copied with %lld MB/s), checked\n",
		 (long long)(o->copy.bytes >> 20),
		 (long long)(((o->copy.bytes & ((1 << 20) - 1)) * 10) >> 20),
		 ink_span(span, o->took_us),
		 (long long)(o->copy.bytes * US_PER_S / us >> 20));
	ink_rawf(k, "  ledger %s, its own\n", o->copy.ledger_id);
}

enum cli_exit backup_run(struct cli *c, struct err *e)
{
	const char *file = args_operand(&c->args, 0);
	struct outcome o = {.took_us = 0};

	process_prepare(NICE);
	if (make(c, file, &o, e) < 0)
		return CLI_FAILED;
	if (c->args.json)
		print_json(c, file, &o);
	else
		print_text(c, file, &o);
	return CLI_OK;
}
