/* The backend's own settings. */
#ifndef PAYBELL_BACKEND_SETTINGS_H
#define PAYBELL_BACKEND_SETTINGS_H

#include "app/bus.h"
#include "app/settings.h"
#include "wire/event.h"

struct backend_settings {
	struct common_settings common;
	const char *listen;
	int64_t http_threads, max_connections;
	const char *api_keys; /* SHA-256 digests in hex, separated by commas */
	const char *channels; /* "push,email,sms" */
	int64_t sweep_every_ms;
	int64_t queue_max, commit_queue_max, batch_max, wal_max, check_wait_ms;
	const char *event_source, *event_type_prefix;
	const char *jwt_secret, *jwt_audience;
};

extern const struct setting backend_setting_rows[];

/* What single settings cannot say. */
int backend_settings_check(const struct backend_settings *s, struct err *e);

#endif
