/* The inside of the socket engine, for its own files: engine.c, thread.c, connection.c,
 * pending.c and the layers. */
#ifndef PAYBELL_GATEWAY_INSIDE_H
#define PAYBELL_GATEWAY_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "gateway/addresses.h"
#include "gateway/engine.h"

#define THREAD_READ_BYTES (64 << 10)

struct engine {
	struct engine_settings settings;
	char address[128];
	int listeners[ENGINE_THREADS_MAX];
	struct thread *threads[ENGINE_THREADS_MAX];
	int thread_count;
	struct connection *table; /* by descriptor; each entry is its thread's alone */
	int table_size;
	struct addresses *addresses; /* NULL: not counted */
	atomic_int connections;
	atomic_int sessions; /* of Engine.IO, that began with a poll */
	atomic_bool quiet;
};

struct thread {
	struct engine *engine;
	int index;
	pthread_t id;
	int epoll_fd, event_fd;
	int listener; /* -1: takes no more */
	bool listening;
	void *its;
	int64_t now_us, next_second_us, next_slice_us; /* monotonic */
	int64_t slice_us;
	size_t slice, to_look_at; /* connections: in one go, and in this second still */
	bool stopping;

	int *list; /* descriptors, dense */
	size_t count, capacity;
	int *unread; /* those that may have more to be read, for the next iteration */
	size_t unread_count, unread_capacity;
	struct list jobs;
	struct heap timers;
	struct map *sessions; /* Engine.IO's, by sid; eio.c's own */

	pthread_mutex_t lock; /* of what follows */
	struct list mail;
	atomic_bool rung; /* there is mail: may be read without the lock */
	bool ended;

	uint8_t buffer[ENGINE_KEPT_MAX + THREAD_READ_BYTES];
};

/* The layers, by their kind. */
extern const struct layer head_layer, websocket_layer, polling_layer;

/* thread.c */
int thread_start(struct thread **out, struct engine *e, int index, struct err *err);
void thread_stop(struct thread *t); /* cuts its connections, joins, frees */
/* Takes no more connections, from now on. Any thread. */
void thread_quiesce(struct thread *t);
/* Until the next second: no descriptors are left. */
void thread_pause_listener(struct thread *t);
/* The connection may have more than one iteration's share to be read. */
void thread_read_again(struct thread *t, int fd);

/* connection.c: what epoll says */
void connection_accept(struct thread *t);
void connection_readable(struct thread *t, int fd);
void connection_writable(struct thread *t, int fd);
void connection_second(struct thread *t, int fd);
const struct layer *connection_layer(const struct connection *c);
/* Our end is shut: waits for theirs. */
void connection_linger(struct thread *t, int fd);
/* What waits on it, made when there is nothing; and thrown away when that is empty. */
struct pending *connection_pending(struct connection *c);
void connection_tidy(struct connection *c);

/* head.c: looks at what has come without reading it: 1 ours, 0 wait for more, -1 it is
 * gone from here. */
int head_peek(struct thread *t, int fd);
void head_is_ours(struct thread *t, int fd); /* known to be: it was read elsewhere */

#endif
