/* Firebase Cloud Messaging's HTTP v1 API, the server's side: POST
 * /v1/projects/{project}/messages:send, JSON, bearer token.
 *
 * As strict as Google's JSON transcoder: unknown fields, wrong types, data that is not
 * all text, reserved data keys and payloads over 4,096 bytes are INVALID_ARGUMENT. It
 * sends to registration tokens only (no topics or conditions). Tokens that begin with
 * "unregistered" answer 404 UNREGISTERED. Pure but for the message's name.
 * Source: firebase.google.com/docs/reference/fcm/rest/v1/projects.messages (and
 * ErrorCode).
 */
#ifndef PAYBELL_SANDBOX_FCM_H
#define PAYBELL_SANDBOX_FCM_H

#include "sandbox/exchange.h"
#include "sandbox/oauth.h"

#define FCM_PAYLOAD_MAX 4096 /* bytes of notification and data */
#define FCM_TOKEN_MAX   4096

struct fcm {
	const char *project;       /* borrowed */
	const struct oauth *oauth; /* borrowed; who may call */
};

void fcm_receive(const struct fcm *f, struct exchange *x);

/* The error that an API in trouble answers with. */
void fcm_refuse(struct exchange *x, int status);

#endif
