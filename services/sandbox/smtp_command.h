/* The commands of an SMTP session, one line each; what they share with the session's
 * other half, which gathers lines and messages (smtp_session.c). */
#ifndef PAYBELL_SANDBOX_SMTP_COMMAND_H
#define PAYBELL_SANDBOX_SMTP_COMMAND_H

#include "sandbox/smtp_session.h"

/* The session's line is complete: a command, or an answer to AUTH's question. */
void smtp_command(struct smtp_session *s);
void smtp_auth_line(struct smtp_session *s);

/* A reply of one line; counts refusals and tells them. */
void smtp_reply(struct smtp_session *s, int status, const char *text);
/* Forgets the message that was begun. */
void smtp_reset(struct smtp_session *s);

#endif
