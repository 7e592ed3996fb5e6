/* The event: what one payment means to one user, as a CloudEvents 1.0 JSON object.
 *
 * Source: CloudEvents 1.0 JSON format; the `sequence` extension (16 digits, so that text
 * order is number order). Shape: DESIGN in docs/architecture.md and
 * schema/event.schema.json. Pure; plain value. */
#ifndef PAYBELL_WIRE_EVENT_H
#define PAYBELL_WIRE_EVENT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/money.h"

/* DESCRIPTION_MAX is bytes without the NUL: 255 code points of up to 4. In JSON, text
 * without control characters at most doubles; EVENT_ENCODED_MAX has room for six times.
 */
#define DESCRIPTION_MAX       1020
#define DESCRIPTION_MAX_CHARS 255
#define EVENT_SEQUENCE_SIZE   17
#define EVENT_ENCODED_MAX     16384
#define EVENT_SOURCE_MAX      128
#define EVENT_TYPE_PREFIX_MAX 64

enum direction { DIRECTION_CREDIT, DIRECTION_DEBIT };

struct event {
	int64_t sequence;
	char id[ID_SIZE];             /* evt_… */
	char transaction_id[ID_SIZE]; /* txn_… */
	char user_id[USER_ID_MAX + 1];
	char counterparty[USER_ID_MAX + 1]; /* "" when it is the outside world: then
					       absent on the wire */
	enum direction direction;
	int64_t amount_minor, balance_minor;
	char currency[MONEY_CODE_SIZE];
	char description[DESCRIPTION_MAX +
			 1]; /* "" when there is none: absent on the wire */
	int64_t time_us;
};

/* What an installation calls itself; both are settings. */
struct event_naming {
	const char *source;      /* "paybell/backend" */
	const char *type_prefix; /* "transaction" gives "transaction.completed" */
};

void event_encode(const struct event *ev, const struct event_naming *naming,
		  struct buf *out);

/* Strict about our own fields, lenient about attributes that it does not know. At most
 * EVENT_ENCODED_MAX bytes. */
int event_decode(struct event *ev, const char *bytes, size_t len, struct err *e);

const char *direction_name(enum direction d); /* "credit", "debit" */

void sequence_format(char out[EVENT_SEQUENCE_SIZE], int64_t sequence); /* 16 digits */
/* Either form: "1042" or "0000000000001042"; -1 when it is neither or negative. */
int64_t sequence_parse(const char *text);

#endif
