/* The intake: attempt records on their way from the stream attempts:log into the
 * database. A record that comes twice is harmless. Loop thread only. */
#ifndef PAYBELL_BACKEND_INTAKE_H
#define PAYBELL_BACKEND_INTAKE_H

#include "backend/log_reader.h"

/* Drained and stopped as any log's reader. settings: stream is the bus's attempts_log. */
int intake_start(struct log_reader **out, const struct log_reader_settings *settings,
		 struct err *e);

#endif
