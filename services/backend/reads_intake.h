/* Read marks on their way from the stream reads:log, where the gateways put them, into
 * the database. A mark only moves forward, so one that comes twice or late is harmless.
 * Loop thread only. */
#ifndef PAYBELL_BACKEND_READS_INTAKE_H
#define PAYBELL_BACKEND_READS_INTAKE_H

#include "backend/log_reader.h"

/* Drained and stopped as any log's reader. settings: stream is the bus's reads_log. */
int reads_intake_start(struct log_reader **out,
		       const struct log_reader_settings *settings, struct err *e);

#endif
