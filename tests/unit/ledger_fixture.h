/* A ledger in a folder of its own, for the tests of lib/store. */
#ifndef PAYBELL_TESTS_LEDGER_FIXTURE_H
#define PAYBELL_TESTS_LEDGER_FIXTURE_H

#include "store/channels.h"
#include "store/deliveries.h"
#include "store/events.h"
#include "store/ledger.h"
#include "store/users.h"

struct ledger_fixture {
	char folder[64], path[96];
	struct store store;
	struct ledger *ledger;
	struct users *users;
	struct events *events;
	struct deliveries *deliveries;
	struct channels *channels;
};

/* Fails the test when something is wrong. */
void ledger_fixture_init(struct ledger_fixture *f);
void ledger_fixture_release(struct ledger_fixture *f);

void ledger_fixture_add_user(struct ledger_fixture *f, const char *id);

/* One payment inside of a batch that the caller began; like ledger_pay(). "" is the
 * outside world. */
int ledger_fixture_pay(struct ledger_fixture *f, const char *from, const char *to,
		       int64_t amount_minor, const char *currency, struct transaction *t,
		       struct problem *p);
/* The same in a batch of its own. */
int ledger_fixture_pay_alone(struct ledger_fixture *f, const char *from, const char *to,
			     int64_t amount_minor, const char *currency,
			     struct transaction *t, struct problem *p);

void ledger_fixture_begin(struct ledger_fixture *f);
void ledger_fixture_commit(struct ledger_fixture *f);

#endif
