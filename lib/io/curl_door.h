/* libcurl's multi handle on the loop: what exchanges and streams have in common.
 *
 * Only exchange.c and stream.c use it; with curl_door.c they are the files that know
 * curl. Handles are curl's easy ones. Loop thread only. */
#ifndef PAYBELL_IO_CURL_DOOR_H
#define PAYBELL_IO_CURL_DOOR_H

#include <stdbool.h>
#include <stddef.h>

#include "io/loop.h"
#include "io/transfer.h"

struct curl_door;
struct watches;

struct curl_door *curl_door_new(struct loop *l,
				const struct transfer_engine_settings *settings);
void curl_door_free(struct curl_door *t); /* its handles before */

/* Embedded in what owns a handle; ended() is called from the loop, once for each start,
 * with curl's code. The handle is still to be stopped then. */
struct curl_owner {
	void (*ended)(struct curl_owner *owner, int code);
	bool connected; /* set by the owner when curl is about to send */
};

/* With every option that is the same for all. The caller's, goes with
 * curl_easy_cleanup(). owner is borrowed until then. */
void *curl_door_handle(struct curl_door *t, struct curl_owner *owner);
void curl_door_start(struct curl_door *t, void *easy);
void curl_door_stop(struct curl_door *t, void *easy); /* nothing is called any more */

struct watches *curl_door_watches(struct curl_door *t);

/* curl's words for a code, with the system's for a refused connection. No request data.
 */
void curl_door_say(char *out, size_t size, void *easy, int code);

#endif
