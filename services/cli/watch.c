/* paybell watch: what happens now, as Redis tells it.
 *
 * Events come over the channel `transactions`, attempts over `deliveries`. Both forget
 * whoever is not there: what happens while the connection is down is not shown, and that
 * is said. The ledger has it: paybell show, paybell user list-events. */
#include <signal.h>
#include <string.h>

#include "app/bus.h"
#include "cli/cli.h"
#include "cli/line.h"
#include "io/redis.h"

#define CONNECT_TIMEOUT_MS 3000
#define SILENCE_MS         10000

const struct option watch_options[] = {
	{"--user", "USER", "only what is this person's"},
	{NULL, NULL, NULL},
};

struct watch {
	struct cli *cli;
	struct bus bus;
	const char *user_id; /* NULL: everybody's */
	bool up;
	bool lost; /* there was a connection, and it went */
	bool told; /* that there is none */
	bool unread;
};

static void on_up(void *arg)
{
	struct watch *w = arg;

	cli_note(w->lost ? "watching again; what happened meanwhile is not shown"
			 : "watching, until Ctrl-C");
	w->up = true;
	w->told = false;
}

static void on_down(void *arg)
{
	struct watch *w = arg;

	w->lost |= w->up;
	w->up = false;
	if (!w->told)
		cli_note("no connection to Redis; trying again and again");
	w->told = true;
}

static void on_signal(void *arg)
{
	struct watch *w = arg;

	loop_stop(w->cli->loop);
}

static bool is_wanted(const struct watch *w, const char *user_id)
{
	return w->user_id == NULL || strcmp(w->user_id, user_id) == 0;
}

static void put(struct watch *w, const char *bytes, size_t len)
{
	struct cli *c = w->cli;

	if (c->args.json) {
		ink_json(&c->text, bytes, len);
		buf_add_char(&c->text, '\n');
	}
	if (cli_flush(c))
		return;
	w->unread = true;
	loop_stop(c->loop);
}

static void take_event(struct watch *w, const char *bytes, size_t len)
{
	struct err e = ERR_INIT;
	struct event ev;

	if (event_decode(&ev, bytes, len, &e) < 0) {
		cli_note("an event that cannot be read: %s", e.text);
	} else if (is_wanted(w, ev.user_id)) {
		if (!w->cli->args.json)
			line_event(&w->cli->ink, &ev, false);
		put(w, bytes, len);
	}
}

static void take_attempt(struct watch *w, const char *bytes, size_t len)
{
	struct err e = ERR_INIT;
	struct attempt a;

	if (attempt_decode(&a, bytes, len, &e) < 0) {
		cli_note("an attempt that cannot be read: %s", e.text);
	} else if (is_wanted(w, a.user_id)) {
		if (!w->cli->args.json)
			line_attempt(&w->cli->ink, &a);
		put(w, bytes, len);
	}
}

static void on_message(void *arg, const char *channel, const char *bytes, size_t len)
{
	struct watch *w = arg;

	if (strcmp(channel, w->bus.transactions.text) == 0)
		take_event(w, bytes, len);
	else if (strcmp(channel, w->bus.deliveries.text) == 0)
		take_attempt(w, bytes, len);
}

static int subscribe(struct watch *w, struct redis **redis, struct err *e)
{
	const struct cli_settings *s = &w->cli->settings;
	const struct redis_settings settings = {
		.url = s->common.redis,
		.client_name = "paybell-watch",
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.command_timeout_ms = (int)s->common.redis_timeout_ms,
	};
	const char *const channels[] = {w->bus.transactions.text, w->bus.deliveries.text,
					NULL};

	if (redis_new(redis, w->cli->loop, &settings, on_up, on_down, w, e) < 0)
		return err_wrap(e, "PAYBELL_REDIS");
	redis_subscribe(*redis, channels, on_message, w, SILENCE_MS);
	return 0;
}

enum cli_exit watch_run(struct cli *c, struct err *e)
{
	struct watch w = {.cli = c, .user_id = args_value(&c->args, "--user")};
	struct loop_signal *interrupt, *term;
	struct redis *redis;

	bus_init(&w.bus, c->settings.common.redis_prefix);
	if (subscribe(&w, &redis, e) < 0)
		return CLI_USAGE;
	interrupt = loop_signal_new(c->loop, SIGINT, on_signal, &w);
	term = loop_signal_new(c->loop, SIGTERM, on_signal, &w);
	loop_run(c->loop);
	loop_signal_free(interrupt);
	loop_signal_free(term);
	redis_free(redis);
	return w.unread ? CLI_FAILED : CLI_OK;
}
