#include "wire/user.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "wire/mime.h"

#define KNOWN      "name, email, phone, locale, timezone, preferences"
#define TOKEN_TAIL 4
#define TOKEN_TAIL_MIN                                                                   \
	16 /* of a shorter token nothing is shown: four would be much of it */

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool channel_name_valid(const char *name)
{
	size_t len = strnlen(name, CHANNEL_NAME_MAX + 1);

	if (len > CHANNEL_NAME_MAX || !is_lower(name[0]))
		return false;
	for (size_t i = 1; i < len; i++) {
		if (!is_lower(name[i]) && !is_digit(name[i]))
			return false;
	}
	return true;
}

/* '+', then 7 to 15 digits, the first of them not 0 (E.164). */
static bool phone_valid(const char *phone)
{
	size_t len = strlen(phone);

	if (phone[0] != '+' || len < 8 || len > PHONE_MAX || phone[1] == '0')
		return false;
	return strspn(phone + 1, "0123456789") == len - 1;
}

static size_t letters(const char *text)
{
	size_t n = 0;

	while (is_lower(text[n]) || is_upper(text[n]))
		n++;
	return n;
}

/* language[-Script][-REGION] of BCP 47: 2 or 3 letters, 4 letters, 2 letters or 3 digits.
 */
static bool locale_valid(const char *text)
{
	size_t n = letters(text);

	if (n != 2 && n != 3)
		return false;
	text += n;
	if (*text == '-' && letters(text + 1) == 4)
		text += 5;
	if (*text == '-' && letters(text + 1) == 2)
		text += 3;
	else if (*text == '-' && strspn(text + 1, "0123456789") == 3)
		text += 4;
	return *text == '\0';
}

static bool timezone_valid(const char *text)
{
	if (!is_upper(text[0]) && !is_lower(text[0]))
		return false;
	for (; *text; text++) {
		if (!is_lower(*text) && !is_upper(*text) && !is_digit(*text) &&
		    !strchr("_+-/", *text))
			return false;
	}
	return true;
}

static void get_contact(struct json_reader *r, struct user *u)
{
	struct err e;

	if (json_get_text(r, "name", true, u->name, sizeof(u->name)) &&
	    (!u->name[0] || !utf8_is_line(u->name, strlen(u->name))))
		json_fault(
			r, "name",
			"must be one line of text, without control characters, and not "
			"empty");
	if (json_get_text(r, "email", false, u->email, sizeof(u->email)) &&
	    mime_address_check(u->email, &e) < 0)
		json_fault(r, "email", "is not valid: %s", e.text);
	if (json_get_text(r, "phone", false, u->phone, sizeof(u->phone)) &&
	    !phone_valid(u->phone))
		json_fault(r, "phone",
			   "must be an E.164 number: '+' and 7 to 15 digits, such as "
			   "\"+4366012345678\"");
	if (json_get_text(r, "locale", false, u->locale, sizeof(u->locale)) &&
	    !locale_valid(u->locale))
		json_fault(r, "locale",
			   "must be a language tag such as \"en\", \"de-AT\" or "
			   "\"zh-Hant-TW\"");
	if (json_get_text(r, "timezone", false, u->timezone, sizeof(u->timezone)) &&
	    !timezone_valid(u->timezone))
		json_fault(r, "timezone",
			   "must be an IANA time zone such as \"Europe/Vienna\"");
}

static void get_min_amount(struct json_reader *outer, struct preference *pref)
{
	char text[MONEY_TEXT_SIZE], path[PROBLEM_FIELD_MAX];
	json_t *value = json_get_value(outer, "min_amount", false);
	struct json_reader r;
	struct err e;

	if (!value)
		return;
	snprintf(path, sizeof(path), "preferences.%s.min_amount", pref->channel);
	json_reader_init(&r, value, path, outer->problem);
	if (json_is_number(json_object_get(r.object, "amount")))
		json_fault(&r, "amount", "must be text such as \"15.00\", not a number");
	json_get_text(&r, "amount", true, text, sizeof(text));
	if (json_get_text(&r, "currency", true, pref->min_currency, MONEY_CODE_SIZE) &&
	    money_decimals(pref->min_currency) < 0)
		json_fault(
			&r, "currency",
			"must be an active ISO 4217 code in upper case such as \"USD\"");
	if (!json_failed(&r) &&
	    money_parse(text, pref->min_currency, &pref->min_minor, &e) < 0)
		json_fault(&r, "amount", "is not valid: %s", e.text);
	json_reader_end(&r, "amount, currency");
}

static void get_preference(const char *channel, json_t *value, struct problem *p,
			   struct preference *pref)
{
	char path[PROBLEM_FIELD_MAX];
	struct json_reader r;

	*pref = (struct preference){.enabled = true};
	snprintf(pref->channel, sizeof(pref->channel), "%s", channel);
	snprintf(path, sizeof(path), "preferences.%s", pref->channel);
	json_reader_init(&r, value, path, p);
	if (json_has(&r, "enabled"))
		json_get_bool(&r, "enabled", false, &pref->enabled);
	get_min_amount(&r, pref);
	json_reader_end(&r, "enabled, min_amount");
}

static void get_preferences(struct user *u, json_t *object, struct problem *p)
{
	struct json_reader r;
	const char *channel;
	json_t *value;

	u->preference_count = 0;
	json_reader_init(&r, object, "preferences", p);
	if (json_count(object) > PREFERENCES_MAX && !json_failed(&r))
		problem_set(p, PROBLEM_VALIDATION, "preferences",
			    "preferences must have at most %d channels, not %zu",
			    PREFERENCES_MAX, json_count(object));
	json_object_foreach(r.object, channel, value)
	{
		if (!channel_name_valid(channel))
			json_fault(&r, channel,
				   "must be a channel's name: a lower case letter, then "
				   "at most "
				   "%d letters or digits",
				   CHANNEL_NAME_MAX - 1);
		if (json_failed(&r))
			return;
		get_preference(channel, value, p, &u->preferences[u->preference_count++]);
	}
}

/* What both bodies begin with: the size and the JSON. NULL with *p filled. */
static json_t *read_body(const char *body, size_t len, struct problem *p)
{
	struct err e;
	json_t *root;

	if (len > USER_BODY_MAX) {
		problem_set(p, PROBLEM_TOO_LARGE, NULL,
			    "the body may have at most %d bytes, not %zu", USER_BODY_MAX,
			    len);
		return NULL;
	}
	root = json_read(body, len, &e);
	if (!root)
		problem_set(p, PROBLEM_MALFORMED, NULL, "%s", e.text);
	return root;
}

int user_decode(struct user *u, const char *body, size_t len, struct problem *p)
{
	json_t *root = read_body(body, len, p), *preferences;
	struct json_reader r;
	struct user next = {0};

	if (!root)
		return -1;
	json_reader_init(&r, root, "", p);
	get_contact(&r, &next);
	preferences = json_get_value(&r, "preferences", false);
	if (preferences)
		get_preferences(&next, preferences, p);
	json_reader_end(&r, KNOWN);
	json_free(root);
	if (json_failed(&r))
		return -1;
	memcpy(next.id, u->id, sizeof(next.id));
	next.created_us = u->created_us;
	next.updated_us = u->updated_us;
	*u = next;
	return 0;
}

int preferences_decode(struct user *u, const char *json, size_t len, struct problem *p)
{
	json_t *root;

	/* Most people have none, and a worker reads them for each event. */
	if (len == 2 && memcmp(json, "{}", 2) == 0) {
		p->kind = PROBLEM_NONE;
		u->preference_count = 0;
		return 0;
	}
	root = read_body(json, len, p);
	if (!root)
		return -1;
	p->kind = PROBLEM_NONE;
	get_preferences(u, root, p);
	json_free(root);
	return p->kind == PROBLEM_NONE ? 0 : -1;
}

static void put_preference(struct json_writer *w, const struct preference *pref)
{
	char money[MONEY_TEXT_SIZE];

	json_open(w, pref->channel, '{');
	json_put_bool(w, "enabled", pref->enabled);
	if (pref->min_minor > 0) {
		json_open(w, "min_amount", '{');
		json_put_text(w, "amount",
			      money_format(money, pref->min_minor, pref->min_currency));
		json_put_text(w, "currency", pref->min_currency);
		json_close(w, '}');
	}
	json_close(w, '}');
}

static void put_preferences(struct json_writer *w, const char *key, const struct user *u)
{
	json_open(w, key, '{');
	for (int i = 0; i < u->preference_count; i++)
		put_preference(w, &u->preferences[i]);
	json_close(w, '}');
}

void preferences_encode(const struct user *u, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out);
	put_preferences(&w, NULL, u);
}

const struct preference *user_preference(const struct user *u, const char *channel)
{
	for (int i = 0; i < u->preference_count; i++) {
		if (strcmp(u->preferences[i].channel, channel) == 0)
			return &u->preferences[i];
	}
	return NULL;
}

static void put_optional(struct json_writer *w, const char *key, const char *text)
{
	if (text[0])
		json_put_text(w, key, text);
}

static void put_time(struct json_writer *w, const char *at_key, const char *us_key,
		     int64_t us)
{
	char time[CLOCK_RFC3339_SIZE];

	clock_rfc3339(time, us);
	json_put_text(w, at_key, time);
	json_put_int(w, us_key, us);
}

void user_encode(const struct user *u, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	json_put_text(&w, "id", u->id);
	json_put_text(&w, "name", u->name);
	put_optional(&w, "email", u->email);
	put_optional(&w, "phone", u->phone);
	put_optional(&w, "locale", u->locale);
	put_optional(&w, "timezone", u->timezone);
	put_preferences(&w, "preferences", u);
	put_time(&w, "created_at", "created_us", u->created_us);
	put_time(&w, "updated_at", "updated_us", u->updated_us);
	json_close(&w, '}');
}

const char *device_kind_name(enum device_kind k)
{
	switch (k) {
	case DEVICE_FCM:
		return "fcm";
	}
	return "";
}

int device_kind_parse(const char *name)
{
	return strcmp(name, device_kind_name(DEVICE_FCM)) == 0 ? DEVICE_FCM : -1;
}

/* Printable ASCII without what JSON, a shell or a URL would need to escape. */
static bool token_valid(const char *token)
{
	if (!token[0])
		return false;
	for (; *token; token++) {
		if (*token < '!' || *token > '~' || strchr("\"\\", *token))
			return false;
	}
	return true;
}

int device_decode(struct device *d, const char *body, size_t len, struct problem *p)
{
	json_t *root = read_body(body, len, p);
	char kind[16], token[DEVICE_TOKEN_MAX + 1];
	struct json_reader r;

	if (!root)
		return -1;
	json_reader_init(&r, root, "", p);
	if (json_get_text(&r, "kind", true, kind, sizeof(kind)) &&
	    device_kind_parse(kind) < 0)
		json_fault(&r, "kind", "must be \"fcm\"");
	if (json_get_text(&r, "token", true, token, sizeof(token)) && !token_valid(token))
		json_fault(&r, "token",
			   "must be the registration token as the app got it: printable "
			   "ASCII, no spaces, quotes or backslashes");
	json_reader_end(&r, "kind, token");
	json_free(root);
	if (json_failed(&r))
		return -1;
	d->kind = (enum device_kind)device_kind_parse(kind);
	memcpy(d->token, token, sizeof(token));
	return 0;
}

void device_put(struct json_writer *w, const struct device *d)
{
	size_t len = strlen(d->token);

	json_put_text(w, "id", d->id);
	json_put_text(w, "kind", device_kind_name(d->kind));
	if (len >= TOKEN_TAIL_MIN)
		json_put_text(w, "token_tail", d->token + len - TOKEN_TAIL);
	put_time(w, "created_at", "created_us", d->created_us);
}

void device_encode(const struct device *d, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	device_put(&w, d);
	json_close(&w, '}');
}
