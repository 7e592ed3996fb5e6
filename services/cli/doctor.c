/* paybell doctor: proves from the database and Redis that nothing is lost.
 *
 * It reads both while everything goes on, so each check is one that holds at any moment:
 * what is counted is counted in one statement, what is compared between the two is
 * compared by the audit (app/audit.h), and what Redis shows only for a moment, such as a
 * stream whose worker is just being started, is looked at again for some seconds before
 * it is named. */
#include "cli/doctor.h"

#include "app/process.h"
#include "base/mem.h"

/* Whoever makes payments goes first. */
#define NICE 10

static int look(struct doctor *d, struct err *e)
{
	int rc = doctor_ledger(d, e);

	if (rc == 0)
		doctor_redis(d);
	progress_clear(&d->progress);
	return rc;
}

static int examine(struct doctor *d, struct err *e)
{
	const char *database = d->cli->settings.common.database;
	int rc;

	if (store_open_reader(&d->store, database, e) < 0)
		return err_wrap(e, "PAYBELL_DATABASE");
	rc = proof_new(&d->proof, &d->store, e);
	if (rc == 0)
		rc = look(d, e);
	proof_free(d->proof);
	store_close(&d->store);
	return rc == 0 ? 0 : err_wrap(e, "database %s", database);
}

enum cli_exit doctor_run(struct cli *c, struct err *e)
{
	struct doctor *d = mem_alloc(sizeof *d);
	enum cli_exit code = CLI_FAILED;

	process_prepare(NICE);
	d->cli = c;
	bus_init(&d->bus, c->settings.common.redis_prefix);
	progress_init(&d->progress);
	if (examine(d, e) == 0) {
		if (c->args.json)
			doctor_print_json(d);
		else
			doctor_print(d);
		code = doctor_is_well(d) ? CLI_OK : CLI_FAILED;
	}
	mem_free(d);
	return code;
}
