/* Two sorts of threads: the main one has Redis and asks the database what was missed (the
 * hub); the engine's have the connections, each with a room of its own. A batch of the
 * hub goes to every engine thread as a letter. */
#include "gateway/gateway.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "gateway/hub.h"
#include "gateway/local.h"
#include "gateway/plain.h"
#include "gateway/route.h"
#include "gateway/sio_live.h"
#include "gateway/tally.h"
#include "gateway/web.h"

#define DRAIN_POLL_MS 20

struct gateway {
	struct service_run *run;
	const struct gateway_settings *settings;
	struct bus bus;
	struct event_naming naming;
	struct shared shared;
	struct engine *engine;
	struct web *web;
	struct hub *hub;
	struct redis *commands; /* read marks and presence */
	struct loop_timer *tick;
};

static const struct route routes[] = {
	{"/ws", &plain_protocol, NULL},
	{"/socket.io/", &eio_socket_protocol, &sio_live_protocol},
	{NULL, NULL, NULL},
};

int gateway_check(void *context, struct err *e)
{
	return gateway_settings_check(context, e);
}

/* ---- the hub's batches to the rooms ---- */

struct telling {
	struct letter letter;
	struct batch *batch;
};

static void on_telling(struct thread *t, struct letter *l)
{
	struct telling *g = container_of(l, struct telling, letter);
	struct local *local = thread_its(t);

	if (local)
		room_tell(local->room, t, g->batch);
	else
		batch_unref(g->batch);
	mem_free(g);
}

static void tell(void *arg, struct batch *b)
{
	struct gateway *g = arg;

	for (int i = 0; i < engine_threads(g->engine); i++) {
		struct telling *telling = mem_alloc(sizeof(*telling));

		telling->letter.fn = on_telling;
		telling->batch = batch_ref(b);
		if (thread_post(engine_thread(g->engine, i), &telling->letter))
			continue;
		batch_unref(telling->batch);
		mem_free(telling);
	}
	batch_unref(b);
}

static void known(void *arg)
{
	struct gateway *g = arg;

	reader_open(g->shared.reader);
}

static void speaks(void *arg, bool out[DIALECT_COUNT])
{
	struct gateway *g = arg;

	for (int d = 0; d < DIALECT_COUNT; d++)
		out[d] = atomic_load(&g->shared.speaking[d]) > 0;
}

/* ---- the engine's threads ---- */

static void thread_begin(void *arg, struct thread *t, void **its)
{
	struct gateway *g = arg;
	struct local *l = mem_alloc(sizeof(*l));

	l->shared = &g->shared;
	l->room = room_new();
	room_watch(l->room, presence_note, g->shared.presence);
	list_init(&l->socketio);
	*its = l;
}

static void thread_end(void *arg, struct thread *t, void *its)
{
	struct local *l = its;

	room_free(l->room);
	mem_free(l);
}

static void give_away(void *arg, int fd)
{
	struct gateway *g = arg;

	web_take(g->web, fd);
}

static int start_web(struct gateway *g, struct err *e)
{
	const struct web_settings settings = {.admin = service_admin(g->run),
					      .pages = g->settings->pages,
					      .metrics = g->settings->metrics};

	if (web_start(&g->web, &settings, e) < 0)
		return err_wrap(e, "PAYBELL_GATEWAY_PAGES");
	return 0;
}

static int start_engine(struct gateway *g, struct err *e)
{
	const struct gateway_settings *s = g->settings;
	const struct engine_settings settings = {
		.listen = s->listen,
		.threads = (int)s->threads,
		.max_connections = (int)s->max_connections,
		.max_of_address = (int)s->max_of_address,
		.queue_max_bytes = (size_t)s->queue_max_bytes,
		.handshake_s = (int)(s->handshake_ms / 1000),
		.ping_s = (int)(s->ping_ms / 1000),
		.messages_max = (int)s->messages_max,
		.head_max_bytes = HTTP_HEAD_MAX_DEFAULT,
		.routes = routes,
		.give_away = give_away,
		.thread_begin = thread_begin,
		.thread_end = thread_end,
		.arg = g,
	};

	return engine_start(&g->engine, &settings, e);
}

/* ---- its life ---- */

static void on_tick(void *arg)
{
	struct gateway *g = arg;

	metric_set(&tally.connections, engine_connections(g->engine));
}

static void init_shared(struct gateway *g)
{
	const struct gateway_settings *s = g->settings;

	g->shared.access = (struct access_settings){s->jwt_secret, s->jwt_old_secret,
						    s->jwt_audience, s->origins};
	g->shared.per_user_max = (int)s->max_of_user;
	g->shared.auth_timeout_s = (int)(s->auth_timeout_ms / 1000);
	g->shared.restart_spread_ms = s->restart_spread_ms;
	g->shared.query_token = s->query_token;
}

static void on_commands_up(void *arg)
{
	struct gateway *g = arg;

	presence_up(g->shared.presence);
}

/* Before the engine: its threads have something to say. */
static int start_telling(struct gateway *g, struct err *e)
{
	const struct common_settings *common = &g->settings->common;
	const struct redis_settings redis = {
		.url = common->redis,
		.client_name = "paybell-gateway-commands",
		.connect_timeout_ms = (int)common->redis_timeout_ms,
		.command_timeout_ms = (int)common->redis_timeout_ms,
	};
	struct presence_settings presence = {
		.loop = service_loop(g->run),
		.bus = &g->bus,
		.instance = service_instance(g->run),
		.ttl_ms = g->settings->presence_ttl_ms,
	};

	if (redis_new(&g->commands, presence.loop, &redis, on_commands_up, NULL, g, e) <
	    0)
		return err_wrap(e, "PAYBELL_REDIS");
	presence.commands = g->commands;
	presence_start(&g->shared.presence, &presence);
	reads_start(&g->shared.reads, presence.loop, g->commands, &g->bus);
	return 0;
}

static int start_all(struct gateway *g, struct err *e)
{
	const struct reader_settings reader = {g->settings->common.database, &g->naming,
					       g->settings->resume_max};
	const struct hub_settings hub = {
		.loop = service_loop(g->run),
		.common = &g->settings->common,
		.bus = &g->bus,
		.naming = &g->naming,
		.tell = tell,
		.known = known,
		.speaks = speaks,
		.arg = g,
	};

	if (reader_start(&g->shared.reader, &reader, e) < 0 || start_telling(g, e) < 0 ||
	    start_web(g, e) < 0 || start_engine(g, e) < 0)
		return -1;
	return hub_start(&g->hub, &hub, e);
}

void *gateway_start(struct service_run *run, void *context, struct err *e)
{
	struct gateway *g = mem_alloc(sizeof(*g));

	g->run = run;
	g->settings = context;
	g->naming = (struct event_naming){g->settings->event_source,
					  g->settings->event_type_prefix};
	bus_init(&g->bus, g->settings->common.redis_prefix);
	init_shared(g);
	if (start_all(g, e) < 0) {
		gateway_stop(g);
		return NULL;
	}
	g->tick = loop_timer_new(service_loop(run), on_tick, g);
	loop_timer_start(g->tick, 1000, 1000);
	service_ready_field(run, "ws", engine_address(g->engine));
	return g;
}

bool gateway_ready(void *state, char reason[ADMIN_REASON_SIZE])
{
	struct gateway *g = state;
	const char *why;

	if (hub_ready(g->hub, &why))
		return true;
	mem_copy_text(reason, ADMIN_REASON_SIZE, why);
	return false;
}

/* ---- draining ---- */

static void on_drain(struct thread *t, struct letter *l)
{
	sio_live_drain(t);
	plain_drain(t);
	mem_free(l);
}

static void poll_drain(void *arg)
{
	struct gateway *g = arg;

	if (engine_connections(g->engine) > 0 || !presence_idle(g->shared.presence) ||
	    !reads_idle(g->shared.reads))
		return;
	loop_timer_stop(g->tick);
	service_drained(g->run);
}

void gateway_drain(void *state)
{
	struct gateway *g = state;

	atomic_store(&g->shared.draining, true);
	engine_quiesce(g->engine);
	for (int i = 0; i < engine_threads(g->engine); i++) {
		struct letter *l = mem_alloc(sizeof(*l));

		l->fn = on_drain;
		if (!thread_post(engine_thread(g->engine, i), l))
			mem_free(l);
	}
	loop_timer_free(g->tick);
	g->tick = loop_timer_new(service_loop(g->run), poll_drain, g);
	loop_timer_start(g->tick, 0, DRAIN_POLL_MS);
}

void gateway_stop(void *state)
{
	struct gateway *g = state;

	loop_timer_free(g->tick);
	hub_stop(g->hub);
	reader_stop(g->shared.reader);
	engine_stop(g->engine);
	web_stop(g->web);
	reader_free(g->shared.reader);
	redis_free(g->commands);
	reads_stop(g->shared.reads);
	presence_stop(g->shared.presence);
	mem_free(g);
}
