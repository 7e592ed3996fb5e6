/* paybell ledger adopt: Redis begins again with this ledger.
 *
 * A restored database has a ledger id of its own, and Redis knows the cursors of the one
 * that it was copied from: the backend refuses them, for it may be another installation
 * that uses these names. Here somebody says that it is not. What goes is each channel's
 * stream and cursor; the backend finds the cursor missing within a second, and feeds what
 * is open from the ledger. Entries and cursor go together, and only if the cursor still
 * is the one that was shown: one that moves meanwhile is fed by somebody else. */
#include <string.h>

#include "app/bus.h"
#include "app/cursor.h"
#include "base/mem.h"
#include "cli/ask.h"
#include "store/proof.h"
#include "wire/json.h"

#define FOUND_SIZE 96

const struct option ledger_adopt_options[] = {
	{"--yes", NULL, "do it; without, it is only shown what would be done"},
	{NULL, NULL, NULL},
};

/* KEYS: the cursor, the stream. ARGV[1]: what the cursor was. Answers 0: it is not that
 * any more. */
static const char SCRIPT[] = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end "
			     "redis.call('DEL', KEYS[1], KEYS[2]) return 1";

enum state { STATE_OURS, STATE_MISSING, STATE_FOREIGN, STATE_AHEAD };

/* One channel's cursor, or the bell's. */
struct place {
	char channel[CHANNEL_NAME_MAX + 1];
	struct bus_name cursor, queue;
	char found[FOUND_SIZE];
	enum state state;
	int64_t entries;
	bool deleted;
};

struct adoption {
	struct cli *cli;
	struct bus bus;
	struct ask ask;
	struct store store;
	struct proof *proof;
	struct place places[BUS_CHANNELS_MAX + 1];
	int count, foreign;
	int64_t number;
};

/* ---- what there is ---- */

static void add_place(void *arg, const char *channel, int64_t first_event)
{
	struct adoption *a = arg;
	struct place *p;

	(void)first_event;
	if (a->count > BUS_CHANNELS_MAX)
		return;
	p = &a->places[a->count++];
	mem_copy_text(p->channel, sizeof p->channel, channel);
	bus_cursor(&p->cursor, &a->bus, channel);
	bus_queue(&p->queue, &a->bus, channel);
}

static void take_cursor(void *arg, const struct redisReply *reply)
{
	struct place *p = arg;

	mem_copy_text(p->found, sizeof p->found, redis_text(reply, NULL));
}

static void take_number(void *arg, const struct redisReply *reply)
{
	int64_t *number = arg;

	*number = redis_int(reply);
}

static void ignore_world(void *arg, const char *currency, int64_t balance_minor)
{
	(void)arg;
	(void)currency;
	(void)balance_minor;
}

static enum state judge(const struct adoption *a, const struct place *p, int64_t head)
{
	int64_t at = cursor_read(p->found, a->store.ledger_id);

	if (at == CURSOR_MISSING)
		return STATE_MISSING;
	if (at == CURSOR_FOREIGN)
		return STATE_FOREIGN;
	return at > head ? STATE_AHEAD : STATE_OURS;
}

/* The head after the cursor: it only rises. */
static int look_at(struct adoption *a, struct place *p, struct err *e)
{
	int64_t head;

	ask_words(&a->ask, "GET", p->cursor.text, NULL);
	if (ask_it(&a->ask, take_cursor, p, e) < 0)
		return -1;
	ask_words(&a->ask, "XLEN", p->queue.text, NULL);
	if (ask_it(&a->ask, take_number, &p->entries, e) < 0)
		return -1;
	head = proof_head(a->proof, ignore_world, NULL, e);
	p->state = judge(a, p, head);
	a->foreign += p->state == STATE_FOREIGN || p->state == STATE_AHEAD;
	return head < 0 ? -1 : 0;
}

static int look(struct adoption *a, struct err *e)
{
	if (proof_channels(a->proof, add_place, a, e) < 0)
		return -1;
	add_place(a, BUS_LIVE, 0);
	for (int i = 0; i < a->count; i++) {
		if (look_at(a, &a->places[i], e) < 0)
			return -1;
	}
	return 0;
}

/* ---- what is done ---- */

static int adopt_one(struct adoption *a, struct place *p, struct err *e)
{
	int64_t deleted = 0;

	if (p->state != STATE_FOREIGN && p->state != STATE_AHEAD)
		return 0;
	ask_words(&a->ask, "EVAL", SCRIPT, "2", p->cursor.text, p->queue.text, p->found,
		  NULL);
	if (ask_it(&a->ask, take_number, &deleted, e) < 0)
		return -1;
	p->deleted = deleted == 1;
	if (!p->deleted)
		return err_set(e, ERR_CONFLICT,
			       "the cursor of %s moves: another backend feeds this "
			       "Redis, stop it first",
			       p->channel);
	return 0;
}

static int adopt(struct adoption *a, struct err *e)
{
	for (int i = 0; i < a->count; i++) {
		if (adopt_one(a, &a->places[i], e) < 0)
			return -1;
	}
	return 0;
}

/* ---- what is said ---- */

static const char *describe(const struct place *p)
{
	if (p->deleted)
		return "deleted";
	switch (p->state) {
	case STATE_OURS:
		return "of this ledger, stays";
	case STATE_MISSING:
		return "no cursor, is fed when the backend runs";
	case STATE_FOREIGN:
		return "of another ledger";
	case STATE_AHEAD:
		return "ahead of this ledger";
	}
	return "";
}

static void print_text(struct adoption *a, bool done)
{
	struct ink *k = &a->cli->ink;

	ink_rawf(k, "ledger %s\n", a->store.ledger_id);
	for (int i = 0; i < a->count; i++) {
		const struct place *p = &a->places[i];

		ink_raw(k, "  ");
		ink_cell(k, TINT_STRONG, p->channel, CHANNEL_NAME_MAX + 1);
		ink_rawf(k, "%9lld entries  ", (long long)p->entries);
		ink_text(k, TINT_NONE, p->found[0] != '\0' ? p->found : "-");
		ink_rawf(k, "  %s\n", describe(p));
	}
	if (a->foreign == 0)
		ink_raw(k, "nothing to adopt\n");
	else if (done)
		ink_raw(k, "adopted: the backend feeds all that is open again\n");
	else
		ink_rawf(k,
			 "%d cursor%s would be deleted, with the stream; --yes does it\n",
			 a->foreign, a->foreign == 1 ? "" : "s");
}

static void print_json(struct adoption *a)
{
	static const char *const states[] = {"ours", "missing", "foreign", "ahead"};
	struct json_writer w;

	json_writer_init(&w, &a->cli->text);
	json_open(&w, NULL, '{');
	json_put_text(&w, "ledger_id", a->store.ledger_id);
	json_open(&w, "cursors", '[');
	for (int i = 0; i < a->count; i++) {
		const struct place *p = &a->places[i];

		json_open(&w, NULL, '{');
		json_put_text(&w, "channel", p->channel);
		json_put_text(&w, "cursor", p->found);
		json_put_int(&w, "entries", p->entries);
		json_put_text(&w, "state", states[p->state]);
		json_put_bool(&w, "deleted", p->deleted);
		json_close(&w, '}');
	}
	json_close(&w, ']');
	json_close(&w, '}');
	buf_add_char(&a->cli->text, '\n');
}

/* What was deleted before a failure is said as well. */
static int run(struct adoption *a, struct err *e)
{
	bool yes = args_has(&a->cli->args, "--yes");
	int rc = look(a, e);

	if (rc < 0)
		return -1;
	if (yes)
		rc = adopt(a, e);
	if (a->cli->args.json)
		print_json(a);
	else
		print_text(a, yes && rc == 0);
	return rc == 0 && (yes || a->foreign == 0) ? 0 : -1;
}

enum cli_exit ledger_adopt_run(struct cli *c, struct err *e)
{
	struct adoption *a = mem_alloc(sizeof *a);
	int rc = -1;

	a->cli = c;
	bus_init(&a->bus, c->settings.common.redis_prefix);
	if (store_open_reader(&a->store, c->settings.common.database, e) < 0)
		err_wrap(e, "PAYBELL_DATABASE");
	else if (proof_new(&a->proof, &a->store, e) == 0 &&
		 ask_open(&a->ask, c, "paybell-adopt", e) == 0)
		rc = run(a, e);
	ask_close(&a->ask);
	proof_free(a->proof);
	store_close(&a->store);
	mem_free(a);
	return rc == 0 ? CLI_OK : CLI_FAILED;
}
