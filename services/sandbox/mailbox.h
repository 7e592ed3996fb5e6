/* What becomes of a mail: a fault, a refusal, or a line in the inbox. Loop thread only.
 */
#ifndef PAYBELL_SANDBOX_MAILBOX_H
#define PAYBELL_SANDBOX_MAILBOX_H

#include "sandbox/sandbox.h"

/* The callbacks of smtp_server.h and smtp_session.h; arg is the struct sandbox. */
void mailbox_message(void *arg, const struct smtp_session *session,
		     struct smtp_decision *d);
bool mailbox_is_out(void *arg);
void mailbox_refused(void *arg, int status, const char *text);

#endif
