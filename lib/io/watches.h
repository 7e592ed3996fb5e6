/* Watches by descriptor, for a library that asks for a socket to be watched and unwatched
 * around every use of it (curl does): what is unwanted stays in epoll as long as it is
 * silent, so that wanting it again costs no system call.
 *
 * That needs to know when a descriptor is closed: only those that watches_keep() names
 * outlive "unwanted", and for them watches_closed() must come before close(2). Loop
 * thread only. */
#ifndef PAYBELL_IO_WATCHES_H
#define PAYBELL_IO_WATCHES_H

#include "io/loop.h"

struct watches;
typedef void watches_fn(void *arg, int fd, int events);

/* fn gets what is wanted with watches_want(). */
struct watches *watches_new(struct loop *l, watches_fn *fn, void *arg);
void watches_free(struct watches *w); /* descriptors stay open */

void watches_keep(struct watches *w, int fd);
void watches_want(struct watches *w, int fd, int events); /* 0: unwanted */
void watches_closed(struct watches *w, int fd);

/* From now on its events go to another function, and only this sets them. fn NULL undoes
 * it. */
void watches_lend(struct watches *w, int fd, int events, loop_watch_fn *fn, void *arg);

#endif
