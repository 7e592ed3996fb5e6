/* Twilio's Programmable Messaging API, the server's side: POST
 * /2010-04-01/Accounts/{AccountSid}/Messages.json, form-encoded, Basic auth.
 *
 * Answers with Twilio's statuses, JSON and error codes. Stricter than Twilio about names:
 * a parameter that Twilio does not document is refused instead of ignored, since it is a
 * misspelt one. Twilio's magic numbers work: to +15005550001 invalid, …0002 not
 * reachable, …0003 not permitted, …0004 blocked, …0009 no mobile; from …0001 invalid,
 * …0007 not owned, …0008 queue full. Pure but for the sid, which is random.
 * Source: twilio.com/docs/messaging/api/message-resource, twilio.com/docs/api/errors. */
#ifndef PAYBELL_SANDBOX_TWILIO_H
#define PAYBELL_SANDBOX_TWILIO_H

#include "sandbox/exchange.h"

#define TWILIO_BODY_MAX_CHARS 1600

struct twilio {
	const char *account_sid, *auth_token; /* borrowed */
};

void twilio_receive(const struct twilio *t, struct exchange *x);

/* The error that an API in trouble answers with. */
void twilio_refuse(struct exchange *x, int status);

/* How many SMS a text takes: GSM 03.38 or, with any other character in it, UCS-2. */
int twilio_segments(const char *text, size_t len);

#endif
