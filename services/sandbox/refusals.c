#include "sandbox/refusals.h"

#include <string.h>

#include "base/mem.h"
#include "wire/json.h"

void refusals_add(struct refusals *r, enum channel c, int64_t at_us, int status,
		  const char *reason)
{
	struct refusal_entry *entry = &r->entries[r->total % REFUSALS_MAX];

	r->count[c]++;
	r->total++;
	entry->at_us = at_us;
	entry->channel = c;
	entry->status = status;
	mem_copy_text(entry->reason, sizeof(entry->reason), reason);
}

void refusals_empty(struct refusals *r)
{
	memset(r, 0, sizeof(*r));
}

void refusals_encode(const struct refusals *r, struct buf *out)
{
	int64_t oldest = r->total > REFUSALS_MAX ? r->total - REFUSALS_MAX : 0;
	struct json_writer w;

	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	json_open(&w, "counts", '{');
	for (int c = 0; c < CHANNEL_COUNT; c++)
		json_put_int(&w, channel_name((enum channel)c), r->count[c]);
	json_close(&w, '}');
	json_open(&w, "refusals", '[');
	for (int64_t i = r->total; i-- > oldest;) {
		const struct refusal_entry *entry = &r->entries[i % REFUSALS_MAX];

		json_open(&w, NULL, '{');
		json_put_int(&w, "at_us", entry->at_us);
		json_put_text(&w, "channel", channel_name(entry->channel));
		json_put_int(&w, "status", entry->status);
		json_put_text(&w, "reason", entry->reason);
		json_close(&w, '}');
	}
	json_close(&w, ']');
	json_close(&w, '}');
}
