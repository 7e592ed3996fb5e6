/* A lease says who is sending an event: lease:<channel>:<event id> = consumer, for as
 * long as a claim takes. It is asked for before anything is sent and renewed with the
 * entry.
 *
 * An entry that came to us as new while another holds the lease is a second entry of the
 * event: the other's entry is the one that counts, so ours is acknowledged unsent. An
 * entry that we claimed is the one that counts: if the lease still stands, it is left
 * pending, to be claimed again when the lease has ended or the event has. Our own name in
 * a lease is an earlier self's, which is dead: nobody else may use the name
 * (instance.h). */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/core.h"

#include <string.h>

#define RENEW_MAX 512 /* entries of one command */

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
		} else if (d->claimed) {
			delivery_forget(w, d);
		} else {
			metric_add(&w->tally.duplicates, 1);
			settle_entry(w, d->entry_id, NULL);
			delivery_forget(w, d);
		}
	} else {
		if (reply)
			log_warn("lease.failed", "error=%s",
				 log_quote(&q, redis_text(reply, NULL)));
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

/* SET without NX: a lease that was wiped comes back. */
static void renew_lease(struct worker *w, const struct delivery *d)
{
	struct bus_name name;

	redis_args_clear(w->settle.args);
	redis_args_text(w->settle.args, "SET");
	redis_args_text(w->settle.args,
			bus_lease(&name, &w->bus, w->transport->channel, d->event_id));
	redis_args_text(w->settle.args, w->consumer);
	redis_args_text(w->settle.args, "PX");
	redis_args_int(w->settle.args, w->settings.claim_idle_ms);
	redis_send(w->redis, w->settle.args, NULL, NULL);
}

/* The oldest renewals stand first. XCLAIM with an idle time of 0 takes an entry whose it
 * may be, so this is for what is known to be ours only. */
void lease_renew(struct worker *w)
{
	int64_t now_us = clock_mono_us();
	int64_t before_us = now_us - w->settings.claim_idle_ms * US_PER_MS / 3;
	int count = 0;

	redis_args_clear(w->args);
	redis_args_text(w->args, "XCLAIM");
	redis_args_text(w->args, w->queue.text);
	redis_args_text(w->args, w->transport->channel);
	redis_args_text(w->args, w->consumer);
	redis_args_text(w->args, "0");
	while (count < RENEW_MAX && !list_empty(&w->renewals)) {
		struct delivery *d =
			container_of(w->renewals.next, struct delivery, renewal);

		if (d->renewed_us > before_us)
			break;
		list_remove(&d->renewal);
		list_append(&w->renewals, &d->renewal);
		d->renewed_us = now_us;
		redis_args_text(w->args, d->entry_id);
		if (d->state != DELIVERY_LEASING && d->state != DELIVERY_SETTLING)
			renew_lease(w, d);
		count++;
	}
	redis_args_text(w->args, "JUSTID");
	if (count == 0)
		return;
	redis_send(w->redis, w->args, NULL, NULL);
	if (count == RENEW_MAX)
		lease_renew(w);
}
