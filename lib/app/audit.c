/* Why what an audit finds is lost
 *
 * The difficulty: "open in the database" lags behind Redis. What became of a delivery
 * leaves its worker as XACK + XDEL + XADD attempts:log in one MULTI, so it stands in the
 * log before it stands in the database, and the backend takes an entry off the log only
 * after its commit. What waited in the ledger goes the other way: XADD first, then the
 * wait is taken off its row. So the two sides are never seen at one instant, and what is
 * asked, and when, has to make up for it:
 *
 *  0. how the candidates stand in the database: open, not waiting, with so many records
 *     and such a time of its last replay (proof_mark);
 *  1. the cursor: what is above it is the feeder's. What is up to it was committed
 *     before, and was fed, or passed over because it had ended or was waiting by then;
 *  2. all of the stream, a page after the other;
 *  3. the newest id of attempts:log;
 *  4. wait until nothing in the log is as old as that: all that was said up to then is
 *     in the database now;
 *  5. how the candidates stand in the database, again.
 *
 * What is open and not waiting in 0 and in 5, with the same records and the same replay,
 * and was not seen in 2, is lost:
 *
 *  - An entry that is there at the moment of the last page is seen, whatever moves
 *    meanwhile. New ones are appended at the end, and an id is read after its entry was
 *    added, for ids only rise. That covers a worker that replaces an entry of an event
 *    by another one of it, the newer by the older too: whichever it kept is seen.
 *  - So at that moment it had no entry. An entry goes away with a record in the log, or
 *    because its event's outcome stands in the log or in the database already. Such a
 *    record would be in the database by 5, and count; but there are as many as in 0. So
 *    it was as open at that moment as it was in 0, and waited for nothing: a wait comes
 *    with a record, or with a replay.
 *  - It was not on its way into the stream either. In 0 it did not wait, so a hand-out,
 *    which ends with taking the wait off, was over; the feeder feeds only what is above
 *    the cursor, also while it recovers, for append and cursor move in one script.
 *
 * To ask 0 about everything that is open would be to read a backlog twice. So there are
 * two passes: the first leaves 0 out, and step 5 is a walk through what is open. What it
 * leaves are candidates: the few that were handed out meanwhile, and what is lost. The
 * second pass is the proof.
 *
 * All of it holds only while Redis forgets nothing: after a wipe the records of the log
 * are lost, and the stream is filled again from what the ledger says. A connection that
 * went down ends the audit, because with it may have gone the server and its last second.
 * A wipe under a live connection is seen by a name that is set before the first step and
 * must be there after the last one, together with a cursor that has not gone back.
 *
 * What was refused: one script that does it all (a million entries stop Redis for a
 * second), and a time that candidates are given to come right (it proves nothing).
 *
 * Known limits: at most SUSPECTS_MAX candidates an audit; those of a stream that was
 * deleted whole are found in several. */
#include "app/audit.h"

#include <stdio.h>
#include <string.h>

#include "app/cursor.h"
#include "app/sequences.h"
#include "app/suspects.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "wire/event.h"

enum {
	PAGE = 1000, /* entries of the stream */
	LOG_POLL_MS = 50,
	ENTRY_ID_SIZE = 48,
};

#define WITNESS_TEXT "600000" /* ms: longer than an audit takes */

/* A step of an audit: what the timer goes on with. */
typedef void step_fn(struct audit *a);

struct audit {
	struct audit_settings settings;
	struct suspects *suspects;
	struct redis_args *args;
	struct loop_timer *timer;
	step_fn *next;
	bool goes_on, proving; /* proving: the second pass */

	char channel[CHANNEL_NAME_MAX + 1];
	struct bus_name queue, cursor_name, witness;
	char page_after[ENTRY_ID_SIZE], log_id[ENTRY_ID_SIZE];
	int64_t log_until_us;
	struct sequences stream;
	int64_t cursor; /* at the beginning */
	size_t entries; /* in the first pass */
};

static void read_page(struct audit *a);
static void read_log(struct audit *a);
static void poll_log(struct audit *a);
static void walk(struct audit *a);
static void mark(struct audit *a);
static void prove(struct audit *a);
static void look_back(struct audit *a);

static void on_timer(void *arg)
{
	struct audit *a = arg;

	a->next(a);
}

int audit_new(struct audit **out, const struct audit_settings *settings, struct err *e)
{
	struct audit *a = mem_alloc(sizeof *a);

	a->settings = *settings;
	if (suspects_new(&a->suspects, settings->store, e) < 0) {
		audit_free(a);
		return -1;
	}
	a->args = redis_args_new();
	a->timer = loop_timer_new(settings->loop, on_timer, a);
	sequences_init(&a->stream);
	*out = a;
	return 0;
}

void audit_free(struct audit *a)
{
	if (a == NULL)
		return;
	suspects_free(a->suspects);
	redis_args_free(a->args);
	loop_timer_free(a->timer);
	sequences_release(&a->stream);
	mem_free(a);
}

bool audit_goes_on(const struct audit *a)
{
	return a->goes_on;
}

/* ---- its end ---- */

static void stop(struct audit *a)
{
	loop_timer_stop(a->timer);
	/* Keeps no memory that only the largest stream needed. */
	sequences_release(&a->stream);
	redis_sendl(a->settings.redis, NULL, NULL, "DEL", a->witness.text, NULL);
	a->goes_on = false;
}

static void end(struct audit *a)
{
	struct audit_result result = {
		.cursor = a->cursor,
		.open = suspects_open(a->suspects),
		.entries = a->entries,
		.more = suspects_are_cut(a->suspects),
	};

	result.found = suspects_left(a->suspects, &result.found_count);
	stop(a);
	a->settings.fn(a->settings.arg, &result, NULL);
}

static void give_up(struct audit *a, const struct err *e)
{
	stop(a);
	a->settings.fn(a->settings.arg, NULL, e);
}

static void give_up_because(struct audit *a, enum err_code code, const char *why)
{
	struct err e = ERR_INIT;

	err_set(&e, code, "channel %s: %s", a->channel, why);
	give_up(a, &e);
}

void audit_lost(struct audit *a)
{
	if (a->goes_on)
		give_up_because(a, ERR_CLOSED, "the connection to Redis was lost");
}

/* The next step, after everybody else on the loop. */
static void go_on_after(struct audit *a, int ms, step_fn *next)
{
	a->next = next;
	loop_timer_start(a->timer, ms, 0);
}

/* False: the answer is none, and the audit was given up. */
static bool is_answer(struct audit *a, const struct redisReply *reply,
		      const struct err *e)
{
	if (reply == NULL)
		give_up(a, e);
	else if (redis_kind(reply) == REDIS_KIND_ERROR)
		give_up_because(a, ERR_IO, redis_text(reply, NULL));
	else
		return true;
	return false;
}

static void ask(struct audit *a, redis_reply_fn *fn)
{
	if (redis_send(a->settings.redis, a->args, fn, a) < 0)
		give_up_because(a, ERR_CLOSED, "there is no connection to Redis");
}

static void begin_command(struct audit *a, const char *command, const char *key)
{
	redis_args_clear(a->args);
	redis_args_text(a->args, command);
	redis_args_text(a->args, key);
}

/* ---- the cursor, at the beginning and at the end ---- */

/* The sequence, or -1 and the audit was given up. */
static int64_t take_cursor(struct audit *a, const struct redisReply *reply)
{
	int64_t at = cursor_read(redis_text(redis_at(reply, 0), NULL),
				 a->settings.store->ledger_id);

	if (redis_kind(redis_at(reply, 1)) != REDIS_KIND_NIL && at >= 0)
		return at;
	if (redis_kind(redis_at(reply, 1)) == REDIS_KIND_NIL)
		give_up_because(a, ERR_CONFLICT, "Redis was wiped meanwhile");
	else if (at == CURSOR_MISSING)
		give_up_because(a, ERR_NOT_FOUND,
				"there is no cursor: it was not fed yet, or Redis was "
				"wiped");
	else
		give_up_because(a, ERR_CONFLICT, "the cursor is another ledger's");
	return -1;
}

static void ask_for_cursor(struct audit *a, redis_reply_fn *fn)
{
	begin_command(a, "MGET", a->cursor_name.text);
	redis_args_text(a->args, a->witness.text);
	ask(a, fn);
}

static void on_last_cursor(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct audit *a = arg;
	int64_t at;

	if (!is_answer(a, reply, e))
		return;
	at = take_cursor(a, reply);
	if (at >= a->cursor)
		end(a);
	else if (at >= 0)
		give_up_because(a, ERR_CONFLICT, "its cursor went back meanwhile");
}

static void look_back(struct audit *a)
{
	ask_for_cursor(a, on_last_cursor);
}

static void begin_pass(struct audit *a, bool proving)
{
	a->proving = proving;
	sequences_clear(&a->stream);
	a->page_after[0] = '\0';
	read_page(a);
}

static void on_first_cursor(void *arg, const struct redisReply *reply,
			    const struct err *e)
{
	struct audit *a = arg;

	if (!is_answer(a, reply, e))
		return;
	a->cursor = take_cursor(a, reply);
	if (a->cursor < 0)
		return;
	suspects_begin(a->suspects, a->channel, a->cursor);
	begin_pass(a, false);
}

static void on_witness(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct audit *a = arg;

	if (is_answer(a, reply, e))
		ask_for_cursor(a, on_first_cursor);
}

static void leave_witness(struct audit *a)
{
	begin_command(a, "SET", a->witness.text);
	redis_args_text(a->args, "1");
	redis_args_text(a->args, "PX");
	redis_args_text(a->args, WITNESS_TEXT);
	ask(a, on_witness);
}

void audit_start(struct audit *a, const char *channel)
{
	const struct bus *bus = a->settings.bus;
	uint64_t number;
	char word[17];

	random_bytes(&number, sizeof number);
	snprintf(word, sizeof word, "%016llx", (unsigned long long)number);
	mem_copy_text(a->channel, sizeof a->channel, channel);
	bus_queue(&a->queue, bus, channel);
	bus_cursor(&a->cursor_name, bus, channel);
	bus_audit(&a->witness, bus, channel, word);
	a->goes_on = true;
	go_on_after(a, 0, leave_witness);
}

/* ---- the stream ---- */

static bool take_entry(struct audit *a, const struct redisReply *entry)
{
	const struct redisReply *fields = redis_at(entry, 1);
	int64_t sequence = -1;

	for (size_t i = 0; i + 1 < redis_count(fields); i += 2) {
		if (strcmp(redis_text(redis_at(fields, i), NULL), BUS_FIELD_SEQUENCE) ==
		    0)
			sequence =
				sequence_parse(redis_text(redis_at(fields, i + 1), NULL));
	}
	return sequence < 0 || sequences_add(&a->stream, sequence);
}

static void on_page(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct audit *a = arg;
	size_t count = redis_count(reply);

	if (!is_answer(a, reply, e))
		return;
	for (size_t i = 0; i < count; i++) {
		if (take_entry(a, redis_at(reply, i)))
			continue;
		give_up_because(a, ERR_FULL, "its stream is too long to be looked at");
		return;
	}
	if (count == PAGE) {
		mem_copy_text(a->page_after, sizeof a->page_after,
			      redis_text(redis_at(redis_at(reply, count - 1), 0), NULL));
		read_page(a);
		return;
	}
	sequences_seal(&a->stream);
	if (!a->proving)
		a->entries = sequences_count(&a->stream);
	read_log(a);
}

static void read_page(struct audit *a)
{
	begin_command(a, "XRANGE", a->queue.text);
	redis_args_textf(a->args, "%s%s", a->page_after[0] == '\0' ? "-" : "(",
			 a->page_after);
	redis_args_text(a->args, "+");
	redis_args_text(a->args, "COUNT");
	redis_args_int(a->args, PAGE);
	ask(a, on_page);
}

/* ---- attempts:log ---- */

static void go_to_ledger(struct audit *a)
{
	go_on_after(a, 0, a->proving ? prove : walk);
}

static void on_log(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct audit *a = arg;

	if (!is_answer(a, reply, e))
		return;
	if (redis_count(reply) == 0) {
		go_to_ledger(a);
		return;
	}
	mem_copy_text(a->log_id, sizeof a->log_id,
		      redis_text(redis_at(redis_at(reply, 0), 0), NULL));
	a->log_until_us = clock_mono_us() + a->settings.log_wait_ms * US_PER_MS;
	poll_log(a);
}

static void read_log(struct audit *a)
{
	begin_command(a, "XREVRANGE", a->settings.bus->attempts_log.text);
	redis_args_text(a->args, "+");
	redis_args_text(a->args, "-");
	redis_args_text(a->args, "COUNT");
	redis_args_int(a->args, 1);
	ask(a, on_log);
}

static void on_oldest(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct audit *a = arg;

	if (!is_answer(a, reply, e))
		return;
	if (redis_count(reply) == 0)
		go_to_ledger(a);
	else if (clock_mono_us() >= a->log_until_us)
		give_up_because(a, ERR_TIMEOUT,
				"the backend takes no attempt records in");
	else
		go_on_after(a, LOG_POLL_MS, poll_log);
}

static void poll_log(struct audit *a)
{
	begin_command(a, "XRANGE", a->settings.bus->attempts_log.text);
	redis_args_text(a->args, "-");
	redis_args_text(a->args, a->log_id);
	redis_args_text(a->args, "COUNT");
	redis_args_int(a->args, 1);
	ask(a, on_oldest);
}

/* ---- the ledger ---- */

/* What comes after a slice: the same again, or `next`. */
static void end_slice(struct audit *a, int rc, step_fn *again, step_fn *next,
		      const struct err *e)
{
	if (rc < 0)
		give_up(a, e);
	else if (rc == 1)
		go_on_after(a, 0, again);
	else
		next(a);
}

/* With nobody under suspicion there is nothing to prove. */
static void mark_or_end(struct audit *a)
{
	size_t count;

	suspects_left(a->suspects, &count);
	go_on_after(a, 0, count > 0 ? mark : look_back);
}

static void walk(struct audit *a)
{
	struct err e = ERR_INIT;
	int rc = suspects_walk(a->suspects, &a->stream, &e);

	end_slice(a, rc, walk, mark_or_end, &e);
}

static void read_again(struct audit *a)
{
	begin_pass(a, true);
}

static void mark(struct audit *a)
{
	struct err e = ERR_INIT;
	int rc = suspects_mark(a->suspects, &e);

	end_slice(a, rc, mark, read_again, &e);
}

static void prove(struct audit *a)
{
	struct err e = ERR_INIT;
	int rc = suspects_prove(a->suspects, &a->stream, &e);

	end_slice(a, rc, prove, look_back, &e);
}
