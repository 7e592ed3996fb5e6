/* JSON: a strict reader over jansson, and a writer of our own.
 *
 * Reading: the whole text at once, at most JSON_DEPTH_MAX deep, no repeated keys, no NUL
 * in strings, nothing behind the value. jansson checks UTF-8. A `struct json_reader`
 * walks one object: each getter marks its key as known and reports the first fault with
 * the field's full name; json_reader_end() then refuses keys that nobody asked for. So a
 * decoder is a flat list of getters. Writing: straight into a buf; commas are put by the
 * writer. Pure; any thread. */
#ifndef PAYBELL_WIRE_JSON_H
#define PAYBELL_WIRE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "wire/problem.h"

#define JSON_DEPTH_MAX 16

struct json_t; /* jansson's; an owned reference */

/* The caller's, goes back with json_free(). Errors say line and column. */
struct json_t *json_read(const char *bytes, size_t len, struct err *e);
void json_free(struct json_t *value);

struct json_reader {
	struct json_t *object; /* borrowed */
	struct problem
		*problem; /* filled by the first fault, of this reader or of any other on
			   * the same problem; from then on calls do nothing */
	char path[PROBLEM_FIELD_MAX]; /* "" at the top, "preferences.push." below */
	uint64_t seen; /* how many of the object's keys were asked for and present */
};

/* value must be an object, else the reader fails at once naming `path` (or "body"). path
 * "" is the top and clears *p; below it is a field's full name, such as
 * "preferences.push", and a fault that *p holds already stays. */
void json_reader_init(struct json_reader *r, struct json_t *value, const char *path,
		      struct problem *p);

/* Text into fixed storage: at most size - 1 bytes. Absent or null: "" when optional, a
 * fault when required. False when absent or faulty. */
bool json_get_text(struct json_reader *r, const char *key, bool required, char *out,
		   size_t size);
bool json_get_int(struct json_reader *r, const char *key, bool required, int64_t min,
		  int64_t max, int64_t *out);
/* For shares and rates; money is never one. */
bool json_get_real(struct json_reader *r, const char *key, bool required, double min,
		   double max, double *out);
bool json_get_bool(struct json_reader *r, const char *key, bool required, bool *out);
/* An object or array as it is; borrowed. NULL when absent. */
struct json_t *json_get_value(struct json_reader *r, const char *key, bool required);
/* Is the key there (and not null)? Does not mark it. */
bool json_has(const struct json_reader *r, const char *key);
/* Reports a fault of our own about a key: the detail is the field's full name, a space,
 * then this. Returns false. */
bool json_fault(struct json_reader *r, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Has anything on this reader's problem failed? */
static inline bool json_failed(const struct json_reader *r)
{
	return r->problem->kind != PROBLEM_NONE;
}

/* 0, or -1 with *problem filled. Refuses unknown keys by name (with a list of what is
 * known when `known` is not NULL: "from, to, amount"). A reader that is to be lenient
 * does not call this and asks json_failed(). */
int json_reader_end(struct json_reader *r, const char *known);

struct json_writer {
	struct buf *out;
	bool comma;
};

/* Keys are our own words: they are written as they are, not escaped. */
void json_writer_init(struct json_writer *w, struct buf *out);
void json_open(struct json_writer *w, const char *key,
	       char bracket); /* key NULL inside arrays and at the top; '{' or '[' */
void json_close(struct json_writer *w, char bracket); /* '}' or ']' */
void json_put_text(struct json_writer *w, const char *key,
		   const char *text); /* escaped; invalid UTF-8 becomes U+FFFD */
void json_put_int(struct json_writer *w, const char *key, int64_t value);
void json_put_bool(struct json_writer *w, const char *key, bool value);
void json_put_null(struct json_writer *w, const char *key);
void json_put_raw(struct json_writer *w, const char *key, const char *json,
		  size_t len); /* must be JSON already */

/* How many members an array or object has (0 for anything else), and an array's i-th;
 * borrowed, NULL when there is none. */
size_t json_count(const struct json_t *value);
struct json_t *json_item(const struct json_t *array, size_t i);

/* Walks an object's members in their order: start with *cursor = NULL; false at the end.
 * Key and value are borrowed, and the object may not change meanwhile. */
bool json_next(struct json_t *object, void **cursor, const char **key,
	       struct json_t **value);
/* A text's bytes, borrowed; NULL when the value is not a text. */
const char *json_text(const struct json_t *value);

/* A value as compact JSON. */
void json_encode_value(struct json_t *value, struct buf *out);

#endif
