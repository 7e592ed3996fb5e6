/* The ledger: payments, balances, and the events they make. The writer's side; see
 * schema/001_init.sql for the layout.
 *
 * All writing calls stand between ledger_begin() and ledger_commit(): the committer's
 * batch. A refused payment (unknown user, no funds) changes nothing, so that a batch goes
 * on. Committer's thread only. */
#ifndef PAYBELL_STORE_LEDGER_H
#define PAYBELL_STORE_LEDGER_H

#include "store/store.h"
#include "wire/problem.h"
#include "wire/transaction.h"

struct ledger;

int ledger_new(struct ledger **out, struct store *s, struct err *e);
void ledger_free(struct ledger *l);

/* BEGIN IMMEDIATE. */
int ledger_begin(struct ledger *l, struct err *e);
/* 0: on disk. -1: whether it is on disk is not known; the connection must be closed and
 * opened anew. Writes the batch's row. */
int ledger_commit(struct ledger *l, struct err *e);
void ledger_rollback(struct ledger *l);

/* The sequence of the newest event of the last commit. */
int64_t ledger_head(const struct ledger *l);

/* One payment. 0: *t is filled as it was stored (metadata borrowed from the request is
 * copied); 1: refused, *p says why, nothing changed; -1: the database failed, roll back.
 */
int ledger_pay(struct ledger *l, const struct transaction_request *request,
	       int64_t now_us, struct transaction *t, struct problem *p, struct err *e);

#define IDEMPOTENCY_HASH_BYTES 16
struct idempotency {
	uint8_t key[IDEMPOTENCY_HASH_BYTES]; /* over API key and Idempotency-Key */
	uint8_t fingerprint[IDEMPOTENCY_HASH_BYTES]; /* over method, path and body */
};

/* Was this key answered within the last day or two? 1: yes, *t (201) or *p (422, also
 * PROBLEM_KEY_REUSED for another fingerprint) is filled: the kind of *p is PROBLEM_NONE
 * for a 201; 0: no; -1 failed. */
int ledger_recall(struct ledger *l, const struct idempotency *key, int64_t now_us,
		  struct transaction *t, struct problem *p, struct err *e);
/* Keeps the answer: t for a 201, else p. */
int ledger_remember(struct ledger *l, const struct idempotency *key, int64_t now_us,
		    const struct transaction *t, const struct problem *p, struct err *e);
/* Removes at most `limit` keys that are older than yesterday. */
int ledger_forget(struct ledger *l, int64_t now_us, int limit, struct err *e);

#endif
