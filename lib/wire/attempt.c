#include "wire/attempt.h"

#include <jansson.h>
#include <string.h>

#include "wire/event.h"
#include "wire/json.h"

#define ATTEMPTS_MAX 1000000

static const char *const statuses[] = {
	[ATTEMPT_DELIVERED] = "delivered", [ATTEMPT_RETRYING] = "retrying",
	[ATTEMPT_AMBIGUOUS] = "ambiguous", [ATTEMPT_SUPPRESSED] = "suppressed",
	[ATTEMPT_FAILED] = "failed",
};

static const char *const reasons[REASON_COUNT] = {
	[REASON_NONE] = "",
	[REASON_NO_ADDRESS] = "no_address",
	[REASON_CHANNEL_DISABLED] = "channel_disabled",
	[REASON_BELOW_MIN_AMOUNT] = "below_min_amount",
	[REASON_USER_DELETED] = "user_deleted",
	[REASON_RATE_LIMITED] = "rate_limited",
	[REASON_PROVIDER_ERROR] = "provider_error",
	[REASON_REJECTED] = "rejected",
	[REASON_BAD_ADDRESS] = "bad_address",
	[REASON_UNAUTHORIZED] = "unauthorized",
	[REASON_CONNECT] = "connect",
	[REASON_TIMEOUT] = "timeout",
	[REASON_CONNECTION_LOST] = "connection_lost",
	[REASON_ATTEMPTS_EXHAUSTED] = "attempts_exhausted",
	[REASON_EXPIRED] = "expired",
	[REASON_TEMPLATE] = "template",
	[REASON_CHANNEL_REMOVED] = "channel_removed",
};

static int find_word(const char *const *words, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(words[i], word) == 0)
			return (int)i;
	}
	return -1;
}

const char *attempt_status_name(enum attempt_status s)
{
	return statuses[s];
}

int attempt_status_parse(const char *name)
{
	return find_word(statuses, sizeof(statuses) / sizeof(statuses[0]), name);
}

const char *attempt_reason_name(enum attempt_reason r)
{
	return reasons[r];
}

int attempt_reason_parse(const char *name)
{
	return find_word(reasons, REASON_COUNT, name);
}

/* Printable ASCII without spaces. */
static bool is_graphic(const char *text)
{
	for (; *text; text++) {
		if (*text < '!' || *text > '~')
			return false;
	}
	return true;
}

void attempt_encode(const struct attempt *a, struct buf *out)
{
	char sequence[EVENT_SEQUENCE_SIZE];
	struct json_writer w;

	sequence_format(sequence, a->sequence);
	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	json_put_text(&w, "event_id", a->event_id);
	json_put_text(&w, "sequence", sequence);
	json_put_text(&w, "user_id", a->user_id);
	json_put_text(&w, "channel", a->channel);
	if (a->device_id[0])
		json_put_text(&w, "device_id", a->device_id);
	json_put_int(&w, "attempt", a->attempt);
	json_put_text(&w, "status", statuses[a->status]);
	if (a->final)
		json_put_bool(&w, "final", true);
	if (a->reason != REASON_NONE)
		json_put_text(&w, "reason", reasons[a->reason]);
	json_put_text(&w, "provider", a->provider);
	if (a->provider_id[0] && is_graphic(a->provider_id))
		json_put_text(&w, "provider_id", a->provider_id);
	if (a->code != 0)
		json_put_int(&w, "code", a->code);
	json_put_int(&w, "started_us", a->started_us);
	json_put_int(&w, "took_us", a->took_us);
	if (a->next_at_us != 0)
		json_put_int(&w, "next_at_us", a->next_at_us);
	if (a->late)
		json_put_bool(&w, "late", true);
	json_put_text(&w, "worker", a->worker);
	json_close(&w, '}');
}

static int get_word(struct json_reader *r, const char *key, bool required,
		    int (*parse)(const char *))
{
	char word[32];
	int value = 0;

	if (!json_get_text(r, key, required, word, sizeof(word)))
		return 0;
	value = parse(word);
	if (value < 0)
		json_fault(r, key, "is a word that is not known");
	return value;
}

static void get_graphic(struct json_reader *r, const char *key, bool required, char *out,
			size_t size)
{
	if (json_get_text(r, key, required, out, size) && !is_graphic(out))
		json_fault(r, key, "must be printable ASCII without spaces");
}

/* Who, what and where. */
static void decode_subject(struct attempt *a, struct json_reader *r)
{
	char sequence[EVENT_SEQUENCE_SIZE];

	if (json_get_text(r, "event_id", true, a->event_id, ID_SIZE) &&
	    id_key(a->event_id, "evt") < 0)
		json_fault(r, "event_id", "is not an event's id");
	if (json_get_text(r, "sequence", true, sequence, sizeof(sequence))) {
		a->sequence = sequence_parse(sequence);
		if (a->sequence < 0)
			json_fault(r, "sequence", "must be 16 digits");
	}
	if (json_get_text(r, "user_id", true, a->user_id, sizeof(a->user_id)) &&
	    !id_is_user(a->user_id, strlen(a->user_id)))
		json_fault(r, "user_id", "is not a user's id");
	if (json_get_text(r, "channel", true, a->channel, sizeof(a->channel)) &&
	    !channel_name_valid(a->channel))
		json_fault(r, "channel", "is not a channel's name");
	if (json_get_text(r, "device_id", false, a->device_id, ID_SIZE) &&
	    id_key(a->device_id, "dev") < 0)
		json_fault(r, "device_id", "is not a device's id");
	get_graphic(r, "worker", true, a->worker, sizeof(a->worker));
}

/* What came of it. */
static void decode_outcome(struct attempt *a, struct json_reader *r)
{
	int64_t number;

	if (json_get_int(r, "attempt", true, 0, ATTEMPTS_MAX, &number))
		a->attempt = (int)number;
	a->status =
		(enum attempt_status)get_word(r, "status", true, attempt_status_parse);
	json_get_bool(r, "final", false, &a->final);
	a->reason =
		(enum attempt_reason)get_word(r, "reason", false, attempt_reason_parse);
	get_graphic(r, "provider", true, a->provider, sizeof(a->provider));
	get_graphic(r, "provider_id", false, a->provider_id, sizeof(a->provider_id));
	if (json_get_int(r, "code", false, 0, 999, &number))
		a->code = (int)number;
	json_get_int(r, "started_us", true, 0, INT64_MAX, &a->started_us);
	json_get_int(r, "took_us", true, 0, INT64_MAX, &a->took_us);
	json_get_int(r, "next_at_us", false, 0, INT64_MAX, &a->next_at_us);
	json_get_bool(r, "late", false, &a->late);
}

int attempt_decode(struct attempt *a, const char *bytes, size_t len, struct err *e)
{
	struct json_reader r;
	struct problem p;
	json_t *root;

	if (len > ATTEMPT_ENCODED_MAX)
		return err_set(e, ERR_INVALID,
			       "an attempt record has at most %d bytes, not %zu",
			       ATTEMPT_ENCODED_MAX, len);
	root = json_read(bytes, len, e);
	if (!root)
		return -1;
	*a = (struct attempt){0};
	json_reader_init(&r, root, "", &p);
	decode_subject(a, &r);
	decode_outcome(a, &r);
	json_free(root);
	return p.kind == PROBLEM_NONE ? 0 : err_set(e, ERR_INVALID, "%s", p.detail);
}

bool attempt_waits_in_ledger(const struct attempt *a)
{
	return a->status == ATTEMPT_RETRYING && a->device_id[0] == '\0' &&
	       a->next_at_us - (a->started_us + a->took_us) > ATTEMPT_LEDGER_WAIT_US;
}
