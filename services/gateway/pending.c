#include "gateway/pending.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/mem.h"

#define VECTOR_MAX 64 /* frames of one system call */

struct waiting {
	struct frame *frame;
	size_t sent;
};

struct pending {
	struct waiting *frames; /* from `first` on */
	size_t first, count, capacity;
	size_t bytes;
	uint8_t *kept;
	size_t kept_len;
};

struct pending *pending_new(void)
{
	return mem_alloc(sizeof(struct pending));
}

void pending_free(struct pending *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->count; i++)
		frame_unref(p->frames[p->first + i].frame);
	mem_free(p->frames);
	mem_free(p->kept);
	mem_free(p);
}

bool pending_is_empty(const struct pending *p)
{
	return p->count == 0 && p->kept_len == 0;
}

/* ---- output ---- */

static void make_room(struct pending *p)
{
	if (p->first + p->count < p->capacity)
		return;
	if (p->first > 0) {
		memmove(p->frames, p->frames + p->first, p->count * sizeof(*p->frames));
		p->first = 0;
		return;
	}
	p->capacity = p->capacity == 0 ? 4 : p->capacity * 2;
	p->frames = mem_resize(p->frames, p->capacity, sizeof(*p->frames));
}

void pending_put(struct pending *p, struct frame *f, size_t sent)
{
	make_room(p);
	p->frames[p->first + p->count++] = (struct waiting){frame_ref(f), sent};
	p->bytes += f->len - sent;
}

size_t pending_bytes(const struct pending *p)
{
	return p->bytes;
}

void pending_drop(struct pending *p)
{
	size_t stays = p->count > 0 && p->frames[p->first].sent > 0 ? 1 : 0;

	while (p->count > stays) {
		struct waiting *w = &p->frames[p->first + --p->count];

		p->bytes -= w->frame->len - w->sent;
		frame_unref(w->frame);
	}
}

/* Takes `len` written bytes off the front. */
static void advance(struct pending *p, size_t len)
{
	p->bytes -= len;
	while (p->count > 0) {
		struct waiting *w = &p->frames[p->first];
		size_t left = w->frame->len - w->sent;

		if (len < left) {
			w->sent += len;
			return;
		}
		len -= left;
		frame_unref(w->frame);
		p->first++;
		p->count--;
	}
	p->first = 0;
}

static ssize_t write_some(const struct pending *p, int fd)
{
	struct iovec parts[VECTOR_MAX];
	struct msghdr message = {.msg_iov = parts};

	while (message.msg_iovlen < VECTOR_MAX && message.msg_iovlen < p->count) {
		const struct waiting *w = &p->frames[p->first + message.msg_iovlen];

		parts[message.msg_iovlen].iov_base = w->frame->bytes + w->sent;
		parts[message.msg_iovlen++].iov_len = w->frame->len - w->sent;
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int pending_flush(struct pending *p, int fd)
{
	while (p->count > 0) {
		ssize_t n = write_some(p, fd);

		if (n >= 0)
			advance(p, (size_t)n);
		else if (errno == EAGAIN)
			return 0;
		else if (errno != EINTR)
			return -1;
	}
	return 1;
}

/* ---- input ---- */

void pending_keep(struct pending *p, const uint8_t *bytes, size_t len)
{
	p->kept = mem_resize(p->kept, len, 1);
	memcpy(p->kept, bytes, len);
	p->kept_len = len;
}

size_t pending_take(struct pending *p, uint8_t *out)
{
	size_t len = p->kept_len;

	if (len > 0)
		memcpy(out, p->kept, len);
	mem_free(p->kept);
	p->kept = NULL;
	p->kept_len = 0;
	return len;
}
