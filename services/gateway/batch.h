/* What one turn of the hub has to tell everybody: events and delivery statuses, made into
 * frames once and shared by all threads.
 *
 * Built by the hub, then only read; each thread gives its reference back when it is
 * through. */
#ifndef PAYBELL_GATEWAY_BATCH_H
#define PAYBELL_GATEWAY_BATCH_H

#include <stdbool.h>

#include "base/id.h"
#include "gateway/frame.h"

/* How a session speaks. */
enum dialect { DIALECT_PLAIN, DIALECT_SOCKETIO, DIALECT_COUNT };

/* A text frame of RFC 6455, and where its payload begins: a long poll sends that alone.
 */
struct message {
	struct frame *frame; /* NULL: nobody speaks that dialect */
	uint32_t payload_at;
};

struct item {
	char user_id[USER_ID_MAX + 1];
	int64_t sequence; /* 0: a delivery status, which has no place in the order */
	struct message messages[DIALECT_COUNT];
};

#define BATCH_MAX 512 /* items */

struct batch {
	atomic_int references;
	int count;
	struct item items[BATCH_MAX];
};

struct batch *batch_new(void);
struct batch *batch_ref(struct batch *b);
void batch_unref(struct batch *b); /* NULL does nothing */

/* Adds an event (its JSON as it came from the bell) or a delivery status. The dialects
 * that nobody speaks are left out. False: full. */
bool batch_add_event(struct batch *b, const bool speaks[DIALECT_COUNT],
		     const char *user_id, int64_t sequence, const char *json, size_t len);
bool batch_add_delivery(struct batch *b, const bool speaks[DIALECT_COUNT],
			const char *user_id, const char *json, size_t len);

/* The same for one session alone, from the past. */
void message_event(struct message *m, enum dialect d, int64_t sequence, const char *json,
		   size_t len);
/* Any text. */
void message_of_text(struct message *m, const char *text, size_t len);
void message_release(struct message *m);

#endif
