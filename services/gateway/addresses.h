/* How many connections each client address has: a limit for the many behind one.
 *
 * An IPv4 address counts for itself, an IPv6 one for its /64, which is what one customer
 * has. Unix sockets are not counted. Any thread. */
#ifndef PAYBELL_GATEWAY_ADDRESSES_H
#define PAYBELL_GATEWAY_ADDRESSES_H

#include <stdbool.h>
#include <sys/socket.h>

struct addresses;
struct address;

/* At most `most` of one address; descriptors below `descriptors`. */
struct addresses *addresses_new(int most, int descriptors);
void addresses_free(struct addresses *a); /* NULL does nothing */

/* Counts the descriptor for its peer; false: there are too many, it was not counted. */
bool addresses_enter(struct addresses *a, int fd, const struct sockaddr *peer);
void addresses_leave(struct addresses *a, int fd);

/* Something else of that connection's address counts beside it, and may outlive it: *out
 * is for addresses_let_go() then, or NULL when that address is not counted. False: there
 * are too many. */
bool addresses_hold(struct addresses *a, int fd, struct address **out);
void addresses_let_go(struct addresses *a, struct address *address); /* NULL: nothing */

#endif
