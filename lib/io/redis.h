/* A connection to Redis: asynchronous, reconnecting, with timeouts of its own (hiredis
 * behind one door).
 *
 * States: down -> connecting -> up -> down …; it comes back by itself (backoff 50 ms
 * doubling to 2 s, with jitter). While it is not up a command is refused at once (-1) and
 * nothing is queued: whoever owns the work keeps it. A command that was accepted gets
 * exactly one callback, in the order of the commands: with its reply and no error, or
 * with reply NULL and an error when the connection went down (then nobody knows whether
 * it was carried out). A connection on which the oldest command waits longer than
 * command_timeout_ms (and an eighth) while not a byte comes is torn down, and so is one
 * with more than REDIS_OUT_MAX_BYTES waiting to be written. Commands written in one loop
 * iteration go out in one write. TCP keepalive and TCP_NODELAY are set. Everything on the
 * loop's thread.
 *
 * URL: redis://[[user]:password@]host[:port][/db], or unix:/path[?db=n] (redis_url.h). A
 * host that is a name is resolved blocking, on each connect: give a number, or a name
 * that /etc/hosts has. After connecting: AUTH, SELECT, CLIENT SETNAME, PING, and then
 * on_up; an error to any of them (wrong password, -LOADING, -MASTERDOWN) is a failed try.
 */
#ifndef PAYBELL_IO_REDIS_H
#define PAYBELL_IO_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/loop.h"

#define REDIS_OUT_MAX_BYTES  (64 << 20)
#define REDIS_ARGS_MAX_BYTES (16 << 20) /* of one command; more is the caller's bug */
#define REDIS_CHANNELS_MAX   16

struct redis;
struct redisReply; /* hiredis's; read it with the functions below; gone after the callback
		    */

typedef void redis_state_fn(void *arg);
typedef void redis_reply_fn(void *arg, const struct redisReply *reply,
			    const struct err *e);
typedef void redis_message_fn(void *arg, const char *channel, const char *bytes,
			      size_t len);

struct redis_settings {
	const char *url; /* copied */
	const char *
		client_name; /* CLIENT SETNAME; copied; no spaces or control characters */
	int connect_timeout_ms; /* until on_up: connecting and the commands before it */
	int command_timeout_ms;
};

/* Judges the URL and name only; connects from inside the loop. The callbacks may be NULL.
 * on_down is called for each loss and failed try (with pending callbacks called before
 * it). */
int redis_new(struct redis **out, struct loop *l, const struct redis_settings *settings,
	      redis_state_fn *on_up, redis_state_fn *on_down, void *arg, struct err *e);
/* Pending callbacks are called with ERR_CLOSED, on_down is not; not from inside a
 * callback of this connection. NULL does nothing. */
void redis_free(struct redis *r);
bool redis_is_up(const struct redis *r);
/* Tears down (pending callbacks and on_down are called before it returns) and connects
 * again. Also from inside a callback. While it is down, where it tries anyway: nothing.
 */
void redis_reconnect(struct redis *r, const char *why);
/* Commands that wait for their reply. */
size_t redis_pending(const struct redis *r);

/* The words of one command. Borrowed for the call. The caller's storage; grows; keep one
 * and clear it. */
struct redis_args;
struct redis_args *redis_args_new(void);
void redis_args_free(struct redis_args *a);
void redis_args_clear(struct redis_args *a);
void redis_args_text(struct redis_args *a, const char *text);
void redis_args_bytes(struct redis_args *a, const void *bytes, size_t len);
void redis_args_int(struct redis_args *a, int64_t value);
void redis_args_textf(struct redis_args *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* 0 accepted; -1 not up (fn is not called). fn may be NULL. fn never runs before the call
 * returns. */
int redis_send(struct redis *r, const struct redis_args *a, redis_reply_fn *fn,
	       void *arg);
/* The same for fixed words: redis_sendl(r, fn, arg, "XACK", key, group, id, NULL). */
int redis_sendl(struct redis *r, redis_reply_fn *fn, void *arg, ...)
	__attribute__((sentinel));

/* Turns this connection into a subscriber (commands are then refused): the channels (at
 * most REDIS_CHANNELS_MAX; copied) are subscribed on every connect, on_up comes after the
 * last confirmation; a connection that was made already is made anew. With silence_ms > 0
 * a connection that gave no byte for that long is taken for dead and made anew: after
 * half of it a PING asks whether anybody is there, so that a channel on which nothing
 * happens costs no connection. -1: too many channels, none, or a subscriber already. */
int redis_subscribe(struct redis *r, const char *const *channels, redis_message_fn *fn,
		    void *arg, int silence_ms);

/* Replies. NULL and nil are REDIS_KIND_NIL. */
enum redis_kind {
	REDIS_KIND_NIL,
	REDIS_KIND_TEXT,
	REDIS_KIND_INT,
	REDIS_KIND_ARRAY,
	REDIS_KIND_ERROR
};
enum redis_kind redis_kind(const struct redisReply *v);
/* TEXT and ERROR; "" otherwise; len may be NULL; NUL-terminated. */
const char *redis_text(const struct redisReply *v, size_t *len);
int64_t redis_int(const struct redisReply *v); /* INT, or a TEXT of digits; 0 otherwise */
size_t redis_count(const struct redisReply *v); /* ARRAY; 0 otherwise */
const struct redisReply *redis_at(const struct redisReply *v,
				  size_t i); /* NULL out of range */
/* An ERROR whose first word is `code` ("NOGROUP", "LOADING"); any ERROR with "". */
bool redis_is_error(const struct redisReply *v, const char *code);

#endif
