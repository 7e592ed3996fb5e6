/* listeners: clients of a gateway for its measurements (tests/bench/gateway.py).
 *
 * Connects --count clients, then does what it is told on stdin, a line each, and says
 * what happened on stdout, a JSON object a line:
 *
 *	expect FILE     each client is to get exactly these bytes next: all of them make
 *	                {"what":"complete",…} with the moment of the first and the last
 *	events FILE     each event and each delivery status that comes is written there:
 *	                client,sequence,utc_us
 *	end             no more of that
 *	report          how many are open, frames and bytes that came, and what was wrong
 *	enough          those that are not open by now give up
 *	quit            so does the end of stdin
 *
 * It shares the machine with what is measured, so a broadcast costs it one recv() and one
 * comparison for a client. Bounded by --seconds. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../crowd/crowd.h"
#include "base/clock.h"
#include "base/mem.h"
#include "listeners_expected.h"
#include "wire/event.h"

enum {
	UNDER_WAY_DEFAULT = 200,
	SECONDS_DEFAULT = 600,
	LINE_MAX_BYTES = 4096,
	WRONGS_SHOWN = 5,
};

struct listeners {
	const char *addresses[CROWD_ADDRESSES_MAX + 1];
	int address_count;
	struct crowd_settings crowd_settings;
	enum crowd_right right;
	const char *prefix; /* users are <prefix><first + client * stride> */
	int64_t first, stride, seconds;
	int wanted; /* clients that take part */

	struct crowd *crowd;
	uint8_t *greeted; /* by client */
	int open, closed, last_code, wrong, foreign;
	bool all_said;
	int64_t began_us; /* monotonic */

	struct expected expected;

	FILE *events;
	int64_t frames, bytes;
	char line[LINE_MAX_BYTES];
	size_t line_len;
	bool quit;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "listeners: %s: %s\n", what, why);
	exit(1);
}

/* ---- what is expected ---- */

static void say_complete(const struct listeners *l)
{
	const struct expected *x = &l->expected;

	printf("{\"what\":\"complete\",\"clients\":%d,\"first_us\":%lld,\"last_us\":%lld,"
	       "\"wrong\":%d}\n",
	       x->complete, (long long)x->first_us, (long long)x->last_us, l->wrong);
}

static size_t take_bytes(void *arg, int client, const uint8_t *bytes, size_t len)
{
	struct listeners *l = arg;
	int before = l->expected.complete;
	size_t used = expected_take(&l->expected, client, bytes, len);

	l->bytes += (int64_t)used;
	if (l->expected.complete > before && l->expected.complete == l->wanted)
		say_complete(l);
	return used;
}

static bool is_expected(struct listeners *l, int client, int opcode,
			const uint8_t *payload, size_t len)
{
	int before = l->expected.complete;

	if (!expected_take_frame(&l->expected, client, opcode, payload, len))
		return false;
	l->bytes += (int64_t)len;
	if (l->expected.complete > before && l->expected.complete == l->wanted)
		say_complete(l);
	return true;
}

/* It is not what this one was to get next. */
static void note_wrong(struct listeners *l, int client, const uint8_t *payload,
		       size_t len)
{
	if (l->wrong++ < WRONGS_SHOWN)
		fprintf(stderr, "listeners: client %d at byte %u: %.*s\n", client,
			l->expected.offsets[client], len > 300 ? 300 : (int)len,
			(const char *)payload);
}

static void expect(struct listeners *l, const char *path)
{
	struct err e = ERR_INIT;

	if (expected_load(&l->expected, path, &e) < 0)
		die("what is expected", e.text);
	printf("{\"what\":\"expecting\",\"bytes\":%zu}\n", l->expected.len);
}

/* ---- events ---- */

static bool find(const uint8_t *payload, size_t len, const char *key, char *out,
		 size_t size)
{
	const char *at = memmem(payload, len, key, strlen(key));
	const char *end;

	if (!at)
		return false;
	at += strlen(key);
	end = memchr(at, '"', len - (size_t)(at - (const char *)payload));
	if (!end || (size_t)(end - at) >= size)
		return false;
	memcpy(out, at, (size_t)(end - at));
	out[end - at] = '\0';
	return true;
}

static void user_of(const struct listeners *l, int client, char out[USER_ID_MAX + 1])
{
	snprintf(out, USER_ID_MAX + 1, "%s%lld", l->prefix,
		 (long long)(l->first + client * l->stride));
}

static void take_event(struct listeners *l, int client, const uint8_t *payload,
		       size_t len)
{
	int64_t now_us = clock_utc_us();
	char sequence[EVENT_SEQUENCE_SIZE], whose[USER_ID_MAX + 1];
	char user[USER_ID_MAX + 1];

	if (!find(payload, len, "\"sequence\":\"", sequence, sizeof(sequence)) ||
	    !find(payload, len, "\"user_id\":\"", whose, sizeof(whose))) {
		note_wrong(l, client, payload, len);
		return;
	}
	user_of(l, client, user);
	if (l->right == CROWD_USER && strcmp(user, whose) != 0)
		l->foreign++;
	if (l->events)
		fprintf(l->events, "%d,%s,%lld\n", client, sequence, (long long)now_us);
}

/* ---- the crowd's ---- */

static bool begins(const uint8_t *payload, size_t len, const char *text)
{
	return len >= strlen(text) && memcmp(payload, text, strlen(text)) == 0;
}

static void who(void *arg, int client, struct crowd_who *w)
{
	const struct listeners *l = arg;

	w->right = l->right;
	w->address = client;
	user_of(l, client, w->user_id);
}

static void say_open(struct listeners *l)
{
	if (l->all_said || l->open + l->closed < l->wanted)
		return;
	l->all_said = true;
	printf("{\"what\":\"open\",\"clients\":%d,\"closed\":%d,\"code\":%d,\"took_us\":%"
	       "lld}\n",
	       l->open, l->closed, l->last_code,
	       (long long)(clock_mono_us() - l->began_us));
}

static void greeted(struct listeners *l, int client)
{
	l->greeted[client] = 1;
	l->open++;
	say_open(l);
}

static void opened(void *arg, int client)
{
	struct listeners *l = arg;

	if (l->right == CROWD_NOBODY)
		greeted(l, client);
}

static void take_frame(void *arg, int client, int opcode, const uint8_t *payload,
		       size_t len)
{
	struct listeners *l = arg;

	l->frames++;
	if (!l->greeted[client] && begins(payload, len, "{\"type\":\"hello\""))
		greeted(l, client);
	else if (begins(payload, len, "{\"type\":\"event\"") ||
		 (l->events && begins(payload, len, "{\"type\":\"delivery\"")))
		take_event(l, client, payload, len);
	else if (!is_expected(l, client, opcode, payload, len))
		note_wrong(l, client, payload, len);
}

static void closed(void *arg, int client, int code)
{
	struct listeners *l = arg;

	if (l->greeted[client])
		l->open--;
	l->greeted[client] = 0;
	l->closed++;
	l->last_code = code;
	say_open(l);
}

/* ---- what it is told ---- */

static void report(const struct listeners *l)
{
	printf("{\"what\":\"report\",\"open\":%d,\"under_way\":%d,\"closed\":%d,\"code\":"
	       "%"
	       "d,"
	       "\"complete\":%d,\"frames\":%lld,\"bytes\":%lld,\"wrong\":%d,\"foreign\":%"
	       "d}\n",
	       l->open, crowd_under_way_count(l->crowd), l->closed, l->last_code,
	       l->expected.complete, (long long)l->frames, (long long)l->bytes, l->wrong,
	       l->foreign);
}

static void begin_events(struct listeners *l, const char *path)
{
	l->events = fopen(path, "we");
	if (!l->events)
		die(path, strerror(errno));
	printf("{\"what\":\"writing\"}\n");
}

static void end_events(struct listeners *l)
{
	if (l->events && fclose(l->events) != 0)
		die("events", strerror(errno));
	l->events = NULL;
	printf("{\"what\":\"written\"}\n");
}

static void give_up_rest(struct listeners *l)
{
	for (int i = 0; i < l->crowd_settings.clients; i++) {
		if (!l->greeted[i])
			crowd_drop(l->crowd, i, true);
	}
	l->wanted = l->open + l->closed;
	say_open(l);
}

static void obey(struct listeners *l, const char *line)
{
	if (strncmp(line, "expect ", 7) == 0)
		expect(l, line + 7);
	else if (strncmp(line, "events ", 7) == 0)
		begin_events(l, line + 7);
	else if (strcmp(line, "end") == 0)
		end_events(l);
	else if (strcmp(line, "report") == 0)
		report(l);
	else if (strcmp(line, "enough") == 0)
		give_up_rest(l);
	else if (strcmp(line, "quit") == 0)
		l->quit = true;
	else
		die(line, "what is that?");
}

static void on_stdin(void *arg)
{
	struct listeners *l = arg;
	ssize_t n =
		read(STDIN_FILENO, l->line + l->line_len, sizeof(l->line) - l->line_len);
	char *begin = l->line, *end;

	if (n <= 0) {
		l->quit = true;
		return;
	}
	l->line_len += (size_t)n;
	while ((end = memchr(begin, '\n', l->line_len - (size_t)(begin - l->line)))) {
		*end = '\0';
		obey(l, begin);
		begin = end + 1;
	}
	l->line_len -= (size_t)(begin - l->line);
	memmove(l->line, begin, l->line_len);
	if (l->line_len == sizeof(l->line))
		die("stdin", "a line is too long");
}

/* ---- the program ---- */

static const char USAGE[] =
	"usage: listeners --connect ADDRESS [--connect ADDRESS]… --count N\n"
	"                 (--user PREFIX | --ops | --nobody) [options]\n"
	"  --connect A.B.C.D:PORT  clients go to the addresses in turn\n"
	"  --user PREFIX           client i is the user PREFIX(first + i * stride)\n"
	"  --first N, --stride N   default 0 and 1\n"
	"  --ops                   every client shows a token with scope ops\n"
	"  --nobody                no token: for servers that ask for none\n"
	"  --secret TEXT           the tokens are signed with it\n"
	"  --path PATH             default /ws\n"
	"  --source N              source addresses of its own, 0 to 16383\n"
	"  --under-way N           handshakes at a time, default 200\n"
	"  --seconds S             ends after that, default 600\n";

static int64_t number(const char *text, int64_t min, int64_t max)
{
	char *end;
	long long n = strtoll(text, &end, 10);

	if (end == text || *end != '\0' || n < min || n > max)
		die(text, "that number is not possible here");
	return n;
}

static void take_option(struct listeners *l, int option, char *text)
{
	struct crowd_settings *s = &l->crowd_settings;

	switch (option) {
	case 'c':
		if (l->address_count == CROWD_ADDRESSES_MAX)
			die(text, "too many addresses");
		l->addresses[l->address_count++] = text;
		return;
	case 'n':
		s->clients = (int)number(text, 1, CROWD_CLIENTS_MAX);
		return;
	case 'u':
		l->right = CROWD_USER;
		l->prefix = text;
		return;
	case 'f':
		l->first = number(text, 0, INT32_MAX);
		return;
	case 'd':
		l->stride = number(text, 1, INT32_MAX);
		return;
	case 'o':
		l->right = CROWD_OPS;
		return;
	case 'b':
		l->right = CROWD_NOBODY;
		return;
	case 's':
		s->secret = text;
		return;
	case 'p':
		s->path = text;
		return;
	case 'i':
		s->source = (unsigned)number(text, 0, 16383);
		return;
	case 'w':
		s->under_way_max = (int)number(text, 1, 65535);
		return;
	case 't':
		l->seconds = number(text, 1, 86400);
		return;
	default:
		fputs(USAGE, stderr);
		exit(2);
	}
}

static void read_options(struct listeners *l, int argc, char **argv)
{
	static const struct option options[] = {
		{"connect", required_argument, NULL, 'c'},
		{"count", required_argument, NULL, 'n'},
		{"user", required_argument, NULL, 'u'},
		{"first", required_argument, NULL, 'f'},
		{"stride", required_argument, NULL, 'd'},
		{"ops", no_argument, NULL, 'o'},
		{"nobody", no_argument, NULL, 'b'},
		{"secret", required_argument, NULL, 's'},
		{"path", required_argument, NULL, 'p'},
		{"source", required_argument, NULL, 'i'},
		{"under-way", required_argument, NULL, 'w'},
		{"seconds", required_argument, NULL, 't'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		take_option(l, option, optarg);
	if (optind < argc || l->crowd_settings.clients == 0 || l->address_count == 0) {
		fputs(USAGE, stderr);
		exit(2);
	}
}

static void run(struct listeners *l)
{
	int64_t until_us = l->began_us + l->seconds * US_PER_S;
	struct err e = ERR_INIT;

	for (int i = 0; i < l->crowd_settings.clients; i++)
		crowd_connect(l->crowd, i);
	while (!l->quit && clock_mono_us() < until_us) {
		if (crowd_turn(l->crowd, 1000, &e) < 0)
			die("a turn", e.text);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	static struct listeners l = {
		.prefix = "u",
		.stride = 1,
		.seconds = SECONDS_DEFAULT,
		.crowd_settings = {.path = "/ws",
				   .secret = "",
				   .under_way_max = UNDER_WAY_DEFAULT,
				   .who = who,
				   .opened = opened,
				   .bytes = take_bytes,
				   .frame = take_frame,
				   .closed = closed,
				   .arg = &l},
	};
	struct err e = ERR_INIT;

	read_options(&l, argc, argv);
	l.wanted = l.crowd_settings.clients;
	l.crowd_settings.addresses = l.addresses;
	expected_init(&l.expected, l.crowd_settings.clients);
	l.greeted = mem_array((size_t)l.crowd_settings.clients, 1);
	if (crowd_new(&l.crowd, &l.crowd_settings, &e) < 0 ||
	    crowd_watch(l.crowd, STDIN_FILENO, on_stdin, &l, &e) < 0)
		die("the crowd", e.text);
	l.began_us = clock_mono_us();
	run(&l);
	crowd_free(l.crowd);
	mem_free(l.greeted);
	expected_release(&l.expected);
	return 0;
}
