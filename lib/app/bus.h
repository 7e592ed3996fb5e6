/* The names in Redis: what the backend, the workers and the gateways meet by.
 *
 * All of them carry PAYBELL_REDIS_PREFIX, so that several installations can share one
 * Redis. docs/architecture.md says what is in each. Pure, plain values; any thread. */
#ifndef PAYBELL_APP_BUS_H
#define PAYBELL_APP_BUS_H

#include "base/err.h"
#include "base/id.h"
#include "wire/user.h"

#define BUS_PREFIX_MAX 64 /* bytes */

/* The longest: "<prefix>instance:<channel>:<worker>", worker names have 64 bytes. */
#define BUS_NAME_SIZE (BUS_PREFIX_MAX + CHANNEL_NAME_MAX + 64 + 16)

struct bus_name {
	char text[BUS_NAME_SIZE];
};

struct bus {
	char prefix[BUS_PREFIX_MAX + 1];
	struct bus_name transactions; /* channel: events, the bell and the live feed */
	struct bus_name head;       /* channel: the newest sequence, every BUS_HEAD_MS */
	struct bus_name deliveries; /* channel: attempt records, live */
	struct bus_name attempts_log; /* stream of attempt records for the backend */
	struct bus_name reads_log;    /* stream of read marks for the backend */
};

#define BUS_HEAD_MS 1000

/* Groups. That of queue:<channel> is called like the channel. */
#define BUS_GROUP_BACKEND "backend" /* of attempts:log and reads:log */

/* Fields of entries. */
#define BUS_FIELD_SEQUENCE "s"      /* queue:<channel>, reads:log: the event's sequence */
#define BUS_FIELD_REPLAY   "replay" /* queue:<channel>: an operator's replay */
#define BUS_FIELD_ATTEMPT  "attempt" /* attempts:log: a record's JSON; one or several */
#define BUS_FIELD_USER     "user"    /* reads:log: whose mark it is */

#define BUS_ATTEMPTS_MAX 16 /* records of one entry of attempts:log */

/* The feed that is not a channel's stream: cursor:live belongs to `transactions`. */
#define BUS_LIVE "live"

/* prefix has at most BUS_PREFIX_MAX bytes (PAYBELL_REDIS_PREFIX's limit). */
void bus_init(struct bus *b, const char *prefix);

/* Each fills *out and returns its text. channel and ids are valid ones. */
const char *bus_queue(struct bus_name *out, const struct bus *b, const char *channel);
const char *bus_cursor(struct bus_name *out, const struct bus *b, const char *channel);
const char *bus_lease(struct bus_name *out, const struct bus *b, const char *channel,
		      const char *event_id);
/* Who goes by this consumer's name in the channel's group. */
const char *bus_instance(struct bus_name *out, const struct bus *b, const char *channel,
			 const char *consumer);

/* The gateways that the user is connected to: a sorted set, scores are when that ends by
 * itself (UTC ms). Connected anywhere: ZCOUNT of it from now to +inf is not 0. */
const char *bus_presence(struct bus_name *out, const struct bus *b, const char *user_id);

/* What an audit leaves there while it goes on, to see that nothing was wiped meanwhile.
 */
const char *bus_audit(struct bus_name *out, const struct bus *b, const char *channel,
		      const char *witness);

/* PAYBELL_CHANNELS: "push,email,sms". */
#define BUS_CHANNELS_MAX 8
struct bus_channels {
	int count;
	char names[BUS_CHANNELS_MAX][CHANNEL_NAME_MAX + 1];
};
/* Names as [a-z][a-z0-9]{0,15}, at most BUS_CHANNELS_MAX, none twice, at least one, none
 * called "live"; blanks around a name are passed over. ERR_INVALID; *out is then
 * undefined. */
int bus_channels_parse(struct bus_channels *out, const char *text, struct err *e);

#endif
