/* A channel's transport: what is particular to one provider, as a table of functions.
 *
 * The worker core owns the stream, the window, retries, leases, templates, records and
 * metrics; a transport says how one message becomes one transfer and what the answer
 * means. build() and judge() are pure but for the transport's own state: no I/O, no
 * waiting. A new channel is one file with such a table. All calls come on the worker's
 * loop thread. */
#ifndef PAYBELL_WORKER_TRANSPORT_H
#define PAYBELL_WORKER_TRANSPORT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/err.h"
#include "io/transfer.h"
#include "store/events.h"
#include "wire/attempt.h"

/* Whom a message goes to: one address of the user, or each of the devices. */
enum transport_target { TARGET_EMAIL, TARGET_PHONE, TARGET_DEVICES };

/* A text that the core renders from templates/<locale>/<channel>/<event type>.<name> and
 * gives along. */
struct transport_part {
	const char *name; /* "subject.txt", "body.html": what is put into a .html part is
			   * escaped, all others are plain */
	size_t max_bytes; /* a longer text is cut at a UTF-8 boundary; .html is never cut:
			   * too long is a failure */
	bool one_line;    /* runs of white space become one blank */
};
#define TRANSPORT_PARTS_MAX 4

#define MESSAGE_KEY_SIZE 64

struct message {
	const struct recipient *recipient; /* event and user */
	const struct device *device;       /* TARGET_DEVICES only, else NULL */
	char key[MESSAGE_KEY_SIZE]; /* the same in all attempts: "<event id>.<channel>",
				     * devices: 32 characters of a hash */
	const char *locale;         /* what the parts are written in: "de" */
	const char *parts[TRANSPORT_PARTS_MAX]; /* rendered, in the table's order */
	int attempt;                            /* from 1 */
};

/* What the answer means. */
struct verdict {
	enum attempt_status status; /* DELIVERED, RETRYING (the core decides whether and
				     * when) or FAILED (for good) */
	enum attempt_reason reason; /* NONE when delivered */
	int code;                   /* the provider's number, at most 999 */
	int64_t retry_after_s;      /* -1: not said */
	char provider_id[PROVIDER_ID_MAX + 1]; /* "" when none */
};

struct transport {
	const char *channel;  /* "sms" */
	const char *provider; /* "twilio": in records and metrics */
	const char *summary;  /* for --help */
	const char *admin;    /* default of PAYBELL_ADMIN */
	enum transport_target target;
	struct transport_part parts[TRANSPORT_PARTS_MAX]; /* ended by name == NULL when
							   * fewer */

	const struct setting *settings; /* rows; their struct is the state's beginning */
	size_t state_size;              /* the core allocates it, zeroed */

	/* Judges the settings once they are in (--check calls it too) and makes of them
	 * what build() wants to find. NULL: nothing. Takes nothing that stop() would not
	 * give back. */
	int (*check)(void *state, struct err *e);
	/* Starts what it needs beside the messages (an access token, say); NULL: nothing.
	 * ready_changed(arg) is to be called when ready() changes, not from inside of
	 * start. */
	int (*start)(void *state, struct loop *l, struct transfer_engine *t,
		     loop_fn *ready_changed, void *arg, struct err *e);
	/* While it is not ready nothing is sent. NULL: always. */
	bool (*ready)(const void *state);
	void (*stop)(void *state); /* before the engine goes; NULL: nothing */

	/* Fills *request, whose timeouts the core sets; texts may point into the state,
	 * the message or `scratch` (cleared by the core), and must last until
	 * transfer_start() returned. -1: this message can never be sent (the core ends it
	 * as failed: ERR_INVALID bad_address, else template). */
	int (*build)(void *state, const struct message *m,
		     struct transfer_request *request, struct buf *scratch,
		     struct err *e);
	/* TIMEOUT, LOST, AMBIGUOUS and BAD_ANSWER are judged by the core, and NO_CONNECT
	 * without a status; this one sees the others. *v comes zeroed but for code (the
	 * status) and retry_after_s (the result's). */
	void (*judge)(void *state, const struct transfer_result *result,
		      struct verdict *v);
	/* When nobody knows whether it was done: again (true), or failed? NULL: again,
	 * which is right wherever the key stops the second one. */
	bool (*retry_ambiguous)(const void *state);
};

#define TRANSPORT_SCRATCH_MAX (1024 * 1024)

#endif
