#include "sandbox/mailbox.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "sandbox/message.h"

#define HEADER_BYTES_MAX 8192

bool mailbox_is_out(void *arg)
{
	const struct sandbox *s = arg;
	const struct fault *fault = &s->faults.of[CHANNEL_EMAIL];

	return fault->active && fault->outage;
}

void mailbox_refused(void *arg, int status, const char *text)
{
	sandbox_refused(arg, CHANNEL_EMAIL, status, text);
}

static void decide(struct smtp_decision *d, int status, const char *text)
{
	d->status = status;
	snprintf(d->text, sizeof(d->text), "%s", text);
}

/* A fault's status with the enhanced code of its class. */
static void refuse_as_told(struct smtp_decision *d, int status)
{
	if (status == 421)
		decide(d, 421, "4.3.2 Service not available, closing");
	else if (status < 500)
		decide(d, status, "4.3.0 Try again later");
	else
		decide(d, status, "5.3.0 The message was refused");
}

static int record(struct sandbox *s, const struct smtp_session *session,
		  const struct message *m, const char *id)
{
	struct buf key, subject;
	struct record record = {.received_us = clock_utc_us(),
				.id = id,
				.to = buf_text(&session->recipients),
				.from = session->sender,
				.raw = buf_text(&session->data)};
	int rc;

	buf_init(&key, HEADER_BYTES_MAX);
	buf_init(&subject, HEADER_BYTES_MAX);
	message_id(m, &key);
	message_text(m, HEADER_SUBJECT, &subject);
	record.key = key.len > 0 ? key.data : NULL;
	record.subject = m->count[HEADER_SUBJECT] > 0 ? buf_text(&subject) : NULL;
	rc = sandbox_record(s, CHANNEL_EMAIL, &record);
	buf_release(&key);
	buf_release(&subject);
	return rc;
}

static void accept_mail(struct sandbox *s, const struct smtp_session *session,
			struct smtp_decision *d)
{
	struct message m;
	struct err e = ERR_INIT;
	char id[32];
	uint64_t number;

	message_parse(&m, buf_text(&session->data), session->data.len);
	if (message_check(&m, &e) < 0) {
		d->status = 550;
		snprintf(d->text, sizeof(d->text), "5.6.0 %.200s", e.text);
		return;
	}
	random_bytes(&number, sizeof(number));
	snprintf(id, sizeof(id), "%016llx", (unsigned long long)number);
	if (record(s, session, &m, id) < 0) {
		decide(d, 452, "4.3.1 Insufficient system storage");
		return;
	}
	d->status = 250;
	snprintf(d->text, sizeof(d->text), "2.0.0 Ok: queued as %s", id);
}

void mailbox_message(void *arg, const struct smtp_session *session,
		     struct smtp_decision *d)
{
	struct sandbox *s = arg;
	struct verdict v;

	faults_judge(&s->faults, CHANNEL_EMAIL, &v);
	d->latency_ms = v.latency_ms;
	d->hang = v.hang;
	d->reset = v.reset;
	d->outage = v.outage;
	if (v.outage || v.hang)
		return;
	if (v.status != 0)
		refuse_as_told(d, v.status);
	else
		accept_mail(s, session, d);
}
