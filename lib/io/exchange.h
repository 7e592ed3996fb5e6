/* HTTP exchanges over libcurl, one request and its answer each.
 *
 * For transfer.c, which counts the timeouts. An exchange is used again and again, for one
 * request at a time. Loop thread only. */
#ifndef PAYBELL_IO_EXCHANGE_H
#define PAYBELL_IO_EXCHANGE_H

#include "base/err.h"
#include "io/loop.h"
#include "io/transfer.h"

struct curl_door;
struct exchange;

/* fn is called once for each start, from the loop and never inside of a call here;
 * result->took_us is not filled, result->body stays until the next start. The exchange
 * may be started again in it. */
struct exchange *exchange_new(struct curl_door *t, transfer_fn *fn, void *arg);
void exchange_free(struct exchange *x); /* not while it runs; NULL does nothing */

/* The request was looked at by transfer.c but for its URL. */
int exchange_start(struct exchange *x, const struct transfer_request *request,
		   struct err *e);
/* Ends it without the callback; *result (may be NULL) is what a timeout now means. */
void exchange_stop(struct exchange *x, struct transfer_result *result);

#endif
