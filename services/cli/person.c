#include "cli/person.h"

#include <string.h>

#include "cli/line.h"
#include "wire/json.h"
#include "wire/user.h"

#define LABEL_WIDTH 12

/* One answer being read. */
struct answer {
	struct json_t *root;
	struct json_reader reader;
	struct problem problem;
};

static int answer_open(struct answer *a, const struct buf *json, struct err *e)
{
	a->root = json_read(buf_text(json), json->len, e);
	if (a->root == NULL)
		return err_wrap(e, "the API's answer");
	json_reader_init(&a->reader, a->root, "", &a->problem);
	return 0;
}

static int answer_close(struct answer *a, struct err *e)
{
	json_free(a->root);
	if (a->problem.kind == PROBLEM_NONE)
		return 0;
	return err_set(e, ERR_INVALID, "the API's answer: %s", a->problem.detail);
}

/* ---- who it is ---- */

static void put_label(struct ink *k, const char *label)
{
	ink_raw(k, "  ");
	ink_cell(k, TINT_DIM, label, LABEL_WIDTH);
}

static void put_member(struct ink *k, struct json_reader *r, const char *key)
{
	char text[EMAIL_MAX + 1];

	if (!json_get_text(r, key, false, text, sizeof text) || text[0] == '\0')
		return;
	put_label(k, key);
	ink_text(k, TINT_NONE, text);
	ink_raw(k, "\n");
}

static void put_preference(struct ink *k, const char *channel, struct json_t *value,
			   struct problem *p)
{
	char amount[MONEY_TEXT_SIZE] = "", currency[MONEY_CODE_SIZE] = "";
	struct json_reader r, inner;
	struct json_t *least;
	bool enabled = true;

	json_reader_init(&r, value, "preferences", p);
	json_get_bool(&r, "enabled", false, &enabled);
	least = json_get_value(&r, "min_amount", false);
	if (least != NULL) {
		json_reader_init(&inner, least, "min_amount", p);
		json_get_text(&inner, "amount", true, amount, sizeof amount);
		json_get_text(&inner, "currency", true, currency, sizeof currency);
	}
	put_label(k, channel);
	ink_text(k, enabled ? TINT_GOOD : TINT_WARN, enabled ? "on" : "off");
	if (amount[0] != '\0') {
		ink_raw(k, ", from ");
		ink_text(k, TINT_NONE, amount);
		ink_raw(k, " ");
		ink_text(k, TINT_NONE, currency);
	}
	ink_raw(k, "\n");
}

int person_print(struct ink *k, const struct buf *json, struct err *e)
{
	static const char *const members[] = {"name",      "email",    "phone",
					      "locale",    "timezone", "created_at",
					      "updated_at"};
	struct json_t *preferences, *value;
	char id[USER_ID_MAX + 1];
	void *cursor = NULL;
	const char *channel;
	struct answer a;

	if (answer_open(&a, json, e) < 0)
		return -1;
	json_get_text(&a.reader, "id", true, id, sizeof id);
	preferences = json_get_value(&a.reader, "preferences", false);
	if (!json_failed(&a.reader)) {
		ink_text(k, TINT_STRONG, id);
		ink_raw(k, "\n");
	}
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
		put_member(k, &a.reader, members[i]);
	while (preferences != NULL && json_next(preferences, &cursor, &channel, &value))
		put_preference(k, channel, value, &a.problem);
	return answer_close(&a, e);
}

/* ---- devices ---- */

static void put_device(struct ink *k, struct json_reader *r)
{
	char id[ID_SIZE], kind[16], tail[16] = "";

	json_get_text(r, "id", true, id, sizeof id);
	json_get_text(r, "kind", true, kind, sizeof kind);
	json_get_text(r, "token_tail", false, tail, sizeof tail);
	if (json_failed(r))
		return;
	put_label(k, "device");
	ink_text(k, TINT_NONE, id);
	ink_raw(k, "  ");
	ink_text(k, TINT_NONE, kind);
	if (tail[0] != '\0') {
		ink_raw(k, " …");
		ink_text(k, TINT_NONE, tail);
	}
	ink_raw(k, "\n");
}

int person_print_device(struct ink *k, const struct buf *json, struct err *e)
{
	struct answer a;

	if (answer_open(&a, json, e) < 0)
		return -1;
	put_device(k, &a.reader);
	return answer_close(&a, e);
}

int person_print_devices(struct ink *k, const struct buf *json, struct err *e)
{
	struct json_t *devices;
	struct json_reader r;
	struct answer a;

	if (answer_open(&a, json, e) < 0)
		return -1;
	devices = json_get_value(&a.reader, "devices", true);
	for (size_t i = 0; i < json_count(devices) && !json_failed(&a.reader); i++) {
		json_reader_init(&r, json_item(devices, i), "devices", &a.problem);
		put_device(k, &r);
	}
	return answer_close(&a, e);
}

/* ---- balances ---- */

int person_print_balances(struct ink *k, const struct buf *json, struct err *e)
{
	char amount[MONEY_TEXT_SIZE], currency[MONEY_CODE_SIZE];
	struct json_t *balances;
	struct json_reader r;
	struct answer a;

	if (answer_open(&a, json, e) < 0)
		return -1;
	balances = json_get_value(&a.reader, "balances", true);
	for (size_t i = 0; i < json_count(balances) && !json_failed(&a.reader); i++) {
		json_reader_init(&r, json_item(balances, i), "balances", &a.problem);
		json_get_text(&r, "amount", true, amount, sizeof amount);
		json_get_text(&r, "currency", true, currency, sizeof currency);
		ink_rawf(k, "%*s", (int)(20 - strlen(amount) % 20), "");
		ink_text(k, TINT_STRONG, amount);
		ink_raw(k, " ");
		ink_text(k, TINT_NONE, currency);
		ink_raw(k, "\n");
	}
	return answer_close(&a, e);
}

/* ---- events ---- */

static void put_event(struct ink *k, struct json_t *value, struct json_reader *r)
{
	struct err e = ERR_INIT;
	struct event ev;
	struct buf text;

	buf_init(&text, EVENT_ENCODED_MAX);
	json_encode_value(value, &text);
	if (event_decode(&ev, buf_text(&text), text.len, &e) == 0)
		line_event(k, &ev, true);
	else
		json_fault(r, "events", "hold something else: %s", e.text);
	buf_release(&text);
}

int person_print_events(struct ink *k, const struct buf *json, char *next, struct err *e)
{
	struct json_t *events;
	bool more = false;
	struct answer a;

	next[0] = '\0';
	if (answer_open(&a, json, e) < 0)
		return -1;
	events = json_get_value(&a.reader, "events", true);
	json_get_text(&a.reader, "next_after", true, next, EVENT_SEQUENCE_SIZE);
	json_get_bool(&a.reader, "more", true, &more);
	for (size_t i = 0; i < json_count(events) && !json_failed(&a.reader); i++)
		put_event(k, json_item(events, i), &a.reader);
	if (!more)
		next[0] = '\0';
	return answer_close(&a, e);
}
