/* Order matters at both ends. Up: the committer first (it makes the database), then who
 * reads it, and the API last. Down: the API takes nothing new and finishes what it has,
 * which needs the committer; then the committer stops, and only then those whose jobs it
 * may have held. */
#include "backend/backend.h"

#include <string.h>

#include "app/admin.h"
#include "backend/answer.h"
#include "backend/api.h"
#include "backend/feeder.h"
#include "backend/housekeeper.h"
#include "backend/intake.h"
#include "backend/reads_intake.h"
#include "backend/sweep.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/transaction.h"

#define IDLE_TIMEOUT_S 75
#define DRAIN_POLL_MS  10

struct backend {
	struct service_run *run;
	const struct backend_settings *settings;
	struct bus bus;
	struct api api;
	struct bus_channels removed; /* since the last start */
	struct claim claim;
	struct checker *checker;
	struct committer *committer;
	struct housekeeper *housekeeper;
	struct feeder *feeder;
	struct log_reader *intake, *reads;
	struct sweep *sweep;
	struct http_server *server;
	struct loop_timer *drain_timer;
};

int backend_check(void *context, struct err *e)
{
	return backend_settings_check(context, e);
}

static void after_batch(void *arg, int64_t head)
{
	struct backend *b = arg;

	http_answer_flush(b->server);
	feeder_head(b->feeder, head);
}

/* Committer's or checker's thread. */
static void on_damaged(void *arg, const struct err *e)
{
	struct backend *b = arg;

	service_fail(b->run, e);
}

static int start_checker(struct backend *b, struct err *e)
{
	struct checker_settings settings = {
		.database = b->settings->common.database,
		.first_ms = b->settings->check_wait_ms,
		.damaged = on_damaged,
		.arg = b,
	};

	return checker_start(&b->checker, &settings, e);
}

/* New channels begin at the newest event: their history is not sent. What is open for
 * channels that are gone ends here. */
struct declaration {
	struct job job;
	const struct bus_channels *channels;
	struct bus_channels *removed;
};

static void note_removed(void *arg, const char *channel)
{
	struct bus_channels *removed = arg;

	if (removed->count < BUS_CHANNELS_MAX)
		mem_copy_text(removed->names[removed->count++], sizeof removed->names[0],
			      channel);
}

static int declare_apply(struct job *j, struct books *b, int64_t now_us, struct err *e)
{
	struct declaration *d = container_of(j, struct declaration, job);
	const char *names[BUS_CHANNELS_MAX + 1] = {NULL};

	for (int i = 0; i < d->channels->count; i++)
		names[i] = d->channels->names[i];
	if (channels_undeclared(b->channels, names, note_removed, d->removed, e) < 0)
		return -1;
	for (int i = 0; i < d->removed->count; i++) {
		log_warn("backend.channel_removed", "channel=%s", d->removed->names[i]);
		if (channels_remove(b->channels, d->removed->names[i], now_us, e) < 0)
			return -1;
	}
	return channels_declare(b->channels, names, ledger_head(b->ledger), e);
}

static int start_committer(struct backend *b, struct err *e)
{
	const struct backend_settings *s = b->settings;
	struct declaration declaration = {.job.apply = declare_apply,
					  .channels = &b->api.channels,
					  .removed = &b->removed};
	struct committer_settings settings = {
		.database = s->common.database,
		.queue_max = (int)s->commit_queue_max,
		.batch_max = (int)s->batch_max,
		.first = &declaration.job,
		.after_batch = after_batch,
		.damaged = on_damaged,
		.arg = b,
	};

	if (committer_open(&b->committer, &settings, e) == 0)
		return 0;
	return store_explain(s->common.database, e);
}

static int start_housekeeper(struct backend *b, struct err *e)
{
	struct housekeeper_settings settings = {
		.database = b->settings->common.database,
		.wal_max_bytes = b->settings->wal_max,
		.channels = &b->api.channels,
		.committer = b->committer,
		.claim = &b->claim,
		.checker = b->checker,
	};

	return housekeeper_start(&b->housekeeper, &settings, e);
}

static int start_feeder(struct backend *b, struct err *e)
{
	struct feeder_settings settings = {
		.loop = service_loop(b->run),
		.common = &b->settings->common,
		.bus = &b->bus,
		.channels = &b->api.channels,
		.removed = &b->removed,
		.naming = &b->api.naming,
		.committer = b->committer,
		.queue_max = b->settings->queue_max,
	};

	return feeder_start(&b->feeder, &settings, e);
}

static int start_intake(struct backend *b, struct err *e)
{
	struct log_reader_settings settings = {
		.loop = service_loop(b->run),
		.common = &b->settings->common,
		.stream = b->bus.attempts_log.text,
		.committer = b->committer,
	};

	if (intake_start(&b->intake, &settings, e) < 0)
		return -1;
	settings.stream = b->bus.reads_log.text;
	return reads_intake_start(&b->reads, &settings, e);
}

static int start_sweep(struct backend *b, struct err *e)
{
	struct sweep_settings settings = {
		.common = &b->settings->common,
		.bus = &b->bus,
		.channels = &b->api.channels,
		.every_ms = b->settings->sweep_every_ms,
		.queue_max = b->settings->queue_max,
	};

	return sweep_start(&b->sweep, &settings, e);
}

static int start_server(struct backend *b, struct err *e)
{
	const struct backend_settings *s = b->settings;
	struct http_server_settings settings = {
		.listen = s->listen,
		.threads = (int)s->http_threads,
		.max_connections = (int)s->max_connections,
		.max_body_bytes = TRANSACTION_BODY_MAX,
		.idle_timeout_s = IDLE_TIMEOUT_S,
		.handler = api_handle,
		.on_fault = api_fault,
		.arg = &b->api,
	};

	return http_server_start(&b->server, &settings, e);
}

static int init_api(struct backend *b, struct err *e)
{
	const struct backend_settings *s = b->settings;

	b->api.settings = s;
	b->api.admin = service_admin(b->run);
	b->api.naming = (struct event_naming){s->event_source, s->event_type_prefix};
	b->api.readers = readers_new(s->common.database);
	b->api.underway = underway_new();
	api_register_metrics();
	bus_init(&b->bus, s->common.redis_prefix);
	if (auth_init(&b->api.auth, s->api_keys, e) < 0)
		return -1;
	return bus_channels_parse(&b->api.channels, s->channels, e);
}

static int start_all(struct backend *b, struct err *e)
{
	if (init_api(b, e) < 0 ||
	    claim_take(&b->claim, b->settings->common.database, e) < 0)
		return -1;
	if (!b->claim.clean && start_checker(b, e) < 0)
		return -1;
	if (start_committer(b, e) < 0)
		return -1;
	b->api.committer = b->committer;
	if (start_feeder(b, e) < 0)
		return -1;
	b->api.feeder = b->feeder;
	if (start_intake(b, e) < 0 || start_sweep(b, e) < 0 || start_server(b, e) < 0)
		return -1;
	/* From here on jobs are committed: everybody that a batch tells is there. */
	if (committer_start(b->committer, e) < 0)
		return -1;
	return start_housekeeper(b, e);
}

void *backend_start(struct service_run *run, void *context, struct err *e)
{
	struct backend *b = mem_alloc(sizeof *b);

	b->run = run;
	b->settings = context;
	if (start_all(b, e) < 0) {
		backend_stop(b);
		return NULL;
	}
	service_ready_field(run, "api", http_server_address(b->server));
	return b;
}

bool backend_ready(void *state, char reason[ADMIN_REASON_SIZE])
{
	struct backend *b = state;
	const char *why;

	if (!checker_ready(b->checker, reason, ADMIN_REASON_SIZE) ||
	    !committer_ready(b->committer, reason, ADMIN_REASON_SIZE))
		return false;
	if (feeder_ready(b->feeder, &why))
		return true;
	mem_copy_text(reason, ADMIN_REASON_SIZE, why);
	return false;
}

/* Finished when nothing waits for its commit; what is committed and not fed yet stays in
 * the ledger for the next start. */
static void poll_drain(void *arg)
{
	struct backend *b = arg;

	if (http_server_open_requests(b->server) > 0 || committer_load(b->committer) > 0)
		return;
	loop_timer_stop(b->drain_timer);
	service_drained(b->run);
}

void backend_drain(void *state)
{
	struct backend *b = state;

	http_server_quiesce(b->server);
	log_reader_drain(b->intake);
	log_reader_drain(b->reads);
	housekeeper_stop(b->housekeeper);
	b->housekeeper = NULL;
	sweep_stop(b->sweep);
	b->sweep = NULL;
	b->drain_timer = loop_timer_new(service_loop(b->run), poll_drain, b);
	loop_timer_start(b->drain_timer, 0, DRAIN_POLL_MS);
}

/* After everybody who has the database open. */
static void release_claim(struct backend *b, bool clean)
{
	struct err e = ERR_INIT;

	if (clean && claim_mark_clean(&b->claim, b->settings->common.database, &e) < 0)
		log_warn("backend.not_marked", "error=\"%s\"", e.text);
	claim_release(&b->claim);
}

void backend_stop(void *state)
{
	struct backend *b = state;
	bool sound = checker_passed(b->checker);

	checker_stop(b->checker);
	housekeeper_stop(b->housekeeper);
	sweep_stop(b->sweep);
	/* The committer commits what it has and so answers it, which the server's end
	 * waits for. */
	committer_drain(b->committer);
	if (b->server != NULL)
		http_server_stop(b->server);
	/* The log is needed once more if it was not moved well. */
	sound = committer_close(b->committer, !b->claim.unsettled) && sound;
	feeder_stop(b->feeder);
	log_reader_stop(b->intake);
	log_reader_stop(b->reads);
	loop_timer_free(b->drain_timer);
	readers_free(b->api.readers);
	underway_free(b->api.underway);
	release_claim(b, sound);
	mem_free(b);
}
