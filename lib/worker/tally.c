#include "worker/tally.h"

#include <stdio.h>

void tally_init(struct tally *t, const char *channel)
{
	snprintf(t->channel, sizeof(t->channel), "channel=\"%s\"", channel);
	for (int s = 0; s <= ATTEMPT_FAILED; s++) {
		snprintf(t->labels[s], sizeof(t->labels[s]),
			 "channel=\"%s\",status=\"%s\"", channel,
			 attempt_status_name((enum attempt_status)s));
		metrics_register(&t->attempts[s], METRIC_COUNTER,
				 "paybell_attempts_total", t->labels[s],
				 "Attempt records, those of single devices included.");
		if (s == ATTEMPT_RETRYING || s == ATTEMPT_AMBIGUOUS)
			continue;
		metrics_register(&t->deliveries[s], METRIC_COUNTER,
				 "paybell_deliveries_total", t->labels[s],
				 "Deliveries that ended, by how.");
	}
	metrics_register(&t->latency, METRIC_HISTOGRAM,
			 "paybell_delivery_latency_seconds", t->channel,
			 "From the event's time to the provider's acceptance.");
	metrics_register(&t->took, METRIC_HISTOGRAM, "paybell_attempt_seconds",
			 t->channel, "One request to the provider.");
	metrics_register(&t->in_flight, METRIC_GAUGE, "paybell_in_flight", t->channel,
			 "Deliveries that are at the provider now.");
	metrics_register(&t->held, METRIC_GAUGE, "paybell_held", t->channel,
			 "Deliveries that this worker holds.");
	metrics_register(&t->parked, METRIC_GAUGE, "paybell_parked", t->channel,
			 "Deliveries that wait for their next attempt here.");
	metrics_register(&t->due, METRIC_GAUGE, "paybell_retries_due", t->channel,
			 "Deliveries whose next attempt waits for the retry budget.");
	metrics_register(&t->breaker_open, METRIC_GAUGE, "paybell_breaker_open",
			 t->channel,
			 "1 while the provider is out and only probed, else 0.");
	metrics_register(&t->outages, METRIC_COUNTER, "paybell_outages_total", t->channel,
			 "Outages of the provider that were noticed.");
	metrics_register(&t->unconfirmed, METRIC_GAUGE, "paybell_unconfirmed", t->channel,
			 "Outcomes that Redis has not confirmed yet.");
	metrics_register(&t->backlog, METRIC_GAUGE, "paybell_backlog", t->channel,
			 "Entries in the channel's stream.");
	metrics_register(&t->reconnects, METRIC_COUNTER, "paybell_redis_reconnects_total",
			 t->channel, "Connections to Redis that were lost.");
	metrics_register(&t->claimed, METRIC_COUNTER, "paybell_claimed_total", t->channel,
			 "Entries taken over from other workers.");
	metrics_register(&t->duplicates, METRIC_COUNTER, "paybell_duplicates_total",
			 t->channel, "Entries of events that were being sent already.");
}

void tally_record(struct tally *t, const struct attempt *a)
{
	metric_add(&t->attempts[a->status], 1);
	if (a->final && a->device_id[0] == '\0')
		metric_add(&t->deliveries[a->status], 1);
	if (a->attempt > 0)
		metric_observe_us(&t->took, a->took_us);
}
