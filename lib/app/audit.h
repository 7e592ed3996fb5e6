/* The audit of a channel: what is open in the ledger, and nowhere on its way.
 *
 * A delivery is placed when it has an entry in the channel's stream, or is ahead of the
 * channel's cursor, or waits in the ledger for its time. The audit finds those that are
 * not, under full load, without stopping anybody: audit.c says why what it finds is
 * lost indeed. It reads a page or a slice at a time and lets the loop go on in between.
 * In Redis it writes one name that ends by itself (bus_audit).
 *
 * One audit at a time; everything on the loop's thread. Memory: 8 bytes an entry of the
 * stream. It gives up, and says why, when Redis was wiped, lost or holds another ledger's
 * cursor, when attempts:log is not being emptied, and when the stream has more than
 * SEQUENCES_MAX entries. */
#ifndef PAYBELL_APP_AUDIT_H
#define PAYBELL_APP_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/bus.h"
#include "io/redis.h"
#include "store/store.h"

/* How long it waits for the backend to take in what was in attempts:log. */
#define AUDIT_LOG_WAIT_MS 30000

struct audit;

struct audit_result {
	int64_t cursor;       /* the deliveries of events up to here were looked at */
	int64_t open;         /* of these: neither ended nor waiting in the ledger */
	size_t entries;       /* in the stream */
	const int64_t *found; /* sequences, rising; borrowed for the call */
	size_t found_count;
	bool more; /* it stopped at SUSPECTS_MAX */
};

/* result NULL: given up, and *e says why. The audit is over and may be started again. */
typedef void audit_fn(void *arg, const struct audit_result *result, const struct err *e);

struct audit_settings {
	struct loop *loop;
	struct redis *redis;
	const struct bus *bus;
	struct store *store; /* a reader */
	int log_wait_ms;     /* AUDIT_LOG_WAIT_MS */
	audit_fn *fn;
	void *arg;
};

/* Everything in *settings is borrowed until audit_free(). */
int audit_new(struct audit **out, const struct audit_settings *settings, struct err *e);
/* After redis_free(), which ends what goes on. NULL does nothing. */
void audit_free(struct audit *a);

/* Not while one goes on. fn is called in any case, never before this returns. */
void audit_start(struct audit *a, const char *channel);
bool audit_goes_on(const struct audit *a);
/* To be called by whoever owns the connection when it went down. */
void audit_lost(struct audit *a);

#endif
