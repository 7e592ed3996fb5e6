/* A lease says who is sending an event: lease:<channel>:<event id> = consumer, for as
 * long as a claim takes. It is asked for before anything is sent and renewed with the
 * entry.
 *
 * When another holds the lease, the entry is left pending: it is claimed again when it
 * has been idle for long enough, and by then the event has ended (and it is acknowledged)
 * or the lease has. Acknowledging it unsent would be quicker and wrong: a lease does not
 * prove that its holder still has an entry. After a wiped Redis the holder's may be gone,
 * ours the only one, and if the holder died the event would be in no stream at all. Our
 * own name in a lease is an earlier self's, which is dead: nobody else may use the name
 * (instance.h).
 *
 * Renewing shows what is gone: an entry that XCLAIM does not name in its answer was
 * wiped, or acknowledged by another, and is not ours to send any more. Only the leases of
 * those that are there are renewed. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/core.h"

#include <string.h>

struct asked {
	struct worker *worker;
	int64_t sequence;
};

/* Found by its sequence again: it may have been forgotten meanwhile. */
static void on_answer(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct asked asked = *(struct asked *)arg;
	struct worker *w = asked.worker;
	struct delivery *d = delivery_find(w, asked.sequence);
	struct log_quote q;

	mem_free(arg);
	if (!d || d->state != DELIVERY_LEASING)
		return;
	if (reply && redis_kind(reply) == REDIS_KIND_NIL) {
		delivery_granted(w, d);
	} else if (reply && redis_kind(reply) == REDIS_KIND_TEXT) {
		if (strcmp(redis_text(reply, NULL), w->consumer) == 0) {
			delivery_granted(w, d);
		} else {
			metric_add(&w->tally.duplicates, 1);
			delivery_forget(w, d);
		}
	} else {
		if (reply) {
			if (!w->lease_refused)
				log_warn("lease.failed", "error=%s",
					 log_quote(&q, redis_text(reply, NULL)));
			w->lease_refused = true;
		}
		delivery_forget(w, d);
	}
}

void lease_ask(struct worker *w, struct delivery *d)
{
	struct asked *asked = mem_alloc(sizeof(*asked));
	struct bus_name name;

	*asked = (struct asked){w, d->sequence};
	redis_args_clear(w->args);
	redis_args_text(w->args, "SET");
	redis_args_text(w->args,
			bus_lease(&name, &w->bus, w->transport->channel, d->event_id));
	redis_args_text(w->args, w->consumer);
	redis_args_text(w->args, "NX");
	redis_args_text(w->args, "GET");
	redis_args_text(w->args, "PX");
	redis_args_int(w->args, w->settings.claim_idle_ms);
	if (redis_send(w->redis, w->args, on_answer, asked) == 0)
		return;
	mem_free(asked);
	delivery_forget(w, d);
}

/* ---- renewing ---- */

#define RENEW_MAX 512 /* entries of one command */

struct renewal {
	struct worker *worker;
	size_t count;
	struct {
		int64_t sequence;
		char entry_id[ENTRY_ID_SIZE];
	} asked[RENEW_MAX];
};

static void renew_lease(struct worker *w, const struct delivery *d)
{
	struct bus_name name;

	redis_args_clear(w->args);
	redis_args_text(w->args, "SET");
	redis_args_text(w->args,
			bus_lease(&name, &w->bus, w->transport->channel, d->event_id));
	redis_args_text(w->args, w->consumer);
	redis_args_text(w->args, "PX");
	redis_args_int(w->args, w->settings.claim_idle_ms);
	redis_send(w->redis, w->args, NULL, NULL);
}

/* The answer names the entries that are there, in the order of the question. What is at
 * the provider already comes to its end. */
static void on_renewed(void *arg, const struct redisReply *reply, const struct err *e)
{
	struct renewal *r = arg;
	struct worker *w = r->worker;
	size_t named = 0;
	struct log_quote q;

	if (redis_kind(reply) == REDIS_KIND_ARRAY)
		w->unrenewed_us = 0;
	if (redis_is_error(reply, "")) {
		log_warn("lease.renewal", "error=%s",
			 log_quote(&q, redis_text(reply, NULL)));
		if (w->unrenewed_us == 0)
			w->unrenewed_us = clock_mono_us();
	}
	for (size_t i = 0; i < r->count && redis_kind(reply) == REDIS_KIND_ARRAY; i++) {
		struct delivery *d = delivery_find(w, r->asked[i].sequence);
		bool there = strcmp(redis_text(redis_at(reply, named), NULL),
				    r->asked[i].entry_id) == 0;

		named += there;
		if (!d || strcmp(d->entry_id, r->asked[i].entry_id) != 0 ||
		    d->state == DELIVERY_LEASING || d->state == DELIVERY_SETTLING)
			continue;
		if (there)
			renew_lease(w, d);
		else if (d->state != DELIVERY_FLYING)
			delivery_forget(w, d);
	}
	mem_free(r);
}

static void ask_for_entry(struct renewal *r, struct delivery *d, int64_t now_us)
{
	struct worker *w = r->worker;

	list_remove(&d->renewal);
	list_append(&w->renewals, &d->renewal);
	d->renewed_us = now_us;
	redis_args_text(w->args, d->entry_id);
	r->asked[r->count].sequence = d->sequence;
	memcpy(r->asked[r->count++].entry_id, d->entry_id, ENTRY_ID_SIZE);
}

/* The oldest renewals stand first. XCLAIM with an idle time of 0 takes an entry whose it
 * may be, so this is for what is known to be ours only. True: there may be more. */
static bool renew_some(struct worker *w)
{
	int64_t now_us = clock_mono_us();
	int64_t before_us = now_us - w->settings.claim_idle_ms * US_PER_MS / 3;
	struct renewal *r = mem_alloc(sizeof(*r));
	bool more;

	r->worker = w;
	redis_args_clear(w->args);
	redis_args_text(w->args, "XCLAIM");
	redis_args_text(w->args, w->queue.text);
	redis_args_text(w->args, w->transport->channel);
	redis_args_text(w->args, w->consumer);
	redis_args_text(w->args, "0");
	while (r->count < RENEW_MAX && !list_empty(&w->renewals)) {
		struct delivery *d =
			container_of(w->renewals.next, struct delivery, renewal);

		if (d->renewed_us > before_us)
			break;
		ask_for_entry(r, d, now_us);
	}
	redis_args_text(w->args, "JUSTID");
	more = r->count == RENEW_MAX;
	if (r->count == 0 || redis_send(w->redis, w->args, on_renewed, r) < 0)
		mem_free(r);
	return more;
}

void lease_renew(struct worker *w)
{
	if (list_empty(&w->renewals))
		w->unrenewed_us = 0;
	while (renew_some(w)) {}
}
