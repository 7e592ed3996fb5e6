/* returning: clients that lose their connection again and again, and come back.
 *
 * Each is dropped so many times, at moments of its own: closed or reset, between two
 * frames of one read, or with bytes in hand that it did not look at. Then it is away for
 * a random time and comes back on a random one of the gateways with the last sequence
 * that it has. Who is thrown out by the server comes back, too; that is no drop.
 *
 * It judges nothing. All that it is told goes into a file, a line each:
 *     hello CLIENT USER SEQUENCE     its first one: from there on it has to get
 * everything resync CLIENT SEQUENCE         it was told to begin anew event CLIENT
 * SEQUENCE EVENT_ID SUBJECT RECEIVED_US(UTC) On stdout it says "connected" when every
 * client had its hello, "dropped" when all drops are done and everybody is back, and once
 * a second "progress open= drops= events=". On stdin it takes "go" (the drops begin) and
 * "end" (the file is written, the counts are said as JSON). Bounded in time: --seconds.
 *
 * Exit: 0 was told to end, 1 could not run or took too long, 2 bad usage. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../crowd/crowd.h"
#include "base/clock.h"
#include "base/heap.h"
#include "base/mem.h"
#include "told.h"

enum {
	ADDRESSES_MAX = 8,
	CLIENTS_MAX = 100000,
	UNDER_WAY_MAX = 500,
	HANDSHAKE_MS = 5000,
	CLOSE_CODES = 5000,
	ARMED_US = 500000, /* after that it is dropped without */
	BACK_US = 300000,  /* at most: who was thrown out comes back within */
	AGAIN_US = 50000,
	TURN_MS = 20,
};

enum phase {
	HERE,      /* until it is dropped */
	ARMED,     /* dropped with the next bytes that come */
	ARMED_MID, /* dropped after the next frame: what follows it is lost */
	AWAY,
	STAYS, /* all its drops are done */
};

struct client {
	struct heap_node due;
	int64_t last; /* sequence that it has; -1: no hello yet */
	int drops;
	uint8_t phase, address;
};

struct options {
	const char *addresses[ADDRESSES_MAX + 1];
	const char *secret, *out;
	int address_count, clients, users, ops, drops, seconds, away_ms, here_ms;
	uint64_t seed;
};

struct run {
	struct options options;
	struct crowd *crowd;
	struct client *clients;
	struct heap due;
	uint64_t random;
	FILE *out;
	char ledger[TOLD_TEXT_SIZE];
	bool going, ending, said_connected, said_once, said_dropped;
	int hellos;     /* clients that had their first one */
	int once, done; /* that had one drop; all of them */
	long drops, resets, unread, between, events, others;
	long closed[CLOSE_CODES]; /* by the server, by its code */
};

/* ---- chance ---- */

/* xorshift64*, so that a seed says who is dropped in which order and how. */
static uint64_t below(struct run *r, uint64_t bound)
{
	r->random ^= r->random >> 12;
	r->random ^= r->random << 25;
	r->random ^= r->random >> 27;
	return (r->random * 2685821657736338717ULL >> 16) % bound;
}

static void wait_for(struct run *r, struct client *c, int64_t us)
{
	heap_remove(&r->due, &c->due);
	heap_push(&r->due, &c->due, clock_mono_us() + us);
}

static void wait_up_to(struct run *r, struct client *c, int64_t us)
{
	wait_for(r, c, (int64_t)below(r, (uint64_t)us + 1));
}

/* ---- coming and going ---- */

static int number_of(const struct run *r, const struct client *c)
{
	return (int)(c - r->clients);
}

static void come(struct run *r, struct client *c)
{
	c->address = (uint8_t)below(r, (uint64_t)r->options.address_count);
	if (r->going && c->drops < r->options.drops) {
		c->phase = HERE;
		wait_up_to(r, c, r->options.here_ms * US_PER_MS);
	} else {
		c->phase = STAYS;
	}
	crowd_connect(r->crowd, number_of(r, c));
}

static void drop(struct run *r, struct client *c, bool reset)
{
	crowd_drop(r->crowd, number_of(r, c), reset);
	c->phase = AWAY;
	c->drops++;
	r->drops++;
	r->once += c->drops == 1;
	r->resets += reset;
	r->done += c->drops == r->options.drops;
	wait_up_to(r, c, r->options.away_ms * US_PER_MS);
}

static void begin_drop(struct run *r, struct client *c)
{
	if (!crowd_is_open(r->crowd, number_of(r, c))) {
		wait_for(r, c, AGAIN_US);
		return;
	}
	switch (below(r, 4)) {
	case 0:
		drop(r, c, false);
		return;
	case 1:
		drop(r, c, true);
		return;
	case 2:
		c->phase = ARMED;
		break;
	default:
		c->phase = ARMED_MID;
		break;
	}
	wait_for(r, c, ARMED_US);
}

static void on_due(struct run *r, struct client *c)
{
	bool armed = c->phase == ARMED || c->phase == ARMED_MID;

	if (c->phase == HERE)
		begin_drop(r, c);
	else if (armed && crowd_is_open(r->crowd, number_of(r, c)))
		drop(r, c, false);
	else
		come(r, c);
}

static void run_due(struct run *r)
{
	const struct heap_node *n;

	while ((n = heap_peek(&r->due)) != NULL && n->at <= clock_mono_us()) {
		struct client *c = container_of(heap_pop(&r->due), struct client, due);

		on_due(r, c);
	}
}

/* ---- what the crowd says ---- */

static void on_who(void *arg, int client, struct crowd_who *w)
{
	const struct run *r = arg;
	const struct client *c = &r->clients[client];

	if (client >= r->options.clients)
		w->right = CROWD_OPS;
	else
		snprintf(w->user_id, sizeof(w->user_id), "u%d",
			 client % r->options.users);
	w->address = c->address;
	w->after = c->last;
	if (c->last >= 0)
		w->ledger = r->ledger;
}

static void on_closed(void *arg, int client, int code)
{
	struct run *r = arg;
	struct client *c = &r->clients[client];

	r->closed[code >= 0 && code < CLOSE_CODES ? code : 0]++;
	if (c->phase != STAYS)
		c->phase = AWAY;
	wait_up_to(r, c, BACK_US);
}

static size_t on_bytes(void *arg, int client, const uint8_t *bytes, size_t len)
{
	struct run *r = arg;
	struct client *c = &r->clients[client];

	if (c->phase != ARMED)
		return 0;
	r->unread++;
	drop(r, c, below(r, 2) == 0);
	return len;
}

/* ---- what it is told ---- */

static void take_hello(struct run *r, int client, const struct told *t)
{
	struct client *c = &r->clients[client];
	bool first = c->last < 0, all = client >= r->options.clients;

	if (first) {
		r->hellos++;
		fprintf(r->out, "hello %d %s%d %lld\n", client, all ? "*" : "u",
			all ? 0 : client % r->options.users, (long long)t->sequence);
	} else if (t->resync) {
		fprintf(r->out, "resync %d %lld\n", client, (long long)t->sequence);
	}
	if (first || t->resync)
		c->last = t->sequence;
	snprintf(r->ledger, sizeof(r->ledger), "%s", t->ledger);
}

static void take_event(struct run *r, int client, const struct told *t)
{
	struct client *c = &r->clients[client];

	r->events++;
	fprintf(r->out, "event %d %lld %s %s %lld\n", client, (long long)t->sequence,
		t->id, t->subject, (long long)clock_utc_us());
	if (t->sequence > c->last)
		c->last = t->sequence;
}

static void on_frame(void *arg, int client, int opcode, const uint8_t *payload,
		     size_t len)
{
	struct run *r = arg;
	struct client *c = &r->clients[client];
	struct told t;

	told_read(&t, (const char *)payload, len);
	if (t.type == TOLD_HELLO)
		take_hello(r, client, &t);
	else if (t.type == TOLD_EVENT)
		take_event(r, client, &t);
	else
		r->others++;
	if (c->phase != ARMED_MID)
		return;
	r->between++;
	drop(r, c, below(r, 2) == 0);
}

/* ---- what the driver says ---- */

static void go(struct run *r)
{
	r->going = true;
	for (int i = 0; i < r->options.clients + r->options.ops; i++) {
		struct client *c = &r->clients[i];

		if (c->phase != STAYS || r->options.drops == 0)
			continue;
		c->phase = HERE;
		wait_up_to(r, c, r->options.here_ms * US_PER_MS);
	}
}

static void on_stdin(void *arg)
{
	struct run *r = arg;
	char text[64];
	ssize_t n = read(STDIN_FILENO, text, sizeof(text) - 1);

	if (n <= 0) {
		r->ending = true; /* the driver is gone */
		return;
	}
	text[n] = '\0';
	if (strstr(text, "go") && !r->going)
		go(r);
	if (strstr(text, "end"))
		r->ending = true;
}

static void say(struct run *r, int64_t *next_us)
{
	int all = r->options.clients + r->options.ops, open = crowd_open_count(r->crowd);

	if (!r->said_connected && r->hellos == all) {
		r->said_connected = true;
		puts("connected");
	}
	if (!r->said_once && r->once == all) {
		r->said_once = true;
		puts("dropped once");
	}
	if (!r->said_dropped && r->going && r->done == all && open == all) {
		r->said_dropped = true;
		puts("dropped");
	}
	if (clock_mono_us() < *next_us)
		return;
	*next_us = clock_mono_us() + US_PER_S;
	printf("progress open=%d drops=%ld events=%ld\n", open, r->drops, r->events);
}

static void say_counts(const struct run *r)
{
	const char *comma = "";

	printf("{\"drops\":%ld,\"resets\":%ld,\"unread\":%ld,\"between_frames\":%ld,"
	       "\"events\":%ld,\"others\":%ld,\"closed\":{",
	       r->drops, r->resets, r->unread, r->between, r->events, r->others);
	for (int i = 0; i < CLOSE_CODES; i++) {
		if (r->closed[i] == 0)
			continue;
		printf("%s\"%d\":%ld", comma, i, r->closed[i]);
		comma = ",";
	}
	puts("}}");
}

/* ---- its life ---- */

static int turn_until_end(struct run *r, struct err *e)
{
	int64_t until_us = clock_mono_us() + r->options.seconds * US_PER_S, next_us = 0;

	while (!r->ending) {
		if (crowd_turn(r->crowd, TURN_MS, e) < 0)
			return -1;
		run_due(r);
		say(r, &next_us);
		if (clock_mono_us() > until_us)
			return err_set(e, ERR_TIMEOUT, "nobody said end within %d s",
				       r->options.seconds);
	}
	return 0;
}

static int run_all(struct run *r, struct err *e)
{
	const struct options *o = &r->options;
	const struct crowd_settings settings = {
		.addresses = o->addresses,
		.path = "/ws",
		.secret = o->secret,
		.clients = o->clients + o->ops,
		.under_way_max = UNDER_WAY_MAX,
		.handshake_ms = HANDSHAKE_MS,
		.source = (unsigned)o->seed & 16383,
		.who = on_who,
		.bytes = on_bytes,
		.frame = on_frame,
		.closed = on_closed,
		.arg = r,
	};

	r->out = fopen(o->out, "w");
	if (!r->out)
		return err_set_errno(e, ERR_IO, errno, "%s", o->out);
	r->random = o->seed * 2654435761u + 88172645463325252ULL;
	r->clients = mem_array((size_t)settings.clients, sizeof(*r->clients));
	heap_init(&r->due);
	if (crowd_new(&r->crowd, &settings, e) < 0 ||
	    crowd_watch(r->crowd, STDIN_FILENO, on_stdin, r, e) < 0)
		return -1;
	for (int i = 0; i < settings.clients; i++) {
		r->clients[i] = (struct client){.last = -1, .phase = STAYS};
		r->clients[i].address = (uint8_t)(i % o->address_count);
		crowd_connect(r->crowd, i);
	}
	return turn_until_end(r, e);
}

static void release(struct run *r)
{
	crowd_free(r->crowd);
	heap_release(&r->due);
	mem_free(r->clients);
}

static const char USAGE[] = "usage: returning --gateway HOST:PORT … --clients N --users "
			    "N --secret S --out FILE\n"
			    "       [--ops N] [--drops N] [--away-ms N] [--here-ms N] "
			    "[--seconds N] [--seed N]\n";

static long long number(const char *text, long long min, long long max)
{
	char *end;
	long long n = strtoll(text, &end, 10);

	if (*text != '\0' && *end == '\0' && n >= min && n <= max)
		return n;
	fprintf(stderr, "returning: %s: a number from %lld to %lld is needed\n", text,
		min, max);
	exit(2);
}

static void add_gateway(struct options *o, const char *address)
{
	if (o->address_count < ADDRESSES_MAX)
		o->addresses[o->address_count++] = address;
}

static bool read_options(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{"gateway", 1, NULL, 'g'}, {"clients", 1, NULL, 'c'},
		{"users", 1, NULL, 'u'},   {"ops", 1, NULL, 'p'},
		{"drops", 1, NULL, 'd'},   {"away-ms", 1, NULL, 'a'},
		{"here-ms", 1, NULL, 'h'}, {"seconds", 1, NULL, 's'},
		{"seed", 1, NULL, 'r'},    {"secret", 1, NULL, 'k'},
		{"out", 1, NULL, 'o'},     {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 'g')
			add_gateway(o, optarg);
		else if (c == 'c')
			o->clients = (int)number(optarg, 1, CLIENTS_MAX);
		else if (c == 'u')
			o->users = (int)number(optarg, 1, CLIENTS_MAX);
		else if (c == 'p')
			o->ops = (int)number(optarg, 0, 100);
		else if (c == 'd')
			o->drops = (int)number(optarg, 0, 100000);
		else if (c == 'a')
			o->away_ms = (int)number(optarg, 0, 60000);
		else if (c == 'h')
			o->here_ms = (int)number(optarg, 0, 600000);
		else if (c == 's')
			o->seconds = (int)number(optarg, 1, 3600);
		else if (c == 'r')
			o->seed = (uint64_t)number(optarg, 0, INT64_MAX);
		else if (c == 'k')
			o->secret = optarg;
		else if (c == 'o')
			o->out = optarg;
		else
			return false;
	}
	return optind == argc && o->address_count > 0 && o->clients > 0 && o->users > 0 &&
	       o->secret && o->out;
}

int main(int argc, char **argv)
{
	struct run r = {.options = {.drops = 0,
				    .away_ms = 2000,
				    .here_ms = 2000,
				    .seconds = 600,
				    .seed = 1}};
	struct err e = ERR_INIT;
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!read_options(&r.options, argc, argv)) {
		fputs(USAGE, stderr);
		return 2;
	}
	rc = run_all(&r, &e);
	if (rc < 0)
		fprintf(stderr, "returning: %s\n", e.text);
	if (r.out && fclose(r.out) != 0)
		rc = -1;
	say_counts(&r);
	release(&r);
	return rc < 0 ? 1 : 0;
}
