#include "hostile_options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CONNECTIONS_MAX = 50000,
	TOTAL_MAX = 10000000,
	SECONDS_MAX = 600,
	PAUSE_MAX_MS = 60000,
};

static const char USAGE[] = "usage: hostile --to HOST:PORT --first FILE --seconds N "
			    "[--from HOST] [--then FILE] "
			    "[--times N]\n"
			    "       [--connections N] [--total N] [--rate N] [--piece N] "
			    "[--every-ms N] [--mute]\n"
			    "       [--finish stay|reset|reset-answered|half]\n";

static void refuse(const char *why)
{
	fprintf(stderr, "hostile: %s\n%s", why, USAGE);
	exit(2);
}

static long number(const char *text, long min, long max)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n < min || n > max)
		refuse(text);
	return n;
}

static void read_address(struct sockaddr_in *out, const char *text)
{
	char host[INET_ADDRSTRLEN] = "";
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	if (len >= sizeof(host))
		refuse(text);
	memcpy(host, text, len);
	*out = (struct sockaddr_in){.sin_family = AF_INET};
	if (inet_pton(AF_INET, host, &out->sin_addr) != 1)
		refuse(text);
	if (colon)
		out->sin_port = htons((uint16_t)number(colon + 1, 1, UINT16_MAX));
}

static void read_file(struct buf *out, const char *path)
{
	FILE *file = fopen(path, "rb");
	char bytes[4096];
	size_t n;

	if (!file)
		refuse(path);
	while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
		buf_add(out, bytes, n);
	if (ferror(file) || out->overflowed)
		refuse(path);
	fclose(file);
}

static enum finish read_finish(const char *text)
{
	static const char *const names[] = {"stay", "reset", "reset-answered", "half"};

	for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++) {
		if (strcmp(text, names[i]) == 0)
			return (enum finish)i;
	}
	refuse(text);
	return STAY;
}

static void take(struct options *o, int c)
{
	switch (c) {
	case 't':
		read_address(&o->to, optarg);
		return;
	case 'f':
		read_address(&o->from, optarg);
		return;
	case '1':
		read_file(&o->first, optarg);
		return;
	case '2':
		read_file(&o->then, optarg);
		return;
	case 'n':
		o->times = number(optarg, -1, TOTAL_MAX);
		return;
	case 'c':
		o->connections = number(optarg, 1, CONNECTIONS_MAX);
		return;
	case 'a':
		o->total = number(optarg, 1, TOTAL_MAX);
		return;
	case 'r':
		o->rate = number(optarg, 0, TOTAL_MAX);
		return;
	case 'p':
		o->piece = number(optarg, 0, HOSTILE_SCRIPT_MAX);
		return;
	case 'e':
		o->every_ms = number(optarg, 0, PAUSE_MAX_MS);
		return;
	case 's':
		o->seconds = number(optarg, 1, SECONDS_MAX);
		return;
	case 'm':
		o->mute = true;
		return;
	case 'x':
		o->finish = read_finish(optarg);
		return;
	default:
		refuse("unknown option");
	}
}

void options_read(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{"to", 1, NULL, 't'},      {"from", 1, NULL, 'f'},
		{"first", 1, NULL, '1'},   {"then", 1, NULL, '2'},
		{"times", 1, NULL, 'n'},   {"connections", 1, NULL, 'c'},
		{"total", 1, NULL, 'a'},   {"rate", 1, NULL, 'r'},
		{"piece", 1, NULL, 'p'},   {"every-ms", 1, NULL, 'e'},
		{"seconds", 1, NULL, 's'}, {"mute", 0, NULL, 'm'},
		{"finish", 1, NULL, 'x'},  {NULL, 0, NULL, 0},
	};
	int c;

	*o = (struct options){.connections = 1, .total = TOTAL_MAX, .times = 1};
	read_address(&o->from, "127.0.0.1");
	buf_init(&o->first, HOSTILE_SCRIPT_MAX);
	buf_init(&o->then, HOSTILE_SCRIPT_MAX);
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
		take(o, c);
	if (optind < argc || o->to.sin_port == 0 || o->seconds == 0)
		refuse("--to and --seconds are needed");
}

void options_release(struct options *o)
{
	buf_release(&o->first);
	buf_release(&o->then);
}
