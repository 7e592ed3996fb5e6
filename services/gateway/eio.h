/* Engine.IO v4 sessions: a client that speaks over a WebSocket, over long polls, or that
 * begins with the one and goes over to the other.
 *
 * A session lives on one thread; its sid names that thread, and a poll that arrives on
 * another one is handed over there. What it is sent waits in a bounded queue while there
 * is no poll to answer. Functions are for the session's thread; what returns false has
 * ended the session, which is freed then. Source: the Engine.IO protocol, 4th version.
 */
#ifndef PAYBELL_GATEWAY_EIO_H
#define PAYBELL_GATEWAY_EIO_H

#include "gateway/batch.h"
#include "gateway/engine.h"
#include "wire/http_head.h"

struct eio;

#define EIO_SID_SIZE 24

struct eio_protocol {
	int64_t ping_interval_ms, ping_timeout_ms;
	size_t max_payload; /* bytes of a message or a poll from a client */
	/* May a page from there read the answers? */
	bool (*allows_origin)(struct thread *t, struct http_text origin);
	/* A new session from this request: 0, or an HTTP status to refuse it with. */
	int (*accept)(struct thread *t, const struct http_head *head);
	void (*opened)(struct thread *t, struct eio *e);
	void (*message)(struct thread *t, struct eio *e, bool binary,
			const uint8_t *bytes, size_t len);
	void (*gone)(struct thread *t, struct eio *e); /* frees the user */
};

void *eio_user(const struct eio *e);
void eio_set_user(struct eio *e, void *user);

/* Text: a whole packet ("4…") as a text frame, shared. */
bool eio_send(struct thread *t, struct eio *e, const struct message *const *messages,
	      int count);
/* A message of our own making; the "4" is put in front. */
bool eio_send_text(struct thread *t, struct eio *e, const char *text, size_t len);
bool eio_send_binary(struct thread *t, struct eio *e, const void *bytes, size_t len);
size_t eio_arrears(struct thread *t, const struct eio *e);
/* Says so and ends it. What it was told before still reaches a client that polls, if its
 * next poll comes soon. */
void eio_close(struct thread *t, struct eio *e);

#endif
