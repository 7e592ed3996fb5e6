#include "sms/twilio.h"

#include <stdio.h>
#include <string.h>

#include "wire/form.h"
#include "wire/json.h"
#include "wire/json_scan.h"

#define URL_SIZE 768

struct twilio_settings {
	const char *url, *sid, *token, *from, *ambiguous;
};

struct twilio {
	struct twilio_settings settings; /* first: the core fills it */
	char url[URL_SIZE];
	const char *from_key; /* "From" or "MessagingServiceSid" */
};

static const struct setting rows[] = {
	{"TWILIO_URL", SETTING_TEXT, offsetof(struct twilio_settings, url),
	 "https://api.twilio.com", 1, 512, NULL, "Where the API is."},
	{"TWILIO_SID", SETTING_TEXT, offsetof(struct twilio_settings, sid), NULL, 1, 64,
	 NULL, "The account: AC and 32 digits."},
	{"TWILIO_TOKEN", SETTING_SECRET, offsetof(struct twilio_settings, token), NULL, 1,
	 255, NULL, "The account's auth token."},
	{"TWILIO_FROM", SETTING_TEXT, offsetof(struct twilio_settings, from), NULL, 1, 64,
	 NULL,
	 "The sender: a number as +15551234567, or a messaging service (MG and 32 "
	 "digits)."},
	{"SMS_AMBIGUOUS", SETTING_WORD, offsetof(struct twilio_settings, ambiguous),
	 "retry", 0, 0, "retry|fail",
	 "When nobody knows whether a message went out: again (it may come twice), or "
	 "failed (it may never come)."},
	SETTING_END,
};

static bool is_sid(const char *text, const char *prefix)
{
	return strncmp(text, prefix, 2) == 0 && strlen(text) == 34 &&
	       strspn(text + 2, "0123456789abcdef") == 32;
}

static bool is_number(const char *text)
{
	size_t digits = text[0] == '+' ? strspn(text + 1, "0123456789") : 0;

	return digits >= 3 && digits <= 15 && text[1 + digits] == '\0';
}

static int twilio_check(void *state, struct err *e)
{
	struct twilio *t = state;
	const struct twilio_settings *s = &t->settings;
	size_t len = strlen(s->url);

	if (strncmp(s->url, "https://", 8) != 0 && strncmp(s->url, "http://", 7) != 0)
		return err_set(e, ERR_INVALID,
			       "PAYBELL_TWILIO_URL must begin with https:// or http://");
	if (!is_sid(s->sid, "AC"))
		return err_set(e, ERR_INVALID,
			       "PAYBELL_TWILIO_SID must be AC and 32 hexadecimal digits");
	if (is_number(s->from))
		t->from_key = "From";
	else if (is_sid(s->from, "MG"))
		t->from_key = "MessagingServiceSid";
	else
		return err_set(e, ERR_INVALID,
			       "PAYBELL_TWILIO_FROM must be a number as +15551234567, "
			       "or MG and 32 hexadecimal digits");
	while (len > 0 && s->url[len - 1] == '/')
		len--;
	snprintf(t->url, sizeof(t->url), "%.*s/2010-04-01/Accounts/%s/Messages.json",
		 (int)len, s->url, s->sid);
	return 0;
}

static int twilio_build(void *state, const struct message *m, struct transfer_request *r,
			struct buf *scratch, struct err *e)
{
	struct twilio *t = state;

	form_put(scratch, "To", m->recipient->user.phone);
	form_put(scratch, t->from_key, t->settings.from);
	form_put(scratch, "Body", m->parts[0]);
	if (scratch->overflowed)
		return err_set(e, ERR_FULL, "the message is too long");
	r->url = t->url;
	r->method = "POST";
	r->headers[0] = "Content-Type: application/x-www-form-urlencoded";
	r->headers[1] = "Accept: application/json";
	r->body = buf_text(scratch);
	r->body_len = scratch->len;
	r->username = t->settings.sid;
	r->password = t->settings.token;
	return 0;
}

/* The SID of a message that was taken, which most are: looked up where it lies. */
static void read_sid(char *sid, size_t size, const struct transfer_result *result)
{
	struct slice body = {result->body, result->body_len}, raw;

	sid[0] = '\0';
	if (json_scan_member(body, "sid", &raw) && raw.at[0] == '"')
		json_scan_text(raw, sid, size);
}

/* Twilio's error number; 0 when it says none. */
static int64_t read_error(const struct transfer_result *result)
{
	struct err ignored = ERR_INIT;
	struct problem p;
	struct json_reader r;
	struct json_t *root = json_read(result->body, result->body_len, &ignored);
	int64_t error = 0;

	if (!root)
		return 0;
	json_reader_init(&r, root, "", &p);
	json_get_int(&r, "code", false, 0, INT32_MAX, &error);
	json_free(root);
	return error;
}

/* https://www.twilio.com/docs/api/errors: numbers that say that this number gets nothing,
 * whatever we do: invalid (21211, 21217, 21421), not a mobile (21614), unreachable
 * (21214, 21612). */
static bool is_bad_number(int64_t error)
{
	static const int64_t bad[] = {21211, 21214, 21217, 21421, 21612, 21614};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (bad[i] == error)
			return true;
	}
	return false;
}

/* 401 and 403 are about our account, 404 is an account that is not there: the operator's
 * to mend, not the message's end. */
static enum attempt_reason passing_reason(int status)
{
	switch (status) {
	case 429:
		return REASON_RATE_LIMITED;
	case 401:
	case 403:
	case 404:
		return REASON_UNAUTHORIZED;
	case 408:
		return REASON_PROVIDER_ERROR;
	default:
		return status / 100 == 4 ? REASON_NONE : REASON_PROVIDER_ERROR;
	}
}

static void twilio_judge(void *state, const struct transfer_result *result,
			 struct verdict *v)
{
	if (result->status / 100 == 2) {
		v->status = ATTEMPT_DELIVERED;
		read_sid(v->provider_id, sizeof(v->provider_id), result);
		return;
	}
	v->status = ATTEMPT_RETRYING;
	v->reason = passing_reason(result->status);
	if (v->reason != REASON_NONE)
		return;
	v->status = ATTEMPT_FAILED;
	v->reason =
		is_bad_number(read_error(result)) ? REASON_BAD_ADDRESS : REASON_REJECTED;
}

static bool twilio_retry_ambiguous(const void *state)
{
	const struct twilio *t = state;

	return strcmp(t->settings.ambiguous, "retry") == 0;
}

/* A body is at most 1,600 characters; we stay at what fits a few segments. */
const struct transport twilio_transport = {
	.channel = "sms",
	.provider = "twilio",
	.summary = "Sends an SMS for every event, by Twilio.",
	.admin = "127.0.0.1:9183",
	.target = TARGET_PHONE,
	.parts = {{"body.txt", 640, false}},
	.settings = rows,
	.state_size = sizeof(struct twilio),
	.check = twilio_check,
	.build = twilio_build,
	.judge = twilio_judge,
	.retry_ambiguous = twilio_retry_ambiguous,
};
