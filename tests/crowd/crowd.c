/* Connections of the crowd: from the wish to the end.
 *
 * connect() on loopback has usually been through when it returns, so the request is tried
 * at once and most connections never wait to become writable. Each is registered once,
 * edge triggered, as the gateway does it. */
#include "crowd_inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "wire/ws.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

enum {
	EVENTS_MAX = 1024,
	REQUEST_MAX = 4096,
	SOURCES = 250, /* addresses of one crowd */
	LOOK_US = 500000,
};

#define WATCH_BIT 0x80000000u /* in an event's data: not a client */

/* ---- going ---- */

/* Without a word to anybody. */
static void let_go(struct crowd *c, int client, bool reset)
{
	struct crowd_client *one = &c->clients[client];
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	if (reset)
		setsockopt(one->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(one->fd);
	mem_free(one->part);
	one->part = NULL;
	one->fd = -1;
	if (one->state == CLIENT_OPEN)
		c->open--;
	else
		c->under_way--;
	one->state = CLIENT_IDLE;
	one->generation++;
}

void crowd_end(struct crowd *c, int client, int code)
{
	let_go(c, client, false);
	if (c->settings.closed)
		c->settings.closed(c->settings.arg, client, code);
}

void crowd_drop(struct crowd *c, int client, bool reset)
{
	struct crowd_client *one = &c->clients[client];

	if (one->state == CLIENT_QUEUED)
		one->state = CLIENT_LEFT;
	else if (one->fd >= 0)
		let_go(c, client, reset);
}

/* ---- coming ---- */

void crowd_opened(struct crowd *c, int client)
{
	c->clients[client].state = CLIENT_OPEN;
	c->under_way--;
	c->open++;
	if (c->settings.opened)
		c->settings.opened(c->settings.arg, client);
}

/* 127.64.0.1 to 127.127.255.250: by the crowd, then by the client. */
static struct sockaddr_in source_of(const struct crowd *c, int client)
{
	uint32_t address = 127u << 24 | (64u + (c->settings.source >> 8 & 63)) << 16 |
			   (c->settings.source & 255) << 8 |
			   (1u + (uint32_t)client % SOURCES);

	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(address)};
}

static int open_socket(const struct crowd *c, int client)
{
	struct sockaddr_in source = source_of(c, client);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&source, sizeof(source)) == 0)
		return fd;
	close(fd);
	return -1;
}

static struct crowd_who who_is(const struct crowd *c, int client)
{
	struct crowd_who w = {.right = CROWD_USER, .after = -1};

	c->settings.who(c->settings.arg, client, &w);
	return w;
}

/* The request, as soon as the connection takes it: it is small, so all of it or none. */
static void ask(struct crowd *c, int client)
{
	struct crowd_client *one = &c->clients[client];
	struct crowd_who w = who_is(c, client);
	ssize_t n;

	crowd_make_request(c, &w);
	n = send(one->fd, c->request.data, c->request.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == (ssize_t)c->request.len)
		one->state = CLIENT_ASKED;
	else if (n >= 0 || errno != EAGAIN)
		crowd_end(c, client, CROWD_LOST);
}

static int start_one(struct crowd *c, int client)
{
	struct crowd_client *one = &c->clients[client];
	struct crowd_who w = who_is(c, client);
	const struct sockaddr_in *to = &c->addresses[w.address % c->address_count];
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};

	one->fd = open_socket(c, client);
	if (one->fd < 0)
		return -1;
	event.data.u64 = (uint64_t)one->generation << 32 | (uint32_t)client;
	if ((connect(one->fd, (const struct sockaddr *)to, sizeof(*to)) < 0 &&
	     errno != EINPROGRESS) ||
	    epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, one->fd, &event) < 0) {
		close(one->fd);
		one->fd = -1;
		return -1;
	}
	return 0;
}

static void start(struct crowd *c, int client)
{
	struct crowd_client *one = &c->clients[client];

	one->begun_s = (uint16_t)(clock_mono_us() / US_PER_S);
	if (start_one(c, client) == 0) {
		one->state = CLIENT_CONNECTING;
		c->under_way++;
		ask(c, client);
		return;
	}
	one->state = CLIENT_IDLE;
	one->generation++;
	if (c->settings.closed)
		c->settings.closed(c->settings.arg, client, CROWD_LOST);
}

void crowd_connect(struct crowd *c, int client)
{
	struct crowd_client *one = &c->clients[client];

	if (one->state == CLIENT_LEFT)
		one->state = CLIENT_QUEUED;
	if (one->state != CLIENT_IDLE)
		return;
	one->state = CLIENT_QUEUED;
	one->next = -1;
	if (c->last >= 0)
		c->clients[c->last].next = client;
	else
		c->first = client;
	c->last = client;
	c->queued++;
}

/* Those that were in the queue by now: one that fails may come back at once. */
static void start_queued(struct crowd *c)
{
	for (int left = c->queued; left > 0; left--) {
		int client = c->first;

		if (c->under_way >= c->settings.under_way_max)
			return;
		c->first = c->clients[client].next;
		if (c->first < 0)
			c->last = -1;
		c->queued--;
		if (c->clients[client].state == CLIENT_LEFT)
			c->clients[client].state = CLIENT_IDLE;
		else
			start(c, client);
	}
}

static void look_at_handshakes(struct crowd *c)
{
	int64_t now_us = clock_mono_us();

	if (c->settings.handshake_ms == 0 || now_us < c->next_look_us)
		return;
	c->next_look_us = now_us + LOOK_US;
	for (int i = 0; i < c->settings.clients && c->under_way > 0; i++) {
		struct crowd_client *one = &c->clients[i];
		uint16_t for_s = (uint16_t)(now_us / US_PER_S - one->begun_s);

		if ((one->state == CLIENT_CONNECTING || one->state == CLIENT_ASKED) &&
		    for_s * 1000 > c->settings.handshake_ms)
			crowd_end(c, i, CROWD_LOST);
	}
}

/* ---- talking ---- */

bool crowd_send(struct crowd *c, int client, int opcode, const void *bytes, size_t len)
{
	struct crowd_client *one = &c->clients[client];
	uint8_t head[WS_HEADER_MAX + 4], mask[4];
	struct buf b;
	size_t head_len;
	bool sent;

	if (one->state != CLIENT_OPEN)
		return false;
	head_len = ws_put_header(head, (enum ws_opcode)opcode, true, len);
	head[1] |= 0x80;
	random_bytes(mask, sizeof(mask));
	memcpy(head + head_len, mask, sizeof(mask));
	buf_init(&b, sizeof(head) + len);
	buf_add(&b, head, head_len + sizeof(mask));
	buf_add(&b, bytes, len);
	ws_mask(mask, (unsigned char *)b.data + head_len + sizeof(mask), len);
	sent = send(one->fd, b.data, b.len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       (ssize_t)b.len;
	buf_release(&b);
	if (!sent)
		let_go(c, client, false);
	return sent;
}

/* ---- a turn ---- */

static void take_event(struct crowd *c, const struct epoll_event *event)
{
	uint32_t low = (uint32_t)event->data.u64;
	uint32_t generation = (uint32_t)(event->data.u64 >> 32);
	const uint32_t endings = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
	struct crowd_client *one;

	if (low & WATCH_BIT) {
		const struct crowd_watch *w = &c->watches[low & ~WATCH_BIT];

		w->fn(w->arg);
		return;
	}
	one = &c->clients[low];
	if (one->generation != generation || one->fd < 0)
		return;
	if (one->state == CLIENT_CONNECTING)
		ask(c, (int)low);
	if (one->generation == generation && one->fd >= 0 &&
	    (event->events & (EPOLLIN | endings)))
		crowd_read(c, (int)low, (event->events & endings) != 0);
}

int crowd_turn(struct crowd *c, int timeout_ms, struct err *e)
{
	struct epoll_event events[EVENTS_MAX];
	int count;

	start_queued(c);
	if (c->queued > 0 && c->under_way < c->settings.under_way_max)
		timeout_ms = 0;
	else if (c->under_way > 0 && (timeout_ms < 0 || timeout_ms > LOOK_US / 1000))
		timeout_ms = LOOK_US / 1000;
	count = epoll_wait(c->epoll_fd, events, EVENTS_MAX, timeout_ms);
	if (count < 0 && errno != EINTR)
		return err_set_errno(e, ERR_IO, errno, "epoll_wait");
	for (int i = 0; i < count; i++)
		take_event(c, &events[i]);
	look_at_handshakes(c);
	return 0;
}

int crowd_watch(struct crowd *c, int fd, void (*fn)(void *arg), void *arg, struct err *e)
{
	struct epoll_event event = {.events = EPOLLIN,
				    .data.u64 = WATCH_BIT | (uint32_t)c->watch_count};

	if (c->watch_count == CROWD_WATCHES_MAX)
		return err_set(e, ERR_FULL, "a crowd watches %d descriptors",
			       CROWD_WATCHES_MAX);
	c->watches[c->watch_count++] = (struct crowd_watch){fn, arg};
	if (epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return err_set_errno(e, ERR_IO, errno, "epoll_ctl");
	return 0;
}

bool crowd_is_open(const struct crowd *c, int client)
{
	return c->clients[client].state == CLIENT_OPEN;
}

int crowd_open_count(const struct crowd *c)
{
	return c->open;
}

int crowd_under_way_count(const struct crowd *c)
{
	return c->under_way + c->queued;
}

/* ---- its life ---- */

static int read_address(struct sockaddr_in *out, const char *text, struct err *e)
{
	const char *colon = strrchr(text, ':');
	char host[INET_ADDRSTRLEN] = "", *end;
	long port = colon ? strtol(colon + 1, &end, 10) : 0;

	*out = (struct sockaddr_in){.sin_family = AF_INET};
	if (!colon || (size_t)(colon - text) >= sizeof(host) || *end || port < 1 ||
	    port > UINT16_MAX)
		return err_set(e, ERR_INVALID, "%s is not an IPv4 address with a port",
			       text);
	memcpy(host, text, (size_t)(colon - text));
	out->sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, host, &out->sin_addr) != 1)
		return err_set(e, ERR_INVALID, "%s is not an IPv4 address with a port",
			       text);
	return 0;
}

static int read_addresses(struct crowd *c, struct err *e)
{
	const char *const *addresses = c->settings.addresses;

	for (int i = 0; addresses[i]; i++) {
		if (i == CROWD_ADDRESSES_MAX)
			return err_set(e, ERR_FULL, "more than %d addresses",
				       CROWD_ADDRESSES_MAX);
		if (read_address(&c->addresses[i], addresses[i], e) < 0)
			return -1;
		c->address_count++;
	}
	return c->address_count > 0 ? 0 : err_set(e, ERR_INVALID, "no address");
}

int crowd_new(struct crowd **out, const struct crowd_settings *settings, struct err *e)
{
	struct crowd *c = mem_alloc(sizeof(*c));

	c->settings = *settings;
	c->first = c->last = -1;
	buf_init(&c->request, REQUEST_MAX);
	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll_fd < 0)
		err_set_errno(e, ERR_IO, errno, "epoll_create1");
	if (c->epoll_fd < 0 || read_addresses(c, e) < 0) {
		c->settings.clients = 0;
		crowd_free(c);
		return -1;
	}
	c->settings.addresses = NULL; /* the caller's */
	c->path = mem_strdup(settings->path);
	c->host = mem_strdup(settings->addresses[0]);
	c->clients = mem_array((size_t)settings->clients, sizeof(*c->clients));
	for (int i = 0; i < settings->clients; i++)
		c->clients[i].fd = -1;
	*out = c;
	return 0;
}

void crowd_free(struct crowd *c)
{
	if (!c)
		return;
	for (int i = 0; i < c->settings.clients; i++)
		crowd_drop(c, i, false);
	if (c->epoll_fd >= 0)
		close(c->epoll_fd);
	buf_release(&c->request);
	mem_free(c->clients);
	mem_free(c->path);
	mem_free(c->host);
	mem_free(c);
}
