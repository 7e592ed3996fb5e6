/* JSON as it lies: where values begin and end, without taking memory or building
 * anything.
 *
 * For bytes that are passed on as they came (the arguments of events), and for looking a
 * few fields up before a peer is known. json.h is for what has to be understood. The
 * grammar is RFC 8259's, all of it and nothing more; like JavaScript's own reader it
 * takes repeated keys (the last one counts) and any \u escape. At most
 * JSON_SCAN_DEPTH_MAX levels deep. UTF-8 is not judged: the transports have done that.
 * Pure; slices are borrowed from what was given. */
#ifndef PAYBELL_WIRE_JSON_SCAN_H
#define PAYBELL_WIRE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define JSON_SCAN_DEPTH_MAX 64

enum json_scan_kind {
	JSON_SCAN_BAD, /* not JSON, or too deep; and from then on */
	JSON_SCAN_OBJECT,
	JSON_SCAN_OBJECT_END,
	JSON_SCAN_ARRAY,
	JSON_SCAN_ARRAY_END,
	JSON_SCAN_KEY, /* the colon behind it is taken, too */
	JSON_SCAN_TEXT,
	JSON_SCAN_NUMBER,
	JSON_SCAN_TRUE,
	JSON_SCAN_FALSE,
	JSON_SCAN_NULL,
	JSON_SCAN_END, /* the value is whole and nothing stands behind it */
};

struct json_scan {
	const char *at, *end;
	int depth;        /* how many objects and arrays are open */
	uint64_t objects; /* bit d - 1: level d is an object */
	int expects;
};

void json_scan_init(struct json_scan *s, struct slice json);

/* The next token; *raw are its bytes: one bracket, a text with its quotes, … */
enum json_scan_kind json_scan_next(struct json_scan *s, struct slice *raw);

/* Takes the first whole value off *rest (which moves on behind it), white space around it
 * dropped. False when there is none; what follows it is not looked at. */
bool json_scan_value(struct slice *rest, struct slice *value);

/* A text or key token without quotes and escapes. -1, and "" in out, when it does not fit
 * size - 1 bytes or cannot be text here: a NUL, half of a surrogate pair. */
int json_scan_text(struct slice raw, char *out, size_t size);

/* The token that is the value of an object's member: the last one of that name (at most
 * 63 bytes), not one of an object inside. False when there is none, or it is no JSON. */
bool json_scan_member(struct slice json, const char *name, struct slice *raw);

/* Does a text or key token, its escapes resolved, say this? text has at most 63 bytes. */
bool json_scan_is(struct slice raw, const char *text);

#endif
