/* Mails over kept SMTP sessions, for transfer.c: which message goes over which session.
 *
 * A session is a stream to one server with one login and one EHLO name. Sessions are
 * opened when no free one fits, at most max_sessions a server; what is more waits in
 * order. A message that a kept session fails before any reply to it goes over a new one.
 * Loop thread only. */
#ifndef PAYBELL_IO_MAIL_H
#define PAYBELL_IO_MAIL_H

#include "io/loop.h"
#include "io/transfer.h"

struct curl_door;
struct mail_pool;
struct mail;

struct mail_pool *mail_pool_new(struct loop *l, struct curl_door *door, int max_sessions);
void mail_pool_free(struct mail_pool *p); /* after its mails have ended */

/* fn is called once from the loop, never inside of this call; in it the mail is gone
 * already. result->took_us is the caller's to fill. */
struct mail *mail_start(struct mail_pool *p, const struct transfer_request *request,
			transfer_fn *fn, void *arg, struct err *e);

/* Ends it without the callback; *result (may be NULL) is what a timeout now means. */
void mail_stop(struct mail *m, struct transfer_result *result);

#endif
