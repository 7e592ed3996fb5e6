#include "app/settings.h"

#include <string.h>

#define HOUR_MS (3600 * 1000)

const struct setting common_setting_rows[] = {
	{"REDIS", SETTING_TEXT, offsetof(struct common_settings, redis),
	 "redis://127.0.0.1:6379", 1, 512, NULL,
	 "Redis: redis://[[user]:password@]host[:port][/db] or unix:/path[?db=n]."},
	{"REDIS_PREFIX", SETTING_TEXT, offsetof(struct common_settings, redis_prefix), "",
	 0, 64, NULL, "Put in front of every name in Redis."},
	{"REDIS_TIMEOUT", SETTING_DURATION,
	 offsetof(struct common_settings, redis_timeout_ms), "5s", 50, HOUR_MS, NULL,
	 "A command that waits longer for its answer ends the connection."},
	{"DATABASE", SETTING_TEXT, offsetof(struct common_settings, database),
	 "/var/lib/paybell/paybell.db", 1, 1024, NULL,
	 "The database's file, on a local file system."},
	SETTING_END,
};

/* By the program that reads them; sorted by nothing else, and walked once at start. */
static const char *const suite[] = {
	/* every service: service.c */
	"ADMIN",
	"DRAIN_TIMEOUT",
	"INSTANCE",
	"LOG_LEVEL",
	"NICE",
	/* who talks to Redis or reads the database */
	"DATABASE",
	"REDIS",
	"REDIS_PREFIX",
	"REDIS_TIMEOUT",
	/* backend */
	"API_KEYS",
	"BATCH_MAX",
	"CHANNELS",
	"COMMIT_QUEUE_MAX",
	"EVENT_SOURCE",
	"EVENT_TYPE_PREFIX",
	"HTTP_THREADS",
	"JWT_AUDIENCE",
	"JWT_SECRET",
	"LISTEN",
	"MAX_CONNECTIONS",
	"QUEUE_MAX",
	"SWEEP_EVERY",
	"WAL_MAX",
	"CHECK_WAIT",
	/* workers */
	"ATTEMPTS_LOG_MAX",
	"ATTEMPTS_MAX",
	"CA_FILE",
	"CLAIM_IDLE",
	"CONNECTIONS",
	"CONNECT_TIMEOUT",
	"EXPIRES",
	"HELD_MAX",
	"LOCALE",
	"PROBE_MAX",
	"PROBE_MIN",
	"RATE",
	"RATE_BURST",
	"RETRY_MAX",
	"RETRY_MIN",
	"RETRY_RATE",
	"RETRY_SHARE",
	"SEND_TIMEOUT",
	"TEMPLATES",
	"WINDOW",
	/* email */
	"MAIL_FROM",
	"SMTP_HELLO",
	"SMTP_PASSWORD",
	"SMTP_STARTTLS",
	"SMTP_URL",
	"SMTP_USER",
	/* push */
	"FCM_CREDENTIALS",
	"FCM_PROJECT",
	"FCM_TOKEN",
	"FCM_URL",
	/* sms */
	"SMS_AMBIGUOUS",
	"TWILIO_FROM",
	"TWILIO_SID",
	"TWILIO_TOKEN",
	"TWILIO_URL",
	/* sandbox */
	"SANDBOX_DIR",
	"SANDBOX_FCM_PROJECT",
	"SANDBOX_FCM_PUBLIC_KEY",
	"SANDBOX_FCM_TOKEN",
	"SANDBOX_LISTEN",
	"SANDBOX_MAIL_MAX",
	"SANDBOX_MAX_BYTES",
	"SANDBOX_SEED",
	"SANDBOX_SMTP",
	"SANDBOX_SMTP_PASSWORD",
	"SANDBOX_SMTP_USER",
	"SANDBOX_TWILIO_SID",
	"SANDBOX_TWILIO_TOKEN",
	/* gateway */
	"GATEWAY_AUTH_TIMEOUT",
	"GATEWAY_HANDSHAKE_TIMEOUT",
	"GATEWAY_LISTEN",
	"GATEWAY_MAX_CONNECTIONS",
	"GATEWAY_MAX_OF_ADDRESS",
	"GATEWAY_MAX_OF_USER",
	"GATEWAY_MESSAGES_MAX",
	"GATEWAY_METRICS",
	"GATEWAY_ORIGINS",
	"GATEWAY_PAGES",
	"GATEWAY_PING",
	"GATEWAY_QUERY_TOKEN",
	"GATEWAY_QUEUE_MAX",
	"GATEWAY_RESTART_SPREAD",
	"GATEWAY_RESUME_MAX",
	"GATEWAY_THREADS",
	"JWT_OLD_SECRET",
	"PRESENCE_TTL",
	/* paybell, the command line */
	"API",
	"API_KEY",
	NULL,
};

const char *const *settings_suite(void)
{
	return suite;
}

static bool is_known(const char *name)
{
	for (size_t i = 0; suite[i] != NULL; i++)
		if (strcmp(suite[i], name) == 0)
			return true;
	return false;
}

bool settings_all_known(const struct setting_table *tables, const char **missing)
{
	for (; tables->rows != NULL; tables++)
		for (const struct setting *s = tables->rows; s->name != NULL; s++)
			if (!is_known(s->name)) {
				*missing = s->name;
				return false;
			}
	return true;
}
