/* Sending: the kernel first, and a queue for what it does not take. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "gateway/inside.h"
#include "gateway/pending.h"
#include "gateway/tally.h"

#define SEND_VECTOR_MAX 64 /* frames of one system call */

struct pending *connection_pending(struct connection *c)
{
	if (!c->pending)
		c->pending = pending_new();
	return c->pending;
}

void connection_tidy(struct connection *c)
{
	if (!c->pending || !pending_is_empty(c->pending))
		return;
	pending_free(c->pending);
	c->pending = NULL;
}

size_t connection_queued(struct thread *t, int fd)
{
	const struct connection *c = connection_of(t, fd);

	return c->pending ? pending_bytes(c->pending) : 0;
}

/* What is left of the frames once `sent` bytes of them are gone. */
static bool queue_rest(struct thread *t, int fd, struct frame *const *frames, int count,
		       size_t sent)
{
	struct connection *c = connection_of(t, fd);

	for (int i = 0; i < count; i++) {
		if (sent >= frames[i]->len) {
			sent -= frames[i]->len;
			continue;
		}
		pending_put(connection_pending(c), frames[i], sent);
		sent = 0;
	}
	if (!c->pending ||
	    pending_bytes(c->pending) <= t->engine->settings.queue_max_bytes)
		return true;
	metric_add(&tally.too_slow, 1);
	if (connection_layer(c)->too_slow)
		connection_layer(c)->too_slow(t, fd);
	else
		connection_cut(t, fd);
	return false;
}

static ssize_t send_vector(int fd, struct frame *const *frames, int count)
{
	struct iovec parts[SEND_VECTOR_MAX];
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};

	if (count == 1)
		return send(fd, frames[0]->bytes, frames[0]->len,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
	for (int i = 0; i < count; i++)
		parts[i] = (struct iovec){frames[i]->bytes, frames[i]->len};
	return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool send_some(struct thread *t, int fd, struct frame *const *frames, int count)
{
	struct connection *c = connection_of(t, fd);
	ssize_t sent = 0;

	if (c->state != CONNECTION_OPEN)
		return false;
	if (!c->pending || pending_bytes(c->pending) == 0)
		sent = send_vector(fd, frames, count);
	if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		connection_cut(t, fd);
		return false;
	}
	return queue_rest(t, fd, frames, count, sent < 0 ? 0 : (size_t)sent);
}

bool connection_send(struct thread *t, int fd, struct frame *f)
{
	return send_some(t, fd, &f, 1);
}

bool connection_send_all(struct thread *t, int fd, struct frame *const *frames, int count)
{
	for (int i = 0; i < count; i += SEND_VECTOR_MAX) {
		int some = count - i < SEND_VECTOR_MAX ? count - i : SEND_VECTOR_MAX;

		if (!send_some(t, fd, frames + i, some))
			return false;
	}
	return true;
}

bool connection_send_bytes(struct thread *t, int fd, const void *bytes, size_t len)
{
	struct frame *f = frame_copy(bytes, len);
	bool sent = connection_send(t, fd, f);

	frame_unref(f);
	return sent;
}

void connection_writable(struct thread *t, int fd)
{
	struct connection *c = connection_of(t, fd);

	if (!c->pending || pending_bytes(c->pending) == 0)
		return;
	if (c->state != CONNECTION_OPEN)
		c->silent_s = 0; /* it takes what it is still owed */
	switch (pending_flush(c->pending, fd)) {
	case -1:
		connection_cut(t, fd);
		return;
	case 1:
		if (c->state == CONNECTION_ENDING)
			connection_linger(t, fd);
		connection_tidy(c);
		return;
	default:
		return;
	}
}

void connection_last(struct thread *t, int fd, const void *bytes, size_t len)
{
	struct connection *c = connection_of(t, fd);
	struct frame *f;

	if (c->pending)
		pending_drop(c->pending);
	if (c->pending && pending_bytes(c->pending) > 0) {
		f = frame_copy(bytes, len);
		pending_put(c->pending, f, 0);
		frame_unref(f);
	} else if (send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len) {
		connection_cut(t, fd);
		return;
	}
	connection_end(t, fd);
}
