/* The backend put together: API, committer, housekeeper, feeder and intake, from start to
 * stop.
 *
 * The functions are the skeleton's (app/service.h); all on the main thread. */
#ifndef PAYBELL_BACKEND_BACKEND_H
#define PAYBELL_BACKEND_BACKEND_H

#include "app/service.h"
#include "backend/settings.h"

int backend_check(void *context, struct err *e);
void *backend_start(struct service_run *run, void *context, struct err *e);
bool backend_ready(void *state, char reason[ADMIN_REASON_SIZE]);
void backend_drain(void *state);
void backend_stop(void *state);

#endif
