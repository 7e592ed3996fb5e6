/* Redis for a command that asks one thing after the other.
 *
 * Each question runs the command's loop until its answer is there. A connection that was
 * lost stays lost: what was learnt before may not be true of what comes after. The
 * caller's storage; main thread. */
#ifndef PAYBELL_CLI_ASK_H
#define PAYBELL_CLI_ASK_H

#include "cli/cli.h"
#include "io/redis.h"

struct ask {
	struct loop *loop;
	struct redis *redis;
	struct redis_args *args; /* the next question */
	bool over, up, lost;
	loop_fn *on_lost; /* may be NULL */
	void *on_lost_arg;
	void (*take)(void *arg, const struct redisReply *reply);
	void *take_arg;
	struct err error;
};

/* Waits until the connection is up. On failure there is nothing to close. */
int ask_open(struct ask *a, struct cli *c, const char *client_name, struct err *e);
void ask_close(struct ask *a); /* zeroed or closed storage: nothing happens */

/* Clears the words and puts the first ones, ended by NULL. */
void ask_words(struct ask *a, const char *first, ...) __attribute__((sentinel));
/* Asks a->args; take gets the answer, an ERROR too, before this returns. -1: there was
 * none. */
int ask_it(struct ask *a, void (*take)(void *arg, const struct redisReply *reply),
	   void *arg, struct err *e);
void ask_pause(struct ask *a, int ms);
/* Lets the loop run until ask_end() is called from a callback in it. */
void ask_wait(struct ask *a);
void ask_end(struct ask *a);

#endif
