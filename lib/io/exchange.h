/* HTTP exchanges over libcurl, one request and its answer each: curl behind one door.
 *
 * For transfer.c, which counts the timeouts. An exchange is used again and again, for one
 * request at a time. Streams (stream.h) come through the same door. Loop thread only. */
#ifndef PAYBELL_IO_EXCHANGE_H
#define PAYBELL_IO_EXCHANGE_H

#include "base/err.h"
#include "io/loop.h"
#include "io/transfer.h"

struct exchange_door;
struct exchange;

struct exchange_door *exchange_door_new(struct loop *l,
					const struct transfer_engine_settings *settings);
void exchange_door_free(struct exchange_door *t); /* its exchanges and streams before */

/* fn is called once for each start, from the loop and never inside of a call here;
 * result->took_us is not filled, result->body stays until the next start. The exchange
 * may be started again in it. */
struct exchange *exchange_new(struct exchange_door *t, transfer_fn *fn, void *arg);
void exchange_free(struct exchange *x); /* not while it runs; NULL does nothing */

/* The request was looked at by transfer.c but for its URL. */
int exchange_start(struct exchange *x, const struct transfer_request *request,
		   struct err *e);
/* Ends it without the callback; *result (may be NULL) is what a timeout now means. */
void exchange_stop(struct exchange *x, struct transfer_result *result);

#endif
