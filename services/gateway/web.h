/* Plain HTTP on the gateway's port: what is neither a socket nor a poll.
 *
 *	GET /healthz, /readyz   as on the admin port
 *	GET /metrics            the same, where a setting allows it
 *	GET /…                  a file of the pages' folder (pages.h), if there is one
 *
 * Everything else is 404 as problem+json. On a thread of its own, so that a crowd of them
 * holds up neither sockets nor events. Each connection is answered once and closed, and
 *has ended after WEB_LIFE_S whatever the client does. */
#ifndef PAYBELL_GATEWAY_WEB_H
#define PAYBELL_GATEWAY_WEB_H

#include <stdbool.h>

#include "app/admin.h"
#include "base/err.h"

/* Each has up to two descriptors: its own and its file's. */
#define WEB_CONNECTIONS_MAX 500
#define WEB_IDLE_S          10
#define WEB_LIFE_S          60

struct web;

struct web_settings {
	struct admin *admin;
	const char *pages; /* the folder; "": none. Borrowed */
	bool metrics;
};

/* Fails when the folder cannot be read. */
int web_start(struct web **out, const struct web_settings *settings, struct err *e);
/* Takes a connection of which nothing was read. More than WEB_CONNECTIONS_MAX are closed.
 * Any thread. */
void web_take(struct web *w, int fd);
/* Nobody gives any more. NULL does nothing. */
void web_stop(struct web *w);

#endif
