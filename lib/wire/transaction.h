/* A payment as it is asked for and as it is answered.
 *
 * Request: {"from"?,"to"?,"amount":"15.00","currency":"USD","description"?,"metadata"?};
 * at least one of from and to, not the same in both; description one line of text, at
 * most 255 characters; metadata an object of at most 16 texts (keys [A-Za-z0-9_.-]{1,40},
 * values at most 200 bytes), kept as compact JSON of at most METADATA_MAX bytes. Whether
 * the users exist and the funds suffice is the ledger's business. Pure. */
#ifndef PAYBELL_WIRE_TRANSACTION_H
#define PAYBELL_WIRE_TRANSACTION_H

#include "wire/event.h"
#include "wire/json.h"
#include "wire/problem.h"

#define METADATA_MAX         4096
#define TRANSACTION_BODY_MAX 16384 /* bytes of a request */

struct transaction_request {
	char from[USER_ID_MAX + 1], to[USER_ID_MAX + 1]; /* "" is the outside world */
	int64_t amount_minor;
	char currency[MONEY_CODE_SIZE];
	char description[DESCRIPTION_MAX + 1];
	char *metadata; /* NULL when absent; the struct's: transaction_request_release()
			 */
};

/* 0, or -1 with *p filled (then nothing is to be released). */
int transaction_request_decode(struct transaction_request *t, const char *body,
			       size_t len, struct problem *p);
void transaction_request_release(struct transaction_request *t);

struct transaction {
	int64_t key; /* its row */
	char id[ID_SIZE];
	char from[USER_ID_MAX + 1], to[USER_ID_MAX + 1];
	int64_t amount_minor;
	char currency[MONEY_CODE_SIZE];
	char description[DESCRIPTION_MAX + 1];
	char metadata[METADATA_MAX + 1]; /* JSON; "" when absent */
	int64_t created_us;
	int64_t first_event; /* sequence of its first event */
	int event_count;     /* 1 or 2: the payer's first */
};

/* Writes the members of a transaction into an object that is open:
 * {"id","from"?,"to"?,"amount","currency","description"?,"metadata"?,"status":"completed","created_at":"<RFC
 * 3339>","created_us"}. */
void transaction_put(struct json_writer *w, const struct transaction *t);

/* The whole object: the answer to POST. */
void transaction_encode(const struct transaction *t, struct buf *out);

#endif
