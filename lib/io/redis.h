/* A connection to Redis: asynchronous, reconnecting, with timeouts of its own (hiredis behind one door).
 *
 * States: down -> connecting -> up -> down …; it comes back by itself (backoff 50 ms doubling to 2 s, with jitter). While it is not up a
 * command is refused at once (-1) and nothing is queued: whoever owns the work keeps it. A command that was accepted gets exactly one
 * callback: with its reply, or with reply NULL and an error when the connection went down (then nobody knows whether it was carried out).
 * A connection on which the oldest command waits longer than command_timeout_ms is torn down. Commands written in one loop
 * iteration go out in one write. TCP keepalive and TCP_NODELAY are set. Everything on the loop's thread.
 *
 * Debian's hiredis 0.14.1 ships a libuv adapter that ignores error status; redis.c has its own adapter on loop_watch.
 *
 * URL: redis://[[user]:password@]host[:port][/db], or unix:/path[?db=n]. After connecting: AUTH, SELECT, CLIENT SETNAME, and then on_up. */
#ifndef PAYBELL_IO_REDIS_H
#define PAYBELL_IO_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/loop.h"

struct redis;
struct redisReply; /* hiredis's; read it with the functions below */

typedef void redis_state_fn(void *arg);
typedef void redis_reply_fn(void *arg, const struct redisReply *reply, const struct err *e);
typedef void redis_message_fn(void *arg, const char *channel, const char *bytes, size_t len);

struct redis_settings {
	const char *url;         /* copied */
	const char *client_name; /* CLIENT SETNAME; copied */
	int connect_timeout_ms;
	int command_timeout_ms;
};

/* Judges the URL only; connects from inside the loop. The callbacks may be NULL. on_down is called for each loss and failed try (with pending
 * callbacks called before it). */
int redis_new(struct redis **out, struct loop *l, const struct redis_settings *settings, redis_state_fn *on_up, redis_state_fn *on_down,
	      void *arg, struct err *e);
void redis_free(struct redis *r); /* pending callbacks are called with ERR_CLOSED; not from inside a reply callback */
bool redis_is_up(const struct redis *r);
/* Tears down and connects again. */
void redis_reconnect(struct redis *r, const char *why);
/* Commands that wait for their reply. */
size_t redis_pending(const struct redis *r);

/* The words of one command. Borrowed for the call. The caller's storage; grows; keep one and clear it. */
struct redis_args;
struct redis_args *redis_args_new(void);
void redis_args_free(struct redis_args *a);
void redis_args_clear(struct redis_args *a);
void redis_args_text(struct redis_args *a, const char *text);
void redis_args_bytes(struct redis_args *a, const void *bytes, size_t len);
void redis_args_int(struct redis_args *a, int64_t value);
void redis_args_textf(struct redis_args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* 0 accepted; -1 not up (fn is not called). fn may be NULL. */
int redis_send(struct redis *r, const struct redis_args *a, redis_reply_fn *fn, void *arg);
/* The same for fixed words: redis_sendl(r, fn, arg, "XACK", key, group, id, NULL). */
int redis_sendl(struct redis *r, redis_reply_fn *fn, void *arg, ...) __attribute__((sentinel));

/* Turns this connection into a subscriber (commands are then refused): the channels are subscribed on every connect, on_up comes after the
 * last confirmation. With silence_ms > 0 a connection without any message for that long is taken for dead and made anew
 * (PING is ignored on a subscribed connection by this hiredis, so the silence of a regular message is the sign). */
int redis_subscribe(struct redis *r, const char *const *channels, redis_message_fn *fn, void *arg, int silence_ms);

/* Replies. NULL and nil are REDIS_KIND_NIL. */
enum redis_kind { REDIS_KIND_NIL, REDIS_KIND_TEXT, REDIS_KIND_INT, REDIS_KIND_ARRAY, REDIS_KIND_ERROR };
enum redis_kind redis_kind(const struct redisReply *v);
const char *redis_text(const struct redisReply *v, size_t *len); /* TEXT and ERROR; "" otherwise; len may be NULL; NUL-terminated */
int64_t redis_int(const struct redisReply *v);                  /* INT, or a TEXT of digits; 0 otherwise */
size_t redis_count(const struct redisReply *v);                 /* ARRAY; 0 otherwise */
const struct redisReply *redis_at(const struct redisReply *v, size_t i); /* NULL out of range */
bool redis_is_error(const struct redisReply *v, const char *prefix);   /* "NOGROUP" … */

#endif
