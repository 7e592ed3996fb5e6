#include "wire/live.h"

#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "wire/event.h"
#include "wire/json.h"

static int64_t get_sequence(struct json_reader *r, const char *key, bool required)
{
	char text[EVENT_SEQUENCE_SIZE];
	int64_t sequence;

	if (!json_get_text(r, key, required, text, sizeof(text)) || text[0] == '\0')
		return -1;
	sequence = sequence_parse(text);
	if (sequence < 0)
		json_fault(r, key, "must be a sequence: up to 16 digits in a text");
	return sequence;
}

static int decode_type(struct live_input *in, struct json_reader *r)
{
	char type[16];

	if (!json_get_text(r, "type", true, type, sizeof(type)))
		return -1;
	if (strcmp(type, "auth") == 0) {
		in->type = LIVE_AUTH;
		json_get_text(r, "token", true, in->token, sizeof(in->token));
		json_get_text(r, "ledger", false, in->ledger, sizeof(in->ledger));
		in->after = get_sequence(r, "after", false);
	} else if (strcmp(type, "seen") == 0) {
		in->type = LIVE_SEEN;
		in->sequence = get_sequence(r, "sequence", true);
	} else if (strcmp(type, "ping") == 0) {
		in->type = LIVE_PING;
	} else {
		json_fault(r, "type", "must be auth, seen or ping");
	}
	return 0;
}

int live_decode(struct live_input *in, const char *bytes, size_t len, struct err *e)
{
	struct json_reader r;
	struct json_t *root;
	struct problem p;

	if (len > LIVE_INPUT_MAX)
		return err_set(e, ERR_INVALID, "a frame has at most %d bytes",
			       LIVE_INPUT_MAX);
	root = json_read(bytes, len, e);
	if (!root)
		return -1;
	*in = (struct live_input){.after = -1};
	json_reader_init(&r, root, "", &p);
	decode_type(in, &r);
	json_reader_end(&r, NULL);
	json_free(root);
	return p.kind == PROBLEM_NONE ? 0 : err_set(e, ERR_INVALID, "%s", p.detail);
}

/* And where the list is, in the backend's API. */
static void put_resync(struct json_writer *w, const char *user_id)
{
	char list[USER_ID_MAX + 32] = "/transactions";

	if (user_id)
		snprintf(list, sizeof(list), "/users/%s/events", user_id);
	json_put_bool(w, "resync", true);
	json_put_text(w, "list", list);
}

void live_encode_hello(const struct live_hello *h, struct buf *out)
{
	char sequence[EVENT_SEQUENCE_SIZE];
	struct json_writer w;

	sequence_format(sequence, h->sequence);
	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	json_put_text(&w, "type", "hello");
	json_put_text(&w, "ledger", h->ledger);
	json_put_text(&w, "sequence", sequence);
	if (h->unread >= 0)
		json_put_int(&w, "unread", h->unread);
	if (h->resync)
		put_resync(&w, h->user_id);
	json_close(&w, '}');
}

void live_encode_restart(int64_t retry_ms, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	json_put_text(&w, "type", "restart");
	json_put_int(&w, "retry_ms", retry_ms);
	json_close(&w, '}');
}

void live_encode_error(const char *detail, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	json_put_text(&w, "type", "error");
	json_put_text(&w, "detail", detail);
	json_close(&w, '}');
}
