/* The baseline of the gateway's broadcast: sockets and a loop of send().
 *
 * Takes WebSockets as the gateway does, with the same socket options, on one thread, but
 * reads nothing after the handshake, keeps nothing for a client but its descriptor, and
 * knows neither users nor queues. On stdin, a line each: "round FILE" sends the file's
 * bytes to everybody in one loop and says when it began and ended; "quit" ends it. JSON
 * lines on stdout.
 *
 *	bare-send HOST:PORT */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/digest.h"
#include "io/listen.h"
#include "wire/http_head.h"
#include "wire/ws_handshake.h"

enum {
	SEND_BUFFER_BYTES = 24 << 10,
	DEFER_ACCEPT_S = 5,
	FRAME_MAX = 1 << 20,
	EVENTS_MAX = 256,
	LINE_MAX_BYTES = 4096,
};

struct bare {
	int epoll_fd, listener;
	int *sockets; /* that have their answer */
	int count, max;
	char frame[FRAME_MAX];
	bool quit;
};

static void die(const char *what)
{
	fprintf(stderr, "bare-send: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- coming ---- */

static void open_listener(struct bare *b, const char *address)
{
	int on = 1, bytes = SEND_BUFFER_BYTES, defer_s = DEFER_ACCEPT_S;
	char bound[LISTEN_ADDRESS_MAX];
	struct err e = ERR_INIT;

	if (listen_open(&b->listener, 1, address, bound, &e) < 0) {
		fprintf(stderr, "bare-send: %s\n", e.text);
		exit(1);
	}
	setsockopt(b->listener, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(b->listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(b->listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_s, sizeof(defer_s));
	printf("{\"what\":\"listening\",\"address\":\"%s\"}\n", bound);
}

static void watch(const struct bare *b, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

/* As the gateway has its sockets: registered for everything, edge triggered. */
static void take_in(struct bare *b)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	int fd;

	while ((fd = accept4(b->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >=
	       0) {
		event.data.fd = fd;
		if (b->count == b->max)
			die("too many sockets");
		if (epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
			die("epoll_ctl");
	}
}

static void answer(struct bare *b, int fd, const struct http_head *head)
{
	char text[WS_ACCEPT_TEXT_CHARS], accept[DIGEST_SHA1_BASE64_SIZE], bytes[256];
	struct ws_handshake handshake;
	struct err e = ERR_INIT;
	int len;

	if (ws_handshake_judge(&handshake, head, &e) < 0)
		die(e.text);
	ws_handshake_accept_text(&handshake, text);
	digest_sha1_base64(accept, text, sizeof(text));
	len = snprintf(bytes, sizeof(bytes),
		       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		       "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		       accept);
	if (send(fd, bytes, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) != len)
		die("send");
	b->sockets[b->count++] = fd;
}

/* The request of a client of ours comes in one piece. What comes after it is left where
 * it is. */
static void take_request(struct bare *b, int fd)
{
	struct http_head head;
	struct err e = ERR_INIT;
	char bytes[8192];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			close(fd);
		return;
	}
	http_head_init(&head, sizeof(bytes));
	if (http_head_read(&head, bytes, (size_t)n, &e) == 1)
		answer(b, fd, &head);
}

/* ---- going out ---- */

static void send_round(struct bare *b, const char *path)
{
	FILE *f = fopen(path, "re");
	size_t len = f ? fread(b->frame, 1, sizeof(b->frame), f) : 0;
	int failed = 0;
	int64_t began_us;

	if (len == 0)
		die(path);
	fclose(f);
	began_us = clock_mono_us();
	for (int i = 0; i < b->count; i++) {
		if (send(b->sockets[i], b->frame, len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
		    (ssize_t)len)
			failed++;
	}
	printf("{\"what\":\"sent\",\"sockets\":%d,\"failed\":%d,\"began_us\":%lld,"
	       "\"ended_"
	       "us\":%lld}\n",
	       b->count, failed, (long long)began_us, (long long)clock_mono_us());
}

static void take_line(struct bare *b)
{
	char line[LINE_MAX_BYTES];

	if (!fgets(line, sizeof(line), stdin)) {
		b->quit = true;
		return;
	}
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "round ", 6) == 0)
		send_round(b, line + 6);
	else
		b->quit = true;
}

static void turn(struct bare *b)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(b->epoll_fd, events, EVENTS_MAX, -1);

	for (int i = 0; i < count; i++) {
		int fd = events[i].data.fd;

		if (fd == b->listener)
			take_in(b);
		else if (fd == STDIN_FILENO)
			take_line(b);
		else if (events[i].events & EPOLLIN)
			take_request(b, fd);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static struct bare b;
	struct rlimit files;

	if (argc != 2) {
		fprintf(stderr, "usage: bare-send HOST:PORT\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	b.max = (int)(files.rlim_cur < 1 << 20 ? files.rlim_cur : 1 << 20);
	b.sockets = mem_array((size_t)b.max, sizeof(*b.sockets));
	b.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (b.epoll_fd < 0)
		die("epoll_create1");
	/* A command is a whole line and nothing follows it before its answer. */
	setvbuf(stdin, NULL, _IONBF, 0);
	open_listener(&b, argv[1]);
	watch(&b, b.listener);
	watch(&b, STDIN_FILENO);
	fflush(stdout);
	while (!b.quit)
		turn(&b);
	mem_free(b.sockets);
	return 0;
}
