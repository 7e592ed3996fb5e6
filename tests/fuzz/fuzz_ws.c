/* A stream of frames that is fed whole and one byte at a time has the same messages,
 * control frames and end; and what may be forgotten between two reads is forgotten. */
#include <string.h>

#include "base/buf.h"
#include "fuzz.h"
#include "wire/ws.h"

#define MESSAGE_MAX 3000

struct transcript {
	struct buf said, message;
	bool open, ended;
};

static void hear_data(struct transcript *t, const struct ws_event *ev)
{
	fuzz_require(ev->first == !t->open, "the first slice says so");
	fuzz_require(ev->len > 0 || ev->last, "a slice is empty only at the end");
	fuzz_require(ev->opcode == WS_TEXT || ev->opcode == WS_BINARY, "a message's");
	if (ev->first)
		buf_clear(&t->message);
	buf_add(&t->message, ev->bytes, ev->len);
	fuzz_require(!t->message.overflowed, "no message is longer than the limit");
	t->open = !ev->last;
	if (!ev->last)
		return;
	fuzz_require(ev->opcode != WS_TEXT ||
			     utf8_valid(buf_text(&t->message), t->message.len),
		     "a text is UTF-8");
	buf_addf(&t->said, "[%d %zu ", ev->opcode, t->message.len);
	buf_add(&t->said, buf_text(&t->message), t->message.len);
}

static void hear(struct transcript *t, const struct ws_event *ev)
{
	fuzz_require(!t->ended || ev->type == WS_EVENT_NONE, "the end is the end");
	fuzz_require((ev->bytes == NULL) == (ev->len == 0), "no bytes, no pointer");
	if (ev->type == WS_EVENT_NONE)
		return;
	if (ev->type == WS_EVENT_DATA) {
		hear_data(t, ev);
		return;
	}
	t->ended = ev->type == WS_EVENT_CLOSE || ev->type == WS_EVENT_ERROR;
	fuzz_require(!t->ended || ws_close_code_valid(ev->code) ||
			     ev->code == WS_CLOSE_NONE,
		     "a code that may be sent");
	fuzz_require((ev->type == WS_EVENT_ERROR) == (ev->why != NULL), "it says why");
	fuzz_require(ev->len <= WS_CONTROL_MAX, "control frames are short");
	buf_addf(&t->said, "(%d %d %zu %s ", ev->type, ev->code, ev->len,
		 ev->why ? ev->why : "");
	buf_add(&t->said, ev->bytes, ev->len);
}

/* Each piece in memory of its own size. */
static void feed_piece(struct ws *ws, unsigned char *control, const uint8_t *data,
		       size_t len, struct transcript *t)
{
	unsigned char *piece = malloc(len);
	size_t at = 0;

	fuzz_require(piece != NULL, "there is memory");
	memcpy(piece, data, len);
	while (at < len) {
		struct ws_event ev;
		size_t used =
			ws_read(ws, MESSAGE_MAX, control, piece + at, len - at, &ev);
		size_t kept = ws_control_bytes(ws);

		fuzz_require(used > 0 && used <= len - at, "some are taken");
		fuzz_require(ev.type != WS_EVENT_NONE || used == len - at, "all are");
		hear(t, &ev);
		at += used;
		fuzz_require(kept < WS_CONTROL_MAX, "a control frame has its end");
		memset(control + kept, 0xee, WS_CONTROL_MAX - kept);
		fuzz_require(!ws_idle(ws) || (!t->open && !t->ended && kept == 0),
			     "idle is between messages");
		if (ws_idle(ws))
			memset(ws, 0, sizeof(*ws));
	}
	free(piece);
}

static void feed(const uint8_t *data, size_t size, size_t step, struct transcript *t)
{
	struct ws ws = {0};
	unsigned char control[WS_CONTROL_MAX];

	memset(t, 0, sizeof(*t));
	buf_init(&t->said, 1 << 20);
	buf_init(&t->message, MESSAGE_MAX);
	for (size_t at = 0; at < size; at += step)
		feed_piece(&ws, control, data + at, step < size - at ? step : size - at,
			   t);
	buf_release(&t->message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t steps[] = {1, 7, 61};
	struct transcript whole, cut;

	if (size == 0 || size > 16384) /* what was said fits */
		return 0;
	feed(data, size, size, &whole);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		feed(data, size, steps[i], &cut);
		fuzz_require(whole.ended == cut.ended, "it ends or does not");
		fuzz_require(whole.said.len == cut.said.len &&
				     memcmp(buf_text(&whole.said), buf_text(&cut.said),
					    whole.said.len) == 0,
			     "the same is said");
		buf_release(&cut.said);
	}
	buf_release(&whole.said);
	return 0;
}
