/* The sandbox's own settings. */
#ifndef PAYBELL_SANDBOX_SETTINGS_H
#define PAYBELL_SANDBOX_SETTINGS_H

#include <stdint.h>

#include "base/config.h"

struct sandbox_settings {
	const char *listen, *smtp, *directory;
	int64_t max_bytes, mail_max_bytes, seed;
	const char *twilio_sid, *twilio_token;
	const char *fcm_project, *fcm_token, *fcm_public_key;
	const char *smtp_user, *smtp_password;
};

extern const struct setting sandbox_setting_rows[];

/* What single settings cannot say. */
int sandbox_settings_check(const struct sandbox_settings *s, struct err *e);

#endif
