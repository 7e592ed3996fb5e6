#include "io/redis_link.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "io/redis.h"

#define OUT_KEPT_BYTES (1 << 20) /* an emptied buffer that is larger is given back */

struct redis_link {
	redisContext *context;
	struct buf out;
	size_t out_sent; /* of out: written already */
};

/* ---- the socket ---- */

struct redis_link *redis_link_open(const struct redis_url *url, size_t out_max_bytes,
				   struct err *e)
{
	redisContext *context = url->path[0] != '\0'
					? redisConnectUnixNonBlock(url->path)
					: redisConnectNonBlock(url->host, url->port);
	struct redis_link *l;

	if (context == NULL) {
		err_set(e, ERR_IO, "hiredis has no memory");
		return NULL;
	}
	if (context->err != 0) {
		err_set(e, ERR_IO, "%s", context->errstr);
		redisFree(context);
		return NULL;
	}
	fcntl(context->fd, F_SETFD, FD_CLOEXEC);
	l = mem_alloc(sizeof(*l));
	l->context = context;
	buf_init(&l->out, out_max_bytes);
	return l;
}

void redis_link_free(struct redis_link *l)
{
	if (l == NULL)
		return;
	redisFree(l->context);
	buf_release(&l->out);
	mem_free(l);
}

int redis_link_fd(const struct redis_link *l)
{
	return l->context->fd;
}

int redis_link_connected(struct redis_link *l, struct err *e)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(l->context->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error != 0)
		return err_set(e, ERR_IO, "%s", strerror(error));
	/* hiredis has set TCP_NODELAY. Keepalive is a wish: the timeouts are the rule. */
	if (l->context->connection_type == REDIS_CONN_TCP)
		redisEnableKeepAlive(l->context);
	return 0;
}

struct buf *redis_link_out(struct redis_link *l)
{
	return &l->out;
}

/* By hand, for redisBufferWrite() raises SIGPIPE and moves the rest on each write. */
int redis_link_flush(struct redis_link *l, struct err *e)
{
	struct buf *out = &l->out;

	while (l->out_sent < out->len) {
		ssize_t n = send(l->context->fd, out->data + l->out_sent,
				 out->len - l->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return err_set(e, ERR_IO, "%s", strerror(errno));
		if (n < 0)
			break;
		l->out_sent += (size_t)n;
	}
	if (l->out_sent < out->len) {
		/* Moving the rest costs less than writing what is now gone did. */
		if (l->out_sent > out->len / 2) {
			buf_consume(out, l->out_sent);
			l->out_sent = 0;
		}
		return 0;
	}
	l->out_sent = 0;
	if (out->capacity > OUT_KEPT_BYTES)
		buf_release(out);
	else
		buf_clear(out);
	return 1;
}

int redis_link_read(struct redis_link *l, struct err *e)
{
	size_t before = l->context->reader->len;

	if (redisBufferRead(l->context) != REDIS_OK)
		return err_set(e, ERR_IO, "%s", l->context->errstr);
	return l->context->reader->len != before;
}

int redis_link_next(struct redis_link *l, struct redisReply **reply, struct err *e)
{
	void *found = NULL;

	if (redisReaderGetReply(l->context->reader, &found) != REDIS_OK)
		return err_set(e, ERR_IO, "%s", l->context->reader->errstr);
	*reply = found;
	return found != NULL;
}

void redis_link_drop(struct redisReply *reply)
{
	freeReplyObject(reply);
}

/* ---- replies ---- */

enum redis_kind redis_kind(const struct redisReply *v)
{
	if (v == NULL)
		return REDIS_KIND_NIL;
	switch (v->type) {
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
		return REDIS_KIND_TEXT;
	case REDIS_REPLY_INTEGER:
		return REDIS_KIND_INT;
	case REDIS_REPLY_ARRAY:
		return REDIS_KIND_ARRAY;
	case REDIS_REPLY_ERROR:
		return REDIS_KIND_ERROR;
	default:
		return REDIS_KIND_NIL;
	}
}

const char *redis_text(const struct redisReply *v, size_t *len)
{
	enum redis_kind kind = redis_kind(v);
	bool has_text = kind == REDIS_KIND_TEXT || kind == REDIS_KIND_ERROR;

	if (len != NULL)
		*len = has_text ? v->len : 0;
	return has_text ? v->str : "";
}

int64_t redis_int(const struct redisReply *v)
{
	enum redis_kind kind = redis_kind(v);
	long long value;
	char *end;

	if (kind == REDIS_KIND_INT)
		return v->integer;
	if (kind != REDIS_KIND_TEXT || v->len == 0)
		return 0;
	errno = 0;
	value = strtoll(v->str, &end, 10);
	return errno == 0 && end == v->str + v->len ? value : 0;
}

size_t redis_count(const struct redisReply *v)
{
	return redis_kind(v) == REDIS_KIND_ARRAY ? v->elements : 0;
}

const struct redisReply *redis_at(const struct redisReply *v, size_t i)
{
	return i < redis_count(v) ? v->element[i] : NULL;
}

bool redis_is_error(const struct redisReply *v, const char *code)
{
	size_t len = strlen(code);

	if (redis_kind(v) != REDIS_KIND_ERROR)
		return false;
	return len == 0 || (strncmp(v->str, code, len) == 0 &&
			    (v->str[len] == ' ' || v->str[len] == '\0'));
}
