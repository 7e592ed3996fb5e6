/* The doctor's arithmetic: every account's balance, added up from all events in their
 * order, against what the rows say.
 *
 * First the outside world's balances of the moment that the head was read at, then all
 * events up to that head, then all accounts, then the end. Each account takes some 200
 * bytes. Pure; one thread. */
#ifndef PAYBELL_CLI_DOCTOR_MONEY_H
#define PAYBELL_CLI_DOCTOR_MONEY_H

#include "store/proof.h"

struct doctor_money;

/* What is found, a sentence each. */
typedef void doctor_money_fn(void *arg, const char *text);

struct doctor_money *doctor_money_new(doctor_money_fn *fn, void *arg);
void doctor_money_free(struct doctor_money *m); /* NULL does nothing */

void doctor_money_world(struct doctor_money *m, const char *currency,
			int64_t balance_minor);
void doctor_money_event(struct doctor_money *m, const struct proof_event *ev);
/* head: of the events that were given. An account may have newer ones by now. */
void doctor_money_account(struct doctor_money *m, const struct proof_account *a,
			  int64_t head);
/* What must be zero, and what is missing. */
void doctor_money_end(struct doctor_money *m);
/* How many accounts there are, and currencies. */
size_t doctor_money_accounts(const struct doctor_money *m);
size_t doctor_money_currencies(const struct doctor_money *m);

#endif
