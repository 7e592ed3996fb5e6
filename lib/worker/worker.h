/* A channel's worker: from its stream in Redis to its provider, and back as attempt
 * records. docs/architecture.md has the whole; each file of lib/worker has its part. */
#ifndef PAYBELL_WORKER_WORKER_H
#define PAYBELL_WORKER_WORKER_H

#include "worker/transport.h"

/* The process: settings, start, loop, drain, exit code. */
int worker_main(const struct transport *transport, int argc, char **argv);

#endif
