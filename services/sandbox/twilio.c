#include "sandbox/twilio.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/utf8.h"
#include "wire/form.h"
#include "wire/json.h"

#define SID_SIZE    35 /* "SM", 32 hex digits, NUL */
#define PHONE_SIZE  64
#define SENDER_SIZE 64
#define URL_SIZE    2048
#define AUTH_MAX    512

struct fields {
	char to[PHONE_SIZE], from[SENDER_SIZE], service[SENDER_SIZE];
	char callback[URL_SIZE];
	bool has_body;
};

/* Documented, accepted, and without effect here. */
static const char *const ignored[] = {
	"AddressRetention", "ApplicationSid", "Attempt",         "ContentRetention",
	"ForceDelivery",    "MaxPrice",       "ProvideFeedback", "RiskCheck",
	"ShortenUrls",      "SmartEncoded",   "ValidityPeriod",
};

/* ---- answers ---- */

static int refuse(struct exchange *x, int status, int code, const char *message)
{
	struct json_writer w;
	char url[64];

	snprintf(url, sizeof(url), "https://www.twilio.com/docs/errors/%d", code);
	snprintf(x->reason, sizeof(x->reason), "%d: %s", code, message);
	x->reason[utf8_prefix(x->reason, strlen(x->reason), strlen(x->reason))] = '\0';
	x->status = status;
	buf_clear(&x->answer);
	json_writer_init(&w, &x->answer);
	json_open(&w, NULL, '{');
	json_put_int(&w, "code", code);
	json_put_text(&w, "message", message);
	json_put_text(&w, "more_info", url);
	json_put_int(&w, "status", status);
	json_close(&w, '}');
	return -1;
}

static int refuse_with(struct exchange *x, int status, int code, const char *before,
		       const char *value)
{
	char message[EXCHANGE_REASON_MAX];

	snprintf(message, sizeof(message), "%s%.64s", before, value);
	return refuse(x, status, code, message);
}

void twilio_refuse(struct exchange *x, int status)
{
	switch (status) {
	case 400:
		refuse(x, 400, 21211, "Invalid 'To' Phone Number");
		return;
	case 401:
		refuse(x, 401, 20003, "Authenticate");
		return;
	case 404:
		refuse(x, 404, 20404, "The requested resource was not found");
		return;
	case 429:
		refuse(x, 429, 20429, "Too Many Requests");
		return;
	case 500:
		refuse(x, 500, 20500, "Internal Server Error");
		return;
	case 503:
		refuse(x, 503, 20503, "Service Unavailable");
		return;
	default:
		refuse(x, status, 20000 + status, "The request was refused");
	}
}

/* ---- what came in ---- */

static int authenticate(const struct twilio *t, struct exchange *x)
{
	const char *credentials = exchange_credentials(x, "Basic");
	size_t sid_len = strlen(t->account_sid);
	struct buf plain;
	const char *text, *colon;
	int rc = 0;

	if (credentials == NULL)
		return refuse(x, 401, 20003,
			      "Authentication Error - No credentials provided");
	buf_init(&plain, AUTH_MAX);
	if (base64_decode(&plain, credentials, strlen(credentials)) < 0)
		buf_clear(&plain);
	text = buf_text(&plain);
	colon = strchr(text, ':');
	if (colon == NULL || (size_t)(colon - text) != sid_len ||
	    memcmp(text, t->account_sid, sid_len) != 0)
		rc = refuse(x, 401, 20003, "Authentication Error - invalid username");
	else if (strcmp(colon + 1, t->auth_token) != 0)
		rc = refuse(x, 401, 20003, "Authenticate");
	buf_release(&plain);
	return rc;
}

static bool is_ignored(const char *key)
{
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (strcmp(key, ignored[i]) == 0)
			return true;
	return false;
}

/* One parameter; x->key and x->from hold its name and value for the moment. */
static int take(struct fields *f, struct exchange *x)
{
	const char *key = buf_text(&x->key);
	const char *value = buf_text(&x->from);
	const struct {
		const char *name;
		char *out;
		size_t size;
	} texts[] = {
		{"To", f->to, sizeof(f->to)},
		{"From", f->from, sizeof(f->from)},
		{"MessagingServiceSid", f->service, sizeof(f->service)},
		{"StatusCallback", f->callback, sizeof(f->callback)},
	};

	if (strcmp(key, "Body") == 0) {
		if (f->has_body)
			return refuse(x, 400, 20001, "Body is there twice");
		f->has_body = true;
		buf_add(&x->text, value, x->from.len);
		return 0;
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (strcmp(key, texts[i].name) != 0)
			continue;
		if (texts[i].out[0])
			return refuse_with(x, 400, 20001, key, " is there twice");
		snprintf(texts[i].out, texts[i].size, "%s", value);
		return 0;
	}
	return is_ignored(key) ? 0
			       : refuse_with(x, 400, 20001, "Unknown parameter: ", key);
}

static int parse(struct fields *f, struct exchange *x)
{
	const char *at = x->body;
	size_t left = x->body_len;
	struct err e = ERR_INIT;
	int rc;

	if (!exchange_is_type(x, "application/x-www-form-urlencoded"))
		return refuse(x, 400, 20001,
			      "Content-Type must be application/x-www-form-urlencoded");
	while ((rc = form_next(&at, &left, &x->key, &x->from, &e)) > 0) {
		if (!utf8_valid(buf_text(&x->from), x->from.len) ||
		    !utf8_valid(buf_text(&x->key), x->key.len))
			return refuse(x, 400, 20001, "A parameter is not valid UTF-8");
		if (take(f, x) < 0)
			return -1;
	}
	return rc < 0 ? refuse(x, 400, 20001, e.text) : 0;
}

/* E.164: a plus, no leading zero, at most 15 digits. */
static bool is_phone(const char *text)
{
	size_t len = strlen(text);

	return len >= 8 && len <= 16 && text[0] == '+' && text[1] != '0' &&
	       strspn(text + 1, "0123456789") == len - 1;
}

/* An alphanumeric sender: at most 11 of letters, digits and spaces, with a letter. */
static bool is_sender_name(const char *text)
{
	size_t len = strlen(text);
	bool letter = false;

	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr(" -+_&", text[i]))
			return false;
		letter |= isalpha((unsigned char)text[i]) != 0;
	}
	return letter && len <= 11;
}

/* 3 to 6 digits. */
static bool is_short_code(const char *text)
{
	size_t len = strlen(text);

	return len >= 3 && len <= 6 && strspn(text, "0123456789") == len;
}

static bool is_service(const char *text)
{
	return strlen(text) == 34 && strncmp(text, "MG", 2) == 0 &&
	       strspn(text + 2, "0123456789abcdef") == 32;
}

static int check_to(const struct fields *f, struct exchange *x)
{
	if (f->to[0] == '\0')
		return refuse(x, 400, 21604, "A 'To' phone number is required.");
	if (!is_phone(f->to) || strcmp(f->to, "+15005550001") == 0)
		return refuse_with(x, 400, 21211, "Invalid 'To' Phone Number: ", f->to);
	if (strcmp(f->to, "+15005550002") == 0)
		return refuse(x, 400, 21612,
			      "The 'To' phone number is not currently reachable via SMS");
	if (strcmp(f->to, "+15005550003") == 0)
		return refuse(x, 400, 21408,
			      "Permission to send an SMS has not been enabled for the "
			      "region indicated by the 'To' number");
	if (strcmp(f->to, "+15005550004") == 0)
		return refuse(x, 400, 21610, "Attempt to send to unsubscribed recipient");
	if (strcmp(f->to, "+15005550009") == 0)
		return refuse(x, 400, 21614, "'To' number is not a valid mobile number");
	return 0;
}

static int check_from(const struct fields *f, struct exchange *x)
{
	if (f->from[0] == '\0' && f->service[0] == '\0')
		return refuse(x, 400, 21603, "A 'From' phone number is required.");
	if (f->service[0] && !is_service(f->service))
		return refuse(x, 404, 20404, "The Messaging Service was not found");
	if (f->from[0] == '\0')
		return 0;
	if (strcmp(f->from, "+15005550007") == 0)
		return refuse_with(x, 400, 21606,
				   "The 'From' phone number provided is not a valid, "
				   "SMS-capable inbound phone number for your account: ",
				   f->from);
	if (strcmp(f->from, "+15005550008") == 0)
		return refuse(x, 400, 21611,
			      "This 'From' number has exceeded the maximum "
			      "number of queued messages");
	if (strcmp(f->from, "+15005550001") == 0 ||
	    (!is_phone(f->from) && !is_short_code(f->from) && !is_sender_name(f->from)))
		return refuse_with(x, 400, 21212,
				   "The 'From' number is not a valid phone number, "
				   "shortcode, or alphanumeric sender ID: ",
				   f->from);
	return 0;
}

static int check_rest(const struct fields *f, struct exchange *x)
{
	if (x->text.len == 0)
		return refuse(x, 400, 21602, "Message body is required.");
	if (utf8_count(buf_text(&x->text), x->text.len) > TWILIO_BODY_MAX_CHARS)
		return refuse(x, 400, 21617,
			      "The concatenated message body exceeds the 1600 character "
			      "limit");
	if (f->callback[0] && strncmp(f->callback, "http://", 7) != 0 &&
	    strncmp(f->callback, "https://", 8) != 0)
		return refuse_with(
			x, 400, 21609,
			"The StatusCallback URL is not a valid URL: ", f->callback);
	return 0;
}

/* ---- segments ---- */

/* The basic set beside ASCII, and what of ASCII is not in it or costs two. */
#define GSM_MORE  "£¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà"
#define GSM_TWICE "^{}\\[~]|€"

static bool contains(const char *set, const char *character, size_t len)
{
	char one[5] = "";

	memcpy(one, character, len);
	return strstr(set, one) != NULL;
}

/* Septets of one character; 0 when GSM 03.38 has none for it. */
static int septets(const char *at, size_t len)
{
	if (contains(GSM_TWICE, at, len))
		return 2;
	if (len > 1)
		return contains(GSM_MORE, at, len) ? 1 : 0;
	return *at == '`' || ((unsigned char)*at < ' ' && !strchr("\n\r\f", *at)) ? 0 : 1;
}

int twilio_segments(const char *text, size_t len)
{
	int gsm = 0, ucs2 = 0;
	bool is_gsm = true;

	for (size_t i = 0; i < len;) {
		uint32_t code_point;
		size_t n = utf8_decode(text + i, len - i, &code_point);
		int cost;

		if (n == 0)
			break;
		cost = is_gsm ? septets(text + i, n) : 0;
		is_gsm = is_gsm && cost > 0;
		gsm += cost;
		ucs2 += code_point > 0xffff ? 2 : 1;
		i += n;
	}
	if (is_gsm)
		return gsm <= 160 ? 1 : (gsm + 152) / 153;
	return ucs2 <= 70 ? 1 : (ucs2 + 66) / 67;
}

/* ---- accepted ---- */

static void make_sid(char sid[SID_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[16];

	random_bytes(bytes, sizeof(bytes));
	memcpy(sid, "SM", 2);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		sid[2 + 2 * i] = digits[bytes[i] >> 4];
		sid[3 + 2 * i] = digits[bytes[i] & 15];
	}
	sid[SID_SIZE - 1] = '\0';
}

static void put_optional(struct json_writer *w, const char *key, const char *text)
{
	if (text[0])
		json_put_text(w, key, text);
	else
		json_put_null(w, key);
}

static void put_uris(struct json_writer *w, const char *account, const char *sid)
{
	char uri[256];

	json_open(w, "subresource_uris", '{');
	snprintf(uri, sizeof(uri), "/2010-04-01/Accounts/%s/Messages/%s/Media.json",
		 account, sid);
	json_put_text(w, "media", uri);
	json_close(w, '}');
	snprintf(uri, sizeof(uri), "/2010-04-01/Accounts/%s/Messages/%s.json", account,
		 sid);
	json_put_text(w, "uri", uri);
}

static void answer(const struct twilio *t, const struct fields *f, const char *sid,
		   struct exchange *x)
{
	struct json_writer w;
	char date[CLOCK_RFC5322_SIZE], segments[16];

	clock_rfc5322(date, x->now_us);
	snprintf(segments, sizeof(segments), "%d",
		 twilio_segments(buf_text(&x->text), x->text.len));
	json_writer_init(&w, &x->answer);
	json_open(&w, NULL, '{');
	json_put_text(&w, "account_sid", t->account_sid);
	json_put_text(&w, "api_version", "2010-04-01");
	json_put_text(&w, "body", buf_text(&x->text));
	json_put_text(&w, "date_created", date);
	json_put_null(&w, "date_sent");
	json_put_text(&w, "date_updated", date);
	json_put_text(&w, "direction", "outbound-api");
	json_put_null(&w, "error_code");
	json_put_null(&w, "error_message");
	put_optional(&w, "from", f->from);
	put_optional(&w, "messaging_service_sid", f->service);
	json_put_text(&w, "num_media", "0");
	json_put_text(&w, "num_segments", segments);
	json_put_null(&w, "price");
	json_put_null(&w, "price_unit");
	json_put_text(&w, "sid", sid);
	json_put_text(&w, "status", f->service[0] ? "accepted" : "queued");
	put_uris(&w, t->account_sid, sid);
	json_put_text(&w, "to", f->to);
	json_close(&w, '}');
}

void twilio_receive(const struct twilio *t, struct exchange *x)
{
	struct fields f = {0};
	char sid[SID_SIZE];

	if (authenticate(t, x) < 0)
		return;
	if (strcmp(x->name, t->account_sid) != 0) {
		refuse(x, 404, 20404, "The requested account was not found");
		return;
	}
	if (parse(&f, x) < 0 || check_to(&f, x) < 0 || check_from(&f, x) < 0 ||
	    check_rest(&f, x) < 0)
		return;
	make_sid(sid);
	answer(t, &f, sid, x);
	buf_clear(&x->from);
	buf_add_text(&x->from, f.from[0] ? f.from : f.service);
	buf_add_text(&x->to, f.to);
	buf_add_text(&x->id, sid);
	x->status = 201;
	x->accepted = true;
	x->record = (struct record){.received_us = x->now_us,
				    .id = buf_text(&x->id),
				    .to = buf_text(&x->to),
				    .from = buf_text(&x->from),
				    .body = buf_text(&x->text)};
}
