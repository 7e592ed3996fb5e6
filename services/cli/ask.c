#include "cli/ask.h"

#include <stdarg.h>

#define CONNECT_TIMEOUT_MS 3000

static void end(void *arg)
{
	ask_end(arg);
}

static void on_up(void *arg)
{
	struct ask *a = arg;

	a->up = true;
	ask_end(a);
}

static void on_down(void *arg)
{
	struct ask *a = arg;

	if (a->up)
		a->lost = true;
	if (a->lost && a->on_lost != NULL)
		a->on_lost(a->on_lost_arg);
}

static int wait_up(struct ask *a, struct err *e)
{
	ask_pause(a, CONNECT_TIMEOUT_MS);
	return a->up ? 0
		     : err_set(e, ERR_TIMEOUT,
			       "PAYBELL_REDIS: there is no connection to Redis");
}

int ask_open(struct ask *a, struct cli *c, const char *client_name, struct err *e)
{
	const struct redis_settings settings = {
		.url = c->settings.common.redis,
		.client_name = client_name,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.command_timeout_ms = (int)c->settings.common.redis_timeout_ms,
	};

	*a = (struct ask){.loop = c->loop};
	if (redis_new(&a->redis, c->loop, &settings, on_up, on_down, a, e) < 0)
		return err_wrap(e, "PAYBELL_REDIS");
	a->args = redis_args_new();
	if (wait_up(a, e) == 0)
		return 0;
	ask_close(a);
	return -1;
}

void ask_close(struct ask *a)
{
	redis_free(a->redis);
	redis_args_free(a->args);
	a->redis = NULL;
	a->args = NULL;
}

void ask_words(struct ask *a, const char *first, ...)
{
	va_list words;

	redis_args_clear(a->args);
	va_start(words, first);
	for (const char *word = first; word != NULL; word = va_arg(words, const char *))
		redis_args_text(a->args, word);
	va_end(words);
}

static void on_answer(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct ask *a = arg;

	if (reply != NULL)
		a->take(a->take_arg, reply);
	else
		a->error = *e;
	ask_end(a);
}

int ask_it(struct ask *a, void (*take)(void *arg, const struct redisReply *reply),
	   void *arg, struct err *e)
{
	a->take = take;
	a->take_arg = arg;
	a->error = (struct err)ERR_INIT;
	if (a->lost || redis_send(a->redis, a->args, on_answer, a) < 0)
		return err_set(e, ERR_CLOSED, "the connection to Redis was lost");
	ask_wait(a);
	if (a->error.code == ERR_NONE)
		return 0;
	*e = a->error;
	return -1;
}

/* Whatever ends first. */
void ask_pause(struct ask *a, int ms)
{
	struct loop_timer *timer = loop_timer_new(a->loop, end, a);

	loop_timer_start(timer, ms, 0);
	ask_wait(a);
	loop_timer_free(timer);
}

void ask_wait(struct ask *a)
{
	a->over = false;
	while (!a->over)
		loop_run(a->loop);
}

void ask_end(struct ask *a)
{
	a->over = true;
	loop_stop(a->loop);
}
