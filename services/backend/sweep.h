/* The sweep: now and then every channel is audited (app/audit.h), and what is lost is put
 * into its stream again.
 *
 * It finds nothing unless somebody deleted entries by hand, or a bug did: so each finding
 * is logged, and counted in paybell_sweep_refed_total. A thread of its own with a loop of
 * its own, a connection and a reader: payments, feed and intake wait for none of it. At
 * most QUEUE_MAX entries are in a stream after it. An audit that has to give up is tried
 * again the next time. */
#ifndef PAYBELL_BACKEND_SWEEP_H
#define PAYBELL_BACKEND_SWEEP_H

#include "app/bus.h"
#include "app/settings.h"

struct sweep;

struct sweep_settings {
	const struct common_settings *common;
	const struct bus *bus;
	const struct bus_channels *channels;
	int64_t every_ms;
	int64_t queue_max;
};

/* Starts the thread; the database is there already. Everything in *settings is borrowed
 * until sweep_stop(). */
int sweep_start(struct sweep **out, const struct sweep_settings *settings, struct err *e);
/* Breaks off what goes on. NULL does nothing. */
void sweep_stop(struct sweep *s);

#endif
