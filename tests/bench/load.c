/* load: how fast, how late, and with which answers, an HTTP/1.1 server serves.
 *
 * One thread, one epoll, raw sockets, so that on two cores the server gets nearly all of
 * them. Bounded in count and time: it stops by itself. The result goes to stdout as one
 * JSON object with --json, else as a few lines for people.
 *
 * Exit: 0 ran to its end (whatever the statuses were), 1 could not run, 2 bad usage. */
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "load_answer.h"
#include "load_engine.h"
#include "load_json.h"

#define SECONDS_MAX     600
#define COUNT_MAX       100000000
#define SECONDS_DEFAULT 60 /* when only --count is said */

struct options {
	struct source_settings source;
	struct engine_settings engine;
	struct sockaddr_storage address;
	char host[300];
	char *url, *path; /* ours */
	const char *unix_path, *out;
	char key_prefix[64];
	bool json;
};

/* What on_answer writes to. */
struct recorder {
	FILE *out;
	bool bodies; /* JSON lines with head and body, else CSV */
	struct buf line;
};

static const char USAGE[] =
	"usage: load --url http://HOST:PORT/PATH (--count N | --seconds S) [options]\n"
	"  --url URL            http only; with --unix the host is just a name\n"
	"  --unix PATH          connect to this socket\n"
	"  --method NAME        default: GET, with a body POST\n"
	"  --header 'N: v'      may be repeated\n"
	"  --connections N      keep-alive connections, default 64\n"
	"  --count N            requests in all\n"
	"  --seconds S          nothing is sent after S seconds (at most 600) or a "
	"SIGTERM\n"
	"  --rate R             open loop: R requests a second, due by the clock\n"
	"  --timeout-ms MS      for one request, retries included (default 10000)\n"
	"  --retry              send a request whose connection broke again\n"
	"  --body TEXT          a template: {n} the number, {a} {b} two random users\n"
	"  --body-file FILE     a body a line, in turn on each connection\n"
	"  --users N            {a} and {b} are below N (default 1000)\n"
	"  --seed N             for {a} and {b}\n"
	"  --idempotency-keys[=PREFIX]  a key of its own for each request: PREFIX-n\n"
	"  --requests FILE      whole requests, a JSON object a line: conn method path\n"
	"                       headers body | body_base64; each conn in order\n"
	"  --out FILE           a record a request: CSV (index, status, start_us,\n"
	"                       latency_us, Location), with --requests JSON lines\n"
	"  --json               the result as JSON\n";

static int64_t number(const char *name, const char *text, int64_t min, int64_t max)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n < min || n > max) {
		fprintf(stderr, "load: --%s must be a number from %lld to %lld\n", name,
			(long long)min, (long long)max);
		exit(2);
	}
	return n;
}

static void usage_fault(const char *text)
{
	fprintf(stderr, "load: %s\n%s", text, USAGE);
	exit(2);
}

/* ---- the address ----------------------------------------------------------------------
 */

static void take_url(struct options *o)
{
	char *host = o->url, *path;

	if (strncmp(host, "http://", 7) != 0)
		usage_fault("--url must begin with http://");
	host += 7;
	path = strchr(host, '/');
	o->path = mem_strdup(path != NULL ? path : "/");
	o->source.path = o->path;
	if (path != NULL)
		*path = '\0';
	if (!mem_copy_text(o->host, sizeof(o->host), host))
		usage_fault("--url: the host is too long");
	o->source.host = o->host;
}

static int unix_address(struct options *o, struct err *e)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&o->address;

	un->sun_family = AF_UNIX;
	if (!mem_copy_text(un->sun_path, sizeof(un->sun_path), o->unix_path))
		return err_set(e, ERR_INVALID, "%s is too long", o->unix_path);
	o->engine.address_len = sizeof(*un);
	return 0;
}

static int inet_address(struct options *o, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	char host[300], *colon;
	int rc;

	mem_copy_text(host, sizeof(host), o->host);
	colon = strrchr(host, ':');
	if (colon == NULL)
		return err_set(e, ERR_INVALID, "--url needs a port");
	*colon = '\0';
	if (host[0] == '[' && colon > host) {
		colon[-1] = '\0';
		memmove(host, host + 1, strlen(host));
	}
	rc = getaddrinfo(host, colon + 1, &hints, &found);
	if (rc != 0)
		return err_set(e, ERR_NOT_FOUND, "%s: %s", o->host, gai_strerror(rc));
	memcpy(&o->address, found->ai_addr, found->ai_addrlen);
	o->engine.address_len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int resolve(struct options *o, struct err *e)
{
	o->engine.address = (const struct sockaddr *)&o->address;
	return o->unix_path != NULL ? unix_address(o, e) : inet_address(o, e);
}

/* ---- options --------------------------------------------------------------------------
 */

static void take_key_prefix(struct options *o, const char *prefix)
{
	uint64_t random;

	random_bytes(&random, sizeof(random));
	if (prefix == NULL)
		snprintf(o->key_prefix, sizeof(o->key_prefix), "load-%016llx",
			 (unsigned long long)random);
	else if (!mem_copy_text(o->key_prefix, sizeof(o->key_prefix), prefix))
		usage_fault("--idempotency-keys: the prefix is too long");
	o->source.key_prefix = o->key_prefix;
}

static void add_header(struct options *o, const char *header)
{
	if (strchr(header, ':') == NULL || strpbrk(header, "\r\n") != NULL)
		usage_fault("--header must be 'Name: value'");
	if (o->source.header_count == SOURCE_HEADERS_MAX)
		usage_fault("too many --header");
	o->source.headers[o->source.header_count++] = header;
}

enum option_id {
	OPT_URL = 256,
	OPT_UNIX,
	OPT_METHOD,
	OPT_HEADER,
	OPT_CONNECTIONS,
	OPT_COUNT,
	OPT_SECONDS,
	OPT_RATE,
	OPT_TIMEOUT,
	OPT_RETRY,
	OPT_BODY,
	OPT_BODY_FILE,
	OPT_USERS,
	OPT_SEED,
	OPT_KEYS,
	OPT_REQUESTS,
	OPT_OUT,
	OPT_JSON,
	OPT_HELP,
};

static const struct option OPTIONS[] = {
	{"url", required_argument, NULL, OPT_URL},
	{"unix", required_argument, NULL, OPT_UNIX},
	{"method", required_argument, NULL, OPT_METHOD},
	{"header", required_argument, NULL, OPT_HEADER},
	{"connections", required_argument, NULL, OPT_CONNECTIONS},
	{"count", required_argument, NULL, OPT_COUNT},
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"rate", required_argument, NULL, OPT_RATE},
	{"timeout-ms", required_argument, NULL, OPT_TIMEOUT},
	{"retry", no_argument, NULL, OPT_RETRY},
	{"body", required_argument, NULL, OPT_BODY},
	{"body-file", required_argument, NULL, OPT_BODY_FILE},
	{"users", required_argument, NULL, OPT_USERS},
	{"seed", required_argument, NULL, OPT_SEED},
	{"idempotency-keys", optional_argument, NULL, OPT_KEYS},
	{"requests", required_argument, NULL, OPT_REQUESTS},
	{"out", required_argument, NULL, OPT_OUT},
	{"json", no_argument, NULL, OPT_JSON},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

/* What is sent. False when the option is none of these. */
static bool take_source_option(struct options *o, int option)
{
	struct source_settings *s = &o->source;

	switch (option) {
	case OPT_METHOD:
		s->method = optarg;
		return true;
	case OPT_HEADER:
		add_header(o, optarg);
		return true;
	case OPT_BODY:
		s->body = optarg;
		return true;
	case OPT_BODY_FILE:
		s->body_file = optarg;
		return true;
	case OPT_REQUESTS:
		s->requests = optarg;
		return true;
	case OPT_USERS:
		s->users = number("users", optarg, 2, 1000000000);
		return true;
	case OPT_SEED:
		s->seed = (uint64_t)number("seed", optarg, 0, INT64_MAX);
		return true;
	case OPT_KEYS:
		take_key_prefix(o, optarg);
		return true;
	default:
		return false;
	}
}

/* How it is sent. */
static bool take_engine_option(struct options *o, int option)
{
	struct engine_settings *g = &o->engine;

	switch (option) {
	case OPT_CONNECTIONS:
		g->connections =
			(int)number("connections", optarg, 1, SOURCE_CONNECTIONS);
		return true;
	case OPT_COUNT:
		g->count = number("count", optarg, 1, COUNT_MAX);
		return true;
	case OPT_SECONDS:
		g->duration_us = number("seconds", optarg, 1, SECONDS_MAX) * US_PER_S;
		return true;
	case OPT_RATE:
		g->rate = number("rate", optarg, 1, 1000000);
		return true;
	case OPT_TIMEOUT:
		g->timeout_us = number("timeout-ms", optarg, 1, 600000) * US_PER_MS;
		return true;
	case OPT_RETRY:
		g->retry = true;
		return true;
	default:
		return false;
	}
}

static void take_other_option(struct options *o, int option)
{
	switch (option) {
	case OPT_URL:
		o->url = mem_strdup(optarg);
		break;
	case OPT_UNIX:
		o->unix_path = optarg;
		break;
	case OPT_OUT:
		o->out = optarg;
		break;
	case OPT_JSON:
		o->json = true;
		break;
	case OPT_HELP:
		fputs(USAGE, stdout);
		exit(0);
	default:
		usage_fault("unknown option");
	}
}

static void take_options(struct options *o, int argc, char **argv)
{
	int option;

	*o = (struct options){
		.source = {.seed = 1, .users = 1000},
		.engine = {.connections = 64, .count = -1, .timeout_us = 10 * US_PER_S}};
	while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1)
		if (!take_source_option(o, option) && !take_engine_option(o, option))
			take_other_option(o, option);
	if (optind < argc || o->url == NULL)
		usage_fault("--url is needed, and nothing but options");
	if (o->source.requests != NULL && o->engine.rate > 0)
		usage_fault("--requests keeps each connection's order: no --rate");
	if (o->engine.count < 0 && o->engine.duration_us == 0 &&
	    o->source.requests == NULL)
		usage_fault("--count or --seconds is needed");
	if (o->engine.duration_us == 0)
		o->engine.duration_us = SECONDS_DEFAULT * US_PER_S;
	if (o->source.method == NULL)
		o->source.method = o->source.body != NULL || o->source.body_file != NULL
					   ? "POST"
					   : "GET";
	take_url(o);
}

/* ---- records and the result -----------------------------------------------------------
 */

static void record(void *arg, const struct engine_answer *a)
{
	struct recorder *r = arg;
	const char *place;
	size_t len;

	buf_clear(&r->line);
	if (!r->bodies) {
		place = answer_header(a->head, a->head_len, "Location", &len);
		buf_addf(&r->line, "%lld,%d,%lld,%lld,%.*s\n", (long long)a->index,
			 a->status, (long long)a->start_us, (long long)a->latency_us,
			 (int)len, place);
	} else {
		buf_addf(&r->line,
			 "{\"index\":%lld,\"conn\":%d,\"status\":%d,\"start_us\":%lld,"
			 "\"latency_us\":%lld,\"retries\":%d,\"error\":",
			 (long long)a->index, a->connection, a->status,
			 (long long)a->start_us, (long long)a->latency_us, a->retries);
		line_put_text(&r->line, a->error != NULL ? a->error : "",
			      a->error != NULL ? strlen(a->error) : 0);
		buf_add_text(&r->line, ",\"head\":");
		line_put_text(&r->line, a->head, a->head_len);
		buf_add_text(&r->line, ",\"body\":");
		line_put_text(&r->line, a->body, a->body_len);
		buf_add_text(&r->line, "}\n");
	}
	fwrite(r->line.data, 1, r->line.len, r->out);
}

static void print_json(const struct options *o, const struct engine_report *r)
{
	const struct histogram *h = &r->latency;
	const char *comma = "";

	printf("{\"requests\":%llu,\"requests_per_s\":%.1f,\"took_us\":%lld,\"statuses\":"
	       "{",
	       (unsigned long long)h->count,
	       r->took_us > 0 ? (double)h->count * 1e6 / (double)r->took_us : 0.0,
	       (long long)r->took_us);
	for (int i = 100; i < 600; i++)
		if (r->statuses[i] > 0) {
			printf("%s\"%d\":%lld", comma, i, (long long)r->statuses[i]);
			comma = ",";
		}
	printf("},\"errors\":%lld,\"errors_by_kind\":{\"closed\":%lld,\"timeout\":%lld,"
	       "\"malformed\":%lld},\"unsent\":%lld,\"reopened\":%lld,\"retries\":%lld,",
	       (long long)r->statuses[0], (long long)r->closed, (long long)r->timeouts,
	       (long long)r->malformed, (long long)r->unsent, (long long)r->reopened,
	       (long long)r->retries);
	printf("\"connections\":%d,\"rate\":%lld,\"backlog_max\":%lld,\"sent_bytes\":%"
	       "lld,"
	       "\"received_bytes\":%lld,\"key_prefix\":\"%s\",\"latency_us\":{",
	       o->engine.connections, (long long)o->engine.rate,
	       (long long)r->backlog_max, (long long)r->sent_bytes,
	       (long long)r->received_bytes, o->key_prefix);
	printf("\"mean\":%.1f,\"p50\":%lld,\"p90\":%lld,\"p99\":%lld,\"p999\":%lld,"
	       "\"max\":%lld}}\n",
	       h->count > 0 ? (double)h->sum_us / (double)h->count : 0.0,
	       (long long)histogram_percentile(h, 50000),
	       (long long)histogram_percentile(h, 90000),
	       (long long)histogram_percentile(h, 99000),
	       (long long)histogram_percentile(h, 99900), (long long)h->max_us);
}

static void print_text(const struct engine_report *r)
{
	const struct histogram *h = &r->latency;

	printf("%llu answers in %.3f s: %.0f/s\n", (unsigned long long)h->count,
	       (double)r->took_us / 1e6,
	       r->took_us > 0 ? (double)h->count * 1e6 / (double)r->took_us : 0.0);
	for (int i = 100; i < 600; i++)
		if (r->statuses[i] > 0)
			printf("  %d: %lld\n", i, (long long)r->statuses[i]);
	printf("errors %lld, unsent %lld, reopened %lld, retries %lld\n",
	       (long long)r->statuses[0], (long long)r->unsent, (long long)r->reopened,
	       (long long)r->retries);
	printf("latency us: p50 %lld  p90 %lld  p99 %lld  p99.9 %lld  max %lld\n",
	       (long long)histogram_percentile(h, 50000),
	       (long long)histogram_percentile(h, 90000),
	       (long long)histogram_percentile(h, 99000),
	       (long long)histogram_percentile(h, 99900), (long long)h->max_us);
}

static int run(struct options *o, struct engine_report *report, struct err *e)
{
	struct recorder recorder = {.bodies = o->source.requests != NULL};
	struct source *source = NULL;
	int rc = -1;

	buf_init(&recorder.line, ANSWER_MAX * 6);
	if (resolve(o, e) < 0 || source_open(&source, &o->source, e) < 0)
		goto out;
	if (source_connections(source) > 0)
		o->engine.connections = source_connections(source);
	if (o->out != NULL && (recorder.out = fopen(o->out, "w")) == NULL) {
		err_set_errno(e, ERR_IO, errno, "%s", o->out);
		goto out;
	}
	rc = engine_run(&o->engine, source, recorder.out != NULL ? record : NULL,
			&recorder, report, e);
	if (recorder.out != NULL && fclose(recorder.out) != 0 && rc == 0)
		rc = err_set_errno(e, ERR_IO, errno, "%s", o->out);
out:
	source_free(source);
	buf_release(&recorder.line);
	return rc;
}

int main(int argc, char **argv)
{
	struct engine_report *report = mem_alloc(sizeof(*report));
	struct options o;
	struct err e = ERR_INIT;

	take_options(&o, argc, argv);
	prctl(PR_SET_TIMERSLACK, 1);
	if (run(&o, report, &e) < 0) {
		fprintf(stderr, "load: %s\n", e.text);
		return 1;
	}
	if (o.json)
		print_json(&o, report);
	else
		print_text(report);
	mem_free(report);
	mem_free(o.url);
	mem_free(o.path);
	return 0;
}
