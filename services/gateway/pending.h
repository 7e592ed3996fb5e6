/* What waits on one connection: frames that the kernel did not take yet, and input that
 * is not whole. Exists only while there is some. The connection's thread. */
#ifndef PAYBELL_GATEWAY_PENDING_H
#define PAYBELL_GATEWAY_PENDING_H

#include <stdbool.h>

#include "gateway/frame.h"

struct pending;

struct pending *pending_new(void);
void pending_free(struct pending *p); /* NULL does nothing */
bool pending_is_empty(const struct pending *p);

/* ---- output ---- */

/* At the end, of which `sent` bytes are gone already; references it. */
void pending_put(struct pending *p, struct frame *f, size_t sent);
size_t pending_bytes(const struct pending *p); /* that wait to go out */
/* Drops all frames but one that has begun. */
void pending_drop(struct pending *p);
/* Writes what the kernel takes: 1 all is out, 0 some waits, -1 the connection is dead. */
int pending_flush(struct pending *p, int fd);

/* ---- input ---- */

/* Instead of what was kept before. */
void pending_keep(struct pending *p, const uint8_t *bytes, size_t len);
/* Copies what is kept to `out` and forgets it; its length. */
size_t pending_take(struct pending *p, uint8_t *out);

#endif
