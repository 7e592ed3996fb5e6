/* The inbox over HTTP.
 *
 *   GET /inbox?channel=&after=&limit=&to=   {"messages":[…],"next":n}: the messages after
 *                                           number `after`; an empty list is the end
 *   GET /inbox?newest=50&channel=           the newest of each channel
 *   GET /inbox/<n>                          one message; a mail with its "text" and
 * "html" GET /inbox/count                        {"push":n,"email":n,"sms":n,"total":n,
 *                                            "newest":n,"refused":{…}}
 *   DELETE /inbox                           empties it, and the refusals
 *
 * A page has at most INBOX_PAGE_BYTES, but at least one message. Loop thread only. */
#ifndef PAYBELL_SANDBOX_INBOX_H
#define PAYBELL_SANDBOX_INBOX_H

#include "sandbox/sandbox.h"

#define INBOX_PAGE_BYTES (2 * 1024 * 1024)

/* True when the path is /inbox or below: then it answers, at once or soon. */
bool inbox_request(struct sandbox *s, struct http_request *r);

#endif
