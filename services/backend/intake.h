/* The intake: attempt records on their way from the stream attempts:log into the
 * database.
 *
 * It reads its group, hands what it read to the committer as one job, and acknowledges
 * and deletes the entries after the commit. A record that comes twice is harmless, so
 * whatever is not known to be acknowledged is simply read again. Loop thread only. */
#ifndef PAYBELL_BACKEND_INTAKE_H
#define PAYBELL_BACKEND_INTAKE_H

#include "app/bus.h"
#include "app/settings.h"
#include "backend/committer.h"
#include "io/loop.h"

struct intake;

struct intake_settings {
	struct loop *loop;
	const struct common_settings *common;
	const struct bus *bus;
	struct committer *committer;
};

int intake_start(struct intake **out, const struct intake_settings *settings,
		 struct err *e);
/* Reads no more; records that the committer has are still written. */
void intake_drain(struct intake *i);
void intake_stop(struct intake *i); /* after the committer; NULL does nothing */

#endif
