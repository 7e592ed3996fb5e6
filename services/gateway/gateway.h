/* The gateway put together: the engine, the hub, the reader; from start to stop.
 *
 * The functions are the skeleton's (app/service.h); all on the main thread. */
#ifndef PAYBELL_GATEWAY_GATEWAY_H
#define PAYBELL_GATEWAY_GATEWAY_H

#include "app/service.h"
#include "gateway/settings.h"

int gateway_check(void *context, struct err *e);
void *gateway_start(struct service_run *run, void *context, struct err *e);
bool gateway_ready(void *state, char reason[ADMIN_REASON_SIZE]);
void gateway_drain(void *state);
void gateway_stop(void *state);

#endif
