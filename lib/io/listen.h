/* A listening socket: "host:port" or "unix:/path" becomes descriptors that accept.
 *
 * Any thread. The descriptors are the caller's, non-blocking, close-on-exec and
 * listening. Fails with ERR_INVALID for an address that cannot be read, ERR_CONFLICT when
 * somebody else listens there, ERR_IO for the rest. */
#ifndef PAYBELL_IO_LISTEN_H
#define PAYBELL_IO_LISTEN_H

#include "base/err.h"

#define LISTEN_ADDRESS_MAX 128 /* bytes, terminator included */
#define LISTEN_SOCKETS_MAX 64

/* Opens `count` (1 to LISTEN_SOCKETS_MAX) sockets at one address: TCP ones share the port
 * by SO_REUSEPORT, so that the kernel deals new connections out among them; a unix
 * socket is one, duplicated. `bound` gets the address as bound: numeric, with the port
 * that port 0 picked. A unix socket gets mode 0660; one that nobody listens on any more
 * is removed first, anything else at that path is left alone and refused. */
int listen_open(int *fds, int count, const char *address, char bound[LISTEN_ADDRESS_MAX],
		struct err *e);

/* Removes a unix socket's path alone, so that another process may listen there. */
void listen_unlink(const char *bound);

/* Closes them; -1 entries are passed over. Removes a unix socket's path. */
void listen_close(const int *fds, int count, const char *bound);

#endif
