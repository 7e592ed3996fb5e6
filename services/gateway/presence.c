#include "gateway/presence.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "gateway/notes.h"

#define FLUSH_MS    100
#define MEMBER_SIZE 96

/* What a thread says. */
struct presence_note {
	struct note note;
	bool here;
	char user_id[]; /* as long as it is */
};

/* A user that is here, or has gone and Redis does not know yet. */
struct present {
	struct list link; /* of `here`, or of `gone` */
	int threads;      /* that have a session of it */
	bool known;       /* Redis may have it */
	int64_t told_us;  /* monotonic; 0: it is to be told now */
	char user_id[];   /* as long as it is */
};

struct presence {
	struct presence_settings settings;
	char member[MEMBER_SIZE];
	struct redis_args *args;
	struct loop_timer *tick;
	struct notes notes;
	struct map *users;
	struct list here; /* who was told longest ago is first */
	struct list gone; /* who went first is first */
	int64_t up_us;    /* what was told before does not count */
};

/* ---- any thread ---- */

void presence_note(void *arg, const char *user_id, bool here)
{
	struct presence *p = arg;
	size_t len = strlen(user_id);
	struct presence_note *n = mem_alloc(sizeof(*n) + len + 1);

	n->here = here;
	memcpy(n->user_id, user_id, len);
	notes_put(&p->notes, &n->note);
}

/* ---- on the loop: who is here ---- */

static void move_to(struct list *list, struct present *u, bool front)
{
	if (list_linked(&u->link))
		list_remove(&u->link);
	if (front)
		list_prepend(list, &u->link);
	else
		list_append(list, &u->link);
}

static void comes(struct presence *p, const char *user_id)
{
	size_t len = strlen(user_id);
	struct present *u = map_get(p->users, user_id, len);

	if (!u) {
		u = mem_alloc(sizeof(*u) + len + 1);
		memcpy(u->user_id, user_id, len);
		map_put(p->users, user_id, len, u);
	}
	if (u->threads++ > 0)
		return;
	u->told_us = 0;
	move_to(&p->here, u, true);
}

static void goes(struct presence *p, const char *user_id)
{
	struct present *u = map_get(p->users, user_id, strlen(user_id));

	if (--u->threads == 0)
		move_to(&p->gone, u, false);
}

static void on_note(void *arg, struct note *note)
{
	struct presence_note *n = container_of(note, struct presence_note, note);

	if (n->here)
		comes(arg, n->user_id);
	else
		goes(arg, n->user_id);
	mem_free(n);
}

static void forget(struct presence *p, struct present *u)
{
	list_remove(&u->link);
	map_remove(p->users, u->user_id, strlen(u->user_id));
	mem_free(u);
}

/* ---- on the loop: telling it ---- */

static struct redis_args *command(struct presence *p, const char *name,
				  const struct present *u)
{
	struct bus_name key;

	redis_args_clear(p->args);
	redis_args_text(p->args, name);
	redis_args_text(p->args, bus_presence(&key, p->settings.bus, u->user_id));
	return p->args;
}

static void send(struct presence *p)
{
	redis_send(p->settings.commands, p->args, NULL, NULL);
}

/* Those that have ended go too: they were left by processes that died. */
static void tell_here(struct presence *p, const struct present *u)
{
	int64_t now_ms = clock_utc_us() / US_PER_MS, ttl_ms = p->settings.ttl_ms;
	struct redis_args *a = command(p, "ZADD", u);

	redis_args_int(a, now_ms + ttl_ms);
	redis_args_text(a, p->member);
	send(p);
	a = command(p, "ZREMRANGEBYSCORE", u);
	redis_args_text(a, "-inf");
	redis_args_int(a, now_ms);
	send(p);
	a = command(p, "PEXPIRE", u);
	redis_args_int(a, ttl_ms);
	send(p);
}

static void tell_gone(struct presence *p, const struct present *u)
{
	redis_args_text(command(p, "ZREM", u), p->member);
	send(p);
}

static int64_t due_us(const struct presence *p, const struct present *u)
{
	return u->told_us < p->up_us ? 0
				     : u->told_us + p->settings.ttl_ms * US_PER_MS / 3;
}

static struct present *first_of(const struct list *list)
{
	return list_empty(list) ? NULL : container_of(list->next, struct present, link);
}

/* Of the first in order: who has just come was put in front. */
static int renew(struct presence *p, int64_t now_us, int budget)
{
	struct present *u;

	while (budget > 0 && (u = first_of(&p->here)) != NULL && due_us(p, u) <= now_us) {
		tell_here(p, u);
		u->told_us = now_us;
		u->known = true;
		move_to(&p->here, u, false);
		budget--;
	}
	return budget;
}

/* While Redis is away they are kept until it has forgotten them by itself. */
static void let_go(struct presence *p, int64_t now_us, bool up, int budget)
{
	struct present *u;

	while (budget-- > 0 && (u = first_of(&p->gone)) != NULL) {
		if (up && u->known)
			tell_gone(p, u);
		else if (!up && u->told_us + p->settings.ttl_ms * US_PER_MS > now_us)
			return;
		forget(p, u);
	}
}

/* A tenth is for those that went, however many come. */
static void on_tick(void *arg)
{
	struct presence *p = arg;
	int64_t now_us = clock_mono_us();
	bool up = redis_is_up(p->settings.commands);
	int budget = PRESENCE_FLUSH_MAX - PRESENCE_FLUSH_MAX / 10;

	if (up)
		budget = renew(p, now_us, budget);
	let_go(p, now_us, up, budget + PRESENCE_FLUSH_MAX / 10);
}

void presence_up(struct presence *p)
{
	p->up_us = clock_mono_us();
}

bool presence_idle(const struct presence *p)
{
	return !redis_is_up(p->settings.commands) ||
	       (map_count(p->users) == 0 && redis_pending(p->settings.commands) == 0);
}

/* ---- its life ---- */

void presence_start(struct presence **out, const struct presence_settings *settings)
{
	struct presence *p = mem_alloc(sizeof(*p));

	p->settings = *settings;
	/* Two processes of one name, or one that came again, are not the same. */
	snprintf(p->member, sizeof(p->member), "%.64s.%08llx", settings->instance,
		 (unsigned long long)random_below(1ULL << 32));
	p->args = redis_args_new();
	p->tick = loop_timer_new(settings->loop, on_tick, p);
	p->users = map_new();
	list_init(&p->here);
	list_init(&p->gone);
	p->up_us = 1;
	notes_init(&p->notes, settings->loop, on_note, p);
	loop_timer_start(p->tick, FLUSH_MS, FLUSH_MS);
	*out = p;
}

void presence_stop(struct presence *p)
{
	struct present *u;

	if (!p)
		return;
	notes_release(&p->notes);
	while ((u = first_of(&p->here)) != NULL || (u = first_of(&p->gone)) != NULL)
		forget(p, u);
	loop_timer_free(p->tick);
	map_free(p->users);
	redis_args_free(p->args);
	mem_free(p);
}
