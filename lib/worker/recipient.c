#include "base/log.h"
#include "base/mem.h"
#include "worker/core.h"

#include <string.h>

void recipient_open(struct worker *w)
{
	struct err *e = &w->database_error;

	if (w->database_open)
		return;
	if (store_open_reader(&w->store, w->settings.common.database, e) < 0)
		return;
	if (events_new(&w->events, &w->store, e) < 0 ||
	    deliveries_new(&w->deliveries, &w->store, e) < 0) {
		recipient_close(w);
		return;
	}
	w->database_open = true;
	log_info("worker.database", "ledger=%s", w->store.ledger_id);
}

void recipient_close(struct worker *w)
{
	events_free(w->events);
	deliveries_free(w->deliveries);
	w->events = NULL;
	w->deliveries = NULL;
	store_close(&w->store);
	w->database_open = false;
	w->in_snapshot = false;
}

static void lose(struct worker *w)
{
	struct log_quote q;

	log_error("worker.database_failed", "error=%s",
		  log_quote(&q, w->database_error.text));
	recipient_close(w);
	intake_stop(w);
}

static int begin(struct worker *w)
{
	if (w->in_snapshot)
		return 0;
	if (store_snapshot_begin(&w->store, &w->database_error) < 0)
		return -1;
	w->in_snapshot = true;
	return 0;
}

void recipient_end(struct worker *w)
{
	if (w->in_snapshot)
		store_snapshot_end(&w->store);
	w->in_snapshot = false;
}

/* As much as is filled: there is room for many devices, and most people have one. */
static struct recipient *keep(struct worker *w, const struct recipient *r)
{
	size_t size = offsetof(struct recipient, devices) +
		      (size_t)r->device_count * sizeof(r->devices[0]);

	w->recipients++;
	return (struct recipient *)mem_dup(r, size);
}

void recipient_free(struct worker *w, struct recipient *r)
{
	if (r)
		w->recipients--;
	mem_free(r);
}

/* Devices are the larger part of a recipient: only who sends to them pays for them. */
int recipient_read(struct worker *w, int64_t sequence, struct recipient **out)
{
	struct recipient *r = &w->scratch_recipient;
	int rc = begin(w);

	if (rc == 0)
		rc = events_recipient(w->events, sequence, w->transport->channel,
				      w->transport->target == TARGET_DEVICES, r,
				      &w->database_error);
	if (rc == 1)
		*out = keep(w, r);
	else if (rc < 0)
		lose(w);
	return rc;
}

static bool has_address(const struct transport *t, const struct recipient *r)
{
	switch (t->target) {
	case TARGET_EMAIL:
		return r->user.email[0] != '\0';
	case TARGET_PHONE:
		return r->user.phone[0] != '\0';
	case TARGET_DEVICES:
		return r->device_count > 0;
	}
	return false;
}

enum attempt_reason recipient_suppressed(const struct transport *t,
					 const struct recipient *r)
{
	const struct preference *p = user_preference(&r->user, t->channel);

	if (r->deleted)
		return REASON_USER_DELETED;
	if (p && !p->enabled)
		return REASON_CHANNEL_DISABLED;
	if (p && r->event.amount_minor < p->min_minor &&
	    strcmp(p->min_currency, r->event.currency) == 0)
		return REASON_BELOW_MIN_AMOUNT;
	return has_address(t, r) ? REASON_NONE : REASON_NO_ADDRESS;
}

static void mark(void *arg, const struct attempt *a)
{
	struct device_marks *marks = arg;

	if (marks->count == DEVICES_MAX)
		return;
	mem_copy_text(marks->ended[marks->count].id, ID_SIZE, a->device_id);
	marks->ended[marks->count++].delivered = a->status == ATTEMPT_DELIVERED;
	if (a->status == ATTEMPT_FAILED)
		marks->reason = a->reason;
}

int recipient_marks(struct worker *w, int64_t sequence, struct device_marks *out)
{
	int rc = deliveries_devices(w->deliveries, sequence, w->transport->channel, mark,
				    out, &w->database_error);

	if (rc < 0)
		lose(w);
	return rc < 0 ? -1 : 0;
}
