#include "sandbox/fcm.h"

#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "base/utf8.h"
#include "wire/json.h"

#define TYPE_FCM_ERROR   "type.googleapis.com/google.firebase.fcm.v1.FcmError"
#define TYPE_BAD_REQUEST "type.googleapis.com/google.rpc.BadRequest"
#define COUNT(array)     (sizeof(array) / sizeof((array)[0]))

/* One thing that Google says no with. */
struct refusal {
	int status;
	const char *name, *error_code;
	const char *message;
};

static const struct refusal refusals[] = {
	{400, "INVALID_ARGUMENT", "INVALID_ARGUMENT",
	 "The request contains an invalid argument."},
	{401, "UNAUTHENTICATED", NULL,
	 "Request had invalid authentication credentials. Expected OAuth 2 access "
	 "token."},
	{403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", "SenderId mismatch"},
	{404, "NOT_FOUND", "UNREGISTERED", "Requested entity was not found."},
	{429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED",
	 "Sending limit exceeded for the message target."},
	{500, "INTERNAL", "INTERNAL", "Internal error encountered."},
	{503, "UNAVAILABLE", "UNAVAILABLE", "The service is currently unavailable."},
};

/* ---- answers ---- */

/* field NULL: the fault is not in one. */
static int refuse(struct exchange *x, const struct refusal *r, const char *field,
		  const char *description)
{
	struct json_writer w;

	x->status = r->status;
	snprintf(x->reason, sizeof(x->reason), "%s: %.150s", r->name, r->message);
	x->reason[utf8_prefix(x->reason, strlen(x->reason), strlen(x->reason))] = '\0';
	buf_clear(&x->answer);
	json_writer_init(&w, &x->answer);
	json_open(&w, NULL, '{');
	json_open(&w, "error", '{');
	json_put_int(&w, "code", r->status);
	json_put_text(&w, "message", r->message);
	json_put_text(&w, "status", r->name);
	json_open(&w, "details", '[');
	if (r->error_code != NULL) {
		json_open(&w, NULL, '{');
		json_put_text(&w, "@type", TYPE_FCM_ERROR);
		json_put_text(&w, "errorCode", r->error_code);
		json_close(&w, '}');
	}
	if (field != NULL) {
		json_open(&w, NULL, '{');
		json_put_text(&w, "@type", TYPE_BAD_REQUEST);
		json_open(&w, "fieldViolations", '[');
		json_open(&w, NULL, '{');
		json_put_text(&w, "field", field);
		json_put_text(&w, "description", description);
		json_close(&w, '}');
		json_close(&w, ']');
		json_close(&w, '}');
	}
	json_close(&w, ']');
	json_close(&w, '}');
	json_close(&w, '}');
	return -1;
}

static const struct refusal *refusal_for(int status)
{
	for (size_t i = 0; i < COUNT(refusals); i++)
		if (refusals[i].status == status)
			return &refusals[i];
	return NULL;
}

void fcm_refuse(struct exchange *x, int status)
{
	struct refusal other = {status, "UNKNOWN", "UNSPECIFIED_ERROR",
				"The request was refused."};
	const struct refusal *r = refusal_for(status);

	refuse(x, r != NULL ? r : &other, NULL, NULL);
}

static int invalid(struct exchange *x, const char *field, const char *why)
{
	struct refusal r = *refusal_for(400);

	r.message = why;
	return refuse(x, &r, field, why);
}

/* ---- the message, field by field ---- */

static void get_texts(struct json_reader *r, const char *const *names, size_t count)
{
	char text[FCM_TOKEN_MAX + 1];

	for (size_t i = 0; i < count; i++)
		json_get_text(r, names[i], false, text, sizeof(text));
}

static void get_bools(struct json_reader *r, const char *const *names, size_t count)
{
	bool value;

	for (size_t i = 0; i < count; i++)
		json_get_bool(r, names[i], false, &value);
}

/* Objects and lists that devices read and the service does not. */
static void get_values(struct json_reader *r, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		json_get_value(r, names[i], false);
}

/* A map of texts; borrowed, NULL when absent. */
static struct json_t *get_map(struct json_reader *r, const char *key)
{
	struct json_t *map = json_get_value(r, key, false), *value;
	struct json_reader inner;
	char path[PROBLEM_FIELD_MAX];
	const char *name;
	void *cursor = NULL;

	if (map == NULL)
		return NULL;
	snprintf(path, sizeof(path), "%.40s%.16s", r->path, key);
	json_reader_init(&inner, map, path, r->problem);
	while (!json_failed(&inner) && json_next(map, &cursor, &name, &value))
		if (json_text(value) == NULL)
			json_fault(&inner, name, "must be text, as all values here");
	return map;
}

static bool is_reserved(const char *name)
{
	return strcmp(name, "from") == 0 || strcmp(name, "message_type") == 0 ||
	       strncmp(name, "google.", 7) == 0 || strncmp(name, "gcm.", 4) == 0;
}

static void get_data(struct json_reader *r)
{
	struct json_t *data = get_map(r, "data"), *value;
	const char *name;
	void *cursor = NULL;

	while (!json_failed(r) && data != NULL && json_next(data, &cursor, &name, &value))
		if (is_reserved(name))
			json_fault(r, "data", "may not have the reserved key %.40s",
				   name);
}

/* Begins an object below; false when it is absent or wrong. */
static bool enter(struct json_reader *r, const char *key, struct json_reader *inner)
{
	struct json_t *value = json_get_value(r, key, false);
	char path[PROBLEM_FIELD_MAX];

	if (value == NULL)
		return false;
	snprintf(path, sizeof(path), "%.40s%.20s", r->path, key);
	json_reader_init(inner, value, path, r->problem);
	return !json_failed(inner);
}

static void get_fcm_options(struct json_reader *r, const char *more)
{
	static const char *const texts[] = {"analytics_label"};
	struct json_reader inner;

	if (!enter(r, "fcm_options", &inner))
		return;
	get_texts(&inner, texts, COUNT(texts));
	if (more != NULL)
		get_texts(&inner, &more, 1);
	json_reader_end(&inner, NULL);
}

static void get_notification(struct json_reader *r)
{
	static const char *const texts[] = {"title", "body", "image"};
	struct json_reader inner;

	if (!enter(r, "notification", &inner))
		return;
	get_texts(&inner, texts, COUNT(texts));
	json_reader_end(&inner, NULL);
}

static void get_android_notification(struct json_reader *r)
{
	static const char *const texts[] = {
		"title",         "body",       "icon",       "color",
		"sound",         "tag",        "image",      "ticker",
		"click_action",  "channel_id", "event_time", "body_loc_key",
		"title_loc_key", "visibility", "proxy",      "notification_priority",
	};
	static const char *const bools[] = {
		"sticky",
		"local_only",
		"default_sound",
		"default_vibrate_timings",
		"default_light_settings",
		"bypass_proxy_notification",
	};
	static const char *const values[] = {"body_loc_args", "title_loc_args",
					     "vibrate_timings", "light_settings"};
	int64_t count;
	struct json_reader inner;

	if (!enter(r, "notification", &inner))
		return;
	get_texts(&inner, texts, COUNT(texts));
	get_bools(&inner, bools, COUNT(bools));
	get_values(&inner, values, COUNT(values));
	json_get_int(&inner, "notification_count", false, 0, INT32_MAX, &count);
	json_reader_end(&inner, NULL);
}

/* "3.5s": what protobuf's Duration is in JSON. */
static bool is_duration(const char *text)
{
	size_t len = strlen(text);

	return len >= 2 && text[len - 1] == 's' && text[0] != '.' &&
	       strspn(text, "0123456789.") == len - 1 &&
	       strchr(text, '.') == strrchr(text, '.');
}

static void get_android(struct json_reader *r, struct buf *key)
{
	static const char *const texts[] = {"restricted_package_name"};
	static const char *const bools[] = {"direct_boot_ok"};
	char collapse_key[FCM_TOKEN_MAX + 1], ttl[64], priority[16];
	struct json_reader inner;

	if (!enter(r, "android", &inner))
		return;
	if (json_get_text(&inner, "collapse_key", false, collapse_key,
			  sizeof(collapse_key)))
		buf_add_text(key, collapse_key);
	if (json_get_text(&inner, "ttl", false, ttl, sizeof(ttl)) && !is_duration(ttl))
		json_fault(&inner, "ttl", "must be seconds with an s, such as 3600s");
	if (json_get_text(&inner, "priority", false, priority, sizeof(priority)) &&
	    strcmp(priority, "NORMAL") != 0 && strcmp(priority, "HIGH") != 0 &&
	    strcmp(priority, "normal") != 0 && strcmp(priority, "high") != 0)
		json_fault(&inner, "priority", "must be NORMAL or HIGH");
	get_texts(&inner, texts, COUNT(texts));
	get_bools(&inner, bools, COUNT(bools));
	get_data(&inner);
	get_android_notification(&inner);
	get_fcm_options(&inner, NULL);
	json_reader_end(&inner, NULL);
}

static void get_apns(struct json_reader *r)
{
	static const char *const texts[] = {"live_activity_token"};
	struct json_reader inner, payload;

	if (!enter(r, "apns", &inner))
		return;
	get_texts(&inner, texts, COUNT(texts));
	get_map(&inner, "headers");
	enter(&inner, "payload", &payload); /* any object */
	get_fcm_options(&inner, "image");
	json_reader_end(&inner, NULL);
}

static void get_webpush(struct json_reader *r)
{
	struct json_reader inner, notification;

	if (!enter(r, "webpush", &inner))
		return;
	get_map(&inner, "headers");
	get_data(&inner);
	enter(&inner, "notification", &notification); /* any object */
	get_fcm_options(&inner, "link");
	json_reader_end(&inner, NULL);
}

static size_t encoded_len(struct json_t *value, struct buf *scratch)
{
	buf_clear(scratch);
	if (value != NULL)
		json_encode_value(value, scratch);
	return scratch->len;
}

/* Fills x->to, key and text. 0, or -1 with *p or the answer filled. */
static int read_message(struct exchange *x, struct json_t *body, struct problem *p)
{
	struct json_reader top, message;
	char token[FCM_TOKEN_MAX + 1];
	bool validate_only;
	size_t payload;

	json_reader_init(&top, body, "", p);
	json_get_bool(&top, "validate_only", false, &validate_only);
	if (!enter(&top, "message", &message)) {
		json_fault(&top, "message", "is required");
		return -1;
	}
	json_get_text(&message, "token", true, token, sizeof(token));
	get_notification(&message);
	get_data(&message);
	get_android(&message, &x->key);
	get_apns(&message);
	get_webpush(&message);
	get_fcm_options(&message, NULL);
	if (json_reader_end(&message, NULL) < 0 || json_reader_end(&top, NULL) < 0)
		return -1;
	if (token[0] == '\0')
		return problem_set(p, PROBLEM_VALIDATION, "message.token",
				   "message.token may not be empty");
	payload = encoded_len(json_get_value(&message, "notification", false), &x->text);
	payload += encoded_len(json_get_value(&message, "data", false), &x->text);
	if (payload > FCM_PAYLOAD_MAX)
		return problem_set(
			p, PROBLEM_VALIDATION, "message",
			"message is too big: its payload has %zu bytes, %d fit", payload,
			FCM_PAYLOAD_MAX);
	buf_add_text(&x->to, token);
	encoded_len(message.object, &x->text);
	return 0;
}

static int parse(struct exchange *x)
{
	struct err e = ERR_INIT;
	struct problem p = {.kind = PROBLEM_NONE};
	struct json_t *body;
	int rc;

	if (!exchange_is_type(x, "application/json"))
		return invalid(x, NULL, "Content-Type must be application/json");
	body = json_read(x->body, x->body_len, &e);
	if (body == NULL)
		return invalid(x, NULL, e.text);
	rc = read_message(x, body, &p);
	json_free(body);
	return rc < 0 ? invalid(x, p.field, p.detail) : 0;
}

/* ---- accepted ---- */

static void accept_message(const struct fcm *f, struct exchange *x)
{
	struct json_writer w;
	uint64_t number;
	char name[256];

	random_bytes(&number, sizeof(number));
	snprintf(name, sizeof(name), "projects/%.128s/messages/0:%lld%%%016llx",
		 f->project, (long long)x->now_us, (unsigned long long)number);
	json_writer_init(&w, &x->answer);
	json_open(&w, NULL, '{');
	json_put_text(&w, "name", name);
	json_close(&w, '}');
	buf_add_text(&x->id, name);
	x->status = 200;
	x->accepted = true;
	x->record = (struct record){.received_us = x->now_us,
				    .id = buf_text(&x->id),
				    .to = buf_text(&x->to),
				    .key = x->key.len > 0 ? buf_text(&x->key) : NULL,
				    .body = buf_text(&x->text),
				    .body_is_json = true};
}

void fcm_receive(const struct fcm *f, struct exchange *x)
{
	const char *token = exchange_credentials(x, "Bearer");

	if (token == NULL || !oauth_accepts(f->oauth, token, x->now_us)) {
		fcm_refuse(x, 401);
		return;
	}
	if (strcmp(x->name, f->project) != 0) {
		fcm_refuse(x, 403);
		return;
	}
	if (parse(x) < 0)
		return;
	if (strncmp(buf_text(&x->to), "unregistered", 12) == 0) {
		fcm_refuse(x, 404);
		return;
	}
	accept_message(f, x);
}
