/* An answered request as a response of libmicrohttpd's. Private to io/http_thread.c. */
#ifndef PAYBELL_IO_HTTP_RESPONSE_H
#define PAYBELL_IO_HTTP_RESPONSE_H

#include <stdbool.h>

#include "io/http_lane.h"

struct MHD_Response;

/* It points into r->answer, which stays until the response was sent; the caller destroys
 * it. close: with "Connection: close". NULL: there is nothing to be said, or no memory:
 * the connection is to be closed. The server's thread. */
struct MHD_Response *http_response_new(struct http_request *r, bool close);

#endif
