/* The socket engine: threads with an epoll each, and the connections that live on them.
 *
 * Each thread accepts on a listener of its own (SO_REUSEPORT), and what it accepted stays
 * its own: no lock on the way from an event to a send. Threads meet in their mailboxes
 * (thread_post). A connection costs struct connection and four bytes in its thread's
 * list; whatever is unfinished (input that is not whole, frames that the kernel did not
 * take) is allocated for as long as it is.
 *
 * What a connection speaks is its layer: first the request's head (head.c), which decides
 * whether it becomes a WebSocket (websocket.h), a long poll (polling.h), or is
 * given away to the HTTP server. */
#ifndef PAYBELL_GATEWAY_ENGINE_H
#define PAYBELL_GATEWAY_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/heap.h"
#include "base/list.h"
#include "gateway/frame.h"

struct engine;
struct thread;

enum layer_kind { LAYER_HEAD, LAYER_WEBSOCKET, LAYER_POLLING, LAYER_COUNT };

enum connection_state {
	CONNECTION_FREE,
	CONNECTION_OPEN,
	CONNECTION_ENDING,    /* what is queued goes out, then our end is shut */
	CONNECTION_LINGERING, /* our end is shut: what comes is dropped until theirs is */
};

struct connection {
	void *user; /* the protocol's; NULL: it keeps nothing for this one */
	union {
		void *part;     /* the layer's unfinished business, or NULL */
		size_t dropped; /* of one that ends: bytes that came in this second */
	};
	struct pending *pending; /* bytes that wait, in either direction, or NULL */
	uint32_t generation;     /* of the descriptor: counts who had it */
	uint16_t silent_s;       /* since the last byte came */
	uint16_t heard;          /* messages in this second; of one that ends: for how
				    many seconds it does */
	uint8_t layer, state;
	uint8_t route;     /* which of the engine's routes it came by */
	uint8_t flags;     /* the layer's */
	atomic_uint place; /* in its thread's list; the one thing that others may read */
};

/* From another thread: still the same one? */
struct handle {
	int fd;
	uint32_t generation;
};

struct layer {
	/* Takes bytes (and may change them in place): returns how many, or -1 when the
	 * connection is at its end (connection_end() or _cut() was called). What it left
	 * is kept and given again with what follows. */
	ssize_t (*input)(struct thread *t, int fd, uint8_t *bytes, size_t len);
	/* It is gone: frees part and user. Nothing can be sent any more. */
	void (*gone)(struct thread *t, int fd);
	/* Once a second while it is open. */
	void (*second)(struct thread *t, int fd);
	/* It does not read what it is sent: says goodbye (connection_last()) or cuts. */
	void (*too_slow)(struct thread *t, int fd);
};

struct route;

struct engine_settings {
	const char *listen;         /* host:port or unix:/path */
	int threads;                /* 1 to ENGINE_THREADS_MAX */
	int max_connections;        /* of the whole engine */
	int max_of_address;         /* of one client's address; 0: no limit */
	size_t queue_max_bytes;     /* of one connection: then it is too slow */
	int send_buffer_bytes;      /* SO_SNDBUF of a connection; 0: 24 KiB */
	int handshake_s;            /* until a connection must have said what it is */
	int ping_s;                 /* of a WebSocket's silence; 0: none is pinged */
	int messages_max;           /* of one connection in a second; 0: no limit */
	size_t head_max_bytes;      /* of a request's head */
	const struct route *routes; /* ended by path NULL */
	/* Takes over a connection that none of the routes wants: the request was not
	 * read. NULL: such requests are answered 404. On the connection's thread. */
	void (*give_away)(void *arg, int fd);
	/* A thread begins or ends: *its is the app's own for this thread. On that thread.
	 */
	void (*thread_begin)(void *arg, struct thread *t, void **its);
	void (*thread_end)(void *arg, struct thread *t, void *its);
	void *arg;
};

#define ENGINE_THREADS_MAX 16
#define ENGINE_KEPT_MAX    16384 /* bytes of input that a layer may leave: a head */

/* Listens and starts the threads. */
int engine_start(struct engine **out, const struct engine_settings *settings,
		 struct err *e);
/* Takes no more connections: the listeners are closed. Any thread, once. */
void engine_quiesce(struct engine *e);
/* Cuts what is left and joins the threads. NULL does nothing. */
void engine_stop(struct engine *e);
const char *engine_address(const struct engine *e); /* as bound; borrowed */
int engine_connections(const struct engine *e);     /* any thread */
int engine_threads(const struct engine *e);
struct thread *engine_thread(const struct engine *e, int index);
const struct engine_settings *engine_get_settings(const struct engine *e);

/* ---- threads ---- */

/* One letter for a thread's mailbox; the caller's storage until fn was called. */
struct letter {
	struct list link;
	void (*fn)(struct thread *t, struct letter *l);
};
/* Any thread. In the order of the posts of one thread. Never blocks. False: the thread
 * has ended; nothing was taken. */
bool thread_post(struct thread *t, struct letter *l);

/* Work that is too much for one go: step() is called once an iteration until it returns
 * false; jobs of one thread go one after the other. The caller's storage. */
struct job {
	struct list link;
	bool (*step)(struct thread *t, struct job *j);
};
void thread_do(struct thread *t, struct job *j); /* its own thread only */

/* fn once, at a monotonic time; a timer that is set is moved. The caller's storage; its
 * own thread only. */
struct timer {
	struct heap_node node;
	void (*fn)(struct thread *t, struct timer *timer);
};
void thread_timer_set(struct thread *t, struct timer *timer, int64_t at_us);
void thread_timer_stop(struct thread *t, struct timer *timer);

struct engine *thread_engine(const struct thread *t);
int thread_index(const struct thread *t);
void *thread_its(const struct thread *t); /* the app's, from thread_begin */

/* All of a thread's connections, of any layer, by their place: 0 to count - 1. A place
 * that becomes free is filled from the end, so walk downwards. */
size_t thread_count(const struct thread *t);
int thread_at(const struct thread *t, size_t place);

/* ---- connections: their own thread only ---- */

struct connection *connection_of(struct thread *t, int fd);
struct handle connection_handle(struct thread *t, int fd);
bool connection_is(struct thread *t, struct handle h); /* still there, and open */
/* Does this thread have one by that number? Another may have it by now. */
bool connection_is_here(struct thread *t, int fd);

void connection_become(struct thread *t, int fd, enum layer_kind layer);
/* One more message came by it. False: that is too many for this second, and the caller
 * ends it. */
bool connection_heard(struct thread *t, int fd);
const struct route *connection_route(struct thread *t, int fd);

/* Sends now, or queues what the kernel does not take (bytes are copied, a frame is
 * referenced). False: it is too slow, or gone, and was cut; fd is then not valid any
 * more. */
bool connection_send(struct thread *t, int fd, struct frame *f);
bool connection_send_bytes(struct thread *t, int fd, const void *bytes, size_t len);
/* Several frames in one system call. */
bool connection_send_all(struct thread *t, int fd, struct frame *const *frames,
			 int count);
size_t connection_queued(struct thread *t, int fd);

/* Drops what is queued but for the rest of a frame that has begun, then sends this and
 * ends. */
void connection_last(struct thread *t, int fd, const void *bytes, size_t len);
/* Sends what is queued, shuts our end and waits a little for theirs. */
void connection_end(struct thread *t, int fd);
/* At once. */
void connection_cut(struct thread *t, int fd);
/* Goes to another thread, with the bytes that were read of it: they are given to its
 * layer there, from the beginning. */
void connection_move(struct thread *t, int fd, struct thread *to, const uint8_t *bytes,
		     size_t len);
/* Leaves the engine, still open and nothing of it read: the caller has the descriptor. */
void connection_release(struct thread *t, int fd);

#endif
