#include "cli/dead_page.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "wire/event.h"
#include "wire/json.h"

#define TIME_WIDTH    23 /* "2026-01-18 09:30:00.123" */
#define EVENT_WIDTH   (ID_SIZE - 1)
#define USER_WIDTH    12
#define CHANNEL_WIDTH 7
#define REASON_WIDTH  18 /* "attempts_exhausted" */

static void read_delivery(struct dead_delivery *d, struct json_t *value,
			  struct problem *p)
{
	char sequence[EVENT_SEQUENCE_SIZE];
	struct json_reader r;

	*d = (struct dead_delivery){.sequence = -1};
	json_reader_init(&r, value, "deliveries", p);
	json_get_text(&r, "event_id", true, d->event_id, sizeof d->event_id);
	json_get_text(&r, "transaction_id", true, d->transaction_id,
		      sizeof d->transaction_id);
	json_get_text(&r, "user_id", true, d->user_id, sizeof d->user_id);
	json_get_text(&r, "channel", true, d->channel, sizeof d->channel);
	json_get_text(&r, "reason", false, d->reason, sizeof d->reason);
	json_get_int(&r, "attempts", true, 0, INT32_MAX, &d->attempts);
	json_get_int(&r, "ended_us", false, 0, INT64_MAX, &d->ended_us);
	if (!json_get_text(&r, "sequence", true, sequence, sizeof sequence))
		return;
	d->sequence = sequence_parse(sequence);
	if (d->sequence < 0)
		json_fault(&r, "sequence", "is none");
}

int dead_delivery_read(struct dead_delivery *d, const struct buf *json, struct err *e)
{
	struct problem p = {.kind = PROBLEM_NONE};
	struct json_t *value = json_read(buf_text(json), json->len, e);

	if (value == NULL)
		return err_wrap(e, "the delivery");
	read_delivery(d, value, &p);
	json_free(value);
	if (p.kind != PROBLEM_NONE)
		return err_set(e, ERR_INVALID, "the delivery: %s", p.detail);
	return 0;
}

static void read_page(struct dead_page *page, struct problem *p)
{
	struct json_t *deliveries;
	struct json_reader r;
	size_t count;

	json_reader_init(&r, page->json, "", p);
	json_get_text(&r, "next_cursor", false, page->next, sizeof page->next);
	deliveries = json_get_value(&r, "deliveries", true);
	count = json_count(deliveries);
	if (json_failed(&r))
		return;
	if (count > DEAD_PAGE_MAX) {
		json_fault(&r, "deliveries", "has more than %d members", DEAD_PAGE_MAX);
		return;
	}
	page->deliveries = mem_array(count, sizeof *page->deliveries);
	for (size_t i = 0; i < count && !json_failed(&r); i++)
		read_delivery(&page->deliveries[page->count++], json_item(deliveries, i),
			      p);
}

int dead_page_read(struct dead_page *page, const struct buf *json, struct err *e)
{
	struct problem p = {.kind = PROBLEM_NONE};

	*page = (struct dead_page){.json = json_read(buf_text(json), json->len, e)};
	if (page->json == NULL)
		return err_wrap(e, "the deliveries");
	read_page(page, &p);
	if (p.kind != PROBLEM_NONE)
		return err_set(e, ERR_INVALID, "the deliveries: %s", p.detail);
	return 0;
}

void dead_page_free(struct dead_page *p)
{
	json_free(p->json);
	mem_free(p->deliveries);
	*p = (struct dead_page){.json = NULL};
}

bool dead_filter_wants(const struct dead_filter *f, const struct dead_delivery *d)
{
	return (f->channel == NULL || strcmp(f->channel, d->channel) == 0) &&
	       (f->reason == NULL || strcmp(f->reason, d->reason) == 0) &&
	       d->ended_us >= f->since_us;
}

static void put(struct ink *k, const char *when, enum tint when_tint,
		const struct dead_delivery *d, const char *attempts)
{
	ink_cell(k, when_tint, when, TIME_WIDTH);
	ink_raw(k, "  ");
	ink_cell(k, TINT_NONE, d->event_id, EVENT_WIDTH);
	ink_raw(k, "  ");
	ink_cell(k, TINT_STRONG, d->user_id, USER_WIDTH);
	ink_raw(k, "  ");
	ink_cell(k, TINT_NONE, d->channel, CHANNEL_WIDTH);
	ink_raw(k, "  ");
	ink_cell(k, TINT_BAD, d->reason, REASON_WIDTH);
	ink_rawf(k, "  %s\n", attempts);
}

void dead_print_head(struct ink *k)
{
	static const struct dead_delivery words = {.event_id = "EVENT",
						   .user_id = "USER",
						   .channel = "CHANNEL",
						   .reason = "REASON"};

	put(k, "FAILED (UTC)", TINT_NONE, &words, "ATTEMPTS");
}

void dead_print(struct ink *k, const struct dead_delivery *d)
{
	char time[INK_TIME_SIZE], attempts[24];

	snprintf(attempts, sizeof attempts, "%lld", (long long)d->attempts);
	put(k, ink_time(time, d->ended_us, true), TINT_DIM, d, attempts);
}

void dead_print_json(struct buf *out, const struct dead_page *p, size_t i)
{
	struct json_t *deliveries;
	struct problem problem = {.kind = PROBLEM_NONE};
	struct json_reader r;
	struct buf text;

	json_reader_init(&r, p->json, "", &problem);
	deliveries = json_get_value(&r, "deliveries", true);
	buf_init(&text, out->max_bytes);
	json_encode_value(json_item(deliveries, i), &text);
	ink_json(out, buf_text(&text), text.len);
	buf_add_char(out, '\n');
	buf_release(&text);
}
