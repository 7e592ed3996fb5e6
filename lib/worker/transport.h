/* A channel's transport: what is particular to one provider, as a table of functions.
 *
 * The worker core owns the stream, the window, retries, leases, templates, records and metrics; a transport says how one message becomes one transfer and
 * what the answer means. build() and judge() are pure but for the transport's own state: no I/O, no waiting. A new channel is one file with such a table. All
 * calls come on the worker's loop thread. */
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

/* A text that the core renders from templates/<locale>/<channel>/<event type>.<name> and gives along. */
struct transport_part {
	const char *name;  /* "subject.txt", "body.html": a .html part is escaped as HTML, all others are plain */
	size_t max_bytes;  /* rendered text is cut at a UTF-8 boundary */
};
#define TRANSPORT_PARTS_MAX 4

struct message {
	const struct recipient *recipient; /* event and user */
	const struct device *device;       /* TARGET_DEVICES only, else NULL */
	char key[64];                      /* stable over all attempts: "<event id>.<channel>", devices: a hash of 32 characters */
	const char *parts[TRANSPORT_PARTS_MAX]; /* rendered, in the table's order */
	int attempt;                       /* from 1 */
};

/* What the answer means. */
struct verdict {
	enum attempt_status status;  /* DELIVERED, RETRYING (the core decides whether and when), AMBIGUOUS or FAILED (for good) */
	enum attempt_reason reason;
	int code;
	int64_t retry_after_s;       /* -1: not said */
	char provider_id[PROVIDER_ID_MAX + 1];
	bool forget_device;          /* this device is gone for good */
};

struct transport {
	const char *channel;  /* "sms" */
	const char *provider; /* "twilio": in records and metrics */
	enum transport_target target;
	struct transport_part parts[TRANSPORT_PARTS_MAX]; /* ended by name == NULL when fewer */

	const struct setting *settings; /* rows; filled into the state's first settings_size bytes */
	size_t state_size;              /* the core allocates it, zeroed; it begins with the settings' struct */

	/* After the settings are in: judges them (--check calls it too, with engine and loop NULL). */
	int (*check)(void *state, struct err *e);
	/* Starts what it needs beside the messages (an access token, say); NULL: nothing. ready_changed(arg) is to be called when ready() changes. */
	int (*start)(void *state, struct loop *l, struct transfer_engine *t, loop_fn *ready_changed, void *arg, struct err *e);
	bool (*ready)(const void *state);   /* NULL: always */
	void (*stop)(void *state);          /* NULL: nothing */

	/* Fills *request; texts may point into the state, the message or `scratch` (cleared by the core, at most 256 KiB), and must last until transfer_start() returned. -1: this message can
	 * never be sent (the core ends it as failed: template). */
	int (*build)(void *state, const struct message *m, struct transfer_request *request, struct buf *scratch, struct err *e);
	/* NO_CONNECT, TIMEOUT, LOST, AMBIGUOUS and BAD_ANSWER are judged by the core; this one sees TRANSFER_ANSWERED only. */
	void (*judge)(void *state, const struct message *m, const struct transfer_result *result, struct verdict *v);
};

#endif
