/* The attempt record: what a worker says of one try, on its way to the database and to
 * whoever watches.
 *
 * Carries no contact data and no provider text: reason is a word of a closed list, code
 * the provider's number. Shape: docs/architecture.md. Pure. */
#ifndef PAYBELL_WIRE_ATTEMPT_H
#define PAYBELL_WIRE_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "wire/user.h"

enum attempt_status {
	ATTEMPT_DELIVERED, /* the provider accepted it */
	ATTEMPT_RETRYING,
	ATTEMPT_AMBIGUOUS, /* timed out after it was written */
	ATTEMPT_SUPPRESSED,
	ATTEMPT_FAILED,
};

enum attempt_reason {
	REASON_NONE,
	REASON_NO_ADDRESS,       /* suppressed: the user has no e-mail, phone or device */
	REASON_CHANNEL_DISABLED, /* suppressed: the user's preference */
	REASON_BELOW_MIN_AMOUNT, /* suppressed: the user's preference */
	REASON_USER_DELETED,     /* suppressed: contact data was erased */
	REASON_RATE_LIMITED,     /* the provider said: slower */
	REASON_PROVIDER_ERROR,   /* 5xx, SMTP 4yz: passing */
	REASON_REJECTED,         /* 4xx, SMTP 5yz: this message, for good */
	REASON_BAD_ADDRESS,      /* the provider does not know the recipient, for good */
	REASON_UNAUTHORIZED,     /* the provider does not take our credentials */
	REASON_CONNECT,          /* no connection */
	REASON_TIMEOUT,
	REASON_CONNECTION_LOST, /* broke off in the middle */
	REASON_ATTEMPTS_EXHAUSTED,
	REASON_EXPIRED,  /* too old to send */
	REASON_TEMPLATE, /* our own text could not be made */
	REASON_CHANNEL_REMOVED,
	REASON_COUNT
};

#define WORKER_NAME_MAX     64
#define PROVIDER_NAME_MAX   32
#define PROVIDER_ID_MAX     128 /* [!-~] only, longer or other ones are dropped */
#define ATTEMPT_ENCODED_MAX 1024

struct attempt {
	char event_id[ID_SIZE];
	int64_t sequence;
	char user_id[USER_ID_MAX + 1];
	char channel[CHANNEL_NAME_MAX + 1];
	char device_id[ID_SIZE]; /* "" when the record is about the channel */
	int attempt;             /* from 1; 0 when nothing was tried (suppressed) */
	enum attempt_status status;
	bool final;
	enum attempt_reason reason;
	char provider[PROVIDER_NAME_MAX + 1];  /* "fcm" */
	char provider_id[PROVIDER_ID_MAX + 1]; /* "" when none */
	int code;                              /* HTTP or SMTP status, 0 when none */
	int64_t started_us;                    /* UTC */
	int64_t took_us;
	int64_t next_at_us; /* retrying: UTC; 0 when none */
	bool late;
	char worker[WORKER_NAME_MAX + 1];
};

/* A wait of more than this leaves Redis: the worker acknowledges the entry, and the
 * ledger hands it out again when it is due. */
#define ATTEMPT_LEDGER_WAIT_US 60000000LL

/* Is this the record of such a wait? */
bool attempt_waits_in_ledger(const struct attempt *a);

void attempt_encode(const struct attempt *a, struct buf *out);
/* Lenient about fields that it does not know (a newer worker may say more), strict about
 * its own. At most ATTEMPT_ENCODED_MAX bytes. */
int attempt_decode(struct attempt *a, const char *bytes, size_t len, struct err *e);

const char *attempt_status_name(enum attempt_status s);
int attempt_status_parse(const char *name);             /* -1 unknown */
const char *attempt_reason_name(enum attempt_reason r); /* "" for REASON_NONE */
int attempt_reason_parse(const char *name);             /* -1 unknown */

#endif
