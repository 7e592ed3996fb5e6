/* Who goes when.
 *
 * Three bounds. PAYBELL_WINDOW: deliveries that could go at once (asked their lease,
 * ready, at the provider). PAYBELL_CONNECTIONS: requests at the provider.
 * PAYBELL_HELD_MAX: all that this worker holds, those included that wait behind others of
 * their user, for their next try or for the retry budget; they keep no recipient, it is
 * read again when they go. So a provider that is down fills the third and then nothing
 * more is taken from the stream, and one user with a thousand events costs the others
 * nothing.
 *
 * Order: a user's deliveries stand in a lane in the order of the stream; only the first
 * one goes, and it leaves the lane when it has ended, or when its next try is later than
 * a minute after its first. */
#include "worker/core.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
	UNCONFIRMED_MAX = 8192, /* outcomes, while Redis is away */
	CLAIM_WINDOWS = 2, /* a worker that is busy all the time must not leave what the
			    * dead have held to nobody */
	RECIPIENTS_WINDOWS = 4, /* as many windows of recipients are kept */
	ROOM_LOW = 64, /* less room than this, or a quarter of the window, is no room: one
			* command for each single entry would cost more than it brings */
};

static void arm_parked(struct worker *w)
{
	struct heap_node *first = heap_peek(&w->parked);
	int64_t wait_us;

	if (!first) {
		loop_timer_stop(w->parked_timer);
		return;
	}
	wait_us = first->at - loop_now_us(w->loop);
	/* Rounded up: a timer of 0 that finds nothing due would be armed again and run
	 * again, all in one iteration, in which the loop's time stands still. */
	loop_timer_start(w->parked_timer,
			 wait_us > 0 ? (wait_us + US_PER_MS - 1) / US_PER_MS : 0, 0);
}

struct delivery *delivery_find(struct worker *w, int64_t sequence)
{
	return map_get(w->held, (const char *)&sequence, sizeof(sequence));
}

struct delivery *delivery_new(struct worker *w, int64_t sequence, const char *entry_id)
{
	struct delivery *d = mem_alloc(sizeof(*d));

	d->sequence = sequence;
	mem_copy_text(d->entry_id, sizeof(d->entry_id), entry_id);
	map_put(w->held, (const char *)&d->sequence, sizeof(d->sequence), d);
	d->state = DELIVERY_LEASING;
	w->states[DELIVERY_LEASING]++;
	return d;
}

int64_t delivery_born_us(const struct recipient *r)
{
	return r->replayed_us > r->event.time_us ? r->replayed_us : r->event.time_us;
}

void delivery_describe(struct delivery *d, struct recipient *r)
{
	d->recipient = r;
	d->read_us = clock_mono_us();
	d->event_us = r->event.time_us;
	d->born_us = delivery_born_us(r);
	mem_copy_text(d->event_id, sizeof(d->event_id), r->event.id);
	mem_copy_text(d->user_id, sizeof(d->user_id), r->event.user_id);
	d->attempt = r->attempts;
	if (d->attempt > 0 || r->replayed_us > 0)
		d->late = true;
}

void delivery_set_state(struct worker *w, struct delivery *d, enum delivery_state state)
{
	w->states[d->state]--;
	w->states[state]++;
	d->state = state;
}

static void make_ready(struct worker *w, struct delivery *d)
{
	bool first = d->attempt == 0;

	delivery_set_state(w, d, first ? DELIVERY_READY : DELIVERY_DUE);
	list_append(first ? &w->ready : &w->retries, &d->ready);
	loop_task_want(w->loop, &w->pump_task);
}

static void leave_lane(struct worker *w, struct delivery *d)
{
	struct lane_node *next = lanes_leave(w->lanes, &d->lane);
	struct delivery *n = next ? container_of(next, struct delivery, lane) : NULL;

	if (n && n->state == DELIVERY_WAITING)
		make_ready(w, n);
}

static void drop_recipient(struct worker *w, struct delivery *d)
{
	recipient_free(w, d->recipient);
	d->recipient = NULL;
}

void delivery_granted(struct worker *w, struct delivery *d)
{
	/* A scan can find many, and many can wait behind others of their user; they are
	 * large, and what was read is soon too old. */
	if (w->recipients > RECIPIENTS_WINDOWS * (size_t)w->settings.window)
		drop_recipient(w, d);
	if (lanes_is_first(&d->lane))
		make_ready(w, d);
	else
		delivery_set_state(w, d, DELIVERY_WAITING);
}

void delivery_park(struct worker *w, struct delivery *d, int64_t wait_ms)
{
	int64_t due_us = loop_now_us(w->loop) + wait_ms * US_PER_MS;

	if (due_us > d->lane_until_us)
		leave_lane(w, d);
	delivery_set_state(w, d, DELIVERY_PARKED);
	heap_push(&w->parked, &d->due, due_us);
	if (heap_peek(&w->parked) == &d->due)
		arm_parked(w);
}

static void unlink_all(struct worker *w, struct delivery *d)
{
	if (list_linked(&d->ready))
		list_remove(&d->ready);
	heap_remove(&w->parked, &d->due);
	leave_lane(w, d);
}

void delivery_end(struct worker *w, struct delivery *d, const struct attempt *a)
{
	unlink_all(w, d);
	delivery_set_state(w, d, DELIVERY_SETTLING);
	drop_recipient(w, d);
	settle_end(w, d, a);
}

void delivery_forget(struct worker *w, struct delivery *d)
{
	unlink_all(w, d);
	w->states[d->state]--;
	if (list_linked(&d->renewal))
		list_remove(&d->renewal);
	map_remove(w->held, (const char *)&d->sequence, sizeof(d->sequence));
	drop_recipient(w, d);
	mem_free(d->marks);
	mem_free(d);
}

static bool is_idle(const struct delivery *d)
{
	return d->state == DELIVERY_WAITING || d->state == DELIVERY_READY ||
	       d->state == DELIVERY_PARKED || d->state == DELIVERY_DUE ||
	       d->state == DELIVERY_LEASING;
}

/* Two passes: the map may not change while it is walked, and forgetting one lets another
 * of its user step forward. */
void delivery_forget_idle(struct worker *w, bool unseen_only)
{
	size_t count = map_count(w->held), found = 0, cursor = 0, len;
	struct delivery **idle = mem_array(count + 1, sizeof(struct delivery *));
	const char *key;
	void *value;

	while (map_next(w->held, &cursor, &key, &len, &value)) {
		struct delivery *d = value;

		if (is_idle(d) && (!unseen_only || d->seen != w->intake.scan))
			idle[found++] = d;
	}
	for (size_t i = 0; i < found; i++) {
		if (!unseen_only && idle[i]->state != DELIVERY_LEASING)
			settle_lease(w, idle[i]->event_id);
		delivery_forget(w, idle[i]);
	}
	mem_free(idle);
}

/* Places for more when at most `window` may be active; fewer than `least` are none. */
static size_t room_within(const struct worker *w, size_t window, size_t least)
{
	size_t active = w->states[DELIVERY_LEASING] + w->states[DELIVERY_READY] +
			w->states[DELIVERY_FLYING];
	size_t held = map_count(w->held), most = (size_t)w->settings.held_max;

	if (active >= window || window - active < least || held >= most)
		return 0;
	return window - active < most - held ? window - active : most - held;
}

size_t delivery_room(const struct worker *w)
{
	size_t window = (size_t)w->settings.window;

	return room_within(w, window, window / 4 < ROOM_LOW ? window / 4 : ROOM_LOW);
}

size_t delivery_claim_room(const struct worker *w)
{
	return room_within(w, CLAIM_WINDOWS * (size_t)w->settings.window, 1);
}

static bool may_send(const struct worker *w)
{
	return !w->draining && w->trusted && w->database_open && worker_is_alive(w) &&
	       w->settle.unconfirmed < UNCONFIRMED_MAX &&
	       (!w->transport->ready || w->transport->ready(w->state));
}

/* A retry that the budget allows, else a first attempt. */
static struct list *next(struct worker *w)
{
	if (!list_empty(&w->retries) && gate_allows_retry(w))
		return list_pop(&w->retries);
	return list_pop(&w->ready);
}

void delivery_pump(struct worker *w)
{
	struct list *n;

	while (w->transfers < (size_t)w->settings.connections && may_send(w) &&
	       gate_is_open(w) && (n = next(w)) != NULL)
		round_start(w, container_of(n, struct delivery, ready));
	recipient_end(w);
	gate_arm(w);
}

void delivery_excused(struct worker *w, struct delivery *d)
{
	if (d->state != DELIVERY_DUE || d->attempt > 0)
		return;
	list_remove(&d->ready);
	make_ready(w, d);
}

void delivery_free_lanes(struct worker *w)
{
	int64_t now_us = loop_now_us(w->loop);

	for (struct list *n = w->retries.next; n != &w->retries; n = n->next) {
		struct delivery *d = container_of(n, struct delivery, ready);

		if (now_us > d->lane_until_us)
			leave_lane(w, d);
	}
}

void delivery_wake_parked(struct worker *w)
{
	int64_t now_us = loop_now_us(w->loop);
	struct heap_node *n;

	while ((n = heap_peek(&w->parked)) != NULL && n->at <= now_us) {
		heap_pop(&w->parked);
		make_ready(w, container_of(n, struct delivery, due));
	}
	arm_parked(w);
}
