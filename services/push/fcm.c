#include "push/fcm.h"

#include <stdio.h>
#include <string.h>

#include "base/money.h"
#include "push/access_token.h"
#include "wire/json.h"
#include "wire/json_scan.h"

#define URL_SIZE 768

struct fcm_settings {
	const char *url, *project, *token, *credentials;
};

struct fcm {
	struct fcm_settings settings; /* first: the core fills it */
	char url[URL_SIZE];
	struct service_account account; /* with FCM_CREDENTIALS */
	struct access_token *access;    /* NULL: the token is a setting */
	char header[ACCESS_TOKEN_SIZE]; /* then this */
};

static const struct setting rows[] = {
	{"FCM_URL", SETTING_TEXT, offsetof(struct fcm_settings, url),
	 "https://fcm.googleapis.com", 1, 512, NULL, "Where the API is."},
	{"FCM_PROJECT", SETTING_TEXT, offsetof(struct fcm_settings, project), "", 0, 63,
	 NULL, "The project's id; empty: that of the credentials."},
	{"FCM_TOKEN", SETTING_SECRET, offsetof(struct fcm_settings, token), "", 0, 2048,
	 NULL, "A bearer token that does not end, for sandboxes."},
	{"FCM_CREDENTIALS", SETTING_TEXT, offsetof(struct fcm_settings, credentials), "",
	 0, 1024, NULL, "The service account's key file (JSON)."},
	SETTING_END,
};

static int fcm_check(void *state, struct err *e)
{
	struct fcm *f = state;
	const struct fcm_settings *s = &f->settings;
	const char *project = s->project;
	size_t len = strlen(s->url);

	if ((s->token[0] == '\0') == (s->credentials[0] == '\0'))
		return err_set(e, ERR_INVALID,
			       "exactly one of PAYBELL_FCM_CREDENTIALS and "
			       "PAYBELL_FCM_TOKEN must be set");
	if (strncmp(s->url, "https://", 8) != 0 && strncmp(s->url, "http://", 7) != 0)
		return err_set(e, ERR_INVALID,
			       "PAYBELL_FCM_URL must begin with https:// or http://");
	if (s->credentials[0] && service_account_read(&f->account, s->credentials, e) < 0)
		return err_wrap(e, "PAYBELL_FCM_CREDENTIALS");
	if (project[0] == '\0')
		project = f->account.project;
	if (project[0] == '\0' ||
	    strspn(project, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(project))
		return err_set(e, ERR_INVALID,
			       "PAYBELL_FCM_PROJECT must be a project's id: letters a-z, "
			       "digits and \"-\"");
	while (len > 0 && s->url[len - 1] == '/')
		len--;
	snprintf(f->url, sizeof(f->url), "%.*s/v1/projects/%s/messages:send", (int)len,
		 s->url, project);
	snprintf(f->header, sizeof(f->header), "Authorization: Bearer %s", s->token);
	return 0;
}

static int fcm_start(void *state, struct loop *l, struct transfer_engine *t,
		     loop_fn *ready_changed, void *arg, struct err *e)
{
	struct fcm *f = state;

	if (f->settings.credentials[0])
		f->access = access_token_start(l, t, &f->account, ready_changed, arg);
	return 0;
}

static bool fcm_ready(const void *state)
{
	const struct fcm *f = state;

	return !f->access || access_token_ready(f->access);
}

static void fcm_stop(void *state)
{
	struct fcm *f = state;

	access_token_stop(f->access);
	f->access = NULL;
}

static void put_data(struct json_writer *w, const struct event *ev, const char *key)
{
	char money[MONEY_TEXT_SIZE], sequence[EVENT_SEQUENCE_SIZE];

	sequence_format(sequence, ev->sequence);
	json_open(w, "data", '{');
	json_put_text(w, "event_id", ev->id);
	json_put_text(w, "transaction_id", ev->transaction_id);
	json_put_text(w, "sequence", sequence);
	json_put_text(w, "direction", direction_name(ev->direction));
	json_put_text(w, "amount", money_format(money, ev->amount_minor, ev->currency));
	json_put_text(w, "currency", ev->currency);
	if (ev->counterparty[0])
		json_put_text(w, "counterparty", ev->counterparty);
	json_put_text(w, "key", key);
	json_close(w, '}');
}

/* The key goes where each platform replaces a notification by its repeat. */
static void put_platforms(struct json_writer *w, const char *key)
{
	json_open(w, "android", '{');
	json_put_text(w, "priority", "HIGH");
	json_put_text(w, "collapse_key", key);
	json_open(w, "notification", '{');
	json_put_text(w, "tag", key);
	json_close(w, '}');
	json_close(w, '}');
	json_open(w, "apns", '{');
	json_open(w, "headers", '{');
	json_put_text(w, "apns-priority", "10");
	json_put_text(w, "apns-collapse-id", key);
	json_close(w, '}');
	json_close(w, '}');
}

static int fcm_build(void *state, const struct message *m, struct transfer_request *r,
		     struct buf *scratch, struct err *e)
{
	struct fcm *f = state;
	struct json_writer w;

	json_writer_init(&w, scratch);
	json_open(&w, NULL, '{');
	json_open(&w, "message", '{');
	json_put_text(&w, "token", m->device->token);
	json_open(&w, "notification", '{');
	json_put_text(&w, "title", m->parts[0]);
	json_put_text(&w, "body", m->parts[1]);
	json_close(&w, '}');
	put_data(&w, &m->recipient->event, m->key);
	put_platforms(&w, m->key);
	json_close(&w, '}');
	json_close(&w, '}');
	if (scratch->overflowed)
		return err_set(e, ERR_FULL, "the message is too long");
	r->url = f->url;
	r->method = "POST";
	r->headers[0] = "Content-Type: application/json; charset=utf-8";
	r->headers[1] = f->access ? access_token_header(f->access) : f->header;
	r->body = buf_text(scratch);
	r->body_len = scratch->len;
	return 0;
}

/* {"name":"projects/…/messages/…"}, or
 * {"error":{"status":…,"details":[{"errorCode":…}]}}:
 * https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode */
struct answer {
	char error[64];
};

static void read_error(struct answer *a, struct json_t *error, struct problem *p)
{
	struct json_reader r, detail;
	struct json_t *details;

	json_reader_init(&r, error, "error", p);
	json_get_text(&r, "status", false, a->error, sizeof(a->error));
	details = json_get_value(&r, "details", false);
	for (size_t i = 0; i < json_count(details); i++) {
		json_reader_init(&detail, json_item(details, i), "details", p);
		if (json_has(&detail, "errorCode"))
			json_get_text(&detail, "errorCode", false, a->error,
				      sizeof(a->error));
	}
}

/* Of a message that was taken, which most are: looked up where it lies. */
static void read_name(char *name, size_t size, const struct transfer_result *result)
{
	struct slice body = {result->body, result->body_len}, raw;

	name[0] = '\0';
	if (json_scan_member(body, "name", &raw) && raw.at[0] == '"')
		json_scan_text(raw, name, size);
}

static void read_answer(struct answer *a, const struct transfer_result *result)
{
	struct err ignored = ERR_INIT;
	struct problem p;
	struct json_reader r;
	struct json_t *root = json_read(result->body, result->body_len, &ignored);

	*a = (struct answer){.error = ""};
	if (!root)
		return;
	json_reader_init(&r, root, "", &p);
	if (json_has(&r, "error"))
		read_error(a, json_get_value(&r, "error", false), &p);
	json_free(root);
}

/* UNREGISTERED: the app is gone from the device; SENDER_ID_MISMATCH: the token belongs to
 * another project. Both: this device never again. The record says bad_address with the
 * device's id, and the ledger forgets the device. */
static bool is_bad_token(const struct answer *a)
{
	return strcmp(a->error, "UNREGISTERED") == 0 ||
	       strcmp(a->error, "SENDER_ID_MISMATCH") == 0;
}

static void judge_refusal(struct fcm *f, const struct transfer_result *result,
			  struct verdict *v)
{
	struct answer a;

	read_answer(&a, result);
	v->status = ATTEMPT_RETRYING;
	if (is_bad_token(&a)) {
		v->status = ATTEMPT_FAILED;
		v->reason = REASON_BAD_ADDRESS;
	} else if (result->status == 429) {
		v->reason = REASON_RATE_LIMITED;
	} else if (result->status == 401 || result->status == 403 ||
		   result->status == 404) {
		/* Ours to mend: the token, the project's rights, its name. */
		v->reason = REASON_UNAUTHORIZED;
		if (f->access && result->status == 401 &&
		    strcmp(a.error, "THIRD_PARTY_AUTH_ERROR") != 0)
			access_token_refused(f->access);
	} else if (result->status / 100 == 4 && result->status != 408) {
		v->status = ATTEMPT_FAILED;
		v->reason = REASON_REJECTED;
	} else {
		v->reason = REASON_PROVIDER_ERROR;
	}
}

static void fcm_judge(void *state, const struct transfer_result *result,
		      struct verdict *v)
{
	if (result->status != 200) {
		judge_refusal(state, result, v);
		return;
	}
	v->status = ATTEMPT_DELIVERED;
	read_name(v->provider_id, sizeof(v->provider_id), result);
}

/* FCM takes 4,096 bytes of notification and data together. */
const struct transport fcm_transport = {
	.channel = "push",
	.provider = "fcm",
	.summary = "Sends a push message to every device for every event, by FCM.",
	.admin = "127.0.0.1:9181",
	.target = TARGET_DEVICES,
	.parts = {{"title.txt", 200, true}, {"body.txt", 1000, false}},
	.settings = rows,
	.state_size = sizeof(struct fcm),
	.check = fcm_check,
	.start = fcm_start,
	.ready = fcm_ready,
	.stop = fcm_stop,
	.build = fcm_build,
	.judge = fcm_judge,
};
