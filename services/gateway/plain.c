#include "gateway/plain.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "gateway/local.h"
#include "gateway/route.h"
#include "wire/live.h"

#define TOKEN_PREFIX "token."

/* What its request said. */
struct arrival {
	int64_t after; /* -1: nothing */
	char ledger[LIVE_LEDGER_SIZE];
	char *token;    /* NULL: it comes in a frame */
	bool is_in_url; /* which is not always allowed */
};

/* A socket of ours; the connection's user. */
struct plain {
	struct session session;
	int fd;
	struct arrival *arrival; /* NULL: it has joined */
	int64_t expires_s; /* Unix: of its token; while it has none, of our patience */
};

static void arrival_free(struct arrival *a)
{
	if (a)
		mem_free(a->token);
	mem_free(a);
}

static struct plain *plain_of(struct thread *t, int fd)
{
	return connection_of(t, fd)->user;
}

static struct local *local_of(struct thread *t)
{
	return thread_its(t);
}

static int64_t now_s(void)
{
	return clock_utc_us() / US_PER_S;
}

/* ---- what it is told ---- */

static struct plain *plain_of_session(const struct session *s)
{
	return (struct plain *)container_of(s, struct plain, session);
}

static bool say(struct thread *t, struct session *s,
		const struct message *const *messages, int count)
{
	struct frame *frames[64];
	int fd = plain_of_session(s)->fd;

	if (count == 1)
		return connection_send(t, fd, messages[0]->frame);
	for (int i = 0; i < count; i++)
		frames[i] = messages[i]->frame;
	return connection_send_all(t, fd, frames, count);
}

static bool send_json(struct thread *t, int fd, struct buf *json)
{
	bool sent = websocket_send(t, fd, true, json->data, json->len);

	buf_release(json);
	return sent;
}

static bool greet(struct thread *t, struct session *s, const struct live_hello *hello)
{
	struct buf json;

	buf_init(&json, 1024);
	live_encode_hello(hello, &json);
	return send_json(t, plain_of_session(s)->fd, &json);
}

static size_t arrears(struct thread *t, const struct session *s)
{
	return connection_queued(t, plain_of_session(s)->fd);
}

static const struct voice voice = {
	.dialect = DIALECT_PLAIN,
	.greet = greet,
	.say = say,
	.arrears = arrears,
};

/* ---- who it is ---- */

static void join(struct thread *t, struct plain *p, const struct access *a, int64_t after,
		 const char *ledger)
{
	struct local *l = local_of(t);

	if (!a->all && room_sessions(l->room, a->user_id) >= l->shared->per_user_max) {
		websocket_close(t, p->fd, WS_CLOSE_POLICY,
				"too many connections of this user");
		return;
	}
	p->session.voice = &voice;
	atomic_fetch_add(&l->shared->speaking[DIALECT_PLAIN], 1);
	past_begin(l->shared->reader, l->room, t, &p->session, a->all ? NULL : a->user_id,
		   after, ledger);
	arrival_free(p->arrival);
	p->arrival = NULL;
}

/* Also in place of the one that it has: for the same user, or not at all. */
static void show_token(struct thread *t, struct plain *p, const char *token,
		       int64_t after, const char *ledger)
{
	struct err e = ERR_INIT;
	struct access a;

	if (access_judge(&a, &local_of(t)->shared->access, token, &e) < 0) {
		websocket_close(t, p->fd, PLAIN_CLOSE_TOKEN, e.text);
		return;
	}
	if (!p->arrival && !access_is_for(&a, room_user(&p->session))) {
		websocket_close(t, p->fd, PLAIN_CLOSE_TOKEN,
				"the token is another user's");
		return;
	}
	p->expires_s = a.expires_s;
	if (p->arrival)
		join(t, p, &a, after, ledger);
}

/* ---- the protocol ---- */

/* Ours among the subprotocols, and a token beside it. */
static void read_subprotocols(struct arrival *a, const struct http_head *head,
			      const char **chosen)
{
	struct http_items next = {0};
	struct http_text offered;
	size_t prefix = strlen(TOKEN_PREFIX);

	while (ws_handshake_next_protocol(head, &next, &offered)) {
		if (http_text_is(offered, LIVE_SUBPROTOCOL))
			*chosen = LIVE_SUBPROTOCOL;
		else if (!a->token && offered.len > prefix &&
			 memcmp(offered.at, TOKEN_PREFIX, prefix) == 0)
			a->token = mem_dup(offered.at + prefix, offered.len - prefix);
	}
}

static int read_query(struct arrival *a, const struct http_head *head)
{
	char after[24] = "", token[TOKEN_MAX] = "";

	if (http_head_query(head, "after", after, sizeof(after)) < 0 ||
	    http_head_query(head, "ledger", a->ledger, sizeof(a->ledger)) < 0 ||
	    http_head_query(head, "token", token, sizeof(token)) < 0)
		return -1;
	a->is_in_url = token[0] != '\0';
	if (a->is_in_url)
		a->token = mem_dup(token, strlen(token));
	a->after = after[0] ? sequence_parse(after) : -1;
	return after[0] && a->after < 0 ? -1 : 0;
}

static int accept_socket(struct thread *t, int fd, const struct http_head *head,
			 const char **subprotocol)
{
	const struct shared *shared = local_of(t)->shared;
	struct http_text origin = {NULL, 0};
	struct plain *p;

	if (atomic_load(&shared->draining))
		return 503;
	http_head_field(head, "Origin", &origin);
	if (!access_allows_origin(&shared->access, origin))
		return 403;
	p = mem_alloc(sizeof(*p));
	p->fd = fd;
	p->expires_s = now_s() + shared->auth_timeout_s;
	p->arrival = mem_alloc(sizeof(*p->arrival));
	if (read_query(p->arrival, head) < 0) {
		arrival_free(p->arrival);
		mem_free(p);
		return 400;
	}
	read_subprotocols(p->arrival, head, subprotocol);
	connection_of(t, fd)->user = p;
	return 0;
}

static void opened(struct thread *t, int fd)
{
	struct plain *p = plain_of(t, fd);
	const struct arrival *a = p->arrival;

	if (a->is_in_url && !local_of(t)->shared->query_token)
		websocket_close(t, fd, PLAIN_CLOSE_TOKEN,
				"a token may not come in the URL here");
	else if (a->token)
		show_token(t, p, a->token, a->after, a->ledger);
}

static void send_error(struct thread *t, int fd, const struct err *e)
{
	struct buf json;

	buf_init(&json, 2048);
	live_encode_error(e->text, &json);
	send_json(t, fd, &json);
}

static void seen(struct thread *t, struct plain *p, int64_t sequence)
{
	struct err e = ERR_INIT;
	int rc = !p->arrival ? reads_seen(local_of(t)->shared->reads, &p->session,
					  sequence, &e)
			     : err_set(&e, ERR_INVALID, "show a token first");

	if (rc < 0)
		send_error(t, p->fd, &e);
}

static void take(struct thread *t, int fd, const struct live_input *in)
{
	static const char pong[] = "{\"type\":\"pong\"}";
	struct plain *p = plain_of(t, fd);
	const struct arrival *a = p->arrival;

	switch (in->type) {
	case LIVE_AUTH:
		show_token(t, p, in->token, in->after >= 0 || !a ? in->after : a->after,
			   in->ledger[0] || !a ? in->ledger : a->ledger);
		return;
	case LIVE_SEEN:
		seen(t, p, in->sequence);
		return;
	case LIVE_PING:
		websocket_send(t, fd, true, pong, sizeof(pong) - 1);
		return;
	}
}

static void message(struct thread *t, int fd, bool text, uint8_t *bytes, size_t len)
{
	struct live_input *in;
	struct err e = ERR_INIT;

	if (!text) {
		websocket_close(t, fd, WS_CLOSE_UNSUPPORTED, "text frames only");
		return;
	}
	in = mem_alloc(sizeof(*in));
	if (live_decode(in, (const char *)bytes, len, &e) == 0)
		take(t, fd, in);
	else
		send_error(t, fd, &e);
	mem_free(in);
}

static void second(struct thread *t, int fd)
{
	struct plain *p = plain_of(t, fd);

	if (now_s() >= p->expires_s) {
		websocket_close(t, fd, PLAIN_CLOSE_TOKEN,
				p->arrival ? "no token came" : "the token has ended");
		return;
	}
	if (!p->arrival)
		past_second(t, &p->session);
}

static void gone(struct thread *t, int fd)
{
	struct plain *p = plain_of(t, fd);
	struct local *l = local_of(t);

	if (!p->arrival) {
		past_end(l->room, &p->session);
		atomic_fetch_sub(&l->shared->speaking[DIALECT_PLAIN], 1);
	}
	arrival_free(p->arrival);
	mem_free(p);
	connection_of(t, fd)->user = NULL;
}

const struct websocket_protocol plain_protocol = {
	.message_max_bytes = LIVE_INPUT_MAX,
	.pings = true,
	.accept = accept_socket,
	.opened = opened,
	.message = message,
	.second = second,
	.gone = gone,
};

/* ---- the end ---- */

/* Each is told when to come back, at a time of its own, and then let go. */
void plain_drain(struct thread *t)
{
	int64_t spread_ms = local_of(t)->shared->restart_spread_ms;

	for (size_t i = thread_count(t); i-- > 0;) {
		int fd = thread_at(t, i);
		struct handle h = connection_handle(t, fd);
		struct buf json;

		if (!connection_is(t, h) ||
		    connection_of(t, fd)->layer != LAYER_WEBSOCKET ||
		    connection_route(t, fd)->websocket != &plain_protocol)
			continue;
		buf_init(&json, 256);
		live_encode_restart((int64_t)random_below((uint64_t)spread_ms + 1),
				    &json);
		if (send_json(t, fd, &json))
			websocket_close(t, fd, WS_CLOSE_RESTART, "restarting");
	}
}
