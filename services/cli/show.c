/* paybell show: what became of a transaction. */
#include "cli/show.h"

#include <string.h>

#include "base/clock.h"
#include "base/setting.h"
#include "cli/timeline.h"
#include "cli/tree.h"

#define POLL_FIRST_MS 10
#define POLL_MAX_MS   500

const struct option show_options[] = {
	{"--wait", NULL, "wait until every channel has ended"},
	{"--timeout", "TIME", "how long to wait: 60s, 5m (default " SHOW_TIMEOUT ")"},
	{NULL, NULL, NULL},
};

static void end_loop(void *arg)
{
	loop_stop(arg);
}

static void pause_for(struct cli *c, int64_t ms)
{
	struct loop_timer *t = loop_timer_new(c->loop, end_loop, c->loop);

	loop_timer_start(t, ms, 0);
	loop_run(c->loop);
	loop_timer_free(t);
}

int show_timeout(const struct cli *c, int64_t *timeout_ms, struct err *e)
{
	static const struct setting row = {"timeout", SETTING_DURATION, 0,    NULL,
					   0,         24 * 3600 * 1000, NULL, NULL};
	const char *text = args_value(&c->args, "--timeout");
	struct buf why;
	bool good;

	buf_init(&why, sizeof e->text);
	good = setting_read(&row, text != NULL ? text : SHOW_TIMEOUT, timeout_ms, &why);
	if (!good)
		err_set(e, ERR_INVALID, "--timeout%s", buf_text(&why));
	buf_release(&why);
	return good ? 0 : -1;
}

static struct timeline *fetch(struct cli *c, const char *id, int tries, struct buf *body,
			      struct err *e)
{
	struct api_request request = {.method = "GET", .tries = tries};
	struct timeline *t = NULL;
	struct buf path;

	buf_init(&path, 4096);
	buf_add_text(&path, "/transactions/");
	api_segment(&path, id);
	request.path = buf_text(&path);
	if (api_call(c->api, &request, body, e) == 0)
		t = timeline_read(buf_text(body), body->len, e);
	buf_release(&path);
	return t;
}

/* Asks again and again, ever more slowly. What it returns has ended, or its time is
 * over. */
static struct timeline *await(struct cli *c, const char *id, int64_t timeout_ms,
			      struct buf *body, struct err *e)
{
	int64_t until_us = clock_mono_us() + timeout_ms * US_PER_MS;
	int64_t pause_ms = POLL_FIRST_MS;

	for (;;) {
		struct timeline *t =
			fetch(c, id, timeout_ms > 0 ? API_TRIES : 1, body, e);

		if (t == NULL || timeline_open(t) == 0 || clock_mono_us() >= until_us)
			return t;
		timeline_free(t);
		pause_for(c, pause_ms);
		pause_ms =
			pause_ms * 3 / 2 < POLL_MAX_MS ? pause_ms * 3 / 2 : POLL_MAX_MS;
	}
}

/* When it was waited for, an end that is none, or a bad one, is a failure. */
static enum cli_exit judge(const struct timeline *t, struct err *e)
{
	size_t open = timeline_open(t), failed = timeline_count(t, "failed");

	if (open > 0)
		err_set(e, ERR_TIMEOUT, "%zu deliver%s not ended in time", open,
			open == 1 ? "y has" : "ies have");
	else if (failed > 0)
		err_set(e, ERR_IO, "%zu deliver%s failed", failed,
			failed == 1 ? "y" : "ies");
	return open > 0 || failed > 0 ? CLI_FAILED : CLI_OK;
}

enum cli_exit show_transaction(struct cli *c, const char *id, struct err *e)
{
	bool wait = args_has(&c->args, "--wait");
	enum cli_exit code = CLI_OK;
	int64_t timeout_ms = 0;
	struct timeline *t;
	struct buf body;

	if (wait && show_timeout(c, &timeout_ms, e) < 0)
		return CLI_USAGE;
	buf_init(&body, API_ANSWER_MAX);
	t = await(c, id, timeout_ms, &body, e);
	if (t == NULL) {
		buf_release(&body);
		return CLI_FAILED;
	}
	if (c->args.json)
		cli_put_json(c, &body);
	else
		tree_render(&c->ink, t);
	cli_flush(c);
	if (wait)
		code = judge(t, e);
	timeline_free(t);
	buf_release(&body);
	return code;
}

enum cli_exit show_run(struct cli *c, struct err *e)
{
	return show_transaction(c, args_operand(&c->args, 0), e);
}
