/* Long polls: Engine.IO over plain requests. A GET waits until there is something to say,
 * a POST brings what the client says. Connections are kept for the next request. */
#ifndef PAYBELL_GATEWAY_POLLING_H
#define PAYBELL_GATEWAY_POLLING_H

#include "gateway/engine.h"
#include "wire/http_head.h"

/* From the head layer: the request is for an Engine.IO route and asks for no WebSocket.
 * bytes is all that was read. How many it took, or -1: the connection is at its end or
 * has gone to another thread. */
ssize_t polling_begin(struct thread *t, int fd, const struct http_head *head,
		      const uint8_t *bytes, size_t len);

#endif
