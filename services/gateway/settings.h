#ifndef PAYBELL_GATEWAY_SETTINGS_H
#define PAYBELL_GATEWAY_SETTINGS_H

#include "app/settings.h"
#include "base/config.h"

struct gateway_settings {
	struct common_settings common;
	const char *listen;
	int64_t threads, max_connections, max_of_address, max_of_user;
	int64_t queue_max_bytes, handshake_ms, auth_timeout_ms;
	int64_t restart_spread_ms, resume_max, presence_ttl_ms, messages_max, ping_ms;
	bool query_token;
	const char *pages;
	bool metrics;
	const char *jwt_secret, *jwt_old_secret, *jwt_audience, *origins;
	const char *event_source, *event_type_prefix;
};

extern const struct setting gateway_setting_rows[];

/* What a single setting's limits cannot say. */
int gateway_settings_check(const struct gateway_settings *s, struct err *e);

#endif
