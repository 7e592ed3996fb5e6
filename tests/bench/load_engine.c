#include "load_engine.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "load_answer.h"

#define EVENTS_AT_ONCE  256
#define READ_BYTES      65536
#define TICK_US         (10 * US_PER_MS) /* timeouts and reopening are looked at this often */
#define REOPEN_AFTER_US (5 * US_PER_MS) /* after a break or a refusal */

enum connection_state {
	STATE_DOWN, /* no descriptor; opened again at reopen_at_us */
	STATE_CONNECTING,
	STATE_IDLE, /* open, nothing in flight; in engine.idle when open loop */
	STATE_BUSY, /* a request is in flight */
	STATE_DONE, /* its source is dry */
};

struct connection {
	int fd, number;
	enum connection_state state;
	bool watching_output;
	bool has_request; /* out holds a request that is not answered yet */
	bool was_open;
	size_t sent;
	struct buf out, in;
	int64_t index, due_us; /* due_us: monotonic, what the latency counts from */
	int64_t reopen_at_us;
	int retries;
};

struct engine {
	const struct engine_settings *settings;
	struct source *source;
	engine_answer_fn *on_answer;
	void *arg;
	struct engine_report *report;
	struct connection *connections;
	int *idle; /* open loop: numbers of idle connections, the warmest last */
	int idle_count;
	int epoll, timer;
	sigset_t stop; /* SIGTERM, blocked: nothing more is sent */
	int64_t start_us, end_us, utc_offset_us, last_answer_us, tick_at_us;
	int64_t issued, in_flight, timer_at_us;
	int dry; /* connections in STATE_DONE */
};

/* ---- a connection's life --------------------------------------------------------------
 */

static void watch(struct engine *g, struct connection *c, int op, bool output)
{
	struct epoll_event ev = {.events = EPOLLIN | (output ? EPOLLOUT : 0u),
				 .data.u32 = (uint32_t)c->number};

	epoll_ctl(g->epoll, op, c->fd, &ev);
	c->watching_output = output;
}

static void connection_close(struct engine *g, struct connection *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	if (c->state == STATE_IDLE)
		for (int i = 0; i < g->idle_count; i++)
			if (g->idle[i] == c->number) {
				memmove(&g->idle[i], &g->idle[i + 1],
					(size_t)(g->idle_count - i - 1) * sizeof(int));
				g->idle_count--;
				break;
			}
	c->state = STATE_DOWN;
	buf_clear(&c->in);
	c->sent = 0;
}

/* Closed, and opened again by a tick after that time. */
static void connection_down(struct engine *g, struct connection *c)
{
	connection_close(g, c);
	c->reopen_at_us = clock_mono_us() + REOPEN_AFTER_US;
}

static void connection_open(struct engine *g, struct connection *c)
{
	const struct sockaddr *a = g->settings->address;
	int one = 1;

	c->fd = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd >= 0 && a->sa_family != AF_UNIX)
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (c->fd < 0 ||
	    (connect(c->fd, a, g->settings->address_len) < 0 && errno != EINPROGRESS)) {
		connection_down(g, c);
		return;
	}
	if (c->was_open)
		g->report->reopened++;
	c->was_open = true;
	c->state = STATE_CONNECTING;
	watch(g, c, EPOLL_CTL_ADD, true);
}

/* The request that c holds is over, one way or the other. */
static void finish(struct engine *g, struct connection *c,
		   const struct answer_shape *shape, const char *error)
{
	int64_t now_us = clock_mono_us();
	struct engine_answer a = {
		.index = c->index,
		.connection = c->number,
		.error = error,
		.start_us = c->due_us + g->utc_offset_us,
		.latency_us = now_us - c->due_us,
		.retries = c->retries,
	};

	if (shape != NULL) {
		a.status = shape->status;
		a.head = c->in.data;
		a.head_len = shape->head_len;
		a.body = c->in.data + shape->head_len;
		a.body_len = shape->body_len;
		histogram_add(&g->report->latency, a.latency_us);
	}
	g->report->statuses[a.status]++;
	g->last_answer_us = now_us;
	g->in_flight--;
	c->has_request = false;
	if (g->on_answer != NULL)
		g->on_answer(g->arg, &a);
}

static void connection_broke(struct engine *g, struct connection *c)
{
	if (c->has_request && c->state == STATE_BUSY) {
		if (g->settings->retry) {
			c->retries++;
			g->report->retries++;
		} else {
			g->report->closed++;
			finish(g, c, NULL, "closed");
		}
	}
	connection_down(g, c);
}

static void send_request(struct engine *g, struct connection *c)
{
	ssize_t n =
		send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN) {
		connection_broke(g, c);
		return;
	}
	if (n > 0) {
		c->sent += (size_t)n;
		g->report->sent_bytes += n;
	}
	if (c->watching_output != (c->sent < c->out.len))
		watch(g, c, EPOLL_CTL_MOD, c->sent < c->out.len);
}

/* Nothing more is sent once the time is over or the count is reached. */
static bool may_issue(const struct engine *g, int64_t now_us)
{
	return (g->settings->count < 0 || g->issued < g->settings->count) &&
	       now_us < g->end_us;
}

/* Takes the connection's next request; false when its source is dry. */
static bool take_request(struct engine *g, struct connection *c, int64_t due_us)
{
	if (!source_next(g->source, c->number, &c->out, &c->index))
		return false;
	c->has_request = true;
	c->retries = 0;
	c->due_us = due_us;
	g->issued++;
	g->in_flight++;
	return true;
}

/* An open connection without a request in flight: what now? */
static void connection_ready(struct engine *g, struct connection *c)
{
	int64_t now_us = clock_mono_us();

	c->sent = 0;
	if (!c->has_request) {
		if (g->settings->rate > 0) {
			c->state = STATE_IDLE;
			g->idle[g->idle_count++] = c->number;
			return;
		}
		if (!may_issue(g, now_us) || !take_request(g, c, now_us)) {
			connection_close(g, c);
			c->state = STATE_DONE;
			g->dry++;
			return;
		}
	}
	c->state = STATE_BUSY;
	send_request(g, c);
}

static void connection_opened(struct engine *g, struct connection *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0) {
		connection_broke(g, c);
		return;
	}
	watch(g, c, EPOLL_CTL_MOD, false);
	connection_ready(g, c);
}

/* What has come may be a whole answer. */
static void consider_answer(struct engine *g, struct connection *c)
{
	struct answer_shape shape;
	bool head_only = strncmp(c->out.data, "HEAD ", 5) == 0;
	bool keep;
	int rc = c->in.overflowed ? -1 : answer_parse(&c->in, head_only, &shape);

	if (rc == 0)
		return;
	if (rc < 0) {
		g->report->malformed++;
		finish(g, c, NULL, "malformed");
		connection_down(g, c);
		return;
	}
	/* An answer before the request was out (413): the rest of it must not be read as
	 * the next request. */
	keep = !shape.close && c->sent == c->out.len &&
	       c->in.len == shape.head_len + shape.body_len;
	finish(g, c, &shape, NULL);
	if (!keep) {
		connection_close(g, c);
		connection_open(g, c);
		return;
	}
	buf_clear(&c->in);
	connection_ready(g, c);
}

static void connection_readable(struct engine *g, struct connection *c)
{
	char *room = buf_reserve(&c->in, READ_BYTES);
	ssize_t n;

	if (room == NULL) {
		consider_answer(g, c);
		return;
	}
	n = recv(c->fd, room, READ_BYTES, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		connection_broke(g, c);
		return;
	}
	buf_commit(&c->in, (size_t)n);
	g->report->received_bytes += n;
	if (c->state == STATE_BUSY)
		consider_answer(g, c);
	else
		connection_down(g, c); /* an answer that nobody asked for */
}

static void connection_event(struct engine *g, struct connection *c, uint32_t events)
{
	if (c->state == STATE_CONNECTING) {
		if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0)
			connection_opened(g, c);
		return;
	}
	if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0 && c->fd >= 0)
		connection_readable(g, c);
	if ((events & EPOLLOUT) != 0 && c->fd >= 0 && c->state == STATE_BUSY &&
	    c->sent < c->out.len)
		send_request(g, c);
}

/* ---- the clock ------------------------------------------------------------------------
 */

static int64_t due_at(const struct engine *g, int64_t index)
{
	return g->start_us + index / g->settings->rate * US_PER_S +
	       index % g->settings->rate * US_PER_S / g->settings->rate;
}

/* How many requests of the open loop are due by now. */
static int64_t due_count(const struct engine *g, int64_t now_us)
{
	int64_t until_us = (now_us < g->end_us ? now_us : g->end_us - 1) - g->start_us;
	int64_t due = until_us / US_PER_S * g->settings->rate +
		      until_us % US_PER_S * g->settings->rate / US_PER_S + 1;

	return g->settings->count >= 0 && due > g->settings->count ? g->settings->count
								   : due;
}

static void arm_timer(struct engine *g, int64_t at_us)
{
	struct itimerspec at = {.it_value = {at_us / US_PER_S, at_us % US_PER_S * 1000}};

	if (g->timer_at_us == at_us)
		return;
	timerfd_settime(g->timer, TFD_TIMER_ABSTIME, &at, NULL);
	g->timer_at_us = at_us;
}

/* Open loop: sends what is due while connections are free. */
static void issue_due(struct engine *g)
{
	int64_t due = due_count(g, clock_mono_us());

	while (g->issued < due && g->idle_count > 0) {
		struct connection *c = &g->connections[g->idle[--g->idle_count]];

		if (!take_request(g, c, due_at(g, g->issued)))
			return;
		c->state = STATE_BUSY;
		c->sent = 0;
		send_request(g, c);
	}
	if (due - g->issued > g->report->backlog_max)
		g->report->backlog_max = due - g->issued;
	if (g->issued == due)
		arm_timer(g, due_at(g, due));
}

static void tick(struct engine *g, int64_t now_us)
{
	static const struct timespec no_wait = {0, 0};

	if (now_us < g->end_us && sigtimedwait(&g->stop, NULL, &no_wait) == SIGTERM)
		g->end_us = now_us;
	for (int i = 0; i < g->settings->connections; i++) {
		struct connection *c = &g->connections[i];

		if (c->has_request && now_us - c->due_us > g->settings->timeout_us) {
			g->report->timeouts++;
			finish(g, c, NULL, "timeout");
			connection_down(g, c);
		}
		if (c->state == STATE_DOWN && now_us >= c->reopen_at_us)
			connection_open(g, c);
	}
}

static bool finished(const struct engine *g, int64_t now_us)
{
	if (now_us > g->end_us + g->settings->timeout_us)
		return true;
	if (g->in_flight > 0)
		return false;
	if (g->settings->rate == 0)
		return g->dry == g->settings->connections || !may_issue(g, now_us);
	if (now_us < g->end_us)
		return g->issued == g->settings->count;
	return g->issued == due_count(g, now_us);
}

static void loop(struct engine *g)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int64_t now_us = clock_mono_us();

	while (!finished(g, now_us)) {
		int n = epoll_wait(g->epoll, events, EVENTS_AT_ONCE, TICK_US / US_PER_MS);

		for (int i = 0; i < n; i++) {
			uint64_t expirations;

			if (events[i].data.u32 != UINT32_MAX)
				connection_event(g, &g->connections[events[i].data.u32],
						 events[i].events);
			else if (read(g->timer, &expirations, sizeof(expirations)) < 0)
				continue;
		}
		now_us = clock_mono_us();
		if (now_us >= g->tick_at_us) {
			tick(g, now_us);
			g->tick_at_us = now_us + TICK_US;
		}
		if (g->settings->rate > 0)
			issue_due(g);
	}
}

/* Is anybody there? Said at once, instead of by a run of nothing but errors. */
static int probe(const struct engine_settings *s, struct err *e)
{
	int fd = socket(s->address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = 0;

	if (fd < 0 || connect(fd, s->address, s->address_len) < 0)
		rc = err_set_errno(e, ERR_IO, errno, "connect");
	if (fd >= 0)
		close(fd);
	return rc;
}

static void engine_init(struct engine *g)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
	int n = g->settings->connections;

	g->epoll = epoll_create1(EPOLL_CLOEXEC);
	g->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	assert(g->epoll >= 0 && g->timer >= 0);
	epoll_ctl(g->epoll, EPOLL_CTL_ADD, g->timer, &ev);
	sigemptyset(&g->stop);
	sigaddset(&g->stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &g->stop, NULL);
	g->connections = mem_array((size_t)n, sizeof(*g->connections));
	g->idle = mem_array((size_t)n, sizeof(*g->idle));
	for (int i = 0; i < n; i++) {
		struct connection *c = &g->connections[i];

		c->fd = -1;
		c->number = i;
		buf_init(&c->out, SOURCE_REQUEST_MAX + 65536);
		buf_init(&c->in, ANSWER_MAX);
		connection_open(g, c);
	}
	g->start_us = clock_mono_us();
	g->end_us = g->start_us + g->settings->duration_us;
	g->utc_offset_us = clock_utc_us() - g->start_us;
	g->last_answer_us = g->start_us;
}

static void engine_release(struct engine *g)
{
	for (int i = 0; i < g->settings->connections; i++) {
		if (g->connections[i].fd >= 0)
			close(g->connections[i].fd);
		buf_release(&g->connections[i].out);
		buf_release(&g->connections[i].in);
	}
	mem_free(g->connections);
	mem_free(g->idle);
	close(g->timer);
	close(g->epoll);
}

int engine_run(const struct engine_settings *settings, struct source *source,
	       engine_answer_fn *on_answer, void *arg, struct engine_report *report,
	       struct err *e)
{
	struct engine g = {.settings = settings,
			   .source = source,
			   .on_answer = on_answer,
			   .arg = arg,
			   .report = report};

	memset(report, 0, sizeof(*report));
	if (probe(settings, e) < 0)
		return -1;
	engine_init(&g);
	loop(&g);
	/* What is still in flight has outlived its timeout. */
	for (int i = 0; i < settings->connections; i++)
		if (g.connections[i].has_request) {
			report->timeouts++;
			finish(&g, &g.connections[i], NULL, "timeout");
		}
	if (settings->rate > 0)
		report->unsent = due_count(&g, clock_mono_us()) - g.issued;
	report->took_us = g.last_answer_us - g.start_us;
	engine_release(&g);
	return 0;
}
