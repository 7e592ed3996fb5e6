#include "sandbox/settings.h"

#include <string.h>

#define AT(field) offsetof(struct sandbox_settings, field)

const struct setting sandbox_setting_rows[] = {
	{"SANDBOX_LISTEN", SETTING_TEXT, AT(listen), "127.0.0.1:8090", 1, 128, NULL,
	 "Where Twilio, FCM, the inbox and the faults are; port 0 picks one."},
	{"SANDBOX_SMTP", SETTING_TEXT, AT(smtp), "127.0.0.1:8025", 1, 128, NULL,
	 "Where SMTP is; port 0 picks one."},
	{"SANDBOX_DIR", SETTING_TEXT, AT(directory), "", 0, 3900, NULL,
	 "Where messages are kept; empty: a fresh folder that goes at the end."},
	{"SANDBOX_MAX_BYTES", SETTING_SIZE, AT(max_bytes), "64G", 1024 * 1024, INT64_MAX,
	 NULL, "All messages together; what would go over is refused."},
	{"SANDBOX_MAIL_MAX", SETTING_SIZE, AT(mail_max_bytes), "10M", 1024, 10485760,
	 NULL, "The largest mail."},
	{"SANDBOX_TWILIO_SID", SETTING_TEXT, AT(twilio_sid),
	 "AC00000000000000000000000000000000", 34, 34, NULL, "The account."},
	{"SANDBOX_TWILIO_TOKEN", SETTING_SECRET, AT(twilio_token), "sandbox", 1, 128,
	 NULL, "Its auth token; sandbox when not set."},
	{"SANDBOX_FCM_PROJECT", SETTING_TEXT, AT(fcm_project), "paybell-demo", 1, 63,
	 NULL, "The project's id."},
	{"SANDBOX_FCM_TOKEN", SETTING_SECRET, AT(fcm_token), "", 0, 2048, NULL,
	 "A bearer token that does not end, beside those that POST /token gives."},
	{"SANDBOX_FCM_PUBLIC_KEY", SETTING_TEXT, AT(fcm_public_key), "", 0, 1024, NULL,
	 "A PEM file: assertions must be signed by its key; empty: they are not "
	 "checked."},
	{"SANDBOX_SMTP_USER", SETTING_TEXT, AT(smtp_user), "", 0, 255, NULL,
	 "Who must log in; empty: nobody must, and all may."},
	{"SANDBOX_SMTP_PASSWORD", SETTING_SECRET, AT(smtp_password), "", 0, 255, NULL,
	 "With this."},
	{"SANDBOX_SEED", SETTING_INT, AT(seed), "0", 0, INT64_MAX, NULL,
	 "Which messages an error rate hits."},
	SETTING_END,
};

int sandbox_settings_check(const struct sandbox_settings *s, struct err *e)
{
	if (strlen(s->twilio_sid) != 34 || strncmp(s->twilio_sid, "AC", 2) != 0 ||
	    strspn(s->twilio_sid + 2, "0123456789abcdef") != 32)
		return err_set(e, ERR_INVALID,
			       "PAYBELL_SANDBOX_TWILIO_SID must be AC and 32 hex digits");
	if ((s->smtp_user[0] == '\0') != (s->smtp_password[0] == '\0'))
		return err_set(e, ERR_INVALID,
			       "PAYBELL_SANDBOX_SMTP_USER and _PASSWORD go together");
	return 0;
}
