#include "sandbox/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "sandbox/control.h"
#include "sandbox/mailbox.h"
#include "sandbox/provider.h"

#define HTTP_CONNECTIONS_MAX 4096
#define SMTP_CONNECTIONS_MAX 1000
#define SMTP_RECIPIENTS_MAX  100
#define SMTP_BUDGET_BYTES    (64 * 1024 * 1024)
#define HTTP_IDLE_S          300
#define SMTP_IDLE_MS         300000
#define DRAIN_LOOK_MS        10
#define KEY_FILE_MAX         16384

static struct metric accepted[CHANNEL_COUNT], refused[CHANNEL_COUNT];

static void register_metrics(void)
{
	static const char *const labels[CHANNEL_COUNT] = {
		"channel=\"push\"", "channel=\"email\"", "channel=\"sms\""};

	for (int c = 0; c < CHANNEL_COUNT; c++) {
		metrics_register(&accepted[c], METRIC_COUNTER,
				 "paybell_sandbox_messages_total", labels[c],
				 "Messages accepted and recorded.");
		metrics_register(&refused[c], METRIC_COUNTER,
				 "paybell_sandbox_refused_total", labels[c],
				 "Messages and commands refused.");
	}
}

void sandbox_refused(struct sandbox *s, enum channel c, int status, const char *reason)
{
	refusals_add(&s->refusals, c, clock_utc_us(), status, reason);
	metric_add(&refused[c], 1);
}

int sandbox_record(struct sandbox *s, enum channel c, const struct record *record)
{
	struct err e = ERR_INIT;
	unsigned swallowed;

	if (recorder_add(s->recorder, c, record, &e) == 0) {
		metric_add(&accepted[c], 1);
		return 0;
	}
	if (log_limit_pass(&s->complaints, 5000, &swallowed))
		log_error("record.failed", "channel=%s error=\"%s\" swallowed=%u",
			  channel_name(c), e.text, swallowed);
	sandbox_refused(s, c, 0, e.text);
	return -1;
}

static void on_request(void *arg, struct http_request *r)
{
	struct sandbox *s = arg;

	if (!provider_request(s, r))
		control_request(s, r);
}

/* ---- its life ---- */

int sandbox_check(void *context, struct err *e)
{
	return sandbox_settings_check(context, e);
}

static int read_key(struct sandbox *s, struct err *e)
{
	const char *path = s->settings->fcm_public_key;
	FILE *file;
	size_t len;

	if (path[0] == '\0')
		return 0;
	file = fopen(path, "re");
	if (file == NULL)
		return err_set_errno(e, ERR_IO, errno, "%s", path);
	s->public_key = mem_alloc(KEY_FILE_MAX + 1);
	len = fread(s->public_key, 1, KEY_FILE_MAX, file);
	fclose(file);
	if (len == 0 || len == KEY_FILE_MAX)
		return err_set(e, ERR_INVALID, "%s: not a PEM file of at most 16 KiB",
			       path);
	return 0;
}

static void prepare(struct sandbox *s)
{
	const struct sandbox_settings *settings = s->settings;

	faults_init(&s->faults, (uint64_t)settings->seed);
	held_init(&s->held, s->loop);
	exchange_init(&s->exchange);
	s->twilio = (struct twilio){settings->twilio_sid, settings->twilio_token};
	s->oauth.static_token = settings->fcm_token;
	s->oauth.public_key_pem = s->public_key;
	s->oauth.endpoint = s->oauth_endpoint;
	s->fcm = (struct fcm){settings->fcm_project, &s->oauth};
}

static int listen_http(struct sandbox *s, struct err *e)
{
	const struct http_server_settings settings = {
		.listen = s->settings->listen,
		.loop = s->loop,
		.max_connections = HTTP_CONNECTIONS_MAX,
		.max_body_bytes = EXCHANGE_BODY_MAX,
		.idle_timeout_s = HTTP_IDLE_S,
		.handler = on_request,
		.arg = s,
	};

	if (http_server_start(&s->http, &settings, e) < 0)
		return -1;
	snprintf(s->oauth_endpoint, sizeof(s->oauth_endpoint), "http://%s/token",
		 http_server_address(s->http));
	service_ready_field(s->run, "http", http_server_address(s->http));
	return 0;
}

static int listen_smtp(struct sandbox *s, struct err *e)
{
	const struct smtp_server_settings settings = {
		.listen = s->settings->smtp,
		.loop = s->loop,
		.session = {.hostname = "sandbox.paybell.invalid",
			    .user = s->settings->smtp_user,
			    .password = s->settings->smtp_password,
			    .max_message_bytes = (size_t)s->settings->mail_max_bytes,
			    .max_recipients = SMTP_RECIPIENTS_MAX,
			    .on_refusal = mailbox_refused,
			    .arg = s},
		.budget_bytes = SMTP_BUDGET_BYTES,
		.max_connections = SMTP_CONNECTIONS_MAX,
		.idle_ms = SMTP_IDLE_MS,
		.on_message = mailbox_message,
		.is_out = mailbox_is_out,
		.arg = s,
	};

	if (smtp_server_start(&s->smtp, &settings, e) < 0)
		return -1;
	service_ready_field(s->run, "smtp", smtp_server_address(s->smtp));
	return 0;
}

static void release(struct sandbox *s)
{
	loop_timer_free(s->draining);
	smtp_server_stop(s->smtp);
	http_server_stop(s->http);
	recorder_close(s->recorder);
	exchange_release(&s->exchange);
	mem_free(s->public_key);
	mem_free(s);
}

void *sandbox_start(struct service_run *run, void *context, struct err *e)
{
	struct sandbox *s = mem_alloc(sizeof(*s));

	s->settings = context;
	s->run = run;
	s->loop = service_loop(run);
	register_metrics();
	if (read_key(s, e) < 0)
		goto fail;
	prepare(s);
	if (recorder_open(&s->recorder, s->settings->directory, s->settings->max_bytes,
			  e) < 0 ||
	    listen_http(s, e) < 0 || listen_smtp(s, e) < 0)
		goto fail;
	log_info("sandbox.started", "directory=%s messages=%lld",
		 recorder_directory(s->recorder),
		 (long long)recorder_newest(s->recorder));
	return s;
fail:
	release(s);
	return NULL;
}

static void look_whether_drained(void *arg)
{
	struct sandbox *s = arg;

	held_release(&s->held);
	if (http_server_open_requests(s->http) == 0) {
		loop_timer_stop(s->draining);
		service_drained(s->run);
	}
}

void sandbox_drain(void *state)
{
	struct sandbox *s = state;

	http_server_quiesce(s->http);
	held_release(&s->held);
	s->draining = loop_timer_new(s->loop, look_whether_drained, s);
	loop_timer_start(s->draining, DRAIN_LOOK_MS, DRAIN_LOOK_MS);
}

void sandbox_stop(void *state)
{
	struct sandbox *s = state;

	held_release(&s->held);
	release(s);
}
