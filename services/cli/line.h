/* One event or one attempt as one line: for `watch` and `user list-events`. Pure. */
#ifndef PAYBELL_CLI_LINE_H
#define PAYBELL_CLI_LINE_H

#include "cli/ink.h"
#include "wire/attempt.h"
#include "wire/event.h"

/* With its date, or the time of day alone; both UTC. */
void line_event(struct ink *k, const struct event *ev, bool date);
void line_attempt(struct ink *k, const struct attempt *a);

#endif
