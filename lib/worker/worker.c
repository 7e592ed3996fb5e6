/* A worker's life: settings, connections, the tick, readiness, draining.
 *
 * Nothing here waits for anything: Redis, the name, the database and the provider may
 * come and go in any order. When the first three are there the intake begins (intake.c);
 * when Redis has not answered for as long as a claim takes, others may have taken what we
 * hold, so nothing is sent until a scan has shown what is still ours. */
#include "worker/worker.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "worker/core.h"

enum {
	TICK_MS = 1000,
	RENEW_NAME_TICKS = 3,
	/* Two beats of `transactions:head` may be late. */
	BELL_SILENCE_MS = 3 * BUS_HEAD_MS + 500,
	REDIS_CONNECT_MS = 3000,
};

/* clang-format off */
#define ROW(name, kind, field, fallback, min, max, help) \
	{name, kind, offsetof(struct worker_settings, field), fallback, min, max, NULL, help}

static const struct setting rows[] = {
	ROW("WINDOW", SETTING_INT, window, "256", 1, 65536,
	    "Deliveries taken from the stream that could go at once."),
	ROW("CONNECTIONS", SETTING_INT, connections, "32", 1, 1024,
	    "Requests at the provider at once, each on a connection of its own."),
	ROW("HELD_MAX", SETTING_INT, held_max, "4096", 1, 1000000,
	    "Deliveries held here, those that wait for their next attempt included."),
	ROW("CLAIM_IDLE", SETTING_DURATION, claim_idle_ms, "30s", 3000, 3600000,
	    "What a worker has not renewed for this long, others take over."),
	ROW("RETRY_MIN", SETTING_DURATION, retry_min_ms, "500ms", 1, 3600000,
	    "The longest wait after the first attempt; it doubles with each."),
	ROW("RETRY_MAX", SETTING_DURATION, retry_max_ms, "60s", 1, 86400000,
	    "The longest wait after any attempt."),
	ROW("ATTEMPTS_MAX", SETTING_INT, attempts_max, "10", 1, 1000,
	    "Attempts before a delivery has failed."),
	ROW("EXPIRES", SETTING_DURATION, expires_ms, "24h", 1000, 2592000000,
	    "A message that is older than this is not sent any more."),
	ROW("RATE", SETTING_INT, rate, "0", 0, 1000000,
	    "Messages a second that the provider is sent at most; 0: no limit."),
	ROW("RATE_BURST", SETTING_INT, rate_burst, "10", 1, 1000000,
	    "Messages that may go at once after a pause, when there is a PAYBELL_RATE."),
	ROW("RETRY_SHARE", SETTING_INT, retry_share, "20", 0, 100,
	    "Retries in a hundred first attempts, beside PAYBELL_RETRY_RATE."),
	ROW("RETRY_RATE", SETTING_INT, retry_rate, "10", 1, 100000,
	    "Retries a second, beside PAYBELL_RETRY_SHARE."),
	ROW("PROBE_MIN", SETTING_DURATION, probe_min_ms, "1s", 10, 3600000,
	    "How long after an outage was noticed the provider is asked again; it "
	    "doubles each time."),
	ROW("PROBE_MAX", SETTING_DURATION, probe_max_ms, "30s", 10, 3600000,
	    "The longest time between two such probes."),
	ROW("ATTEMPTS_LOG_MAX", SETTING_INT, attempts_log_max, "100000", 100, 1000000000,
	    "Entries (of up to 16 records) that the backend has not taken in yet, at which "
	    "nothing more is sent."),
	ROW("CONNECT_TIMEOUT", SETTING_DURATION, connect_timeout_ms, "5s", 10, 600000,
	    "For a connection to the provider."),
	ROW("SEND_TIMEOUT", SETTING_DURATION, send_timeout_ms, "15s", 10, 600000,
	    "For one request to the provider, connecting included."),
	ROW("CA_FILE", SETTING_TEXT, ca_file, "", 0, 1024,
	    "Certificates to trust (PEM); empty: the system's."),
	ROW("TEMPLATES", SETTING_TEXT, templates, "/usr/share/paybell/templates", 1, 512,
	    "The folder of the texts: <locale>/<channel>/<event type>.<part>."),
	ROW("LOCALE", SETTING_TEXT, locale, "en", 2, LOCALE_MAX,
	    "The language of those whose own there are no texts in."),
	SETTING_END,
};
/* clang-format on */

/* ---- coming and going ---------------------------------------------------------------*/

/* Every third of the time that a claim takes all is renewed; when that is refused two
 * thirds are left. */
bool worker_is_alive(const struct worker *w)
{
	int64_t claim_us = w->settings.claim_idle_ms * US_PER_MS;
	int64_t now_us = clock_mono_us();

	return now_us - w->alive_us < claim_us &&
	       (w->unrenewed_us == 0 || now_us - w->unrenewed_us < claim_us / 3 * 2);
}

static void look_begin(struct worker *w)
{
	if (w->intake.mode != INTAKE_OFF || w->draining || !redis_is_up(w->redis) ||
	    !instance_is_held(w->instance))
		return;
	recipient_open(w);
	if (w->database_open)
		intake_begin(w);
}

static void on_name_held(void *arg)
{
	look_begin(arg);
}

static void on_name_taken(void *arg, const struct err *e)
{
	struct worker *w = arg;

	w->trusted = false;
	intake_stop(w);
	service_fail(w->run, e);
}

static void on_name_released(void *arg)
{
	struct worker *w = arg;

	service_drained(w->run);
}

static void on_down(void *arg)
{
	struct worker *w = arg;

	if (w->redis_was_up)
		metric_add(&w->tally.reconnects, 1);
	w->redis_was_up = false;
	intake_stop(w);
	instance_lost_connection(w->instance);
}

/* An event, or the head: which is said once a second, and when something came back into
 * a stream that is no new event. */
static void on_bell(void *arg, const char *channel, const char *bytes, size_t len)
{
	intake_want(arg);
}

static void on_transport_ready(void *arg)
{
	struct worker *w = arg;

	loop_task_want(w->loop, &w->pump_task);
	admin_refresh(service_admin(w->run));
}

static void on_pump(void *arg)
{
	struct worker *w = arg;

	delivery_pump(w);
	if (delivery_room(w) > 0 && w->intake.wanted)
		intake_want(w);
}

static void on_parked(void *arg)
{
	delivery_wake_parked(arg);
}

/* ---- once a second ------------------------------------------------------------------*/

static void on_backlog(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct worker *w = arg;

	if (redis_kind(reply) == REDIS_KIND_INT)
		metric_set(&w->tally.backlog, redis_int(reply));
}

static void on_log_length(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct worker *w = arg;
	bool full;

	if (!reply)
		return;
	/* The answer is as young as the question: the process may have slept since. */
	w->alive_us = w->asked_us;
	full = redis_int(reply) > w->settings.attempts_log_max;
	if (full != w->log_full)
		log_warn("worker.attempts_log", "full=%d length=%lld", full,
			 (long long)redis_int(reply));
	w->log_full = full;
	look_begin(w);
}

static void ask_lengths(struct worker *w)
{
	w->asked_us = clock_mono_us();
	redis_sendl(w->redis, on_backlog, w, "XLEN", w->queue.text, NULL);
	redis_sendl(w->redis, on_log_length, w, "XLEN", w->bus.attempts_log.text, NULL);
}

static void on_up(void *arg)
{
	struct worker *w = arg;

	w->redis_was_up = true;
	w->intake.reading = w->intake.creating = w->intake.claiming = false;
	instance_claim(w->instance);
	settle_resume(w);
	ask_lengths(w);
}

static void set_gauges(struct worker *w)
{
	metric_set(&w->tally.in_flight, (int64_t)w->states[DELIVERY_FLYING]);
	metric_set(&w->tally.parked, (int64_t)w->states[DELIVERY_PARKED]);
	metric_set(&w->tally.due, (int64_t)w->states[DELIVERY_DUE]);
	metric_set(&w->tally.held, (int64_t)map_count(w->held));
	metric_set(&w->tally.unconfirmed, (int64_t)w->settle.unconfirmed);
}

static void on_tick(void *arg)
{
	struct worker *w = arg;

	set_gauges(w);
	if (w->trusted && !worker_is_alive(w)) {
		log_warn("worker.silence", "held=%zu", map_count(w->held));
		w->trusted = false;
		intake_stop(w);
	}
	delivery_free_lanes(w);
	recipient_open(w);
	ask_lengths(w);
	if (++w->ticks % RENEW_NAME_TICKS == 0)
		instance_claim(w->instance);
	if (w->trusted && instance_is_held(w->instance))
		lease_renew(w);
	/* What is ours and was let go of is found by going through it again. */
	if (w->lease_refused && w->intake.mode == INTAKE_NEW && !w->draining) {
		w->lease_refused = false;
		intake_begin(w);
	}
	if (!w->draining) {
		look_begin(w);
		intake_claim(w);
		intake_want(w);
	}
	loop_task_want(w->loop, &w->pump_task);
	worker_look_drained(w);
}

/* ---- the skeleton's -----------------------------------------------------------------*/

static int check(void *context, struct err *e)
{
	struct worker *w = context;
	const struct worker_settings *s = &w->settings;

	if (s->retry_min_ms > s->retry_max_ms)
		return err_set(e, ERR_INVALID,
			       "PAYBELL_RETRY_MIN is more than PAYBELL_RETRY_MAX");
	if (s->probe_min_ms > s->probe_max_ms)
		return err_set(e, ERR_INVALID,
			       "PAYBELL_PROBE_MIN is more than PAYBELL_PROBE_MAX");
	if (w->transport->check && w->transport->check(w->state, e) < 0)
		return -1;
	return texts_load(&w->texts, s->templates, w->transport->channel,
			  w->transport->parts, s->locale, e);
}

static int connect_redis(struct worker *w, struct err *e)
{
	const struct common_settings *c = &w->settings.common;
	const char *const channels[] = {w->bus.transactions.text, w->bus.head.text, NULL};
	char name[CHANNEL_NAME_MAX + 16], bell[CHANNEL_NAME_MAX + 16];
	struct redis_settings s = {c->redis, name, REDIS_CONNECT_MS,
				   (int)c->redis_timeout_ms};

	snprintf(name, sizeof(name), "paybell-%s", w->transport->channel);
	if (redis_new(&w->redis, w->loop, &s, on_up, on_down, w, e) < 0)
		return err_wrap(e, "PAYBELL_REDIS");
	snprintf(bell, sizeof(bell), "paybell-%s-bell", w->transport->channel);
	s.client_name = bell;
	if (redis_new(&w->bell, w->loop, &s, NULL, NULL, w, e) < 0)
		return err_wrap(e, "PAYBELL_REDIS");
	redis_subscribe(w->bell, channels, on_bell, w, BELL_SILENCE_MS);
	return 0;
}

static void open_parts(struct worker *w)
{
	const struct worker_settings *s = &w->settings;
	const struct transfer_engine_settings engine = {(int)s->connections, s->ca_file};

	w->retry = (struct retry_policy){s->retry_min_ms, s->retry_max_ms,
					 (int)s->attempts_max};
	w->consumer = service_instance(w->run);
	bus_init(&w->bus, s->common.redis_prefix);
	bus_queue(&w->queue, &w->bus, w->transport->channel);
	list_init(&w->renewals);
	list_init(&w->ready);
	list_init(&w->retries);
	heap_init(&w->parked);
	w->held = map_new();
	w->lanes = lanes_new();
	w->args = redis_args_new();
	buf_init(&w->scratch, TRANSPORT_SCRATCH_MAX);
	loop_task_init(&w->pump_task, on_pump, w);
	w->parked_timer = loop_timer_new(w->loop, on_parked, w);
	w->tick = loop_timer_new(w->loop, on_tick, w);
	loop_timer_start(w->tick, TICK_MS, TICK_MS);
	w->engine = transfer_engine_new(w->loop, &engine);
	tally_init(&w->tally, w->transport->channel);
	intake_init(w);
	settle_init(w);
	gate_init(w);
}

static void open_instance(struct worker *w)
{
	const struct instance_hooks hooks = {on_name_held, on_name_taken,
					     on_name_released, w};
	struct bus_name key;

	bus_instance(&key, &w->bus, w->transport->channel, w->consumer);
	w->instance = instance_new(w->loop, w->redis, key.text, &hooks);
}

static void forget_all(struct worker *w)
{
	const char *key;
	size_t len;
	void *value;

	for (size_t cursor = 0; map_next(w->held, &cursor, &key, &len, &value);
	     cursor = 0)
		delivery_forget(w, value);
}

static void stop(void *state)
{
	struct worker *w = state;

	if (w->transport->stop)
		w->transport->stop(w->state);
	transfer_engine_free(w->engine);
	redis_free(w->bell);
	redis_free(w->redis);
	instance_free(w->instance);
	forget_all(w);
	settle_release(w);
	gate_release(w);
	loop_task_cancel(&w->pump_task);
	loop_task_cancel(&w->intake.task);
	loop_timer_free(w->tick);
	loop_timer_free(w->parked_timer);
	recipient_close(w);
	redis_args_free(w->args);
	buf_release(&w->scratch);
	heap_release(&w->parked);
	lanes_free(w->lanes);
	map_free(w->held);
}

static void *start(struct service_run *run, void *context, struct err *e)
{
	struct worker *w = context;

	w->run = run;
	w->loop = service_loop(run);
	open_parts(w);
	if (connect_redis(w, e) < 0)
		goto failed;
	open_instance(w);
	if (w->transport->start && w->transport->start(w->state, w->loop, w->engine,
						       on_transport_ready, w, e) < 0)
		goto failed;
	recipient_open(w);
	return w;
failed:
	stop(w);
	return NULL;
}

static bool ready(void *state, char reason[ADMIN_REASON_SIZE])
{
	struct worker *w = state;
	const char *why = NULL;

	if (!redis_is_up(w->redis) || !redis_is_up(w->bell))
		why = "no connection to Redis";
	else if (!w->database_open)
		why = "the database is not there";
	else if (!instance_is_held(w->instance))
		why = "waits for its name";
	else if (!w->trusted)
		why = "goes through what it holds";
	else if (w->transport->ready && !w->transport->ready(w->state))
		why = "waits for access to the provider";
	if (why)
		mem_copy_text(reason, ADMIN_REASON_SIZE, why);
	return !why;
}

void worker_look_drained(struct worker *w)
{
	if (w->draining && w->states[DELIVERY_FLYING] == 0 && settle_idle(w))
		instance_release(w->instance);
}

/* What was not begun stays pending: whoever comes next finds it, without its lease. */
static void drain(void *state)
{
	struct worker *w = state;

	w->draining = true;
	intake_stop(w);
	delivery_forget_idle(w, false);
	worker_look_drained(w);
}

int worker_main(const struct transport *transport, int argc, char **argv)
{
	struct worker *w = mem_alloc(sizeof(*w));
	void *transport_state = mem_alloc(transport->state_size);
	const struct setting_table tables[] = {
		{rows, &w->settings},
		{common_setting_rows, &w->settings.common},
		{transport->settings, transport_state},
		{NULL, NULL},
	};
	int rc;

	w->transport = transport;
	w->state = transport_state;
	rc = service_main(&(struct service){.name = transport->channel,
					    .summary = transport->summary,
					    .admin = transport->admin,
					    .nice = "5",
					    .tables = tables,
					    .context = w,
					    .check = check,
					    .start = start,
					    .ready = ready,
					    .drain = drain,
					    .stop = stop},
			  argc, argv);
	texts_free(w->texts);
	mem_free(w->state);
	mem_free(w);
	return rc;
}
