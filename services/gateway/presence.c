#include "gateway/presence.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/table.h"
#include "gateway/notes.h"

enum {
	TICK_MS = 100,
	MEMBER_SIZE = 96,
	TOLD_MAX = 100, /* users of one call of the script */
};

/* KEYS: the users'; ARGV: now, until when, the member, how long it holds, all in ms.
 * Those that have ended go too: they were left by processes that died. */
static const char tell_script[] =
	"for _, key in ipairs(KEYS) do\n"
	"  redis.call('ZADD', key, ARGV[2], ARGV[3])\n"
	"  redis.call('ZREMRANGEBYSCORE', key, '-inf', ARGV[1])\n"
	"  redis.call('PEXPIRE', key, ARGV[4])\n"
	"end\n";

/* What a thread says. */
struct presence_note {
	struct note note;
	bool here;
	char user_id[]; /* as long as it is */
};

/* A user that is here, or has gone and Redis does not know yet. */
struct present {
	struct table_node node;
	struct list link; /* of `here`, or of `gone` */
	uint32_t told;    /* the tick; 0: it is to be told now */
	uint8_t threads;  /* that have a session of it */
	bool known;       /* Redis may have it */
	char user_id[];   /* as long as it is */
};

struct presence {
	struct presence_settings settings;
	char member[MEMBER_SIZE];
	struct redis_args *args;
	struct loop_timer *tick;
	struct notes notes;
	struct table users;
	struct list here; /* who was told longest ago is first */
	struct list gone; /* who went first is first */
	int64_t start_us; /* monotonic: ticks count from here */
	uint32_t up;      /* the tick; what was told before it does not count */
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

static const char *user_key(const struct table_node *n, size_t *len)
{
	const struct present *u = container_of(n, struct present, node);

	*len = strlen(u->user_id);
	return u->user_id;
}

static struct present *find(const struct presence *p, const char *user_id)
{
	struct table_node *n = table_find(&p->users, user_id, strlen(user_id));

	return n ? container_of(n, struct present, node) : NULL;
}

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
	struct present *u = find(p, user_id);

	_Static_assert(ENGINE_THREADS_MAX <= UINT8_MAX, "threads holds it");
	if (!u) {
		u = mem_alloc(offsetof(struct present, user_id) + len + 1);
		memcpy(u->user_id, user_id, len);
		table_add(&p->users, &u->node);
	}
	if (u->threads++ > 0)
		return;
	u->told = 0;
	move_to(&p->here, u, true);
}

static void goes(struct presence *p, const char *user_id)
{
	struct present *u = find(p, user_id);

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
	table_remove(&p->users, &u->node);
	mem_free(u);
}

/* ---- on the loop: telling it ---- */

/* Ticks of TICK_MS since it began, and one: 0 is never. */
static uint32_t tick_now(const struct presence *p)
{
	return (uint32_t)((clock_mono_us() - p->start_us) / (TICK_MS * US_PER_MS)) + 1;
}

static uint32_t ttl_ticks(const struct presence *p)
{
	return (uint32_t)(p->settings.ttl_ms / TICK_MS);
}

static void add_key(struct presence *p, const struct present *u)
{
	struct bus_name key;

	redis_args_text(p->args, bus_presence(&key, p->settings.bus, u->user_id));
}

static void send(struct presence *p)
{
	redis_send(p->settings.commands, p->args, NULL, NULL);
}

static void tell_here(struct presence *p, struct present *const *users, int count)
{
	int64_t now_ms = clock_utc_us() / US_PER_MS, ttl_ms = p->settings.ttl_ms;

	redis_args_clear(p->args);
	redis_args_text(p->args, "EVAL");
	redis_args_text(p->args, tell_script);
	redis_args_int(p->args, count);
	for (int i = 0; i < count; i++)
		add_key(p, users[i]);
	redis_args_int(p->args, now_ms);
	redis_args_int(p->args, now_ms + ttl_ms);
	redis_args_text(p->args, p->member);
	redis_args_int(p->args, ttl_ms);
	send(p);
}

static void tell_gone(struct presence *p, const struct present *u)
{
	redis_args_clear(p->args);
	redis_args_text(p->args, "ZREM");
	add_key(p, u);
	redis_args_text(p->args, p->member);
	send(p);
}

static struct present *first_of(const struct list *list)
{
	return list_empty(list) ? NULL : container_of(list->next, struct present, link);
}

static bool is_due(const struct presence *p, const struct present *u, uint32_t now)
{
	return u->told == 0 || u->told < p->up || u->told + ttl_ticks(p) / 3 <= now;
}

/* Up to `most` of those that are due, from the first in order: who has just come was put
 * in front. Returns how many. */
static int renew(struct presence *p, uint32_t now, int most)
{
	struct present *users[TOLD_MAX], *u;
	int count = 0;

	while (count < most && count < TOLD_MAX && (u = first_of(&p->here)) != NULL &&
	       is_due(p, u, now)) {
		u->told = now;
		u->known = true;
		move_to(&p->here, u, false);
		users[count++] = u;
	}
	if (count > 0)
		tell_here(p, users, count);
	return count;
}

/* While Redis is away they are kept until it has forgotten them by itself. */
static void let_go(struct presence *p, uint32_t now, bool up, int budget)
{
	struct present *u;

	while (budget-- > 0 && (u = first_of(&p->gone)) != NULL) {
		if (up && u->known)
			tell_gone(p, u);
		else if (!up && u->told + ttl_ticks(p) > now)
			return;
		forget(p, u);
	}
}

/* A tenth is for those that went, however many come. */
static void on_tick(void *arg)
{
	struct presence *p = arg;
	uint32_t now = tick_now(p);
	bool up = redis_is_up(p->settings.commands);
	int left = PRESENCE_FLUSH_MAX - PRESENCE_FLUSH_MAX / 10, told;

	while (up && left > 0 && (told = renew(p, now, left)) > 0)
		left -= told;
	let_go(p, now, up, left + PRESENCE_FLUSH_MAX / 10);
}

void presence_up(struct presence *p)
{
	p->up = tick_now(p);
}

bool presence_idle(const struct presence *p)
{
	return !redis_is_up(p->settings.commands) ||
	       (p->users.count == 0 && redis_pending(p->settings.commands) == 0);
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
	table_init(&p->users, user_key);
	list_init(&p->here);
	list_init(&p->gone);
	p->start_us = clock_mono_us();
	notes_init(&p->notes, settings->loop, on_note, p);
	loop_timer_start(p->tick, TICK_MS, TICK_MS);
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
	table_release(&p->users);
	redis_args_free(p->args);
	mem_free(p);
}
