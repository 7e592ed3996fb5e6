/* The connections that a server thread was given instead of accepting them: a mailbox for
 * those that come, and how long each may stay. Private to io/http_thread.c.
 *
 * The idle timeout alone lets a client that sends a byte now and then stay for hours; the
 * life of an adopted connection, which serves one request, has an end. */
#ifndef PAYBELL_IO_HTTP_ADOPTED_H
#define PAYBELL_IO_HTTP_ADOPTED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct http_adoptee {
	struct http_adoptee *next; /* in the mailbox */
	struct list link;          /* in `living` */
	int fd;
	int64_t until_us; /* monotonic */
	bool nudged;      /* told that the other end has sent its last */
};

struct http_adopted {
	int most;
	int64_t life_us;
	int64_t look_at_us; /* when to look for those that have left; monotonic */
	atomic_int count;   /* in the mailbox and living */
	_Atomic(struct http_adoptee *) mailbox;
	struct list living; /* the oldest first */
};

void http_adopted_init(struct http_adopted *a, int most, int64_t life_us);
/* Closes what still is in the mailbox; none live any more. */
void http_adopted_release(struct http_adopted *a);

/* Any thread. False: there are too many, and the descriptor was not taken. */
bool http_adopted_put(struct http_adopted *a, int fd);

/* ---- the server's thread ---- */

/* Out of the mailbox, or NULL: http_adopted_begin() or _drop() follows. */
struct http_adoptee *http_adopted_take(struct http_adopted *a);
/* It lives: its time runs until http_adopted_drop(). */
void http_adopted_begin(struct http_adopted *a, struct http_adoptee *one, int64_t now_us);
/* Forgets and frees it; its descriptor is closed elsewhere. */
void http_adopted_drop(struct http_adopted *a, struct http_adoptee *one);

/* Shuts the sockets of those whose time is over: whoever reads or writes them finds their
 * end. Once a second it also makes the end of those readable again that have left. */
void http_adopted_look(struct http_adopted *a, int64_t now_us);
/* Until the next look is due; -1: there is nobody to look after. */
int64_t http_adopted_wait_us(const struct http_adopted *a, int64_t now_us);

#endif
