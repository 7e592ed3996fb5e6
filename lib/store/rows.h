/* Rows into structs: the column lists that several statements share, and their decoders.
 * lib/store only.
 *
 * A list is pasted into a SELECT; its decoder takes the index of its first column and
 * returns the index behind its last. */
#ifndef PAYBELL_STORE_ROWS_H
#define PAYBELL_STORE_ROWS_H

#include "io/db.h"
#include "wire/attempt.h"
#include "wire/event.h"
#include "wire/transaction.h"
#include "wire/user.h"

/* of transactions t */
#define TRANSACTION_COLUMNS                                                              \
	"t.key, t.id, t.from_user, t.to_user, t.amount_minor, t.currency, "              \
	"t.description, t.metadata, "                                                    \
	"t.created_us, t.first_event, t.event_count"
int rows_transaction(struct db_stmt *s, int column, struct transaction *t);

/* of events e and transactions t */
#define EVENT_COLUMNS                                                                    \
	"e.sequence, e.id, e.user_id, e.direction, e.balance_minor, t.id, t.from_user, " \
	"t.to_user, "                                                                    \
	"t.amount_minor, t.currency, t.description, t.created_us"
int rows_event(struct db_stmt *s, int column, struct event *ev);

/* of users u */
#define USER_COLUMNS                                                                     \
	"u.id, u.name, u.email, u.phone, u.locale, u.timezone, u.preferences, "          \
	"u.created_us, u.updated_us"
int rows_user(struct db_stmt *s, int column, struct user *u);

#define DEVICE_COLUMNS "key, id, user_id, kind, token, created_us"
int rows_device(struct db_stmt *s, int column, struct device *d);

/* of attempts a and events e */
#define ATTEMPT_COLUMNS                                                                  \
	"e.id, e.user_id, a.sequence, a.channel, a.device_id, a.started_us, a.worker, "  \
	"a.attempt, a.status, "                                                          \
	"a.final, a.reason, a.provider, a.provider_id, a.code, a.took_us, "              \
	"a.next_at_us, a.late"
int rows_attempt(struct db_stmt *s, int column, struct attempt *a);

#endif
