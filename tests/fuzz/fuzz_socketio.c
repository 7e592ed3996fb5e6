/* A packet that was decoded, put and decoded again is the same; its slices lie inside of
 * it; its arguments, one by one, are all of them; an event or an ACK made of the
 * arguments of another is good. The input is a packet. */
#include <string.h>

#include "fuzz.h"
#include "wire/json_scan.h"
#include "wire/socketio.h"

static void require_inside(struct slice part, struct slice whole)
{
	if (part.len > 0 && !slice_is(part, "/"))
		fuzz_require(part.at >= whole.at &&
				     part.at + part.len <= whole.at + whole.len,
			     "a slice lies inside of the packet");
}

static void require_same(struct slice a, struct slice b)
{
	fuzz_require(a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0),
		     "decoded twice is the same");
}

static void require_same_packet(const struct socketio_packet *a,
				const struct socketio_packet *b)
{
	fuzz_require(a->type == b->type && a->attachments == b->attachments &&
			     a->id == b->id,
		     "type, attachments and id are the same");
	require_same(a->nsp, b->nsp);
	require_same(a->query, b->query);
	require_same(a->data, b->data);
	require_same(a->event, b->event);
	require_same(a->args, b->args);
}

static void decode_again(const struct buf *out, struct socketio_packet *p)
{
	struct err e = ERR_INIT;

	fuzz_require(!out->overflowed, "there is room");
	fuzz_require(socketio_decode(p, (struct slice){out->data, out->len}, &e) == 0,
		     "what was put is decoded");
}

/* The arguments one by one, each a value. */
static void check_args(const struct socketio_packet *p)
{
	struct slice args = p->args, arg, rest;
	const char *end = args.at + args.len;

	while (socketio_next_arg(&args, &arg)) {
		require_inside(arg, p->args);
		rest = arg;
		fuzz_require(json_scan_value(&rest, &arg) && rest.len == 0,
			     "an argument is a value");
	}
	fuzz_require(args.len == 0 && (p->args.len == 0 || args.at == end),
		     "all arguments are there");
}

static void check_echo(const struct socketio_packet *p, struct buf *out)
{
	struct socketio_packet echo;

	buf_clear(out);
	socketio_put_event(out, p->nsp, SOCKETIO_NO_ID, p->attachments, "message-back",
			   p->args);
	decode_again(out, &echo);
	fuzz_require(socketio_is_event(&echo, "message-back"), "it has its name");
	require_same(echo.args, p->args);
	buf_clear(out);
	socketio_put_ack(out, p->nsp, p->id, p->attachments, p->args);
	decode_again(out, &echo);
	fuzz_require(echo.id == p->id && echo.attachments == p->attachments,
		     "it answers that one");
	require_same(echo.args, p->args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	struct socketio_packet p, again;
	struct socketio_auth auth;
	struct err e = ERR_INIT;
	struct buf out;

	if (socketio_decode(&p, text, &e) < 0) {
		fuzz_require(e.code == ERR_INVALID && e.text[0], "a refusal says why");
		return 0;
	}
	require_inside(p.nsp, text);
	require_inside(p.query, text);
	require_inside(p.data, text);
	require_inside(p.event, p.data);
	require_inside(p.args, p.data);
	buf_init(&out, size + 64);
	socketio_put(&out, &p);
	decode_again(&out, &again);
	require_same_packet(&p, &again);
	if (p.type == SOCKETIO_EVENT || p.type == SOCKETIO_ACK) {
		check_args(&p);
		check_echo(&p, &out);
	}
	if (p.type == SOCKETIO_CONNECT && socketio_read_auth(&p, &auth, &e) == 0)
		fuzz_require(strlen(auth.token) < size && strlen(auth.pid) < size &&
				     strlen(auth.offset) < size,
			     "texts are not longer than they came");
	buf_release(&out);
	return 0;
}
