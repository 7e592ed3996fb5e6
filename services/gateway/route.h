/* The paths that the engine serves, and what each becomes. */
#ifndef PAYBELL_GATEWAY_ROUTE_H
#define PAYBELL_GATEWAY_ROUTE_H

#include "gateway/engine.h"

struct websocket_protocol;

struct route {
	const char *path; /* exact: "/ws"; NULL ends the list */
	const struct websocket_protocol *websocket;
};

#define ROUTES_MAX 16
#define ROUTE_NONE 255 /* the request's path is none of them */

const struct route *engine_route(const struct engine *e, int index);

#endif
