/* E-mail over SMTP submission (RFC 5321, RFC 6409) to one relay. */
#ifndef PAYBELL_EMAIL_SMTP_H
#define PAYBELL_EMAIL_SMTP_H

#include "worker/transport.h"

extern const struct transport smtp_transport;

#endif
