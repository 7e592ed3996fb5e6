#include "email/smtp.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "wire/mime.h"

struct smtp_settings {
	const char *url, *user, *password, *from, *hello;
	bool starttls;
};

struct smtp {
	struct smtp_settings settings; /* first: the core fills it */
	char from_name[USER_NAME_MAX + 1];
	char from_address[EMAIL_MAX + 1];
	const char *domain; /* in from_address */
	char message_id[MESSAGE_KEY_SIZE + EMAIL_MAX + 1];
};

static const struct setting rows[] = {
	{"SMTP_URL", SETTING_TEXT, offsetof(struct smtp_settings, url),
	 "smtp://127.0.0.1:8025", 1, 512, NULL,
	 "The relay: smtp://host:port, or smtps:// for TLS from the first byte."},
	{"SMTP_USER", SETTING_TEXT, offsetof(struct smtp_settings, user), "", 0, 255,
	 NULL, "Its login; empty: none."},
	{"SMTP_PASSWORD", SETTING_SECRET, offsetof(struct smtp_settings, password), "", 0,
	 255, NULL, "The login's password."},
	{"SMTP_STARTTLS", SETTING_BOOL, offsetof(struct smtp_settings, starttls), "false",
	 0, 0, NULL, "Refuse to send in clear text over smtp://."},
	{"SMTP_HELLO", SETTING_TEXT, offsetof(struct smtp_settings, hello), "", 0, 255,
	 NULL, "Our name in EHLO; empty: the host's."},
	{"MAIL_FROM", SETTING_TEXT, offsetof(struct smtp_settings, from),
	 "Paybell <no-reply@paybell.invalid>", 3, 400, NULL,
	 "The sender: name <address>, or an address alone."},
	SETTING_END,
};

/* "Paybell <no-reply@example.org>" or "no-reply@example.org". */
static int parse_from(struct smtp *s, struct err *e)
{
	const char *text = s->settings.from, *open = strrchr(text, '<');
	size_t name_len = open ? (size_t)(open - text) : 0;
	size_t len = open ? strcspn(open + 1, ">") : strlen(text);

	while (name_len > 0 && text[name_len - 1] == ' ')
		name_len--;
	if (name_len >= sizeof(s->from_name) || len >= sizeof(s->from_address) ||
	    (open && strcmp(open + 1 + len, ">") != 0))
		return err_set(e, ERR_INVALID,
			       "PAYBELL_MAIL_FROM must be name <address>, or an address");
	memcpy(s->from_name, text, name_len);
	s->from_name[name_len] = '\0';
	memcpy(s->from_address, open ? open + 1 : text, len);
	s->from_address[len] = '\0';
	if (mime_address_check(s->from_address, e) < 0)
		return err_wrap(e, "PAYBELL_MAIL_FROM");
	s->domain = strrchr(s->from_address, '@') + 1;
	return 0;
}

static int smtp_check(void *state, struct err *e)
{
	struct smtp *s = state;
	const char *url = s->settings.url;

	if (strncmp(url, "smtp://", 7) != 0 && strncmp(url, "smtps://", 8) != 0)
		return err_set(e, ERR_INVALID,
			       "PAYBELL_SMTP_URL must begin with smtp:// or smtps://");
	if (strchr(url, '@'))
		return err_set(e, ERR_INVALID,
			       "PAYBELL_SMTP_URL holds no login: PAYBELL_SMTP_USER and "
			       "PAYBELL_SMTP_PASSWORD do");
	if ((s->settings.user[0] == '\0') != (s->settings.password[0] == '\0'))
		return err_set(e, ERR_INVALID,
			       "PAYBELL_SMTP_USER and PAYBELL_SMTP_PASSWORD go together");
	return parse_from(s, e);
}

/* The date is the event's, so that all attempts are the same message to the byte. */
static int smtp_build(void *state, const struct message *m, struct transfer_request *r,
		      struct buf *scratch, struct err *e)
{
	struct smtp *s = state;
	const struct user *to = &m->recipient->user;
	const struct mime_message mail = {
		.from_name = s->from_name,
		.from_address = s->from_address,
		.to_name = to->name,
		.to_address = to->email,
		.subject = m->parts[0],
		.message_id = s->message_id,
		.date_us = m->recipient->event.time_us,
		.language = m->locale,
		.text = m->parts[1],
		.html = m->parts[2],
	};

	if (mime_address_check(to->email, e) < 0)
		return -1;
	snprintf(s->message_id, sizeof(s->message_id), "%s@%s", m->key, s->domain);
	if (mime_encode(&mail, scratch, e) < 0) {
		e->code = ERR_CORRUPT;
		return -1;
	}
	r->url = s->settings.url;
	r->body = buf_text(scratch);
	r->body_len = scratch->len;
	r->mail_from = s->from_address;
	r->mail_to = to->email;
	r->hello = s->settings.hello[0] ? s->settings.hello : NULL;
	r->starttls_required = s->settings.starttls;
	if (s->settings.user[0]) {
		r->username = s->settings.user;
		r->password = s->settings.password;
	}
	return 0;
}

/* RFC 5321 section 4.2.3, RFC 4954 section 6 (530, 534, 535, 538: the login). */
static enum attempt_reason permanent_reason(int status)
{
	switch (status) {
	case 550:
	case 551:
	case 553:
		return REASON_BAD_ADDRESS;
	default:
		return REASON_REJECTED;
	}
}

static bool is_login(int status)
{
	return status == 530 || status == 534 || status == 535 || status == 538;
}

static void smtp_judge(void *state, const struct transfer_result *result,
		       struct verdict *v)
{
	int status = result->status;

	v->status = ATTEMPT_RETRYING;
	if (is_login(status)) {
		v->reason = REASON_UNAUTHORIZED; /* the operator's to mend, not the
						  * message's end */
	} else if (result->outcome != TRANSFER_ANSWERED || status / 100 == 4) {
		v->reason = REASON_PROVIDER_ERROR;
	} else if (status / 100 == 2) {
		v->status = ATTEMPT_DELIVERED;
	} else {
		v->status = ATTEMPT_FAILED;
		v->reason = permanent_reason(status);
	}
}

const struct transport smtp_transport = {
	.channel = "email",
	.provider = "smtp",
	.summary = "Sends an e-mail for every event, by SMTP.",
	.admin = "127.0.0.1:9182",
	.target = TARGET_EMAIL,
	.parts = {{"subject.txt", 240, true},
		  {"body.txt", MIME_PART_MAX, false},
		  {"body.html", MIME_PART_MAX, false}},
	.settings = rows,
	.state_size = sizeof(struct smtp),
	.check = smtp_check,
	.build = smtp_build,
	.judge = smtp_judge,
};
