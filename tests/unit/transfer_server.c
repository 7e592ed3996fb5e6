#include "transfer_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

#define CONNECTIONS_MAX 64

struct connection {
	struct transfer_server *server;
	const struct play *script;
	pthread_t thread;
	int fd;
	struct buf got;
	size_t seen; /* of it, by PLAY_READ */
};

struct transfer_server {
	const struct play *scripts[CONNECTIONS_MAX];
	int script_count, fd, port, stop_fd;
	pthread_t thread;
	struct connection connections[CONNECTIONS_MAX];
	atomic_int count;
};

/* False when the server stops. */
static bool wait_for(struct transfer_server *s, int fd, int ms)
{
	struct pollfd fds[] = {{s->stop_fd, POLLIN, 0}, {fd, POLLIN, 0}};

	poll(fds, fd >= 0 ? 2 : 1, ms);
	return fds[0].revents == 0;
}

static bool read_until(struct connection *c, const char *text)
{
	for (;;) {
		const char *at = strstr(buf_text(&c->got) + c->seen, text);
		char bytes[16384];
		ssize_t n;

		if (at != NULL) {
			c->seen = (size_t)(at - c->got.data) + strlen(text);
			return true;
		}
		if (!wait_for(c->server, c->fd, -1))
			return false;
		n = read(c->fd, bytes, sizeof(bytes));
		if (n <= 0)
			return false;
		buf_add(&c->got, bytes, (size_t)n);
	}
}

static bool send_all(struct connection *c, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static bool fill(struct connection *c, int count)
{
	bool ok = true;

	for (; ok && count > 0; count -= 1000)
		ok = send_all(c, memset((char[1000]){0}, 'x', 1000),
			      count < 1000 ? (size_t)count : 1000);
	return ok;
}

static bool play(struct connection *c, const struct play *p)
{
	switch (p->what) {
	case PLAY_READ:
		return read_until(c, p->text);
	case PLAY_SEND:
		return send_all(c, p->text, strlen(p->text));
	case PLAY_FILL:
		return fill(c, p->number);
	case PLAY_PAUSE:
		return wait_for(c->server, -1, p->number);
	case PLAY_HANG:
		return wait_for(c->server, -1, -1);
	case PLAY_RESET:
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
			   sizeof(struct linger));
		return false;
	default:
		return false;
	}
}

static void *serve(void *arg)
{
	struct connection *c = arg;
	int rounds = 0;

	for (const struct play *p = c->script; p != NULL; p++) {
		if (p->what == PLAY_AGAIN) {
			if (++rounds <= p->number)
				p = c->script - 1;
			continue;
		}
		if (!play(c, p))
			break;
	}
	close(c->fd);
	return NULL;
}

static void *accept_all(void *arg)
{
	struct transfer_server *s = arg;
	while (wait_for(s, s->fd, -1)) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
		int n = s->count;
		struct connection *c = &s->connections[n];

		if (fd < 0 || n == CONNECTIONS_MAX)
			continue;
		*c = (struct connection){.server = s, .fd = fd};
		c->script = n < s->script_count ? s->scripts[n] : NULL;
		buf_init(&c->got, 32 << 20);
		s->count = n + 1; /* before it can answer */
		pthread_create(&c->thread, NULL, serve, c);
	}
	return NULL;
}

struct transfer_server *transfer_server_start(const struct play *const *scripts)
{
	struct transfer_server *s = mem_alloc(sizeof(*s));
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);

	while (scripts[s->script_count] != NULL && s->script_count < CONNECTIONS_MAX) {
		s->scripts[s->script_count] = scripts[s->script_count];
		s->script_count++;
	}
	s->stop_fd = eventfd(0, EFD_CLOEXEC);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* So that what it does not read stays with the client: the client's send buffer
	 * follows the size of a segment, and the loopback's has 64 KiB. */
	setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &(int){65536}, sizeof(int));
	setsockopt(s->fd, IPPROTO_TCP, TCP_MAXSEG, &(int){1400}, sizeof(int));
	if (bind(s->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(s->fd, 64) < 0 ||
	    getsockname(s->fd, (struct sockaddr *)&address, &len) < 0)
		abort();
	s->port = ntohs(address.sin_port);
	pthread_create(&s->thread, NULL, accept_all, s);
	return s;
}

int transfer_server_port(const struct transfer_server *s)
{
	return s->port;
}

void transfer_server_stop(struct transfer_server *s)
{
	if (s->fd < 0)
		return;
	eventfd_write(s->stop_fd, 1);
	pthread_join(s->thread, NULL);
	for (int i = 0; i < s->count; i++)
		pthread_join(s->connections[i].thread, NULL);
	close(s->fd);
	s->fd = -1;
}

const char *transfer_server_got(const struct transfer_server *s, int connection)
{
	return connection < s->count ? buf_text(&s->connections[connection].got) : "";
}

int transfer_server_connections(const struct transfer_server *s)
{
	return s->count;
}

void transfer_server_free(struct transfer_server *s)
{
	if (s == NULL)
		return;
	transfer_server_stop(s);
	for (int i = 0; i < s->count; i++)
		buf_release(&s->connections[i].got);
	close(s->stop_fd);
	mem_free(s);
}
