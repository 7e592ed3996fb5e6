/* What the database proves by itself. The head is read first, together with what the
 * outside world has at that moment; only events up to it are looked at, a slice at a
 * time, so it does not matter what is added meanwhile. */
#include "base/mem.h"
#include "cli/doctor.h"
#include "cli/doctor_money.h"

#define ACCOUNTS 2000 /* of a slice */

struct walk {
	struct doctor *doctor;
	struct doctor_money *money;
	int64_t last; /* sequence of the event that was seen last */
	char user_id[USER_ID_MAX + 1], currency[MONEY_CODE_SIZE];
};

static void on_money(void *arg, const char *text)
{
	doctor_found(arg, DOCTOR_MONEY, "%s", text);
}

static void on_world(void *arg, const char *currency, int64_t balance_minor)
{
	struct walk *w = arg;

	doctor_money_world(w->money, currency, balance_minor);
}

static void on_channel(void *arg, const char *channel, int64_t first_event)
{
	struct doctor *d = arg;
	struct doctor_channel *c;

	if (d->channel_count == BUS_CHANNELS_MAX)
		return;
	c = &d->channels[d->channel_count++];
	mem_copy_text(c->name, sizeof c->name, channel);
	c->first_event = first_event;
	c->entries = -1;
}

/* ---- events and accounts ---- */

static void on_event(void *arg, const struct proof_event *ev)
{
	struct walk *w = arg;

	if (ev->sequence == w->last + 2)
		doctor_found(w->doctor, DOCTOR_SEQUENCE, "event %lld is not there",
			     (long long)w->last + 1);
	else if (ev->sequence != w->last + 1)
		doctor_found(w->doctor, DOCTOR_SEQUENCE,
			     "events %lld to %lld are not there", (long long)w->last + 1,
			     (long long)ev->sequence - 1);
	w->last = ev->sequence;
	doctor_money_event(w->money, ev);
}

static int walk_events(struct walk *w, struct err *e)
{
	struct doctor *d = w->doctor;
	int rc = 1;

	while (w->last < d->head && rc > 0) {
		rc = proof_events(d->proof, w->last, d->head, PROOF_SLICE, on_event, w,
				  e);
		progress_show(&d->progress, "events: %lld of %lld", (long long)w->last,
			      (long long)d->head);
	}
	doctor_summary(d, DOCTOR_SEQUENCE, "%lld events, no gaps", (long long)d->head);
	return rc < 0 ? -1 : 0;
}

static void on_account(void *arg, const struct proof_account *a)
{
	struct walk *w = arg;

	mem_copy_text(w->user_id, sizeof w->user_id, a->user_id);
	mem_copy_text(w->currency, sizeof w->currency, a->currency);
	doctor_money_account(w->money, a, w->doctor->head);
}

static int walk_accounts(struct walk *w, struct err *e)
{
	char user_id[USER_ID_MAX + 1], currency[MONEY_CODE_SIZE];
	int rc = 1;

	while (rc > 0) {
		mem_copy_text(user_id, sizeof user_id, w->user_id);
		mem_copy_text(currency, sizeof currency, w->currency);
		rc = proof_accounts(w->doctor->proof, user_id, currency, ACCOUNTS,
				    on_account, w, e);
	}
	return rc;
}

static int check_money(struct walk *w, struct err *e)
{
	if (walk_events(w, e) < 0 || walk_accounts(w, e) < 0)
		return -1;
	doctor_money_end(w->money);
	doctor_summary(w->doctor, DOCTOR_MONEY,
		       "%zu accounts are as their events make them, and %zu currencies "
		       "add up to 0",
		       doctor_money_accounts(w->money),
		       doctor_money_currencies(w->money));
	return 0;
}

/* ---- deliveries ---- */

struct slice {
	struct doctor *doctor;
	const char *channel;
	int64_t repeated;
};

static void on_contradiction(void *arg, const struct proof_odd *odd)
{
	struct slice *s = arg;

	doctor_found(s->doctor, DOCTOR_COUNTS,
		     "event %lld, %s: \"%s\", and neither ended nor open",
		     (long long)odd->sequence, s->channel, odd->status);
}

static void on_unfinal(void *arg, const struct proof_odd *odd)
{
	struct slice *s = arg;

	if (odd->finals > 1)
		s->repeated++;
	else
		doctor_found(s->doctor, DOCTOR_FINALS,
			     "event %lld, %s: \"%s\", and no final record says so",
			     (long long)odd->sequence, s->channel, odd->status);
}

static int check_slice(struct slice *s, struct doctor_channel *c, int64_t after,
		       int64_t through, struct err *e)
{
	struct proof *p = s->doctor->proof;
	struct proof_counts here = {.events = 0};

	if (proof_count(p, c->name, after, through, &here, e) < 0 ||
	    proof_unfinal(p, c->name, after, through, on_unfinal, s, e) < 0)
		return -1;
	if (here.delivered + here.suppressed + here.failed + here.open != here.events &&
	    proof_contradictions(p, c->name, after, through, on_contradiction, s, e) < 0)
		return -1;
	c->counts.events += here.events;
	c->counts.delivered += here.delivered;
	c->counts.suppressed += here.suppressed;
	c->counts.failed += here.failed;
	c->counts.open += here.open;
	c->counts.waiting += here.waiting;
	return 0;
}

static int check_channel(struct slice *s, struct doctor_channel *c, struct err *e)
{
	struct doctor *d = s->doctor;

	s->channel = c->name;
	for (int64_t after = c->first_event; after < d->head; after += PROOF_SLICE) {
		int64_t through = after + PROOF_SLICE;

		if (check_slice(s, c, after, through < d->head ? through : d->head, e) <
		    0)
			return -1;
		progress_show(&d->progress, "%s: %lld of %lld", c->name, (long long)after,
			      (long long)d->head);
	}
	return 0;
}

/* The rows of each event are counted at one moment, so the sums add up however much
 * happens meanwhile. */
static void check_sum(struct doctor *d, const struct doctor_channel *c)
{
	const struct proof_counts *n = &c->counts;
	int64_t sum = n->delivered + n->suppressed + n->failed + n->open;

	if (sum != d->head - c->first_event)
		doctor_found(d, DOCTOR_COUNTS,
			     "%s: %lld were accepted, and %lld delivered, suppressed, "
			     "failed or open",
			     c->name, (long long)(d->head - c->first_event),
			     (long long)sum);
}

static int check_deliveries(struct doctor *d, struct err *e)
{
	struct slice s = {.doctor = d};

	for (int i = 0; i < d->channel_count; i++) {
		if (check_channel(&s, &d->channels[i], e) < 0)
			return -1;
		check_sum(d, &d->channels[i]);
	}
	doctor_summary(d, DOCTOR_COUNTS,
		       "accepted = delivered + suppressed + failed + open, on %d "
		       "channels",
		       d->channel_count);
	if (s.repeated > 0)
		doctor_summary(d, DOCTOR_FINALS,
			       "what ended has its record; %lld have more than one: "
			       "they were sent again after a crash",
			       (long long)s.repeated);
	else
		doctor_summary(d, DOCTOR_FINALS, "what ended has its one final record");
	return 0;
}

int doctor_ledger(struct doctor *d, struct err *e)
{
	struct walk w = {.doctor = d};
	int rc = -1;

	w.money = doctor_money_new(on_money, d);
	d->head = proof_head(d->proof, on_world, &w, e);
	if (d->head >= 0 && proof_channels(d->proof, on_channel, d, e) >= 0 &&
	    check_money(&w, e) == 0)
		rc = check_deliveries(d, e);
	doctor_money_free(w.money);
	return rc;
}
