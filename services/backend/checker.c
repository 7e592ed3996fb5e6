/* Design
 *
 * A check of the whole finds more than one of each table: a page that two tables claim,
 * the list of free pages. But it holds one snapshot for as long as it takes, which keeps
 * the log from starting over. Before anything is served there is no log to speak of, so
 * that is when the whole is tried; if its time is over the thread is interrupted and goes
 * on in the other way. The log still comes first then: a table whose check was given up
 * for it is begun anew after a pause, which doubles each time, since a table that is
 * larger than what the load leaves room for can only be read when the load is less. */
#include "backend/checker.h"

#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/monitor.h"
#include "store/check.h"
#include "store/store.h"

#define INTERRUPT_EVERY_MS 10

#define PAUSE_MS     1000
#define PAUSE_MAX_MS (15 * 60 * 1000)

enum state { LOOKS_AT_ALL, IN_BACKGROUND, PASSED, DAMAGED, GAVE_UP };

struct checker {
	struct checker_settings settings;
	struct check *check;
	pthread_t thread;
	struct monitor monitor; /* over the rest */
	enum state state;
	bool stopping;
	bool reading; /* in the background: holds a snapshot */
	bool first_over, ended;
	struct err e; /* DAMAGED: what was found; GAVE_UP: why */
};

static struct metric running, damaged, given_way_total;

static void register_metrics(void)
{
	metrics_register(&running, METRIC_GAUGE, "paybell_integrity_check_running", NULL,
			 "1 while the database is checked after an unclean stop.");
	metrics_register(&damaged, METRIC_GAUGE, "paybell_integrity_check_failed", NULL,
			 "1 when the check has found the database damaged.");
	metrics_register(&given_way_total, METRIC_COUNTER,
			 "paybell_integrity_check_given_way_total", NULL,
			 "Tables whose check was put off because the write-ahead log "
			 "was at its maximum.");
}

static void enter(struct checker *c, enum state state, const struct err *e)
{
	monitor_lock(&c->monitor);
	c->state = state;
	if (e != NULL)
		c->e = *e;
	monitor_wake(&c->monitor);
	monitor_unlock(&c->monitor);
	metric_set(&running, state == IN_BACKGROUND);
	metric_set(&damaged, state == DAMAGED);
}

/* ---- the thread ---- */

/* False: the end. */
static bool begin_reading(struct checker *c)
{
	bool go_on;

	monitor_lock(&c->monitor);
	go_on = !c->stopping;
	c->reading = go_on;
	monitor_unlock(&c->monitor);
	return go_on;
}

static void end_reading(struct checker *c)
{
	monitor_lock(&c->monitor);
	c->reading = false;
	monitor_unlock(&c->monitor);
}

static void pause_for(struct checker *c, int64_t pause_ms)
{
	int64_t until_us = clock_mono_us() + pause_ms * US_PER_MS;

	monitor_lock(&c->monitor);
	while (!c->stopping && monitor_wait_until(&c->monitor, until_us))
		;
	monitor_unlock(&c->monitor);
}

/* 0 all were read, -1. ERR_CLOSED: the end. */
static int read_tables(struct checker *c, struct err *e)
{
	int64_t pause_ms = PAUSE_MS;
	int rc = 1;

	while (rc == 1) {
		if (!begin_reading(c))
			return err_set(e, ERR_CLOSED, "stopped");
		rc = check_step(c->check, e);
		end_reading(c);
		if (rc >= 0 || e->code != ERR_CLOSED)
			continue;
		metric_add(&given_way_total, 1);
		log_info("check.gives_way", "table=%s pause_ms=%lld",
			 check_table(c->check), (long long)pause_ms);
		pause_for(c, pause_ms);
		pause_ms = pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS;
		rc = 1;
	}
	return rc;
}

static enum state judge(struct checker *c, int rc, struct err *e, int64_t began_us)
{
	long long took_ms = (clock_mono_us() - began_us) / US_PER_MS;

	if (rc == 0) {
		log_info("check.passed", "took_ms=%lld", took_ms);
		return PASSED;
	}
	if (e->code == ERR_CORRUPT) {
		store_explain(c->settings.database, e);
		log_error("check.failed", "error=\"%s\"", e->text);
		return DAMAGED;
	}
	/* The next start takes it up again. */
	log_warn("check.unfinished", "error=\"%s\"", e->text);
	return GAVE_UP;
}

static void *run(void *arg)
{
	struct checker *c = arg;
	struct err e = ERR_INIT;
	int64_t began_us = clock_mono_us();
	bool in_background;
	enum state end;
	int rc = check_all(c->check, &e);

	monitor_lock(&c->monitor);
	in_background = c->state == IN_BACKGROUND;
	c->first_over = true;
	monitor_wake(&c->monitor);
	monitor_unlock(&c->monitor);
	if (rc < 0 && e.code == ERR_CLOSED && in_background) {
		log_warn("check.goes_on", "took_ms=%lld",
			 (long long)(clock_mono_us() - began_us) / US_PER_MS);
		rc = read_tables(c, &e);
	}
	end = judge(c, rc, &e, began_us);
	enter(c, end, &e);
	if (end == DAMAGED && in_background)
		c->settings.damaged(c->settings.arg, &e);
	monitor_lock(&c->monitor);
	c->ended = true;
	monitor_wake(&c->monitor);
	monitor_unlock(&c->monitor);
	return NULL;
}

/* ---- its owner ---- */

/* Only a statement that runs can be interrupted, and this one may be just about to. */
static void interrupt_until(struct checker *c, const bool *over)
{
	monitor_lock(&c->monitor);
	while (!*over) {
		check_stop(c->check);
		monitor_wait_until(&c->monitor,
				   clock_mono_us() + INTERRUPT_EVERY_MS * US_PER_MS);
	}
	monitor_unlock(&c->monitor);
}

/* True: the first look is over. False: its time was. */
static bool wait_for_first(struct checker *c)
{
	int64_t until_us = clock_mono_us() + c->settings.first_ms * US_PER_MS;
	bool over;

	monitor_lock(&c->monitor);
	while (c->state == LOOKS_AT_ALL && monitor_wait_until(&c->monitor, until_us))
		;
	over = c->state != LOOKS_AT_ALL;
	if (!over)
		c->state = IN_BACKGROUND;
	monitor_unlock(&c->monitor);
	return over;
}

static int first_look(struct checker *c, struct err *e)
{
	if (!wait_for_first(c)) {
		metric_set(&running, 1);
		interrupt_until(c, &c->first_over);
		return 0;
	}
	if (c->state == PASSED)
		return 0;
	*e = c->e;
	return -1;
}

int checker_start(struct checker **out, const struct checker_settings *settings,
		  struct err *e)
{
	struct checker *c = mem_alloc(sizeof *c);

	register_metrics();
	c->settings = *settings;
	if (check_new(&c->check, settings->database, e) < 0) {
		mem_free(c);
		return store_explain(settings->database, e);
	}
	monitor_init(&c->monitor);
	log_info("check.begins", "limit_ms=%lld", (long long)settings->first_ms);
	if (pthread_create(&c->thread, NULL, run, c) != 0) {
		monitor_release(&c->monitor);
		check_free(c->check);
		mem_free(c);
		return err_set(e, ERR_IO, "the checker's thread cannot be started");
	}
	if (first_look(c, e) == 0) {
		*out = c;
		return 0;
	}
	checker_stop(c);
	return -1;
}

void checker_stop(struct checker *c)
{
	if (c == NULL)
		return;
	monitor_lock(&c->monitor);
	c->stopping = true;
	monitor_wake(&c->monitor);
	monitor_unlock(&c->monitor);
	interrupt_until(c, &c->ended);
	pthread_join(c->thread, NULL);
	check_free(c->check);
	monitor_release(&c->monitor);
	mem_free(c);
}

void checker_give_way(struct checker *c)
{
	bool reading;

	if (c == NULL)
		return;
	monitor_lock(&c->monitor);
	reading = c->reading;
	monitor_unlock(&c->monitor);
	if (reading)
		check_stop(c->check);
}

bool checker_passed(struct checker *c)
{
	bool passed;

	if (c == NULL)
		return true;
	monitor_lock(&c->monitor);
	passed = c->state == PASSED;
	monitor_unlock(&c->monitor);
	return passed;
}

bool checker_ready(struct checker *c, char *reason, size_t size)
{
	bool ready;

	if (c == NULL)
		return true;
	monitor_lock(&c->monitor);
	ready = c->state != DAMAGED;
	if (!ready)
		snprintf(reason, size, "%s", c->e.text);
	monitor_unlock(&c->monitor);
	return ready;
}
