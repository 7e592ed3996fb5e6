/* What the conformance servers have in common: --port P, an engine on one thread, the
 * end.
 */
#ifndef PAYBELL_TESTS_CONFORMANCE_H
#define PAYBELL_TESTS_CONFORMANCE_H

#include "gateway/route.h"
#include "wire/http_head.h"

/* What the suites of Engine.IO and Socket.IO count on. */
#define CONFORMANCE_PING_INTERVAL_MS 300
#define CONFORMANCE_PING_TIMEOUT_MS  200
#define CONFORMANCE_PAYLOAD_MAX      1000000

/* For struct eio_protocol: everybody may. */
bool conformance_allow_any(struct thread *t, struct http_text origin);
int conformance_take_any(struct thread *t, const struct http_head *head);

/* The whole of main(): prints the address, serves until SIGTERM or SIGINT. */
int conformance_main(const char *name, const struct route *routes, int argc, char **argv);

#endif
