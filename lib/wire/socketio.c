/* Reading; socketio_writer.c has the writing. */
#include "wire/socketio.h"

#include <assert.h>

#include "wire/json_scan.h"

/* ---- what stands before the JSON ---- */

static int invalid(struct err *e, const char *what)
{
	return err_set(e, ERR_INVALID, "socket.io: %s", what);
}

/* Plain digits; how many there are. *value is right when there are at most 15. */
static size_t digits(struct slice s, int64_t *value)
{
	size_t n = 0;

	*value = 0;
	while (n < s.len && s.at[n] >= '0' && s.at[n] <= '9') {
		if (n < SOCKETIO_ID_DIGITS_MAX)
			*value = *value * 10 + (s.at[n] - '0');
		n++;
	}
	return n;
}

static int take_type(struct socketio_packet *p, struct slice *rest, struct err *e)
{
	if (rest->len == 0)
		return invalid(e, "a packet without a type");
	if (rest->at[0] < '0' || rest->at[0] > '0' + SOCKETIO_BINARY_ACK)
		return invalid(e, "unknown type of packet");
	p->type = (enum socketio_type)(rest->at[0] - '0');
	*rest = slice_from(*rest, 1);
	return 0;
}

static int take_attachments(struct socketio_packet *p, struct slice *rest, struct err *e)
{
	int64_t count;
	size_t n;

	if (p->type != SOCKETIO_BINARY_EVENT && p->type != SOCKETIO_BINARY_ACK)
		return 0;
	n = digits(*rest, &count);
	if (n == 0 || n == rest->len || rest->at[n] != '-' || rest->at[0] == '0')
		return invalid(e, "illegal attachments");
	if (n > SOCKETIO_ID_DIGITS_MAX || count > SOCKETIO_ATTACHMENTS_MAX)
		return invalid(e, "too many attachments");
	p->attachments = (int)count;
	p->type = p->type == SOCKETIO_BINARY_EVENT ? SOCKETIO_EVENT : SOCKETIO_ACK;
	*rest = slice_from(*rest, n + 1);
	return 0;
}

static bool has_controls(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7f)
			return true;
	}
	return false;
}

/* Up to a comma, or all that there is. */
static int take_nsp(struct socketio_packet *p, struct slice *rest, struct err *e)
{
	const char *comma, *mark;
	struct slice name = *rest;

	p->nsp = slice_of("/");
	if (rest->len == 0 || rest->at[0] != '/')
		return 0;
	comma = memchr(name.at, ',', name.len);
	if (comma)
		name.len = (size_t)(comma - name.at);
	*rest = slice_from(*rest, name.len + (comma ? 1 : 0));
	p->nsp = name;
	mark = memchr(name.at, '?', name.len);
	if (mark) {
		p->nsp.len = (size_t)(mark - name.at);
		p->query = slice_from(name, p->nsp.len + 1);
	}
	if (p->nsp.len > SOCKETIO_NAMESPACE_MAX || p->query.len > SOCKETIO_QUERY_MAX)
		return invalid(e, "the namespace is too long");
	if (has_controls(name))
		return invalid(e, "a control character in a namespace");
	return 0;
}

static int take_id(struct socketio_packet *p, struct slice *rest, struct err *e)
{
	int64_t id;
	size_t n = digits(*rest, &id);

	p->id = SOCKETIO_NO_ID;
	if (n == 0)
		return 0;
	if (n > SOCKETIO_ID_DIGITS_MAX)
		return invalid(e, "the id is too long");
	p->id = id;
	*rest = slice_from(*rest, n);
	return 0;
}

/* ---- the JSON ---- */

/* What an object has of a placeholder; the last one of repeated keys counts. */
struct level {
	enum { KEY_OTHER, KEY_PLACEHOLDER, KEY_NUM } key;
	bool marked;   /* "_placeholder" is true */
	bool numbered; /* "num" is one of the attachments */
};

/* The JSON on its way through the scanner, level by level. */
struct walk {
	struct json_scan scan;
	int attachments;
	struct level levels[JSON_SCAN_DEPTH_MAX + 1];
};

static bool names_attachment(const struct walk *w, enum json_scan_kind kind,
			     struct slice raw)
{
	int64_t num;

	return kind == JSON_SCAN_NUMBER && digits(raw, &num) == raw.len &&
	       num < w->attachments;
}

static void note_key(struct level *l, struct slice raw)
{
	if (json_scan_is(raw, "_placeholder"))
		l->key = KEY_PLACEHOLDER;
	else
		l->key = json_scan_is(raw, "num") ? KEY_NUM : KEY_OTHER;
}

static void note_value(const struct walk *w, struct level *l, enum json_scan_kind kind,
		       struct slice raw)
{
	if (l->key == KEY_PLACEHOLDER)
		l->marked = kind == JSON_SCAN_TRUE;
	else if (l->key == KEY_NUM)
		l->numbered = names_attachment(w, kind, raw);
	l->key = KEY_OTHER;
}

/* The next token; BAD also for a placeholder that names no attachment. */
static enum json_scan_kind walk_next(struct walk *w, struct slice *raw)
{
	struct level *outer = &w->levels[w->scan.depth];
	enum json_scan_kind kind = json_scan_next(&w->scan, raw);

	if (w->attachments == 0)
		return kind;
	switch (kind) {
	case JSON_SCAN_BAD:
	case JSON_SCAN_END:
	case JSON_SCAN_ARRAY_END:
		break;
	case JSON_SCAN_OBJECT_END:
		return outer->marked && !outer->numbered ? JSON_SCAN_BAD : kind;
	case JSON_SCAN_KEY:
		note_key(outer, *raw);
		break;
	case JSON_SCAN_OBJECT:
	case JSON_SCAN_ARRAY:
		w->levels[w->scan.depth] = (struct level){KEY_OTHER, false, false};
		note_value(w, outer, kind, *raw);
		break;
	default:
		note_value(w, outer, kind, *raw);
	}
	return kind;
}

/* Whatever is inside of the `depth` levels, and their end; *whole is moved to end there.
 */
static bool walk_out(struct walk *w, int depth, struct slice *whole)
{
	struct slice raw;

	while (w->scan.depth > depth) {
		if (walk_next(w, &raw) == JSON_SCAN_BAD)
			return false;
	}
	whole->len = (size_t)(w->scan.at - whole->at);
	return true;
}

/* Event names that mean something of their own at one end or the other. */
static bool is_reserved(struct slice name)
{
	static const char *const reserved[] = {"connect",     "connect_error",
					       "disconnect",  "disconnecting",
					       "newListener", "removeListener"};

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		if (json_scan_is(name, reserved[i]))
			return true;
	}
	return false;
}

/* [name, argument…] or, for an ACK, [argument…]. */
static int check_array(struct socketio_packet *p, struct walk *w, struct err *e)
{
	struct slice raw, value;
	enum json_scan_kind kind;

	walk_next(w, &raw);
	if (p->type == SOCKETIO_EVENT) {
		kind = walk_next(w, &p->event);
		if (kind != JSON_SCAN_TEXT && kind != JSON_SCAN_NUMBER)
			return invalid(e, "an event without a name");
		if (kind == JSON_SCAN_TEXT && is_reserved(p->event))
			return invalid(e, "a reserved name of an event");
	}
	while ((kind = walk_next(w, &value)) != JSON_SCAN_ARRAY_END) {
		if (kind == JSON_SCAN_BAD || !walk_out(w, 1, &value))
			return invalid(e, "the payload is not valid");
		if (p->args.len == 0)
			p->args.at = value.at;
		p->args.len = (size_t)(value.at + value.len - p->args.at);
	}
	return 0;
}

/* May JSON that begins so be this type's payload? */
static bool is_kind(enum socketio_type type, char first)
{
	switch (type) {
	case SOCKETIO_CONNECT:
		return first == '{';
	case SOCKETIO_CONNECT_ERROR:
		return first == '{' || first == '"';
	case SOCKETIO_DISCONNECT:
		return false;
	default:
		return first == '[';
	}
}

static int check_data(struct socketio_packet *p, struct err *e)
{
	struct walk w;
	struct slice raw;

	if (p->data.len == 0) {
		if (p->type == SOCKETIO_CONNECT || p->type == SOCKETIO_DISCONNECT)
			return 0;
		return invalid(e, "a packet without its payload");
	}
	if (!is_kind(p->type, p->data.at[0]))
		return invalid(e, "the payload is of the wrong kind");
	json_scan_init(&w.scan, p->data);
	w.attachments = p->attachments;
	w.levels[0] = (struct level){KEY_OTHER, false, false};
	if (p->type == SOCKETIO_EVENT || p->type == SOCKETIO_ACK) {
		if (check_array(p, &w, e) < 0)
			return -1;
	} else if (walk_next(&w, &raw) == JSON_SCAN_BAD || !walk_out(&w, 0, &raw)) {
		return invalid(e, "the payload is not valid");
	}
	if (walk_next(&w, &raw) != JSON_SCAN_END)
		return invalid(e, "the payload is not valid");
	return 0;
}

int socketio_decode(struct socketio_packet *p, struct slice text, struct err *e)
{
	struct slice rest = text;

	memset(p, 0, sizeof(*p));
	if (take_type(p, &rest, e) < 0 || take_attachments(p, &rest, e) < 0 ||
	    take_nsp(p, &rest, e) < 0 || take_id(p, &rest, e) < 0)
		return -1;
	p->data = rest;
	return check_data(p, e);
}

bool socketio_is_event(const struct socketio_packet *p, const char *name)
{
	return p->event.len > 0 && p->event.at[0] == '"' && json_scan_is(p->event, name);
}

bool socketio_next_arg(struct slice *args, struct slice *arg)
{
	if (args->len > 0 && args->at[0] == ',')
		*args = slice_from(*args, 1);
	return json_scan_value(args, arg);
}

/* ---- CONNECT ---- */

/* The value of the key that was taken: a text that fits; else "" and false. */
static bool take_text_value(struct json_scan *s, char *out, size_t size)
{
	struct slice raw;

	out[0] = '\0';
	return json_scan_next(s, &raw) == JSON_SCAN_TEXT &&
	       json_scan_text(raw, out, size) == 0;
}

int socketio_read_auth(const struct socketio_packet *p, struct socketio_auth *a,
		       struct err *e)
{
	bool token_fits = true, offset_fits = true;
	enum json_scan_kind kind;
	struct json_scan s;
	struct slice raw;

	assert(p->type == SOCKETIO_CONNECT);
	a->token[0] = a->pid[0] = a->offset[0] = '\0';
	json_scan_init(&s, p->data);
	do {
		kind = json_scan_next(&s, &raw);
		if (kind != JSON_SCAN_KEY || s.depth != 1)
			continue;
		if (json_scan_is(raw, "token"))
			token_fits = take_text_value(&s, a->token, sizeof(a->token));
		else if (json_scan_is(raw, "pid"))
			take_text_value(&s, a->pid, sizeof(a->pid));
		else if (json_scan_is(raw, "offset"))
			offset_fits = take_text_value(&s, a->offset, sizeof(a->offset)) &&
				      a->offset[0];
	} while (kind != JSON_SCAN_END && kind != JSON_SCAN_BAD);
	if (!offset_fits)
		a->pid[0] = '\0';
	return token_fits ? 0 : invalid(e, "the token is no text, or too long");
}
