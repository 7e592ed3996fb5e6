/* Counters, gauges and histograms of this process, in the Prometheus text format (version
 * 0.0.4).
 *
 * A metric is a static object of the module that counts (STYLE: a module's own counters);
 * it links itself in when it is registered. Registering happens before the threads start;
 * adding and setting are atomic and wait for nobody; rendering reads what is there. Names
 * follow Prometheus (_total, _seconds, base units). labels is either NULL or the literal
 * inside of the braces, e.g. "channel=\"push\",status=\"delivered\"", borrowed for ever.
 */
#ifndef PAYBELL_BASE_METRICS_H
#define PAYBELL_BASE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* 100 µs, 200 µs, 500 µs, 1 ms … 1,000 s in a 1-2-5 series; what is longer goes to +Inf.
 */
#define METRIC_BUCKETS 22

struct metric {
	const char *name, *labels, *help;
	enum metric_kind kind;
	struct metric *next;
	_Atomic int64_t value; /* counter, gauge; histogram: sum in µs */
	_Atomic int64_t buckets[METRIC_BUCKETS + 1]; /* histogram only, not cumulative */
};

/* Links a metric in; twice is harmless. Metrics of one name are rendered together, HELP
 * and TYPE once. */
void metrics_register(struct metric *m, enum metric_kind kind, const char *name,
		      const char *labels, const char *help);

void metric_add(struct metric *m, int64_t n);
void metric_set(struct metric *m, int64_t value);
void metric_observe_us(struct metric *m, int64_t us); /* rendered in seconds */

/* All registered metrics, with process_resident_memory_bytes, process_cpu_seconds_total,
 * process_open_fds and paybell_build_info. */
void metrics_render(struct buf *out);

#endif
