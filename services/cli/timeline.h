/* A transaction and what became of it, as GET /transactions/{id} tells it. Pure. */
#ifndef PAYBELL_CLI_TIMELINE_H
#define PAYBELL_CLI_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/attempt.h"
#include "wire/transaction.h"

#define TIMELINE_CHANNELS_MAX 64 /* of an event */
#define TIMELINE_EVENTS_MAX   16
#define TIMELINE_STATUS_SIZE  16

struct timeline_channel {
	char name[CHANNEL_NAME_MAX + 1];
	char status[TIMELINE_STATUS_SIZE]; /* an attempt's status, or "open" */
	struct attempt *attempts;          /* in the order of their beginning */
	size_t count;
};

struct timeline_event {
	char id[ID_SIZE];
	char user_id[USER_ID_MAX + 1];
	char direction[16];
	char sequence[EVENT_SEQUENCE_SIZE];
	struct timeline_channel *channels;
	size_t count;
};

struct timeline {
	char id[ID_SIZE];
	char from[USER_ID_MAX + 1], to[USER_ID_MAX + 1]; /* "" is the outside world */
	char amount[MONEY_TEXT_SIZE], currency[MONEY_CODE_SIZE];
	char description[DESCRIPTION_MAX + 1];
	int64_t accepted_us, committed_us, published_us; /* UTC; 0: not yet */
	struct timeline_event *events;
	size_t count;
};

/* The caller's; goes back with timeline_free(). A transaction alone, as POST answers, is
 * one without times and events. Members that it does not know are passed over. NULL and
 * *e (ERR_INVALID) when the JSON is not one. */
struct timeline *timeline_read(const char *json, size_t len, struct err *e);
void timeline_free(struct timeline *t); /* NULL does nothing */

/* Leaves of it only how this channel stands with this event. False, and nothing changed,
 * when it has no such one. */
bool timeline_keep(struct timeline *t, const char *event_id, const char *channel);

bool timeline_channel_ended(const struct timeline_channel *c);

/* How many channels, of all events, have not ended; and how many ended in `status`. */
size_t timeline_open(const struct timeline *t);
size_t timeline_count(const struct timeline *t, const char *status);

/* When the channel ended, UTC: its final attempt's end; 0 when it did not. */
int64_t timeline_channel_end_us(const struct timeline_channel *c);

#endif
