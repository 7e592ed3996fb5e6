#include "gateway/settings.h"

#include <string.h>

#include "gateway/engine.h"
#include "io/token.h"
#include "wire/event.h"

#define AT(field) offsetof(struct gateway_settings, field)

/* clang-format off */
const struct setting gateway_setting_rows[] = {
	{"GATEWAY_LISTEN", SETTING_TEXT, AT(listen), "127.0.0.1:8081", 1, 256, NULL,
	 "Where browsers and apps connect: host:port or unix:/path."},
	{"GATEWAY_THREADS", SETTING_INT, AT(threads), "1", 1, ENGINE_THREADS_MAX, NULL,
	 "Threads that hold the connections."},
	{"GATEWAY_MAX_CONNECTIONS", SETTING_INT, AT(max_connections), "19000", 1, 4000000, NULL,
	 "Connections in all; more are closed when they come."},
	{"GATEWAY_MAX_OF_ADDRESS", SETTING_INT, AT(max_of_address), "0", 0, 4000000, NULL,
	 "Connections of one client address (an IPv6 one counts by its /64); 0: no limit, which is "
	 "right behind a proxy."},
	{"GATEWAY_MAX_OF_USER", SETTING_INT, AT(max_of_user), "20", 1, 100000, NULL,
	 "Connections of one user on one thread."},
	{"GATEWAY_QUEUE_MAX", SETTING_SIZE, AT(queue_max_bytes), "1M", 4096, 1 << 30, NULL,
	 "What may wait for one connection to read it; then it is closed (1013)."},
	{"GATEWAY_MESSAGES_MAX", SETTING_INT, AT(messages_max), "50", 0, 60000, NULL,
	 "Messages, pings and requests of one connection in a second; then it is closed (1008, or 429 "
	 "over HTTP); 0: no limit."},
	{"GATEWAY_HANDSHAKE_TIMEOUT", SETTING_DURATION, AT(handshake_ms), "10s", 1000, 600000, NULL,
	 "For a connection's first request to be whole."},
	{"GATEWAY_AUTH_TIMEOUT", SETTING_DURATION, AT(auth_timeout_ms), "5s", 1000, 600000, NULL,
	 "For a socket to show its token."},
	{"GATEWAY_RESTART_SPREAD", SETTING_DURATION, AT(restart_spread_ms), "10s", 0, 3600000, NULL,
	 "When it stops, its clients come back over this time, each at its own: a plain WebSocket is closed "
	 "and told when, a Socket.IO client is let go then. Less than PAYBELL_DRAIN_TIMEOUT."},
	{"GATEWAY_RESUME_MAX", SETTING_INT, AT(resume_max), "100000", 0, 1000000000, NULL,
	 "Events of the ledger that a client may be behind; further behind it is told to read its "
	 "lists anew."},
	{"PRESENCE_TTL", SETTING_DURATION, AT(presence_ttl_ms), "30s", 1000, 3600000, NULL,
	 "For how long Redis says that a user is connected after a gateway was killed; renewed three "
	 "times as often."},
	{"GATEWAY_ORIGINS", SETTING_TEXT, AT(origins), "", 0, 2048, NULL,
	 "Origins of pages that may connect, separated by commas; *: any. Who sends none (no browser) "
	 "always may."},
	{"GATEWAY_PING", SETTING_DURATION, AT(ping_ms), "25s", 1000, 3600000, NULL,
	 "Silence after which a plain WebSocket is pinged; after twice that and 5 s it is given up."},
	{"GATEWAY_QUERY_TOKEN", SETTING_BOOL, AT(query_token), "off", 0, 0, NULL,
	 "Whether a plain WebSocket may bring its token in the URL (/ws?token=...); URLs end up in logs."},
	{"GATEWAY_PAGES", SETTING_TEXT, AT(pages), "", 0, 1024, NULL,
	 "A folder whose files are served to browsers on the same port (index.html for /); unset: none."},
	{"GATEWAY_METRICS", SETTING_BOOL, AT(metrics), "off", 0, 0, NULL,
	 "Whether /metrics is answered on the gateway's port, too: it faces the world."},
	{"JWT_SECRET", SETTING_SECRET, AT(jwt_secret), NULL, TOKEN_SECRET_MIN, 256, NULL,
	 "What the users' tokens are signed with (HS256), as the backend has it."},
	{"JWT_OLD_SECRET", SETTING_SECRET, AT(jwt_old_secret), "", 0, 256, NULL,
	 "The secret before it: tokens signed with it are still good."},
	{"JWT_AUDIENCE", SETTING_TEXT, AT(jwt_audience), "paybell", 1, 63, NULL,
	 "The tokens' audience."},
	{"EVENT_SOURCE", SETTING_TEXT, AT(event_source), "paybell/backend", 1, EVENT_SOURCE_MAX, NULL,
	 "The events' CloudEvents attribute source, as the backend has it."},
	{"EVENT_TYPE_PREFIX", SETTING_TEXT, AT(event_type_prefix), "transaction", 1, EVENT_TYPE_PREFIX_MAX, NULL,
	 "What the events' type begins with, as the backend has it."},
	SETTING_END,
};
/* clang-format on */

int gateway_settings_check(const struct gateway_settings *s, struct err *e)
{
	size_t old_len = strlen(s->jwt_old_secret);

	if (old_len > 0 && old_len < TOKEN_SECRET_MIN)
		return err_set(e, ERR_INVALID,
			       "PAYBELL_JWT_OLD_SECRET has less than %d bytes",
			       TOKEN_SECRET_MIN);
	return 0;
}
