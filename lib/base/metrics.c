#include "base/metrics.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Everything is relaxed: a scrape may see one of two numbers a moment earlier than the
 * other, which no graph can tell, and counting never waits. */

static struct metric *metrics_first;
static struct metric **metrics_end = &metrics_first;

/* The upper bounds, as numbers to compare with and as the text for le="". */
static const struct {
	int64_t us;
	const char *seconds;
} BOUNDS[METRIC_BUCKETS] = {
	{100, "0.0001"},    {200, "0.0002"},      {500, "0.0005"},    {1000, "0.001"},
	{2000, "0.002"},    {5000, "0.005"},      {10000, "0.01"},    {20000, "0.02"},
	{50000, "0.05"},    {100000, "0.1"},      {200000, "0.2"},    {500000, "0.5"},
	{1000000, "1"},     {2000000, "2"},       {5000000, "5"},     {10000000, "10"},
	{20000000, "20"},   {50000000, "50"},     {100000000, "100"}, {200000000, "200"},
	{500000000, "500"}, {1000000000, "1000"},
};

void metrics_register(struct metric *m, enum metric_kind kind, const char *name,
		      const char *labels, const char *help)
{
	for (const struct metric *at = metrics_first; at != NULL; at = at->next) {
		if (at == m)
			return;
	}
	m->name = name;
	m->labels = labels;
	m->help = help;
	m->kind = kind;
	m->next = NULL;
	*metrics_end = m;
	metrics_end = &m->next;
}

void metric_add(struct metric *m, int64_t n)
{
	atomic_fetch_add_explicit(&m->value, n, memory_order_relaxed);
}

void metric_set(struct metric *m, int64_t value)
{
	atomic_store_explicit(&m->value, value, memory_order_relaxed);
}

void metric_observe_us(struct metric *m, int64_t us)
{
	int low = 0, high = METRIC_BUCKETS;

	if (us < 0)
		us = 0;
	while (low < high) { /* the first bound that is not below */
		int middle = (low + high) / 2;

		if (BOUNDS[middle].us < us)
			low = middle + 1;
		else
			high = middle;
	}
	atomic_fetch_add_explicit(&m->buckets[low], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&m->value, us, memory_order_relaxed);
}

/* In HELP only the backslash and the newline are special. */
static void render_head(struct buf *out, const char *name, enum metric_kind kind,
			const char *help)
{
	static const char *const kinds[] = {"counter", "gauge", "histogram"};

	buf_addf(out, "# HELP %s ", name);
	for (; *help != '\0'; help++) {
		if (*help == '\\')
			buf_add_text(out, "\\\\");
		else if (*help == '\n')
			buf_add_text(out, "\\n");
		else
			buf_add_char(out, *help);
	}
	buf_addf(out, "\n# TYPE %s %s\n", name, kinds[kind]);
}

static void render_seconds(struct buf *out, int64_t us)
{
	buf_addf(out, "%lld.%06lld\n", (long long)(us / 1000000),
		 (long long)(us % 1000000));
}

static void render_name(struct buf *out, const struct metric *m, const char *suffix)
{
	buf_add_text(out, m->name);
	buf_add_text(out, suffix);
	if (m->labels != NULL)
		buf_addf(out, "{%s}", m->labels);
	buf_add_char(out, ' ');
}

static void render_histogram(struct buf *out, const struct metric *m)
{
	long long seen = 0;

	for (int i = 0; i <= METRIC_BUCKETS; i++) {
		seen += atomic_load_explicit(&m->buckets[i], memory_order_relaxed);
		buf_addf(out, "%s_bucket{%s%sle=\"%s\"} %lld\n", m->name,
			 m->labels != NULL ? m->labels : "", m->labels != NULL ? "," : "",
			 i < METRIC_BUCKETS ? BOUNDS[i].seconds : "+Inf", seen);
	}
	render_name(out, m, "_sum");
	render_seconds(out, atomic_load_explicit(&m->value, memory_order_relaxed));
	/* The sum of the buckets, not a counter of its own: so _count always equals +Inf.
	 */
	render_name(out, m, "_count");
	buf_addf(out, "%lld\n", seen);
}

static void render_metric(struct buf *out, const struct metric *m)
{
	if (m->kind == METRIC_HISTOGRAM) {
		render_histogram(out, m);
		return;
	}
	render_name(out, m, "");
	buf_add_int(out, atomic_load_explicit(&m->value, memory_order_relaxed));
	buf_add_char(out, '\n');
}

static bool is_first_of_name(const struct metric *m)
{
	for (const struct metric *at = metrics_first; at != m; at = at->next) {
		if (strcmp(at->name, m->name) == 0)
			return false;
	}
	return true;
}

static void render_memory(struct buf *out)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long long pages = 0;
	int found;

	if (f == NULL)
		return;
	found = fscanf(f, "%*s %lld", &pages);
	fclose(f);
	if (found != 1)
		return;
	render_head(out, "process_resident_memory_bytes", METRIC_GAUGE,
		    "Resident memory size in bytes.");
	buf_addf(out, "process_resident_memory_bytes %lld\n",
		 pages * sysconf(_SC_PAGESIZE));
}

static void render_cpu(struct buf *out)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts) < 0)
		return;
	render_head(out, "process_cpu_seconds_total", METRIC_COUNTER,
		    "User and system CPU time spent in seconds.");
	buf_add_text(out, "process_cpu_seconds_total ");
	render_seconds(out, (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
}

static void render_fds(struct buf *out)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = -1; /* the folder's own */

	if (dir == NULL)
		return;
	for (const struct dirent *d = readdir(dir); d != NULL; d = readdir(dir))
		count += d->d_name[0] != '.';
	closedir(dir);
	render_head(out, "process_open_fds", METRIC_GAUGE,
		    "Number of open file descriptors.");
	buf_addf(out, "process_open_fds %d\n", count);
}

void metrics_render(struct buf *out)
{
	for (const struct metric *m = metrics_first; m != NULL; m = m->next) {
		if (!is_first_of_name(m))
			continue;
		render_head(out, m->name, m->kind, m->help);
		for (const struct metric *at = m; at != NULL; at = at->next) {
			if (strcmp(at->name, m->name) == 0)
				render_metric(out, at);
		}
	}
	render_memory(out);
	render_cpu(out);
	render_fds(out);
	render_head(out, "paybell_build_info", METRIC_GAUGE,
		    "The version that runs; always 1.");
	buf_add_text(out, "paybell_build_info{version=\"" PAYBELL_VERSION "\"} 1\n");
}
