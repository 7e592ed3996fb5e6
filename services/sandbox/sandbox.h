/* The sandbox: what its parts share, and its life on the skeleton. Loop thread only. */
#ifndef PAYBELL_SANDBOX_SANDBOX_H
#define PAYBELL_SANDBOX_SANDBOX_H

#include "app/service.h"
#include "base/log.h"
#include "io/http_server.h"
#include "sandbox/exchange.h"
#include "sandbox/faults.h"
#include "sandbox/fcm.h"
#include "sandbox/held.h"
#include "sandbox/oauth.h"
#include "sandbox/recorder.h"
#include "sandbox/refusals.h"
#include "sandbox/settings.h"
#include "sandbox/smtp_server.h"
#include "sandbox/twilio.h"

struct sandbox {
	const struct sandbox_settings *settings;
	struct service_run *run;
	struct loop *loop;
	struct http_server *http;
	struct smtp_server *smtp;
	struct recorder *recorder;
	struct faults faults;
	struct refusals refusals;
	struct held held;
	struct exchange exchange; /* the request at hand */
	struct twilio twilio;
	struct fcm fcm;
	struct oauth oauth;
	char oauth_endpoint[192];
	char *public_key; /* PEM; NULL: none */
	struct loop_timer *draining;
	struct log_limit complaints;
};

/* Counts and keeps a refusal. */
void sandbox_refused(struct sandbox *s, enum channel c, int status, const char *reason);
/* Writes a message down. -1: it could not be, and this was logged. */
int sandbox_record(struct sandbox *s, enum channel c, const struct record *record);

/* For struct service. */
int sandbox_check(void *context, struct err *e);
void *sandbox_start(struct service_run *run, void *context, struct err *e);
void sandbox_drain(void *state);
void sandbox_stop(void *state);

#endif
