/* What the conformance servers have in common: --port P, an engine on one thread, the
 * end.
 */
#ifndef PAYBELL_TESTS_CONFORMANCE_H
#define PAYBELL_TESTS_CONFORMANCE_H

#include "gateway/route.h"

/* The whole of main(): prints the address, serves until SIGTERM or SIGINT. */
int conformance_main(const char *name, const struct route *routes, int argc, char **argv);

#endif
