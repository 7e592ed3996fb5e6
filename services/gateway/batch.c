#include "gateway/batch.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "wire/event.h"
#include "wire/ws.h"

struct batch *batch_new(void)
{
	struct batch *b = mem_alloc(sizeof(*b));

	atomic_init(&b->references, 1);
	return b;
}

struct batch *batch_ref(struct batch *b)
{
	atomic_fetch_add_explicit(&b->references, 1, memory_order_relaxed);
	return b;
}

void batch_unref(struct batch *b)
{
	if (!b || atomic_fetch_sub_explicit(&b->references, 1, memory_order_acq_rel) != 1)
		return;
	for (int i = 0; i < b->count; i++) {
		for (int d = 0; d < DIALECT_COUNT; d++)
			message_release(&b->items[i].messages[d]);
	}
	mem_free(b);
}

/* ---- messages ---- */

/* The parts one after the other, as one unfragmented text frame. */
static void make(struct message *m, const char *before, const char *bytes, size_t len,
		 const char *after)
{
	size_t before_len = strlen(before), after_len = strlen(after);
	size_t payload = before_len + len + after_len;
	uint8_t head[WS_HEADER_MAX];
	size_t head_len = ws_put_header(head, WS_TEXT, true, payload);
	uint8_t *out;

	m->frame = frame_new(head_len + payload);
	m->payload_at = (uint32_t)head_len;
	out = m->frame->bytes;
	memcpy(out, head, head_len);
	memcpy(out + head_len, before, before_len);
	memcpy(out + head_len + before_len, bytes, len);
	memcpy(out + head_len + before_len + len, after, after_len);
}

/* In Socket.IO the sequence is the last argument, a string: what the client keeps as its
 * offset. */
void message_event(struct message *m, enum dialect d, int64_t sequence, const char *json,
		   size_t len)
{
	char number[EVENT_SEQUENCE_SIZE], after[EVENT_SEQUENCE_SIZE + 8];

	if (d == DIALECT_PLAIN) {
		make(m, "{\"type\":\"event\",\"event\":", json, len, "}");
		return;
	}
	sequence_format(number, sequence);
	snprintf(after, sizeof(after), ",\"%s\"]", number);
	make(m, "42[\"transaction\",", json, len, after);
}

static void message_delivery(struct message *m, enum dialect d, const char *json,
			     size_t len)
{
	if (d == DIALECT_PLAIN)
		make(m, "{\"type\":\"delivery\",\"delivery\":", json, len, "}");
	else
		make(m, "42[\"delivery\",", json, len, "]");
}

void message_of_text(struct message *m, const char *text, size_t len)
{
	make(m, "", text, len, "");
}

void message_release(struct message *m)
{
	frame_unref(m->frame);
	m->frame = NULL;
}

/* ---- items ---- */

static struct item *add(struct batch *b, const char *user_id, int64_t sequence)
{
	struct item *i;

	if (b->count == BATCH_MAX)
		return NULL;
	i = &b->items[b->count++];
	mem_copy_text(i->user_id, sizeof(i->user_id), user_id);
	i->sequence = sequence;
	return i;
}

bool batch_add_event(struct batch *b, const bool speaks[DIALECT_COUNT],
		     const char *user_id, int64_t sequence, const char *json, size_t len)
{
	struct item *i = add(b, user_id, sequence);

	for (int d = 0; i && d < DIALECT_COUNT; d++) {
		if (speaks[d])
			message_event(&i->messages[d], (enum dialect)d, sequence, json,
				      len);
	}
	return i != NULL;
}

bool batch_add_delivery(struct batch *b, const bool speaks[DIALECT_COUNT],
			const char *user_id, const char *json, size_t len)
{
	struct item *i = add(b, user_id, 0);

	for (int d = 0; i && d < DIALECT_COUNT; d++) {
		if (speaks[d])
			message_delivery(&i->messages[d], (enum dialect)d, json, len);
	}
	return i != NULL;
}
