#include "sandbox/smtp_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/listen.h"

#define READ_BYTES    65536
#define AHEAD_MAX     65536 /* input that waits behind a message */
#define UNSENT_MAX    65536 /* replies; above it nothing is read */
#define CUT_BYTES     2     /* "25": some clients take a line without its end */
#define ACCEPTS_MAX   64    /* a turn */
#define SWEEP_EVERY_S 1
#define LISTEN_EVENTS LOOP_READ

struct connection {
	struct list link;
	struct smtp_server *server;
	struct smtp_session session;
	struct loop_watch *watch;
	struct loop_timer *timer; /* only while an answer waits */
	int fd, events;
	int64_t active_us; /* monotonic */
	bool waiting;      /* a message has no answer yet */
	bool hung;
	bool closing;     /* as soon as all is sent */
	struct buf ahead; /* input behind the message that waits */
	struct smtp_decision decision;
};

struct smtp_server {
	struct smtp_server_settings settings;
	struct smtp_budget budget;
	struct list connections;
	int count;
	int listen_fd;
	bool paused; /* no descriptors left: accepts again at the next sweep */
	struct loop_watch *watch;
	struct loop_timer *sweep;
	struct log_limit complaints;
	char address[LISTEN_ADDRESS_MAX];
	char input[READ_BYTES];
};

/* ---- a connection ---- */

static void drop(struct connection *c)
{
	list_remove(&c->link);
	c->server->count--;
	loop_timer_free(c->timer);
	loop_watch_free(c->watch);
	close(c->fd);
	smtp_session_release(&c->session);
	buf_release(&c->ahead);
	mem_free(c);
}

static void watch(struct connection *c, int events)
{
	if (c->events == events)
		return;
	c->events = events;
	loop_watch_set(c->watch, events);
}

/* Sends what there is. False: the connection is gone. */
static bool flush(struct connection *c)
{
	struct buf *out = &c->session.out;
	bool full;

	while (out->len > 0) {
		ssize_t sent = send(c->fd, out->data, out->len, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN)
			break;
		if (sent <= 0) {
			drop(c);
			return false;
		}
		buf_consume(out, (size_t)sent);
	}
	if (c->closing && out->len == 0) {
		drop(c);
		return false;
	}
	full = out->len > UNSENT_MAX || (c->waiting && c->ahead.len >= AHEAD_MAX);
	watch(c, (out->len > 0 ? LOOP_WRITE : 0) | (c->closing || full ? 0 : LOOP_READ));
	return true;
}

static bool feed(struct connection *c, const char *bytes, size_t len);

/* Gives the decided answer; then whatever was sent ahead has its turn. */
static bool settle(struct connection *c)
{
	struct buf *out = &c->session.out;
	size_t before = out->len;
	struct buf ahead;
	bool alive;

	c->waiting = false;
	c->closing =
		smtp_session_finish(&c->session, c->decision.status, c->decision.text);
	if (c->decision.reset) {
		out->len = before + CUT_BYTES;
		c->closing = true;
	}
	if (c->closing || c->ahead.len == 0)
		return true;
	ahead = c->ahead;
	buf_init(&c->ahead, AHEAD_MAX + READ_BYTES);
	alive = feed(c, ahead.data, ahead.len);
	buf_release(&ahead);
	return alive;
}

static void on_timer(void *arg)
{
	struct connection *c = arg;

	loop_timer_free(c->timer);
	c->timer = NULL;
	if (settle(c))
		flush(c);
}

/* A message is complete. False: the connection is gone. */
static bool decide(struct connection *c, const char *rest, size_t len)
{
	const struct smtp_server_settings *settings = &c->server->settings;

	c->decision = (struct smtp_decision){0};
	settings->on_message(settings->arg, &c->session, &c->decision);
	if (c->decision.outage) {
		drop(c);
		return false;
	}
	c->waiting = true;
	c->hung = c->decision.hang;
	if (!c->hung)
		buf_add(&c->ahead, rest, len);
	if (c->hung)
		return true;
	if (c->decision.latency_ms == 0)
		return settle(c);
	c->timer = loop_timer_new(settings->loop, on_timer, c);
	loop_timer_start(c->timer, c->decision.latency_ms, 0);
	return true;
}

/* False: the connection is gone. */
static bool feed(struct connection *c, const char *bytes, size_t len)
{
	size_t used;

	switch (smtp_session_input(&c->session, bytes, len, &used)) {
	case SMTP_MESSAGE:
		return decide(c, bytes + used, len - used);
	case SMTP_CLOSE:
		c->closing = true;
		return true;
	default:
		return true;
	}
}

static void on_readable(struct connection *c)
{
	struct smtp_server *s = c->server;
	ssize_t len = read(c->fd, s->input, sizeof(s->input));

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0 || s->settings.is_out(s->settings.arg)) {
		drop(c);
		return;
	}
	c->active_us = loop_now_us(s->settings.loop);
	if (c->hung)
		return;
	if (c->waiting)
		buf_add(&c->ahead, s->input, (size_t)len);
	else if (!feed(c, s->input, (size_t)len))
		return;
	flush(c);
}

static void on_ready(void *arg, int events)
{
	struct connection *c = arg;

	if ((events & LOOP_WRITE) && !flush(c))
		return;
	if (events & LOOP_READ)
		on_readable(c);
}

/* ---- the listener ---- */

static void take(struct smtp_server *s, int fd)
{
	struct connection *c;
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* unix: no matter */
	c = mem_alloc(sizeof(*c));
	c->server = s;
	c->fd = fd;
	c->active_us = loop_now_us(s->settings.loop);
	smtp_session_init(&c->session, &s->settings.session, &s->budget);
	buf_init(&c->ahead, AHEAD_MAX + READ_BYTES);
	c->watch = loop_watch_new(s->settings.loop, fd, on_ready, c);
	list_append(&s->connections, &c->link);
	s->count++;
	if (s->count > s->settings.max_connections) {
		buf_clear(&c->session.out);
		smtp_session_shut(&c->session, "Too many connections");
		c->closing = true;
	}
	flush(c);
}

static void on_accept(void *arg, int events)
{
	struct smtp_server *s = arg;

	(void)events;
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		unsigned swallowed;

		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS)) {
			s->paused = true;
			loop_watch_set(s->watch, 0);
			if (log_limit_pass(&s->complaints, 10000, &swallowed))
				log_warn("smtp.accept.paused", "errno=%d", errno);
			return;
		}
		if (fd < 0)
			continue; /* that client is gone already */
		if (s->settings.is_out(s->settings.arg))
			close(fd);
		else
			take(s, fd);
	}
}

static void on_sweep(void *arg)
{
	struct smtp_server *s = arg;
	int64_t oldest_us =
		loop_now_us(s->settings.loop) - s->settings.idle_ms * US_PER_MS;
	struct list *next;

	if (s->paused) {
		s->paused = false;
		loop_watch_set(s->watch, LISTEN_EVENTS);
	}
	for (struct list *at = s->connections.next; at != &s->connections; at = next) {
		struct connection *c = container_of(at, struct connection, link);

		next = at->next;
		if (c->active_us >= oldest_us || c->timer != NULL)
			continue;
		if (c->closing || c->hung) {
			drop(c);
			continue;
		}
		smtp_session_shut(&c->session, "Timeout");
		c->closing = true;
		c->active_us = loop_now_us(s->settings.loop);
		flush(c);
	}
}

/* ---- public ---- */

int smtp_server_start(struct smtp_server **out,
		      const struct smtp_server_settings *settings, struct err *e)
{
	struct smtp_server *s = mem_alloc(sizeof(*s));

	s->settings = *settings;
	s->budget.max = settings->budget_bytes;
	list_init(&s->connections);
	if (listen_open(&s->listen_fd, 1, settings->listen, s->address, e) < 0) {
		mem_free(s);
		return err_wrap(e, "SMTP on %s", settings->listen);
	}
	s->watch = loop_watch_new(settings->loop, s->listen_fd, on_accept, s);
	loop_watch_set(s->watch, LISTEN_EVENTS);
	s->sweep = loop_timer_new(settings->loop, on_sweep, s);
	loop_timer_start(s->sweep, SWEEP_EVERY_S * 1000, SWEEP_EVERY_S * 1000);
	*out = s;
	return 0;
}

const char *smtp_server_address(const struct smtp_server *s)
{
	return s->address;
}

int smtp_server_connections(const struct smtp_server *s)
{
	return s->count;
}

void smtp_server_drop_hung(struct smtp_server *s)
{
	struct list *next;

	for (struct list *at = s->connections.next; at != &s->connections; at = next) {
		struct connection *c = container_of(at, struct connection, link);

		next = at->next;
		if (c->hung)
			drop(c);
	}
}

void smtp_server_stop(struct smtp_server *s)
{
	if (s == NULL)
		return;
	while (!list_empty(&s->connections)) {
		struct connection *c =
			container_of(s->connections.next, struct connection, link);

		if (!c->closing && !c->waiting) {
			smtp_session_shut(&c->session, "Shutting down");
			if (!flush(c))
				continue;
		}
		drop(c);
	}
	loop_timer_free(s->sweep);
	loop_watch_free(s->watch);
	listen_close(&s->listen_fd, 1, s->address);
	mem_free(s);
}
