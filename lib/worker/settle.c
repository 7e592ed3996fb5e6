/* Outcomes, on their way to Redis.
 *
 * The promise: what came of a message is kept until Redis has confirmed it. The outcomes
 * of a few milliseconds go out in one MULTI … EXEC (nobody waits for them, and one for
 * each message costs a fifth of a worker's time): the entries are acknowledged and
 * deleted (one XACK and one XDEL for all), their leases are given back, and the records
 * are put into attempts:log and published. Either all of that happened or none of it.
 *
 * When the connection breaks before EXEC's answer nobody knows which: the batch goes back
 * to the front and is sent again. That is harmless: acknowledging twice does nothing, and
 * the backend takes a record in once, by what identifies it. The same holds after a Redis
 * that was wiped.
 *
 * A delivery that ended stays in worker.held until then, so that an entry of the same
 * event that comes meanwhile is known for what it is. */
#include "worker/core.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"

enum {
	BATCH_MAX = 256, /* outcomes of one MULTI: 150 KiB or so */
	AGAIN_MS = 500,
	GATHER_MS = 5,
	GATHER_MAX = 64, /* outcomes: then at once */
};

struct outcome {
	struct list link;
	struct delivery *ended;       /* NULL: only a record, an entry or a lease */
	char entry_id[ENTRY_ID_SIZE]; /* "" when there is nothing to acknowledge */
	char event_id[ID_SIZE];       /* whose lease is given back, or "" */
	size_t len;
	char record[]; /* JSON; len 0 when there is none */
};

struct batch {
	struct list link; /* in settle.batches */
	struct worker *worker;
	struct list outcomes;
	size_t count;
};

static void on_task(void *arg)
{
	settle_resume(arg);
}

static void on_gathered(void *arg)
{
	struct worker *w = arg;

	w->settle.gathered = 0;
	settle_resume(w);
}

static void on_again(void *arg)
{
	struct worker *w = arg;

	w->settle.paused = false;
	loop_task_want(w->loop, &w->settle.task);
}

void settle_init(struct worker *w)
{
	struct settle *s = &w->settle;

	list_init(&s->waiting);
	list_init(&s->batches);
	loop_task_init(&s->task, on_task, w);
	s->again = loop_timer_new(w->loop, on_again, w);
	s->gather = loop_timer_new(w->loop, on_gathered, w);
	s->args = redis_args_new();
	buf_init(&s->record, ATTEMPT_ENCODED_MAX);
}

static void free_outcomes(struct list *outcomes)
{
	for (struct list *n; (n = list_pop(outcomes)) != NULL;)
		mem_free(container_of(n, struct outcome, link));
}

/* After redis_free(): no batch is under way any more. The deliveries are worker.held's.
 */
void settle_release(struct worker *w)
{
	struct settle *s = &w->settle;

	loop_task_cancel(&s->task);
	loop_timer_free(s->again);
	loop_timer_free(s->gather);
	free_outcomes(&s->waiting);
	redis_args_free(s->args);
	buf_release(&s->record);
}

/* ---- taking in ---- */

static struct outcome *add(struct worker *w, const struct attempt *a)
{
	struct settle *s = &w->settle;
	struct outcome *o;

	buf_clear(&s->record);
	if (a) {
		attempt_encode(a, &s->record);
		tally_record(&w->tally, a);
	}
	o = mem_alloc(sizeof(*o) + s->record.len);
	o->len = s->record.len;
	if (o->len > 0)
		memcpy(o->record, s->record.data, o->len);
	list_append(&s->waiting, &o->link);
	s->unconfirmed++;
	if (s->gathered++ == 0)
		loop_timer_start(s->gather, GATHER_MS, 0);
	else if (s->gathered == GATHER_MAX)
		loop_task_want(w->loop, &s->task);
	return o;
}

void settle_record(struct worker *w, const struct attempt *a)
{
	add(w, a);
}

void settle_end(struct worker *w, struct delivery *d, const struct attempt *a)
{
	struct outcome *o = add(w, a);

	o->ended = d;
	mem_copy_text(o->entry_id, sizeof(o->entry_id), d->entry_id);
	mem_copy_text(o->event_id, sizeof(o->event_id), d->event_id);
}

void settle_entry(struct worker *w, const char *entry_id, const struct attempt *a)
{
	struct outcome *o = add(w, a);

	mem_copy_text(o->entry_id, sizeof(o->entry_id), entry_id);
}

void settle_lease(struct worker *w, const char *event_id)
{
	struct outcome *o = add(w, NULL);

	mem_copy_text(o->event_id, sizeof(o->event_id), event_id);
}

bool settle_idle(const struct worker *w)
{
	return w->settle.unconfirmed == 0;
}

/* ---- sending ---- */

static struct batch *gather(struct worker *w)
{
	struct settle *s = &w->settle;
	struct batch *b = mem_alloc(sizeof(*b));

	b->worker = w;
	list_init(&b->outcomes);
	while (b->count < BATCH_MAX && !list_empty(&s->waiting)) {
		list_append(&b->outcomes, list_pop(&s->waiting));
		b->count++;
	}
	list_append(&s->batches, &b->link);
	return b;
}

/* To the front again, in the old order. */
static void take_back(struct batch *b)
{
	struct list *waiting = &b->worker->settle.waiting;

	while (!list_empty(&b->outcomes)) {
		struct list *last = b->outcomes.prev;

		list_remove(last);
		list_prepend(waiting, last);
	}
	list_remove(&b->link);
	mem_free(b);
}

static void begin(struct redis_args *args, const char *first, const char *second,
		  const char *third)
{
	redis_args_clear(args);
	redis_args_text(args, first);
	if (second)
		redis_args_text(args, second);
	if (third)
		redis_args_text(args, third);
}

/* XACK and XDEL of every entry of the batch; nothing when it has none. */
static int send_entries(struct worker *w, const struct batch *b, bool ack)
{
	struct redis_args *args = w->settle.args;
	bool any = false;

	begin(args, ack ? "XACK" : "XDEL", w->queue.text,
	      ack ? w->transport->channel : NULL);
	for (const struct list *n = b->outcomes.next; n != &b->outcomes; n = n->next) {
		const struct outcome *o = container_of(n, struct outcome, link);

		if (o->entry_id[0] == '\0')
			continue;
		redis_args_text(args, o->entry_id);
		any = true;
	}
	return any ? redis_send(w->redis, args, NULL, NULL) : 0;
}

static int send_leases(struct worker *w, const struct batch *b)
{
	struct redis_args *args = w->settle.args;
	struct bus_name name;
	bool any = false;

	begin(args, "DEL", NULL, NULL);
	for (const struct list *n = b->outcomes.next; n != &b->outcomes; n = n->next) {
		const struct outcome *o = container_of(n, struct outcome, link);

		if (o->event_id[0] == '\0')
			continue;
		redis_args_text(args, bus_lease(&name, &w->bus, w->transport->channel,
						o->event_id));
		any = true;
	}
	return any ? redis_send(w->redis, args, NULL, NULL) : 0;
}

/* The next records from *n on, as one entry of the log: an entry each would cost Redis a
 * tenth of its time. *n is moved behind them. */
static int log_some(struct worker *w, const struct batch *b, const struct list **n)
{
	struct redis_args *args = w->settle.args;
	int count = 0;

	begin(args, "XADD", w->bus.attempts_log.text, "*");
	for (; *n != &b->outcomes && count < BUS_ATTEMPTS_MAX; *n = (*n)->next) {
		const struct outcome *o = container_of(*n, struct outcome, link);

		if (o->len == 0)
			continue;
		redis_args_text(args, BUS_FIELD_ATTEMPT);
		redis_args_bytes(args, o->record, o->len);
		count++;
	}
	return count > 0 ? redis_send(w->redis, args, NULL, NULL) : 0;
}

static int send_records(struct worker *w, const struct batch *b)
{
	struct redis_args *args = w->settle.args;
	const struct list *n = b->outcomes.next;

	while (n != &b->outcomes) {
		if (log_some(w, b, &n) < 0)
			return -1;
	}
	for (n = b->outcomes.next; n != &b->outcomes; n = n->next) {
		const struct outcome *o = container_of(n, struct outcome, link);

		if (o->len == 0)
			continue;
		begin(args, "PUBLISH", w->bus.deliveries.text, NULL);
		redis_args_bytes(args, o->record, o->len);
		if (redis_send(w->redis, args, NULL, NULL) < 0)
			return -1;
	}
	return 0;
}

static void on_exec(void *arg, const struct redisReply *reply, const struct err *e);

static int send_batch(struct worker *w, struct batch *b)
{
	if (redis_sendl(w->redis, NULL, NULL, "MULTI", NULL) < 0 ||
	    send_entries(w, b, true) < 0 || send_entries(w, b, false) < 0 ||
	    send_leases(w, b) < 0 || send_records(w, b) < 0)
		return -1;
	return redis_sendl(w->redis, on_exec, b, "EXEC", NULL);
}

void settle_resume(struct worker *w)
{
	struct settle *s = &w->settle;

	while (!s->paused && !list_empty(&s->waiting) && redis_is_up(w->redis)) {
		struct batch *b = gather(w);

		/* Half a MULTI is discarded with its connection, which is about to go. */
		if (send_batch(w, b) < 0) {
			take_back(b);
			return;
		}
	}
}

/* ---- confirmed, or not ---- */

static void release(struct worker *w, struct outcome *o)
{
	if (o->ended)
		delivery_forget(w, o->ended);
	mem_free(o);
	w->settle.unconfirmed--;
}

/* The first error in EXEC's answer, or the answer itself when it is one. */
static const struct redisReply *find_error(const struct redisReply *reply)
{
	if (redis_kind(reply) != REDIS_KIND_ARRAY)
		return reply;
	for (size_t i = 0; i < redis_count(reply); i++) {
		if (redis_is_error(redis_at(reply, i), ""))
			return redis_at(reply, i);
	}
	return NULL;
}

static void on_exec(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct batch *b = arg;
	struct worker *w = b->worker;
	const struct redisReply *error = reply ? find_error(reply) : NULL;
	struct log_quote q;

	if (!reply) {
		take_back(b);
		return;
	}
	if (error) {
		log_warn("settle.refused", "outcomes=%zu error=%s", b->count,
			 log_quote(&q, redis_text(error, NULL)));
		take_back(b);
		w->settle.paused = true;
		loop_timer_start(w->settle.again, AGAIN_MS, 0);
		return;
	}
	for (struct list *n; (n = list_pop(&b->outcomes)) != NULL;)
		release(w, container_of(n, struct outcome, link));
	list_remove(&b->link);
	mem_free(b);
	intake_want(w);
	worker_look_drained(w);
}
