#include "wire/event.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "wire/json.h"

#define TYPE_SUFFIX ".completed"
#define TYPE_MAX    (EVENT_TYPE_PREFIX_MAX + sizeof(TYPE_SUFFIX))

const char *direction_name(enum direction d)
{
	return d == DIRECTION_CREDIT ? "credit" : "debit";
}

void sequence_format(char out[EVENT_SEQUENCE_SIZE], int64_t sequence)
{
	for (int i = EVENT_SEQUENCE_SIZE - 2; i >= 0; i--) {
		out[i] = (char)('0' + sequence % 10);
		sequence /= 10;
	}
	out[EVENT_SEQUENCE_SIZE - 1] = '\0';
}

int64_t sequence_parse(const char *text)
{
	size_t len = strnlen(text, EVENT_SEQUENCE_SIZE);
	int64_t value = 0;

	if (len == 0 || len == EVENT_SEQUENCE_SIZE)
		return -1;
	if (text[0] == '0' && len > 1 && len < EVENT_SEQUENCE_SIZE - 1)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

void event_encode(const struct event *ev, const struct event_naming *naming,
		  struct buf *out)
{
	char type[TYPE_MAX], time[CLOCK_RFC3339_SIZE], sequence[EVENT_SEQUENCE_SIZE],
		money[MONEY_TEXT_SIZE];
	struct json_writer w;

	snprintf(type, sizeof(type), "%s" TYPE_SUFFIX, naming->type_prefix);
	clock_rfc3339(time, ev->time_us);
	sequence_format(sequence, ev->sequence);
	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	json_put_text(&w, "specversion", "1.0");
	json_put_text(&w, "id", ev->id);
	json_put_text(&w, "source", naming->source);
	json_put_text(&w, "type", type);
	json_put_text(&w, "time", time);
	json_put_text(&w, "subject", ev->user_id);
	json_put_text(&w, "sequence", sequence);
	json_put_text(&w, "datacontenttype", "application/json");
	json_open(&w, "data", '{');
	json_put_text(&w, "transaction_id", ev->transaction_id);
	json_put_text(&w, "user_id", ev->user_id);
	json_put_text(&w, "direction", direction_name(ev->direction));
	json_put_text(&w, "amount", money_format(money, ev->amount_minor, ev->currency));
	json_put_text(&w, "currency", ev->currency);
	if (ev->counterparty[0])
		json_put_text(&w, "counterparty", ev->counterparty);
	if (ev->description[0])
		json_put_text(&w, "description", ev->description);
	json_put_text(&w, "balance",
		      money_format(money, ev->balance_minor, ev->currency));
	json_close(&w, '}');
	json_close(&w, '}');
}

static void get_user(struct json_reader *r, const char *key, bool required,
		     char out[USER_ID_MAX + 1])
{
	if (json_get_text(r, key, required, out, USER_ID_MAX + 1) &&
	    !id_is_user(out, strlen(out)))
		json_fault(r, key, "is not a user's id");
}

static void get_id(struct json_reader *r, const char *key, const char *prefix,
		   char out[ID_SIZE])
{
	if (json_get_text(r, key, true, out, ID_SIZE) && id_key(out, prefix) < 0)
		json_fault(r, key, "is not an id that begins with %s_", prefix);
}

/* A balance may be zero or negative, which money_parse() refuses; those are taken in the
 * form that money_format() gives them. */
static int balance_parse(const char *text, const char *currency, int64_t *minor,
			 struct err *e)
{
	char zero[MONEY_TEXT_SIZE];
	bool negative = text[0] == '-';

	*minor = 0;
	if (strcmp(text, money_format(zero, 0, currency)) == 0)
		return 0;
	if (money_parse(text + negative, currency, minor, e) < 0)
		return -1;
	if (negative)
		*minor = -*minor;
	return 0;
}

static void get_money(struct json_reader *r, const char *key, const char *currency,
		      int (*parse)(const char *, const char *, int64_t *, struct err *),
		      int64_t *minor)
{
	char text[MONEY_TEXT_SIZE];
	struct err e;

	if (json_get_text(r, key, true, text, sizeof(text)) &&
	    parse(text, currency, minor, &e) < 0)
		json_fault(r, key, "is not valid: %s", e.text);
}

static void decode_data(struct event *ev, json_t *value, struct problem *p)
{
	char direction[8];
	struct json_reader r;

	json_reader_init(&r, value, "data", p);
	get_id(&r, "transaction_id", "txn", ev->transaction_id);
	get_user(&r, "user_id", true, ev->user_id);
	get_user(&r, "counterparty", false, ev->counterparty);
	if (json_get_text(&r, "direction", true, direction, sizeof(direction))) {
		ev->direction = direction[0] == 'd' ? DIRECTION_DEBIT : DIRECTION_CREDIT;
		if (strcmp(direction, direction_name(ev->direction)) != 0)
			json_fault(&r, "direction", "must be credit or debit");
	}
	if (json_get_text(&r, "currency", true, ev->currency, MONEY_CODE_SIZE) &&
	    money_decimals(ev->currency) < 0)
		json_fault(&r, "currency", "is not a known currency");
	get_money(&r, "amount", ev->currency, money_parse, &ev->amount_minor);
	get_money(&r, "balance", ev->currency, balance_parse, &ev->balance_minor);
	if (!json_get_text(&r, "description", false, ev->description,
			   DESCRIPTION_MAX + 1))
		return;
	if (!utf8_is_line(ev->description, strlen(ev->description)) ||
	    utf8_count(ev->description, strlen(ev->description)) > DESCRIPTION_MAX_CHARS)
		json_fault(&r, "description", "must be one line of at most %d characters",
			   DESCRIPTION_MAX_CHARS);
}

/* The attributes of the envelope (CloudEvents 1.0, section 3). */
static void decode_envelope(struct event *ev, json_t *value, struct problem *p)
{
	char text[EVENT_SOURCE_MAX + 1];
	size_t suffix = strlen(TYPE_SUFFIX), len;
	struct json_reader r;

	json_reader_init(&r, value, "", p);
	if (json_get_text(&r, "specversion", true, text, sizeof(text)) &&
	    strcmp(text, "1.0") != 0)
		json_fault(&r, "specversion", "must be 1.0");
	get_id(&r, "id", "evt", ev->id);
	if (json_get_text(&r, "source", true, text, sizeof(text)) && !text[0])
		json_fault(&r, "source", "may not be empty");
	if (json_get_text(&r, "type", true, text, TYPE_MAX)) {
		len = strlen(text);
		if (len <= suffix || strcmp(text + len - suffix, TYPE_SUFFIX) != 0)
			json_fault(&r, "type", "must end in " TYPE_SUFFIX);
	}
	if (json_get_text(&r, "time", true, text, sizeof(text)) &&
	    clock_parse_rfc3339(text, &ev->time_us) < 0)
		json_fault(&r, "time", "is not an RFC 3339 time");
	if (json_get_text(&r, "sequence", true, text, EVENT_SEQUENCE_SIZE)) {
		ev->sequence = sequence_parse(text);
		if (ev->sequence < 0)
			json_fault(&r, "sequence", "must be 16 digits");
	}
	decode_data(ev, json_get_value(&r, "data", true), p);
	if (json_get_text(&r, "subject", true, text, sizeof(text)) &&
	    strcmp(text, ev->user_id) != 0)
		json_fault(&r, "subject", "must be data.user_id");
}

int event_decode(struct event *ev, const char *bytes, size_t len, struct err *e)
{
	struct problem p;
	json_t *root;

	if (len > EVENT_ENCODED_MAX)
		return err_set(e, ERR_INVALID, "an event has at most %d bytes, not %zu",
			       EVENT_ENCODED_MAX, len);
	root = json_read(bytes, len, e);
	if (!root)
		return -1;
	*ev = (struct event){0};
	decode_envelope(ev, root, &p);
	json_free(root);
	return p.kind == PROBLEM_NONE ? 0 : err_set(e, ERR_INVALID, "%s", p.detail);
}
