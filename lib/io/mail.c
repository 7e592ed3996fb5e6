/* Design
 *
 * libcurl could send mail by itself, but waits for the reply to the final dot with the
 * whole thread (smtp_done() in 7.88), and speaks one command a round trip. So curl opens
 * the session (TLS and AUTH are the hard part), and the message goes over it here: two
 * round trips each with PIPELINING, any number of sessions at once.
 *
 * A mail is in one place at a time: `fresh` until the loop's next task, `waiting` for a
 * session, `turn` when one became free for it, or on its session. A session is opening
 * for its first mail, busy with one, or idle; an idle one that says anything (421, end of
 * file) is closed.
 *
 * Only a reply to this message, or its final dot, makes a failure the message's own.
 * Before that, a session that was used before is suspected to have been closed meanwhile,
 * and the mail goes over another one. */
#include "io/mail.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "io/smtp_dialogue.h"
#include "io/stream.h"

#define IDLE_MAX_US (60 * US_PER_S) /* servers close after minutes, firewalls earlier */
/* At a time: a send buffer grows with what it is given, and what is in it counts as
 * written. */
#define PIECE_MAX 65536
#define KEY_MAX   (4 * TRANSFER_URL_MAX)

struct mail_pool {
	struct loop *loop;
	struct curl_door *door;
	int max_sessions;
	struct list fresh, turn, waiting; /* mails */
	struct list sessions;
	struct loop_task place_fresh;
};

struct mail {
	struct list link;
	struct mail_pool *pool;
	struct session *session; /* NULL: fresh or waiting */
	struct buf key;          /* url, hello, username, password, starttls */
	const char *url, *username, *password;
	bool starttls_required, reused;
	int connect_timeout_ms;
	struct smtp_dialogue dialogue;
	transfer_fn *fn;
	void *arg;
};

struct session {
	struct list link;
	struct mail_pool *pool;
	struct stream *stream;
	struct mail *mail; /* whom it is opening for or busy with */
	struct buf key;
	int extensions;
	bool open, used, must_reset, wants_write;
	int64_t idle_since_us;
};

static void on_place_fresh(void *arg);
static void on_line(void *arg, const char *line, size_t len);
static void on_opened(void *arg, const struct stream_opening *opening);
static void on_ready(void *arg, int events);

static const struct stream_calls calls = {on_line, on_opened, on_ready};

static int copy_request(struct mail *m, const struct transfer_request *request,
			struct err *e);
static void free_mail(struct mail *m);
static void place(struct mail *m);
static void open_session(struct mail *m);
static void begin(struct session *s, struct mail *m);
static int push(struct session *s);
static int pull(struct session *s);
static void step(struct session *s);
static void broken(struct session *s);
static void end_session(struct session *s, bool polite);
static void serve_waiting(struct mail_pool *p, const struct buf *key);
static void end_mail(struct mail *m, enum transfer_outcome outcome, int status,
		     const char *text);

struct mail_pool *mail_pool_new(struct loop *l, struct curl_door *door, int max_sessions)
{
	struct mail_pool *p = mem_alloc(sizeof(*p));

	p->loop = l;
	p->door = door;
	p->max_sessions = max_sessions;
	list_init(&p->fresh);
	list_init(&p->turn);
	list_init(&p->waiting);
	list_init(&p->sessions);
	loop_task_init(&p->place_fresh, on_place_fresh, p);
	return p;
}

void mail_pool_free(struct mail_pool *p)
{
	if (p == NULL)
		return;
	loop_task_cancel(&p->place_fresh);
	while (!list_empty(&p->sessions))
		end_session(container_of(p->sessions.next, struct session, link), true);
	mem_free(p);
}

struct mail *mail_start(struct mail_pool *p, const struct transfer_request *request,
			transfer_fn *fn, void *arg, struct err *e)
{
	struct mail *m;

	if (request->mail_from == NULL || request->mail_to == NULL ||
	    request->mail_to[0] == '\0' || !smtp_address_ok(request->mail_from) ||
	    !smtp_address_ok(request->mail_to)) {
		err_set(e, ERR_INVALID, "a mail needs two plain ASCII addresses");
		return NULL;
	}
	m = mem_alloc(sizeof(*m));
	m->pool = p;
	m->fn = fn;
	m->arg = arg;
	buf_init(&m->key, KEY_MAX);
	if (copy_request(m, request, e) < 0) {
		buf_release(&m->key);
		mem_free(m);
		return NULL;
	}
	list_append(&p->fresh, &m->link);
	loop_task_want(p->loop, &p->place_fresh);
	return m;
}

void mail_stop(struct mail *m, struct transfer_result *result)
{
	struct session *s = m->session;

	if (result != NULL) {
		*result = (struct transfer_result){.outcome = TRANSFER_TIMEOUT,
						   .status = m->dialogue.status,
						   .reused = m->reused,
						   .body = "",
						   .retry_after_s = -1};
		if (smtp_dialogue_whole(&m->dialogue))
			result->outcome = TRANSFER_AMBIGUOUS;
		mem_copy_text(result->text, sizeof(result->text), "timed out");
	}
	if (s == NULL) {
		list_remove(&m->link);
	} else {
		end_session(s, false);
		serve_waiting(m->pool, &m->key);
	}
	free_mail(m);
}

static int copy_request(struct mail *m, const struct transfer_request *request,
			struct err *e)
{
	const char *hello = request->hello != NULL ? request->hello : "";
	const char *username = request->username != NULL ? request->username : "";
	const char *password = request->password != NULL ? request->password : "";
	const char *parts[] = {hello, username, password};
	size_t url_len = strlen(request->url);

	/* curl takes the name for EHLO from the URL's path. */
	while (url_len > 0 && request->url[url_len - 1] == '/')
		url_len--;
	buf_add(&m->key, request->url, url_len);
	if (hello[0] != '\0')
		buf_addf(&m->key, "/%s", hello);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		buf_add_char(&m->key, '\0');
		buf_add_text(&m->key, parts[i]);
	}
	buf_add_char(&m->key, '\0');
	buf_add_char(&m->key, request->starttls_required ? '1' : '0');
	if (m->key.overflowed)
		return err_set(e, ERR_INVALID, "a text of the mail's server is too long");
	if (hello[strcspn(hello, "/?#%@ \t\r\n")] != '\0')
		return err_set(e, ERR_INVALID, "the name for EHLO is not a host name");
	if (!smtp_dialogue_init(&m->dialogue, request->mail_from, request->mail_to,
				request->body != NULL ? request->body : "",
				request->body_len, TRANSFER_BODY_MAX))
		return err_set(e, ERR_INVALID, "a mail has at most %d bytes",
			       TRANSFER_BODY_MAX);
	m->url = m->key.data;
	m->username = m->url + strlen(m->url) + 1 + strlen(hello) + 1;
	m->password = m->username + strlen(username) + 1;
	if (username[0] == '\0')
		m->username = m->password = NULL;
	m->starttls_required = request->starttls_required;
	m->connect_timeout_ms = request->connect_timeout_ms;
	return 0;
}

static void free_mail(struct mail *m)
{
	smtp_dialogue_release(&m->dialogue);
	buf_release(&m->key);
	mem_free(m);
}

static void on_place_fresh(void *arg)
{
	struct mail_pool *p = arg;
	struct list *n;

	/* Those who waited before those who come. */
	while ((n = list_pop(&p->turn)) != NULL || (n = list_pop(&p->fresh)) != NULL)
		place(container_of(n, struct mail, link));
}

static bool same_key(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* On a free session, on a new one, or into the queue. */
static void place(struct mail *m)
{
	struct mail_pool *p = m->pool;
	int64_t now_us = loop_now_us(p->loop);
	int count = 0;

	for (struct list *n = p->sessions.next, *next; n != &p->sessions; n = next) {
		struct session *s = container_of(n, struct session, link);

		next = n->next;
		if (!same_key(&s->key, &m->key))
			continue;
		if (s->mail == NULL && now_us - s->idle_since_us > IDLE_MAX_US) {
			end_session(s, true);
			continue;
		}
		if (s->mail == NULL) {
			begin(s, m);
			return;
		}
		count++;
	}
	if (count < p->max_sessions)
		open_session(m);
	else
		list_append(&p->waiting, &m->link);
}

static void open_session(struct mail *m)
{
	struct mail_pool *p = m->pool;
	struct stream_settings settings = {.url = m->url,
					   .username = m->username,
					   .password = m->password,
					   .starttls_required = m->starttls_required,
					   .connect_timeout_ms = m->connect_timeout_ms};
	struct session *s = mem_alloc(sizeof(*s));

	s->pool = p;
	s->mail = m;
	m->session = s;
	buf_init(&s->key, KEY_MAX);
	buf_add(&s->key, m->key.data, m->key.len);
	/* Newest first: the few that are needed stay warm, the rest grow old. */
	list_prepend(&p->sessions, &s->link);
	s->stream = stream_open(p->door, &settings, &calls, s);
}

static void on_line(void *arg, const char *line, size_t len)
{
	struct session *s = arg;

	/* EHLO is said again after STARTTLS, and may offer something else then. */
	if (len >= 3 && memcmp(line, "220", 3) == 0)
		s->extensions = 0;
	s->extensions |= smtp_extension(line, len);
}

static void on_opened(void *arg, const struct stream_opening *opening)
{
	struct session *s = arg;
	struct mail *m = s->mail;

	if (opening->ok) {
		s->open = true;
		stream_watch(s->stream, LOOP_READ);
		begin(s, m);
		return;
	}
	end_session(s, false);
	serve_waiting(m->pool, &m->key);
	end_mail(m, TRANSFER_NO_CONNECT, opening->status, opening->text);
}

static void begin(struct session *s, struct mail *m)
{
	s->mail = m;
	m->session = s;
	m->reused = s->used;
	s->used = true;
	smtp_dialogue_begin(&m->dialogue, s->extensions, s->must_reset);
	s->must_reset = false;
	if (push(s) < 0)
		broken(s);
}

static void on_ready(void *arg, int events)
{
	struct session *s = arg;

	if (s->mail == NULL) { /* idle, and it says something: good-bye */
		end_session(s, false);
		return;
	}
	/* Read first: what came before the session broke may decide. */
	if (pull(s) < 0 || (!s->mail->dialogue.done && push(s) < 0)) {
		if (!s->mail->dialogue.done) {
			broken(s);
			return;
		}
		s->mail->dialogue.closing = true;
	}
	step(s);
}

/* Writes what there is to write. */
static int push(struct session *s)
{
	struct smtp_dialogue *d = &s->mail->dialogue;
	const char *bytes;
	size_t len;
	ssize_t n = 1;

	while (n > 0 && (bytes = smtp_dialogue_pending(d, &len), len > 0)) {
		n = stream_send(s->stream, bytes, len < PIECE_MAX ? len : PIECE_MAX);
		if (n < 0)
			return -1;
		smtp_dialogue_wrote(d, (size_t)n);
	}
	if (s->wants_write != (n == 0)) {
		s->wants_write = n == 0;
		stream_watch(s->stream, LOOP_READ | (n == 0 ? LOOP_WRITE : 0));
	}
	return 0;
}

static int pull(struct session *s)
{
	char bytes[4096];
	ssize_t n;

	/* A short read was the last: level triggered, what comes later says so. */
	do {
		n = stream_recv(s->stream, bytes, sizeof(bytes));
		if (n < 0)
			return -1;
		smtp_dialogue_read(&s->mail->dialogue, bytes, (size_t)n);
	} while (n == sizeof(bytes));
	return 0;
}

/* The mail may have come to its end. */
static void step(struct session *s)
{
	struct mail *m = s->mail;
	struct smtp_dialogue *d = &m->dialogue;
	struct mail_pool *p = m->pool;

	if (!d->done)
		return;
	/* Good-bye as the first word on a kept session was meant for nobody's mail. */
	if (m->reused && d->closing && d->status == 421 && !smtp_dialogue_whole(d)) {
		d->answered = false;
		broken(s);
		return;
	}
	s->mail = NULL;
	m->session = NULL;
	if (d->closing) {
		end_session(s, false);
	} else {
		s->must_reset = d->must_reset;
		s->idle_since_us = loop_now_us(p->loop);
	}
	serve_waiting(p, &m->key);
	end_mail(m, d->bad ? TRANSFER_BAD_ANSWER : TRANSFER_ANSWERED, d->status,
		 d->bad ? "weird server reply" : "");
}

/* The session ended under its mail. */
static void broken(struct session *s)
{
	struct mail *m = s->mail;
	struct smtp_dialogue *d = &m->dialogue;

	m->session = NULL;
	end_session(s, false);
	if (m->reused && !d->answered) {
		/* Not to the next kept one, which may be as dead: those of its age are
		 * found by their own end of file. */
		open_session(m);
		return;
	}
	serve_waiting(m->pool, &m->key);
	end_mail(m, smtp_dialogue_whole(d) ? TRANSFER_AMBIGUOUS : TRANSFER_LOST,
		 d->status, "the connection broke");
}

/* Without QUIT where the server would take it for something else. */
static void end_session(struct session *s, bool polite)
{
	if (polite && s->open)
		stream_send(s->stream, "QUIT\r\n", 6);
	stream_close(s->stream);
	list_remove(&s->link);
	buf_release(&s->key);
	mem_free(s);
}

/* A session became free, or made room for another. */
static void serve_waiting(struct mail_pool *p, const struct buf *key)
{
	for (struct list *n = p->waiting.next; n != &p->waiting; n = n->next) {
		struct mail *m = container_of(n, struct mail, link);

		if (!same_key(&m->key, key))
			continue;
		list_remove(&m->link);
		list_append(&p->turn, &m->link);
		loop_task_want(p->loop, &p->place_fresh);
		return;
	}
}

static void end_mail(struct mail *m, enum transfer_outcome outcome, int status,
		     const char *text)
{
	struct transfer_result result = {.outcome = outcome,
					 .status = status,
					 .reused = m->reused,
					 .body = "",
					 .retry_after_s = -1};
	transfer_fn *fn = m->fn;
	void *arg = m->arg;

	mem_copy_text(result.text, sizeof(result.text), text);
	free_mail(m);
	fn(arg, &result);
}
