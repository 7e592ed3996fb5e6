#include "sandbox/provider.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define TWILIO_PREFIX "/2010-04-01/Accounts/"
#define TWILIO_SUFFIX "/Messages.json"
#define FCM_PREFIX    "/v1/projects/"
#define FCM_SUFFIX    "/messages:send"
#define TOKEN_PATH    "/token"
#define NAME_SIZE     160

/* The part of a path between a prefix and a suffix; false when it has another shape. */
static bool between(const char *path, const char *prefix, const char *suffix,
		    char name[NAME_SIZE])
{
	size_t len = strlen(path), prefix_len = strlen(prefix),
	       suffix_len = strlen(suffix);

	if (len <= prefix_len + suffix_len || strncmp(path, prefix, prefix_len) != 0 ||
	    strcmp(path + len - suffix_len, suffix) != 0)
		return false;
	len -= prefix_len + suffix_len;
	if (len >= NAME_SIZE || memchr(path + prefix_len, '/', len) != NULL)
		return false;
	memcpy(name, path + prefix_len, len);
	name[len] = '\0';
	return true;
}

static void begin(struct exchange *x, const struct http_request *r, const char *name)
{
	exchange_begin(x);
	x->name = name;
	x->authorization = http_header(r, "Authorization");
	x->content_type = http_header(r, "Content-Type");
	x->body = http_body(r, &x->body_len);
	x->now_us = http_received_us(r);
}

static void refuse(struct exchange *x, enum channel c, int status)
{
	x->accepted = false;
	if (c == CHANNEL_PUSH)
		fcm_refuse(x, status);
	else
		twilio_refuse(x, status);
}

/* What the provider says, fault or not; writes down what it accepts. */
static void process(struct sandbox *s, enum channel c, const struct verdict *v)
{
	struct exchange *x = &s->exchange;

	if (v->status != 0) {
		refuse(x, c, v->status);
		sandbox_refused(s, c, v->status, "as asked for by a fault");
		return;
	}
	if (c == CHANNEL_PUSH)
		fcm_receive(&s->fcm, x);
	else
		twilio_receive(&s->twilio, x);
	if (!x->accepted)
		sandbox_refused(s, c, x->status, x->reason);
	else if (sandbox_record(s, c, &x->record) < 0)
		refuse(x, c, 500);
}

/* Seconds, or the moment that they end at, rounded up to what a date can say (RFC 9110
 * sections 5.6.7 and 10.2.3). */
static void write_retry_after(char out[CLOCK_RFC5322_SIZE], const struct verdict *v,
			      int64_t now_us)
{
	char *zone;

	if (!v->retry_after_date) {
		snprintf(out, CLOCK_RFC5322_SIZE, "%d", v->retry_after_s);
		return;
	}
	clock_rfc5322(out, now_us + (v->retry_after_s + 1) * US_PER_S - 1);
	zone = strchr(out, '+');
	if (zone != NULL)
		memcpy(zone, "GMT", sizeof("GMT"));
}

static void answer(struct sandbox *s, struct http_request *r, const struct verdict *v)
{
	const struct exchange *x = &s->exchange;
	struct http_answer a = {.status = x->status,
				.content_type = "application/json; charset=UTF-8",
				.body = buf_text(&x->answer),
				.body_len = x->answer.len,
				.cut = v->reset};
	char retry_after[CLOCK_RFC5322_SIZE];
	int headers = 0;

	if (x->status == 401) {
		a.headers[headers].name = "WWW-Authenticate";
		a.headers[headers++].value = "Basic realm=\"sandbox\"";
	}
	if (v->status != 0 && v->retry_after_s > 0) {
		write_retry_after(retry_after, v, x->now_us);
		a.headers[headers].name = "Retry-After";
		a.headers[headers++].value = retry_after;
	}
	if (v->latency_ms > 0)
		held_late(&s->held, r, &a, v->latency_ms);
	else
		http_answer(r, &a);
}

static void message_request(struct sandbox *s, struct http_request *r, enum channel c,
			    const char *name)
{
	struct verdict v = {0};

	begin(&s->exchange, r, name);
	if (strcmp(http_method(r), "POST") != 0) {
		refuse(&s->exchange, c, 405);
		sandbox_refused(s, c, 405, "only POST is possible here");
		answer(s, r, &v);
		return;
	}
	faults_judge(&s->faults, c, &v);
	if (v.outage) {
		http_answer(r, &(struct http_answer){.status = 503, .cut = true});
		return;
	}
	if (v.hang) {
		held_hang(&s->held, r, c);
		return;
	}
	process(s, c, &v);
	answer(s, r, &v);
}

static void token_request(struct sandbox *s, struct http_request *r)
{
	const struct verdict none = {0};
	struct exchange *x = &s->exchange;

	begin(x, r, "");
	if (strcmp(http_method(r), "POST") == 0)
		oauth_receive(&s->oauth, x);
	else
		fcm_refuse(x, 405);
	if (x->status >= 400)
		sandbox_refused(s, CHANNEL_PUSH, x->status, x->reason);
	answer(s, r, &none);
}

bool provider_request(struct sandbox *s, struct http_request *r)
{
	const char *path = http_path(r);
	char name[NAME_SIZE];

	if (between(path, TWILIO_PREFIX, TWILIO_SUFFIX, name))
		message_request(s, r, CHANNEL_SMS, name);
	else if (between(path, FCM_PREFIX, FCM_SUFFIX, name))
		message_request(s, r, CHANNEL_PUSH, name);
	else if (strcmp(path, TOKEN_PATH) == 0)
		token_request(s, r);
	else
		return false;
	return true;
}
