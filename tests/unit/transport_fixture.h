/* What tests of transports need: an event, a person, a state with its settings. */
#ifndef PAYBELL_TESTS_UNIT_TRANSPORT_FIXTURE_H
#define PAYBELL_TESTS_UNIT_TRANSPORT_FIXTURE_H

#include "worker/transport.h"

/* A state of the transport's own with settings from NAME=value strings (NULL-ended, with
 * PAYBELL_) and check() called; NULL with *e filled when one of them refuses. The
 * caller's: transport_state_free(). */
void *transport_state(const struct transport *t, const char *const *environment,
		      struct err *e);
void transport_state_free(const struct transport *t, void *state);

/* Alice's event: "-15.00 USD to bob, Lunch"; with one device. Static storage, fresh. */
struct recipient *transport_recipient(void);
/* A message for it with parts "one", "two", "three". */
struct message transport_message(const struct recipient *r);

/* What judge() says about an answer. */
struct verdict transport_judge(const struct transport *t, void *state, int status,
			       const char *body);

#endif
