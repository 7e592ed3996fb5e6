#include "wire/transaction.h"

#include <jansson.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"

#define METADATA_KEYS_MAX  16
#define METADATA_KEY_MAX   40
#define METADATA_VALUE_MAX 200
#define KNOWN              "from, to, amount, currency, description, metadata"

static void get_party(struct json_reader *r, const char *key, char out[USER_ID_MAX + 1])
{
	if (json_get_text(r, key, false, out, USER_ID_MAX + 1) &&
	    !id_is_user(out, strlen(out)))
		json_fault(
			r, key,
			"must be a user's id: 1 to %d letters, digits, '.', '_' or '-'",
			USER_ID_MAX);
}

static void get_parties(struct json_reader *r, struct transaction_request *t)
{
	get_party(r, "from", t->from);
	get_party(r, "to", t->to);
	if (!t->from[0] && !t->to[0])
		json_fault(r, "from",
			   "is required when there is no to: give one or both");
	else if (strcmp(t->from, t->to) == 0)
		json_fault(r, "to", "must be somebody else than from");
}

/* The commonest mistake gets an answer of its own: an amount is never a JSON number,
 * because those pass through a double in many a client. */
static void get_amount(struct json_reader *r, struct transaction_request *t)
{
	char text[MONEY_TEXT_SIZE];
	struct err e;

	if (json_is_number(json_object_get(r->object, "amount")))
		json_fault(r, "amount", "must be text such as \"15.00\", not a number");
	if (!json_get_text(r, "amount", true, text, sizeof(text)))
		text[0] = '\0';
	if (json_get_text(r, "currency", true, t->currency, MONEY_CODE_SIZE) &&
	    money_decimals(t->currency) < 0)
		json_fault(
			r, "currency",
			"must be an active ISO 4217 code in upper case such as \"USD\"");
	if (!json_failed(r) && money_parse(text, t->currency, &t->amount_minor, &e) < 0)
		json_fault(r, "amount", "is not valid: %s", e.text);
}

static void get_description(struct json_reader *r, struct transaction_request *t)
{
	char *text = t->description;
	size_t len;

	if (!json_get_text(r, "description", false, text, sizeof(t->description)))
		return;
	len = strlen(text);
	if (!utf8_is_line(text, len))
		json_fault(r, "description",
			   "must be one line, without control characters such as tab or "
			   "line break");
	else if (utf8_count(text, len) > DESCRIPTION_MAX_CHARS)
		json_fault(r, "description", "must have at most %d characters, not %zu",
			   DESCRIPTION_MAX_CHARS, utf8_count(text, len));
}

static bool metadata_key_valid(const char *key)
{
	size_t len = strnlen(key, METADATA_KEY_MAX + 1);

	/* The alphabet is that of user ids, shorter. */
	return len <= METADATA_KEY_MAX && id_is_user(key, len);
}

static void get_metadata(struct json_reader *r, struct transaction_request *t)
{
	json_t *object = json_get_value(r, "metadata", false), *value;
	struct json_reader inner;
	struct json_writer w;
	struct buf out;
	const char *key;
	char text[METADATA_VALUE_MAX + 1];

	if (!object)
		return;
	buf_init(&out, METADATA_MAX);
	json_writer_init(&w, &out);
	json_reader_init(&inner, object, "metadata", r->problem);
	if (json_count(object) > METADATA_KEYS_MAX)
		json_fault(r, "metadata", "must have at most %d fields, not %zu",
			   METADATA_KEYS_MAX, json_count(object));
	json_open(&w, NULL, '{');
	json_object_foreach(inner.object, key, value)
	{
		if (!metadata_key_valid(key))
			json_fault(&inner, key,
				   "must be named by 1 to %d letters, digits, '.', '_' "
				   "or '-'",
				   METADATA_KEY_MAX);
		if (!json_get_text(&inner, key, true, text, sizeof(text)))
			break;
		json_put_text(&w, key, text);
	}
	json_close(&w, '}');
	if (out.overflowed)
		json_fault(r, "metadata", "must have at most %d bytes as JSON",
			   METADATA_MAX);
	if (!json_failed(r))
		t->metadata = buf_take(&out, NULL);
	buf_release(&out);
}

int transaction_request_decode(struct transaction_request *t, const char *body,
			       size_t len, struct problem *p)
{
	struct json_reader r;
	struct err e;
	json_t *root;

	if (len > TRANSACTION_BODY_MAX)
		return problem_set(p, PROBLEM_TOO_LARGE, NULL,
				   "the body may have at most %d bytes, not %zu",
				   TRANSACTION_BODY_MAX, len);
	root = json_read(body, len, &e);
	if (!root)
		return problem_set(p, PROBLEM_MALFORMED, NULL, "%s", e.text);
	t->amount_minor = 0;
	t->metadata = NULL;
	json_reader_init(&r, root, "", p);
	get_parties(&r, t);
	get_amount(&r, t);
	get_description(&r, t);
	get_metadata(&r, t);
	json_reader_end(&r, KNOWN);
	json_free(root);
	if (!json_failed(&r))
		return 0;
	transaction_request_release(t);
	return -1;
}

void transaction_request_release(struct transaction_request *t)
{
	mem_free(t->metadata);
	t->metadata = NULL;
}

void transaction_put(struct json_writer *w, const struct transaction *t)
{
	char money[MONEY_TEXT_SIZE], time[CLOCK_RFC3339_SIZE];

	clock_rfc3339(time, t->created_us);
	json_put_text(w, "id", t->id);
	if (t->from[0])
		json_put_text(w, "from", t->from);
	if (t->to[0])
		json_put_text(w, "to", t->to);
	json_put_text(w, "amount", money_format(money, t->amount_minor, t->currency));
	json_put_text(w, "currency", t->currency);
	if (t->description[0])
		json_put_text(w, "description", t->description);
	if (t->metadata[0])
		json_put_raw(w, "metadata", t->metadata, strlen(t->metadata));
	json_put_text(w, "status", "completed");
	json_put_text(w, "created_at", time);
	json_put_int(w, "created_us", t->created_us);
}

void transaction_encode(const struct transaction *t, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	transaction_put(&w, t);
	json_close(&w, '}');
}
