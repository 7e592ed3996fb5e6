/* The first request of a connection: whose is it?
 *
 * Its first line is looked at without being read (MSG_PEEK), so that a connection can be
 * given away whole to the HTTP server that answers everything but sockets and polls. What
 * is ours is then read up to the end of its head, of a stated size, within a stated time,
 * however slowly it comes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "gateway/eio_inside.h"
#include "gateway/inside.h"
#include "gateway/polling.h"
#include "gateway/route.h"
#include "gateway/websocket.h"
#include "wire/http_head.h"

#define QUIET_S   1
#define FLAG_OURS 1 /* its first line names one of our routes */

/* ---- whose is it ---- */

/* An absolute target's path begins behind its authority (RFC 9112 section 3.2.2). */
static void skip_authority(const char **path, size_t *len)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t scheme = strlen(schemes[i]);
		const char *slash;

		if (*len < scheme || strncasecmp(*path, schemes[i], scheme) != 0)
			continue;
		slash = memchr(*path + scheme, '/', *len - scheme);
		if (!slash)
			return;
		*len -= (size_t)(slash - *path);
		*path = slash;
		return;
	}
}

/* The path of a request line: between the first space and the next space or '?'. False:
 * not all of it is there. */
static bool find_path(const char *bytes, size_t len, const char **path, size_t *path_len)
{
	const char *space = memchr(bytes, ' ', len), *end;

	if (!space)
		return false;
	*path = space + 1;
	for (end = *path; end < bytes + len; end++) {
		if (*end == ' ' || *end == '?' || *end == '\r' || *end == '\n') {
			*path_len = (size_t)(end - *path);
			skip_authority(path, path_len);
			return true;
		}
	}
	return false;
}

static int find_route(const struct route *routes, const char *path, size_t len)
{
	for (int i = 0; routes[i].path; i++) {
		size_t its = strlen(routes[i].path);

		if (its == 0 || (its == len && memcmp(routes[i].path, path, len) == 0))
			return i;
	}
	return -1;
}

int head_peek(struct thread *t, int fd)
{
	const struct engine_settings *s = &t->engine->settings;
	struct connection *c = connection_of(t, fd);
	const char *path;
	size_t path_len;
	int route;
	ssize_t n;

	if ((c->flags & FLAG_OURS) || c->pending)
		return 1; /* or a part of it was read with what came before */
	n = recv(fd, t->buffer, s->head_max_bytes, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		connection_cut(t, fd);
		return -1;
	}
	if (!find_path((const char *)t->buffer, (size_t)n, &path, &path_len)) {
		if ((size_t)n < s->head_max_bytes)
			return 0;
		c->flags |= FLAG_OURS; /* to be refused by its size */
		return 1;
	}
	route = find_route(s->routes, path, path_len);
	if (route < 0 && s->give_away) {
		/* Whole, so that the time of a handshake holds for it as for all. */
		if (!memmem(t->buffer, (size_t)n, "\r\n\r\n", 4) &&
		    (size_t)n < s->head_max_bytes)
			return 0;
		connection_release(t, fd);
		s->give_away(s->arg, fd);
		return -1;
	}
	c->flags |= FLAG_OURS;
	return 1;
}

void head_is_ours(struct thread *t, int fd)
{
	connection_of(t, fd)->flags |= FLAG_OURS;
}

/* ---- answers ---- */

static const char *reason_of(int status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 426:
		return "Upgrade Required";
	case 431:
		return "Request Header Fields Too Large";
	case 503:
		return "Service Unavailable";
	default:
		return "Refused";
	}
}

static void head_refuse(struct thread *t, int fd, int status, const char *fields,
			const char *detail)
{
	char answer[1024];
	int len = snprintf(answer, sizeof(answer),
			   "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
			   "Content-Length: %zu\r\nConnection: close\r\n%s\r\n%s",
			   status, reason_of(status), strlen(detail), fields, detail);

	if (len < 0 || (size_t)len >= sizeof(answer)) {
		connection_cut(t, fd);
		return;
	}
	if (connection_send_bytes(t, fd, answer, (size_t)len))
		connection_end(t, fd);
}

/* ---- the layer ---- */

static ssize_t refuse(struct thread *t, int fd, int status, const char *fields,
		      const char *detail)
{
	head_refuse(t, fd, status, fields, detail);
	return -1;
}

static ssize_t begin_websocket(struct thread *t, int fd, const struct http_head *head)
{
	struct ws_handshake handshake;
	struct err e = ERR_INIT;
	int status;

	if (ws_handshake_judge(&handshake, head, &e) < 0)
		return refuse(t, fd, handshake.status, handshake.fields, e.text);
	status = websocket_begin(t, fd, head, &handshake);
	if (status > 0)
		return refuse(t, fd, status, "", "this connection is not wanted here\n");
	return status < 0 ? -1 : (ssize_t)head->bytes;
}

/* A head is read in one go from its beginning each time: it is small, and comes whole but
 * from who means no good. */
static ssize_t input(struct thread *t, int fd, uint8_t *bytes, size_t len)
{
	struct connection *c = connection_of(t, fd);
	struct http_head head;
	struct http_text path;
	struct err e = ERR_INIT;
	struct thread *home;
	int rc, route;

	http_head_init(&head, t->engine->settings.head_max_bytes);
	rc = http_head_read(&head, (const char *)bytes, len, &e);
	if (rc < 0)
		return refuse(t, fd, head.status, "", e.text);
	if (rc == 0)
		return 0;
	path = http_head_path(&head);
	route = find_route(t->engine->settings.routes, path.at, path.len);
	if (route < 0)
		return refuse(t, fd, 404, "", "there is no such resource\n");
	c->route = (uint8_t)route;
	if (!connection_route(t, fd)->eio)
		return begin_websocket(t, fd, &head);
	if (!http_head_has_item(&head, "Upgrade", "websocket"))
		return polling_begin(t, fd, &head, bytes, len);
	home = eio_elsewhere(t, &head);
	if (!home)
		return begin_websocket(t, fd, &head);
	connection_move(t, fd, home, bytes, len);
	return -1;
}

/* When the engine takes no more, a connection between two polls is not waited for longer
 * than a client takes to ask again. */
static void second(struct thread *t, int fd)
{
	const struct engine *e = t->engine;
	int most_s = atomic_load(&e->quiet) ? QUIET_S : e->settings.handshake_s;

	if (connection_of(t, fd)->silent_s > most_s)
		connection_cut(t, fd);
}

const struct layer head_layer = {
	.input = input,
	.second = second,
};
