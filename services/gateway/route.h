/* The paths that the engine serves, and what each becomes. */
#ifndef PAYBELL_GATEWAY_ROUTE_H
#define PAYBELL_GATEWAY_ROUTE_H

#include "gateway/engine.h"

struct websocket_protocol;
struct eio_protocol;

struct route {
	const char *path; /* exact: "/ws"; "": any other; NULL ends the list */
	const struct websocket_protocol *websocket; /* Engine.IO: &eio_socket_protocol */
	const struct eio_protocol *eio;             /* NULL: plain WebSockets only */
};

extern const struct websocket_protocol eio_socket_protocol;

#define ROUTES_MAX 16

const struct route *engine_route(const struct engine *e, int index);

#endif
