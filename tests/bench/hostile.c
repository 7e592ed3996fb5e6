/* hostile: many connections that mean no good, all by one script; see hostile.py for the
 * scripts.
 *
 * Each connection sends the file --first and, when that was answered, the file --then so
 * many times over ({sid} in it is what the answer has as "sid"); in pieces of --piece
 * bytes, one every --every-ms. --mute: it never reads. --finish says what it does when it
 * has sent all: reset, reset-answered (when the answer begins), half (shuts its end) or
 * stay. So many --connections at a time are opened, --rate a second and --total in all;
 * who is thrown out makes room for the next.
 *
 * On stdout, as JSON: how many were opened, what was sent, and how they ended, with the
 * least and the most time that it took: "status 431", "close 4401" (a WebSocket's code),
 * "closed", "reset", "finished" (by itself), "open" (was still there). Bounded in time:
 * --seconds, or SIGTERM. One thread, one epoll.
 *
 * Exit: 0 ran to its end, 1 could not run, 2 bad usage. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/mem.h"
#include "hostile_answer.h"
#include "hostile_options.h"

enum {
	EVENTS_MAX = 512,
	TURN_MS = 20,
	READS_MAX = 8, /* of one connection in one turn */
	OUTCOMES_MAX = 64,
	FORGIVEN_MS = 1000, /* at the end, for the mute to find out what they were told */
};

enum stage { FIRST, WAIT, THEN, SENT };

struct one {
	struct heap_node due; /* for its next piece */
	struct answer answer;
	int fd; /* -1: free */
	int64_t opened_us;
	char *then; /* with its sid in it, or NULL */
	size_t then_len, sent;
	long times;
	uint8_t stage;
	bool connected, may_write;
};

struct outcome {
	char text[32];
	long count;
	int64_t least_us, most_us;
};

struct run {
	struct options options;
	struct one *all;
	int *free; /* places */
	int free_count, epoll_fd;
	struct heap due;
	long opened;
	int64_t begun_us, sent_bytes;
	struct outcome outcomes[OUTCOMES_MAX];
	int outcome_count;
	uint8_t scratch[256 << 10];
};

static volatile sig_atomic_t told_to_stop;

/* ---- how they end ---- */

static struct outcome *outcome_of(struct run *r, const char *text)
{
	struct outcome *o;

	for (int i = 0; i < r->outcome_count; i++) {
		if (strcmp(r->outcomes[i].text, text) == 0)
			return &r->outcomes[i];
	}
	if (r->outcome_count == OUTCOMES_MAX)
		return &r->outcomes[OUTCOMES_MAX - 1];
	o = &r->outcomes[r->outcome_count++];
	snprintf(o->text, sizeof(o->text), "%s", text);
	o->least_us = INT64_MAX;
	return o;
}

static void end(struct run *r, struct one *o, const char *text, bool reset)
{
	int64_t took_us = clock_mono_us() - o->opened_us;
	struct outcome *outcome = outcome_of(r, text);
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	outcome->count++;
	if (took_us < outcome->least_us)
		outcome->least_us = took_us;
	if (took_us > outcome->most_us)
		outcome->most_us = took_us;
	if (reset)
		setsockopt(o->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(o->fd);
	heap_remove(&r->due, &o->due);
	mem_free(o->then);
	o->then = NULL;
	o->fd = -1;
	r->free[r->free_count++] = (int)(o - r->all);
}

static void end_by_peer(struct run *r, struct one *o, bool reset)
{
	char text[32];

	if (answer_describe(&o->answer, text, sizeof(text)))
		end(r, o, text, false);
	else if (!o->connected)
		end(r, o, "refused", false);
	else
		end(r, o, reset ? "reset" : "closed", false);
}

/* ---- what they send ---- */

static void begin_then(struct run *r, struct one *o)
{
	static const char mark[] = "{sid}";
	const struct buf *then = &r->options.then;
	const char *at = memmem(then->data, then->len, mark, sizeof(mark) - 1);
	struct buf b;

	o->stage = THEN;
	o->sent = 0;
	if (!at)
		return;
	buf_init(&b, HOSTILE_SCRIPT_MAX + ANSWER_SID_SIZE);
	buf_add(&b, then->data, (size_t)(at - then->data));
	buf_add_text(&b, o->answer.sid);
	at += sizeof(mark) - 1;
	buf_add(&b, at, (size_t)(then->data + then->len - at));
	o->then = buf_take(&b, &o->then_len);
}

static const char *script(const struct run *r, const struct one *o, size_t *len)
{
	const struct buf *b = o->stage == FIRST ? &r->options.first : &r->options.then;

	if (o->stage == THEN && o->then) {
		*len = o->then_len;
		return o->then;
	}
	*len = b->len;
	return b->data;
}

/* All of this stage is out. False: there is nothing to be sent now, or it is gone. */
static bool next_stage(struct run *r, struct one *o)
{
	const struct options *s = &r->options;

	if (o->stage == FIRST && s->then.len > 0) {
		o->stage = WAIT;
		return false;
	}
	if (o->stage == THEN && (s->times < 0 || ++o->times < s->times)) {
		o->sent = 0;
		return true;
	}
	o->stage = SENT;
	if (s->finish == RESET)
		end(r, o, "finished", true);
	else if (s->finish == HALF)
		shutdown(o->fd, SHUT_WR);
	return false;
}

/* One piece, or as much as there is and the kernel takes. False: not more now. */
static bool send_piece(struct run *r, struct one *o)
{
	const struct options *s = &r->options;
	size_t len, some;
	const char *bytes = script(r, o, &len);
	ssize_t n;

	some = len - o->sent;
	if (s->piece > 0 && some > (size_t)s->piece)
		some = (size_t)s->piece;
	n = send(o->fd, bytes + o->sent, some, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0) {
		if (errno == EAGAIN)
			o->may_write = false;
		return false; /* an end is told by the reading */
	}
	r->sent_bytes += n;
	o->sent += (size_t)n;
	if (o->sent == len && !next_stage(r, o))
		return false;
	if (s->every_ms == 0)
		return true;
	heap_push(&r->due, &o->due, clock_mono_us() + s->every_ms * US_PER_MS);
	return false;
}

/* A script without pauses gives way after some pieces: the others want to live, too. */
static void send_some(struct run *r, struct one *o)
{
	for (int i = 0; i < READS_MAX; i++) {
		if (o->fd < 0 || !o->may_write || heap_linked(&o->due) ||
		    (o->stage != FIRST && o->stage != THEN) || !send_piece(r, o))
			return;
	}
	heap_push(&r->due, &o->due, clock_mono_us());
}

/* ---- what they are told ---- */

static void take(struct run *r, struct one *o, size_t len)
{
	answer_take(&o->answer, r->scratch, len);
	if (r->options.finish == RESET_ANSWERED)
		end(r, o, "finished", true);
	else if (o->stage == WAIT && o->answer.status > 0)
		begin_then(r, o);
}

static void read_some(struct run *r, struct one *o)
{
	ssize_t n = 1;

	while (o->fd >= 0 && n > 0) {
		n = recv(o->fd, r->scratch, sizeof(r->scratch), MSG_DONTWAIT);
		if (n > 0)
			take(r, o, (size_t)n);
		else if (n == 0 || errno != EAGAIN)
			end_by_peer(r, o, n < 0);
	}
}

static void on_event(struct run *r, const struct epoll_event *event)
{
	struct one *o = &r->all[event->data.u32];
	const uint32_t endings = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
	/* Mute is who has read the answer to its request. */
	bool reads = !r->options.mute || o->stage == FIRST || o->stage == WAIT;

	if (o->fd < 0)
		return;
	if (event->events & EPOLLOUT && !(event->events & (EPOLLHUP | EPOLLERR)))
		o->connected = o->may_write = true;
	if (event->events & endings || reads)
		read_some(r, o);
	send_some(r, o);
}

/* ---- coming ---- */

static int open_one(struct run *r, struct one *o)
{
	const struct options *s = &r->options;
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				    .data.u32 = (uint32_t)(o - r->all)};
	int on = 1;

	o->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (o->fd < 0)
		return -1;
	setsockopt(o->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(o->fd, (const struct sockaddr *)&s->from, sizeof(s->from)) == 0 &&
	    (connect(o->fd, (const struct sockaddr *)&s->to, sizeof(s->to)) == 0 ||
	     errno == EINPROGRESS) &&
	    epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, o->fd, &event) == 0)
		return 0;
	close(o->fd);
	return -1;
}

/* As many as are due by now. False: the system has no more for us. */
static bool open_due(struct run *r)
{
	const struct options *s = &r->options;
	int64_t passed_us = clock_mono_us() - r->begun_us;
	long due = s->rate > 0 ? (long)(passed_us * s->rate / US_PER_S) + 1 : s->total;

	while (r->opened < due && r->opened < s->total && r->free_count > 0) {
		struct one *o = &r->all[r->free[r->free_count - 1]];

		*o = (struct one){.opened_us = clock_mono_us()};
		if (open_one(r, o) < 0) {
			o->fd = -1;
			return errno == EADDRNOTAVAIL || errno == ECONNREFUSED;
		}
		r->free_count--;
		r->opened++;
	}
	return true;
}

/* ---- its life ---- */

static void turn(struct run *r, int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(r->epoll_fd, events, EVENTS_MAX,
			       heap_peek(&r->due) ? 1 : timeout_ms);
	int64_t now_us = clock_mono_us();
	const struct heap_node *n;

	for (int i = 0; i < count; i++)
		on_event(r, &events[i]);
	while ((n = heap_peek(&r->due)) != NULL && n->at < now_us)
		send_some(r, container_of(heap_pop(&r->due), struct one, due));
}

static int go(struct run *r)
{
	int64_t until_us = clock_mono_us() + r->options.seconds * US_PER_S;
	long places = r->options.connections;

	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r->all = mem_array((size_t)places, sizeof(*r->all));
	r->free = mem_array((size_t)places, sizeof(*r->free));
	heap_init(&r->due);
	for (long i = places; i-- > 0;) {
		r->all[i].fd = -1;
		r->free[r->free_count++] = (int)i;
	}
	r->begun_us = clock_mono_us();
	while (clock_mono_us() < until_us && !told_to_stop) {
		if (!open_due(r)) {
			perror("hostile: a connection");
			return -1;
		}
		turn(r, TURN_MS);
		if (r->opened == r->options.total && r->free_count == places)
			break;
	}
	return 0;
}

/* The mute look at last what they were told: as they read, the rest comes. */
static void let_mute_read(struct run *r)
{
	int64_t until_us = clock_mono_us() + FORGIVEN_MS * US_PER_MS;
	struct timespec pause = {0, 5 * US_PER_MS * 1000};

	r->options.then.len = 0;
	r->options.finish = STAY;
	while (clock_mono_us() < until_us) {
		for (long i = 0; i < r->options.connections; i++) {
			if (r->all[i].fd >= 0)
				read_some(r, &r->all[i]);
		}
		nanosleep(&pause, NULL);
	}
}

static void end_all(struct run *r)
{
	if (r->options.mute)
		let_mute_read(r);
	for (long i = 0; i < r->options.connections; i++) {
		if (r->all[i].fd >= 0)
			end(r, &r->all[i], "open", true);
	}
}

static void say(const struct run *r)
{
	printf("{\"opened\":%ld,\"sent_bytes\":%lld,\"ends\":{", r->opened,
	       (long long)r->sent_bytes);
	for (int i = 0; i < r->outcome_count; i++) {
		const struct outcome *o = &r->outcomes[i];

		printf("%s\"%s\":{\"count\":%ld,\"least_ms\":%lld,\"most_ms\":%lld}",
		       i > 0 ? "," : "", o->text, o->count,
		       (long long)(o->least_us / US_PER_MS),
		       (long long)(o->most_us / US_PER_MS));
	}
	puts("}}");
}

static void on_signal(int number)
{
	told_to_stop = 1;
}

static void release(struct run *r)
{
	options_release(&r->options);
	heap_release(&r->due);
	mem_free(r->all);
	mem_free(r->free);
	close(r->epoll_fd);
	mem_free(r);
}

int main(int argc, char **argv)
{
	struct run *r = mem_alloc(sizeof(*r));
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, on_signal);
	options_read(&r->options, argc, argv);
	rc = go(r);
	end_all(r);
	say(r);
	release(r);
	return rc < 0 ? 1 : 0;
}
