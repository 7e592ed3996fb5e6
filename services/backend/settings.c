#include "backend/settings.h"

#include <string.h>

#include "backend/auth.h"
#include "io/token.h"

#define AT(field) offsetof(struct backend_settings, field)

const struct setting backend_setting_rows[] = {
	{"LISTEN", SETTING_TEXT, AT(listen), "127.0.0.1:8080", 1, 256, NULL,
	 "The API: host:port or unix:/path."},
	{"HTTP_THREADS", SETTING_INT, AT(http_threads), "1", 1, 16, NULL,
	 "Threads that parse and answer requests."},
	{"MAX_CONNECTIONS", SETTING_INT, AT(max_connections), "4096", 1, 16384, NULL,
	 "Connections a thread; more are closed when they come."},
	{"API_KEYS", SETTING_SECRET, AT(api_keys), NULL, 64, 2048, NULL,
	 "SHA-256 digests (64 hex digits) of the keys that may call the API, separated "
	 "by commas."},
	{"CHANNELS", SETTING_TEXT, AT(channels), "push,email,sms", 1, 256, NULL,
	 "The channels that events are fed to."},
	{"QUEUE_MAX", SETTING_INT, AT(queue_max), "1000000", 1, 100000000, NULL,
	 "Entries of a channel's stream; what is more waits in the ledger."},
	{"SWEEP_EVERY", SETTING_DURATION, AT(sweep_every_ms), "5m", 1000, 86400 * 1000,
	 NULL, "How often deliveries that are lost are looked for, and fed again."},
	{"COMMIT_QUEUE_MAX", SETTING_INT, AT(commit_queue_max), "4096", 1, 65536, NULL,
	 "Requests that may wait for the committer; more are answered 503."},
	{"BATCH_MAX", SETTING_INT, AT(batch_max), "512", 1, 4096, NULL,
	 "Requests of one commit."},
	{"WAL_MAX", SETTING_SIZE, AT(wal_max), "256M", 1 << 20, INT64_C(1) << 40, NULL,
	 "Size of the write-ahead log at which the committer pauses for a checkpoint; at "
	 "twice that requests are answered 503."},
	{"CHECK_WAIT", SETTING_DURATION, AT(check_wait_ms), "10s", 0, 3600000, NULL,
	 "How long a start after an unclean stop waits for the check of the database; "
	 "what "
	 "is left is checked in the background."},
	{"EVENT_SOURCE", SETTING_TEXT, AT(event_source), "paybell/backend", 1,
	 EVENT_SOURCE_MAX, NULL, "The events' CloudEvents attribute source."},
	{"EVENT_TYPE_PREFIX", SETTING_TEXT, AT(event_type_prefix), "transaction", 1,
	 EVENT_TYPE_PREFIX_MAX, NULL,
	 "What the events' type begins with: <prefix>.completed."},
	{"JWT_SECRET", SETTING_SECRET, AT(jwt_secret), "", 0, 256, NULL,
	 "Signs the users' tokens (HS256), at least 32 bytes; empty: no tokens are "
	 "issued."},
	{"JWT_AUDIENCE", SETTING_TEXT, AT(jwt_audience), "paybell", 1, 63, NULL,
	 "The tokens' audience."},
	SETTING_END,
};

int backend_settings_check(const struct backend_settings *s, struct err *e)
{
	struct bus_channels channels;
	struct auth auth;

	if (auth_init(&auth, s->api_keys, e) < 0)
		return err_wrap(e, "PAYBELL_API_KEYS");
	if (bus_channels_parse(&channels, s->channels, e) < 0)
		return err_wrap(e, "PAYBELL_CHANNELS");
	if (s->jwt_secret[0] != '\0' && strlen(s->jwt_secret) < TOKEN_SECRET_MIN)
		return err_set(e, ERR_INVALID,
			       "PAYBELL_JWT_SECRET has less than %d bytes",
			       TOKEN_SECRET_MIN);
	return 0;
}
