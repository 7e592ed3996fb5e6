#include "gateway/tally.h"

struct tally tally;

void tally_init(void)
{
	metrics_register(&tally.accepted, METRIC_COUNTER,
			 "paybell_gateway_connections_total", NULL,
			 "Connections that were accepted.");
	metrics_register(&tally.refused, METRIC_COUNTER, "paybell_gateway_refused_total",
			 NULL,
			 "Connections closed at once: too many in all, or of one "
			 "address.");
	metrics_register(
		&tally.too_slow, METRIC_COUNTER, "paybell_gateway_too_slow_total", NULL,
		"Connections cut because they did not read what they were sent.");
	metrics_register(&tally.too_many, METRIC_COUNTER,
			 "paybell_gateway_too_many_messages_total", NULL,
			 "Connections ended because they sent too many messages.");
	metrics_register(&tally.connections, METRIC_GAUGE, "paybell_gateway_connections",
			 NULL, "Connections that are open.");
	metrics_register(&tally.events, METRIC_COUNTER, "paybell_gateway_events_total",
			 NULL, "Events that were told to the sessions.");
	metrics_register(&tally.missed, METRIC_COUNTER,
			 "paybell_gateway_events_missed_total", NULL,
			 "Of these, events that were read from the database because they "
			 "did not come over Redis.");
	metrics_register(&tally.deliveries, METRIC_COUNTER,
			 "paybell_gateway_deliveries_total", NULL,
			 "Attempt records that were told to the sessions.");
}
