#include "gateway/sio_live.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "gateway/local.h"
#include "gateway/reads.h"
#include "gateway/sio.h"
#include "gateway/sio_pid.h"
#include "wire/event.h"
#include "wire/json_scan.h"
#include "wire/live.h"

enum {
	MAX_BYTES = 16 << 10, /* of what a client sends in one go: a token, mostly */
	READING_MS = 1000,    /* how often who reads the past is looked after */
	LOOK_AGAIN_S = 60,    /* at the clock: it may have been set meanwhile */
};

/* A client in the main namespace; its socket's user. */
struct live {
	struct session session;
	struct sio_socket *socket;
	struct timer timer;
	struct list link; /* of the thread's */
	char *pid;        /* that it showed, until it is greeted; NULL: none */
	bool greeted;
	bool leaves;       /* the gateway stops: the timer is for its turn to go */
	int64_t expires_s; /* Unix: of its token */
};

static const struct slice none = {NULL, 0};

static struct local *local_of(struct thread *t)
{
	return thread_its(t);
}

static int64_t now_s(void)
{
	return clock_utc_us() / US_PER_S;
}

static struct live *live_of_session(const struct session *s)
{
	return (struct live *)container_of(s, struct live, session);
}

/* ---- what it is told ---- */

static bool say(struct thread *t, struct session *s,
		const struct message *const *messages, int count)
{
	return sio_send(t, live_of_session(s)->socket, messages, count);
}

static size_t arrears(struct thread *t, const struct session *s)
{
	return sio_arrears(t, live_of_session(s)->socket);
}

/* The pid that it came with, when it is served from there; else a new one, in out. */
static const char *choose_pid(struct thread *t, const struct live *l,
			      const struct live_hello *hello, char out[SIO_PID_SIZE])
{
	const char *user_id = room_user(&l->session);
	struct sio_pid pid = {.all = !user_id, .first = hello->sequence};

	if (l->pid && !hello->resync)
		return l->pid;
	if (user_id)
		mem_copy_text(pid.user_id, sizeof(pid.user_id), user_id);
	mem_copy_text(pid.ledger, sizeof(pid.ledger), hello->ledger);
	sio_pid_format(out, &pid, &local_of(t)->shared->access);
	return out;
}

/* With the sequence behind it only for who begins there: what a recovered one missed is
 * yet to come. */
static bool say_hello(struct thread *t, struct live *l, const struct live_hello *hello,
		      bool recovered)
{
	char sequence[EVENT_SEQUENCE_SIZE];
	struct buf args;
	bool sent;

	buf_init(&args, 1024);
	live_encode_hello(hello, &args);
	sequence_format(sequence, hello->sequence);
	if (!recovered)
		buf_addf(&args, ",\"%s\"", sequence);
	sent = sio_emit(t, l->socket, "hello", (struct slice){args.data, args.len}, NULL,
			0);
	buf_release(&args);
	return sent;
}

static bool greet(struct thread *t, struct session *s, const struct live_hello *hello)
{
	struct live *l = live_of_session(s);
	char made[SIO_PID_SIZE];
	const char *pid = choose_pid(t, l, hello, made);
	bool recovered = pid == l->pid;

	if (!sio_accept(t, l->socket, pid))
		return false;
	mem_free(l->pid);
	l->pid = NULL;
	l->greeted = true;
	return say_hello(t, l, hello, recovered);
}

static const struct voice voice = {
	.dialect = DIALECT_SOCKETIO,
	.greet = greet,
	.say = say,
	.arrears = arrears,
};

/* ---- its time ---- */

static void wait_on(struct thread *t, struct live *l)
{
	int64_t s = l->expires_s - now_s();
	int64_t ms = s > LOOK_AGAIN_S ? LOOK_AGAIN_S * 1000 : s * 1000;

	if (l->leaves)
		return;
	if (ms > READING_MS && l->session.behind)
		ms = READING_MS;
	thread_timer_set(t, &l->timer, clock_mono_us() + ms * US_PER_MS);
}

static void on_timer(struct thread *t, struct timer *timer)
{
	struct live *l = container_of(timer, struct live, timer);

	if (l->leaves) {
		sio_close(t, l->socket);
		return;
	}
	if (now_s() >= l->expires_s) {
		sio_dismiss(t, l->socket);
		return;
	}
	if (past_second(t, &l->session))
		wait_on(t, l);
}

/* ---- who it is ---- */

/* From where on: -1 for who begins anew. The client's offset is the newest of several
 * sessions when no event has come in this one yet, so it may lie before the beginning. */
static int64_t position(struct thread *t, const struct access *a,
			const struct socketio_auth *auth, struct sio_pid *pid)
{
	int64_t offset = auth->offset[0] ? sequence_parse(auth->offset) : 0;

	if (auth->pid[0] == '\0' || offset < 0 ||
	    !sio_pid_parse(pid, auth->pid, &local_of(t)->shared->access) ||
	    pid->all != a->all || (!a->all && strcmp(pid->user_id, a->user_id) != 0))
		return -1;
	return offset > pid->first ? offset : pid->first;
}

static void join(struct thread *t, struct sio_socket *socket, const struct access *a,
		 const struct socketio_auth *auth)
{
	struct local *local = local_of(t);
	struct live *l = mem_alloc(sizeof(*l));
	struct sio_pid pid = {.ledger = ""};
	int64_t after = position(t, a, auth, &pid);

	l->socket = socket;
	l->session.voice = &voice;
	l->timer.fn = on_timer;
	l->expires_s = a->expires_s;
	if (after >= 0)
		l->pid = mem_dup(auth->pid, strlen(auth->pid));
	list_append(&local->socketio, &l->link);
	sio_set_user(socket, l);
	atomic_fetch_add(&local->shared->speaking[DIALECT_SOCKETIO], 1);
	past_begin(local->shared->reader, local->room, t, &l->session,
		   a->all ? NULL : a->user_id, after, after >= 0 ? pid.ledger : "");
	wait_on(t, l);
}

/* ---- the protocol ---- */

static void let_in(struct thread *t, struct sio_socket *s,
		   const struct socketio_packet *p)
{
	const struct local *l = local_of(t);
	struct socketio_auth auth;
	struct err e = ERR_INIT;
	struct access a;

	if (atomic_load(&l->shared->draining))
		sio_close(t, s);
	else if (!slice_is(sio_namespace(s), "/"))
		sio_refuse(t, s, "Invalid namespace", none);
	else if (socketio_read_auth(p, &auth, &e) < 0 ||
		 access_judge(&a, &l->shared->access, auth.token, &e) < 0)
		sio_refuse(t, s, e.text, slice_of("{\"code\":\"token\"}"));
	else if (!a.all && room_sessions(l->room, a.user_id) >= l->shared->per_user_max)
		sio_refuse(t, s, "too many connections of this user",
			   slice_of("{\"code\":\"limit\"}"));
	else
		join(t, s, &a, &auth);
}

static void answer(struct thread *t, struct sio_socket *s, int64_t id, const char *fault)
{
	struct buf json;

	if (id == SOCKETIO_NO_ID)
		return;
	buf_init(&json, 2048);
	if (fault)
		live_encode_error(fault, &json);
	else
		buf_add_text(&json, "{\"ok\":true}");
	sio_ack(t, s, id, (struct slice){json.data, json.len}, NULL, 0);
	buf_release(&json);
}

/* The first argument: a text, or an object that has it as `token`, as the handshake's. */
static bool read_token(const struct socketio_packet *p, char *out, size_t size)
{
	struct slice args = p->args, arg;

	if (!socketio_next_arg(&args, &arg))
		return false;
	if (arg.at[0] == '{' && !json_scan_member(arg, "token", &arg))
		return false;
	return arg.at[0] == '"' && json_scan_text(arg, out, size) == 0;
}

/* A token in place of the one it has: for the same user, or not at all. */
static const char *renew(struct thread *t, struct live *l,
			 const struct socketio_packet *p, struct err *e)
{
	char token[SOCKETIO_TOKEN_SIZE];
	struct access a;

	if (!read_token(p, token, sizeof(token)))
		return "auth: its argument must be a token";
	if (access_judge(&a, &local_of(t)->shared->access, token, e) < 0)
		return e->text;
	if (!access_is_for(&a, room_user(&l->session)))
		return "the token is another user's";
	l->expires_s = a.expires_s;
	wait_on(t, l);
	return NULL;
}

static const char *see(struct thread *t, struct live *l, const struct socketio_packet *p,
		       struct err *e)
{
	struct slice args = p->args, arg;
	char text[EVENT_SEQUENCE_SIZE];
	int64_t sequence;

	if (!socketio_next_arg(&args, &arg) || arg.at[0] != '"' ||
	    json_scan_text(arg, text, sizeof(text)) < 0 ||
	    (sequence = sequence_parse(text)) < 0)
		return "seen: its argument must be a sequence, a text";
	return reads_seen(local_of(t)->shared->reads, &l->session, sequence, e) < 0
		       ? e->text
		       : NULL;
}

static void take_event(struct thread *t, struct sio_socket *s,
		       const struct socketio_packet *p, const struct slice *attachments)
{
	struct err e = ERR_INIT;

	if (socketio_is_event(p, "auth"))
		answer(t, s, p->id, renew(t, sio_user(s), p, &e));
	else if (socketio_is_event(p, "seen"))
		answer(t, s, p->id, see(t, sio_user(s), p, &e));
	else
		answer(t, s, p->id, "no such event");
}

static void left(struct thread *t, struct sio_socket *s)
{
	struct local *local = local_of(t);
	struct live *l = sio_user(s);

	past_end(local->room, &l->session);
	atomic_fetch_sub(&local->shared->speaking[DIALECT_SOCKETIO], 1);
	thread_timer_stop(t, &l->timer);
	list_remove(&l->link);
	mem_free(l->pid);
	mem_free(l);
}

static int64_t patience_ms(struct thread *t)
{
	return local_of(t)->shared->auth_timeout_s * 1000L;
}

static const struct sio_protocol protocol = {
	.max_bytes = MAX_BYTES,
	.patience_ms = patience_ms,
	.connect = let_in,
	.event = take_event,
	.gone = left,
};

/* ---- the transport ---- */

static bool allows_origin(struct thread *t, struct http_text origin)
{
	return access_allows_origin(&local_of(t)->shared->access, origin);
}

static int accept_client(struct thread *t, const struct http_head *head)
{
	struct http_text origin = {NULL, 0};

	if (atomic_load(&local_of(t)->shared->draining))
		return 503;
	http_head_field(head, "Origin", &origin);
	return allows_origin(t, origin) ? 0 : 403;
}

static void opened(struct thread *t, struct eio *e)
{
	sio_open(t, e, &protocol);
}

const struct eio_protocol sio_live_protocol = {
	.ping_interval_ms = 25000,
	.ping_timeout_ms = 20000,
	.max_payload = MAX_BYTES,
	.allows_origin = allows_origin,
	.accept = accept_client,
	.opened = opened,
	.message = sio_message,
	.gone = sio_gone,
};

/* ---- the end ---- */

/* Not disconnected, which it would take for the last word: its transport ends, and it
 * comes back by itself, at once, whatever it was told. So each is let go at a time of its
 * own; until then it is live. */
static void send_away(struct thread *t, struct live *l, int64_t spread_ms)
{
	int64_t ms = (int64_t)random_below((uint64_t)spread_ms + 1);
	struct buf json;

	l->leaves = true;
	thread_timer_set(t, &l->timer, clock_mono_us() + ms * US_PER_MS);
	if (!l->greeted)
		return;
	buf_init(&json, 256);
	live_encode_restart(ms, &json);
	sio_emit(t, l->socket, "restart", (struct slice){json.data, json.len}, NULL, 0);
	buf_release(&json);
}

/* Who is cut while it is told takes nobody else along: the next is known before. */
void sio_live_drain(struct thread *t)
{
	struct local *local = local_of(t);
	struct list *n, *next;

	for (n = local->socketio.next; n != &local->socketio; n = next) {
		next = n->next;
		send_away(t, container_of(n, struct live, link),
			  local->shared->restart_spread_ms);
	}
}
