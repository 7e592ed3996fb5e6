/* The inside of an Engine.IO session, for eio.c (the session), eio_socket.c (its
 * WebSocket) and polling.c (its polls). */
#ifndef PAYBELL_GATEWAY_EIO_INSIDE_H
#define PAYBELL_GATEWAY_EIO_INSIDE_H

#include "gateway/eio.h"
#include "wire/engineio.h"

/* What waits for a poll. */
struct eio_waiting {
	struct list link;
	struct message message; /* its frame referenced */
	bool binary;
};

struct eio {
	const struct eio_protocol *protocol;
	void *user;
	char sid[EIO_SID_SIZE];
	int socket;              /* the WebSocket that carries it; -1: polls do */
	int probing;             /* a WebSocket that asks to; -1 */
	int poll;                /* a GET that waits for an answer; -1 */
	struct address *address; /* that it counts for, as a connection does; or NULL */
	bool counted;            /* among the engine's sessions */
	struct list waiting;
	size_t waiting_bytes;
	struct timer timer; /* for the next ping, or for the pong */
	bool asked;         /* a ping is under way */
	bool probed;        /* `probing` was answered: polls are not kept waiting */
	bool over;          /* the protocol has left it; its last words wait for a poll */
};

/* The other thread that has the session which this request names; NULL: none. */
struct thread *eio_elsewhere(struct thread *t, const struct http_head *head);
struct eio *eio_find(struct thread *t, const char *sid); /* here; NULL */

/* A new one on this thread, not opened yet. */
struct eio *eio_new(struct thread *t, const struct eio_protocol *protocol);
/* The same for one that lives on without a connection, and so counts like one: for the
 * whole engine and for the address of this one. NULL: there are too many. */
struct eio *eio_new_counted(struct thread *t, const struct eio_protocol *protocol,
			    int fd);
void eio_count_no_more(struct thread *t, struct eio *e); /* it has a WebSocket */
/* Its transport is there: the open packet is told, then the protocol. False: gone. */
bool eio_begin(struct thread *t, struct eio *e, bool may_upgrade);
/* One packet from the client. False: gone. */
bool eio_take(struct thread *t, struct eio *e, const struct engineio_packet *p);
/* A poll has fetched all that waited: of one that is over it was the last. */
void eio_fetched(struct thread *t, struct eio *e);
/* Ends it: transports are closed, the protocol is told. */
void eio_end(struct thread *t, struct eio *e);

/* The thread ends: so do its sessions. */
void eio_stop(struct thread *t);

/* polling.c: answers the poll with what waits. */
void polling_answer(struct thread *t, struct eio *e);
void polling_close(struct thread *t, struct eio *e); /* with a close packet */

#endif
