/* The skeleton of every process of the suite: from the command line to the exit code.
 *
 * A program's main.c is its settings' rows, a struct service and one call:
 *
 *	int main(int argc, char **argv)
 *	{
 *		struct push_settings settings;
 *		const struct setting_table tables[] = {
 *			{push_rows, &settings},
 *			{common_setting_rows, &settings.common},
 *			{NULL, NULL},
 *		};
 *
 *		return service_main(&(struct service){.name = "push",
 *						      .tables = tables,
 *						      .context = &settings, …},
 *				    argc, argv);
 *	}
 *
 * Everything is called on the main thread, which is the loop's. In order: `check`,
 * `start`, then the loop runs and `ready` is asked now and then; at SIGTERM or SIGINT
 * `drain`, and when the service has said service_drained(), `stop`. So: check the
 * settings (and nothing outside of them) in `check`; open, connect and listen in `start`;
 * take nothing new from `drain` on, and say service_drained() when what was taken is
 * finished; join, close and free in `stop`.
 *
 * Exit codes: 0 clean; 1 it failed to run, or did not drain within PAYBELL_DRAIN_TIMEOUT,
 * or a second signal came; 2 bad usage or settings. Besides the CLI this is the one place
 * that exits.
 *
 * Readiness is told in two steps. "Up": `start` has succeeded and all addresses answer;
 * sd_notify READY=1, and on --ready-fd N the line
 *
 *	READY admin=127.0.0.1:39181 api=127.0.0.1:41234
 *
 * with `admin` (an address as bound, or "off") and the fields that the service added.
 * "Ready": what it depends on is there too; GET /readyz, sd_notify STATUS, and once, when
 * that is so for the first time, the line "WORKING" on --ready-fd, which is then closed.
 *
 * systemd's protocol (sd_notify(3)) is spoken without its library: READY, STATUS,
 * STOPPING, WATCHDOG at half of WATCHDOG_USEC. */
#ifndef PAYBELL_APP_SERVICE_H
#define PAYBELL_APP_SERVICE_H

#include <stdbool.h>

#include "app/admin.h"
#include "base/config.h"
#include "base/err.h"
#include "io/http_server.h"
#include "io/loop.h"

struct service_run; /* this process's life; borrowed everywhere */

struct service {
	const char *name;    /* "push": the program is paybell-push; also in the log */
	const char *summary; /* for --help: "delivers events by …", one sentence */
	const char *admin;   /* PAYBELL_ADMIN's default: "127.0.0.1:9181" */
	const char *nice;    /* PAYBELL_NICE's default; NULL: "0" */
	/* The service's own, ended by rows == NULL; service_main adds LOG_LEVEL, ADMIN,
	 * INSTANCE, NICE and DRAIN_TIMEOUT. */
	const struct setting_table *tables;
	void *context; /* given to check and start; usually the settings */

	/* What a single setting's limits cannot say; changes nothing outside. May be
	 * NULL. -1 ends with exit code 2; `--check` stops after it. */
	int (*check)(void *context, struct err *e);
	/* The service's state, given to the functions below; NULL with *e filled ends
	 * with exit code 1 (and `stop` is not called). */
	void *(*start)(struct service_run *run, void *context, struct err *e);
	/* Whether it can do its work now; if not, reason gets why, in a few words without
	 * contact data. NULL: always. */
	bool (*ready)(void *state, char reason[ADMIN_REASON_SIZE]);
	/* Begins to drain; NULL: nothing to finish. */
	void (*drain)(void *state);
	/* Frees the state. May not be NULL. */
	void (*stop)(void *state);
	/* More on the admin port: true when it took the request (and then answers it like
	 * any handler). NULL: nothing. */
	bool (*admin_request)(void *state, struct http_request *r);
};

int service_main(const struct service *service, int argc, char **argv);

struct loop *service_loop(const struct service_run *run);
struct admin *service_admin(const struct service_run *run);

/* PAYBELL_INSTANCE, or "<host name>-<service>". [A-Za-z0-9._-]{1,64}. */
const char *service_instance(const struct service_run *run);

/* From `start` only: adds " name=value" to the READY line. */
void service_ready_field(struct service_run *run, const char *name, const char *value);

/* All that was taken is finished. Loop's thread; also from inside of `drain`; harmless
 * when nobody drains. */
void service_drained(struct service_run *run);

/* It cannot go on: logs, then drains and ends as at SIGTERM, with exit code 1. Any
 * thread, from `start` on. */
void service_fail(struct service_run *run, const struct err *e);

#endif
