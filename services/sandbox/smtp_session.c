#include "sandbox/smtp_session.h"

#include <string.h>

#include "sandbox/smtp_command.h"

#define RECIPIENTS_BYTES_MAX 32768
#define KEEP_DATA_BYTES      32768 /* of a message's memory, for the next one */

void smtp_reply(struct smtp_session *s, int status, const char *text)
{
	buf_addf(&s->out, "%d %s\r\n", status, text);
	if (status < 400)
		return;
	s->errors++;
	if (s->settings->on_refusal != NULL)
		s->settings->on_refusal(s->settings->arg, status, text);
}

/* ---- a message's life ---- */

void smtp_reset(struct smtp_session *s)
{
	s->has_sender = s->eight_bit = false;
	s->sender[0] = '\0';
	s->recipient_count = 0;
	s->fault = 0;
	buf_clear(&s->recipients);
	buf_clear(&s->data);
	if (s->data.capacity > KEEP_DATA_BYTES)
		buf_release(&s->data);
	s->budget->used -= s->charged;
	s->charged = 0;
}

void smtp_session_init(struct smtp_session *s, const struct smtp_settings *settings,
		       struct smtp_budget *budget)
{
	memset(s, 0, sizeof(*s));
	s->settings = settings;
	s->budget = budget;
	buf_init(&s->out, SMTP_OUT_MAX);
	buf_init(&s->recipients, RECIPIENTS_BYTES_MAX);
	buf_init(&s->data, settings->max_message_bytes);
	buf_addf(&s->out, "220 %s ESMTP Paybell sandbox\r\n", settings->hostname);
}

void smtp_session_release(struct smtp_session *s)
{
	smtp_reset(s);
	buf_release(&s->out);
	buf_release(&s->recipients);
	buf_release(&s->data);
}

void smtp_session_shut(struct smtp_session *s, const char *why)
{
	buf_addf(&s->out, "421 4.3.0 %s %s\r\n", s->settings->hostname, why);
	s->state = SMTP_CLOSED;
}

bool smtp_session_finish(struct smtp_session *s, int status, const char *text)
{
	smtp_reply(s, status, text);
	smtp_reset(s);
	s->state = status == 421 ? SMTP_CLOSED : SMTP_COMMAND;
	return status == 421;
}

/* ---- lines ---- */

/* The first fault of a message is the one that is told, at its end. */
static void spoil(struct smtp_session *s, int status, const char *text)
{
	if (s->fault == 0) {
		s->fault = status;
		s->fault_text = text;
	}
	buf_release(&s->data);
	s->budget->used -= s->charged;
	s->charged = 0;
}

static bool is_seven_bit(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] > 127)
			return false;
	return true;
}

static void keep_line(struct smtp_session *s, const char *line, size_t len)
{
	if (s->budget->used + len + 2 > s->budget->max) {
		spoil(s, 452, "4.3.1 Insufficient system storage");
		return;
	}
	buf_add(&s->data, line, len);
	buf_add(&s->data, "\r\n", 2);
	if (s->data.overflowed) {
		spoil(s, 552, "5.3.4 Message size exceeds fixed limit");
		return;
	}
	s->charged += len + 2;
	s->budget->used += len + 2;
}

/* True at the end of the message. */
static bool data_line(struct smtp_session *s)
{
	const char *line = s->line;
	size_t len = s->line_len;

	if (len == 1 && line[0] == '.' && !s->overlong)
		return true;
	if (line[0] == '.' && len > 0) {
		line++;
		len--;
	}
	if (s->fault != 0)
		return false;
	if (s->overlong || len > SMTP_TEXT_MAX - 2)
		spoil(s, 554, "5.6.0 A line of the message has more than 1000 bytes");
	else if (memchr(line, '\0', len) != NULL)
		spoil(s, 554, "5.6.0 The message holds a NUL");
	else if (!s->eight_bit && !is_seven_bit(line, len))
		spoil(s, 554, "5.6.1 8-bit data without BODY=8BITMIME");
	else
		keep_line(s, line, len);
	return false;
}

/* Takes bytes up to a line's end. False: there is none yet. */
static bool gather(struct smtp_session *s, const char *bytes, size_t len, size_t *used)
{
	const char *end = memchr(bytes, '\n', len);
	size_t piece = end != NULL ? (size_t)(end - bytes) + 1 : len;
	size_t room = sizeof(s->line) - 1 - s->line_len;
	size_t kept = piece < room ? piece : room;

	if (piece == 1 && end != NULL) { /* the CR may have come alone */
		s->overlong |= kept == 0;
	} else {
		s->overlong |= kept < piece;
		s->previous = end != NULL ? end[-1] : bytes[len - 1];
	}
	memcpy(s->line + s->line_len, bytes, kept);
	s->line_len += kept;
	*used += piece;
	return end != NULL;
}

/* Ends the line; false when its end is not CRLF, or a CR is in it. */
static bool trim(struct smtp_session *s)
{
	bool good = s->previous == '\r';

	if (s->overlong)
		s->line_len = sizeof(s->line) - 1;
	else
		s->line_len -= s->line_len >= 2 && good ? 2 : 1;
	s->line[s->line_len] = '\0';
	s->previous = '\0';
	return good && (s->overlong || memchr(s->line, '\r', s->line_len) == NULL);
}

static void line_done(struct smtp_session *s)
{
	s->line_len = 0;
	s->overlong = false;
}

static enum smtp_event run_line(struct smtp_session *s)
{
	if (!trim(s)) {
		smtp_reply(s, 521, "5.5.2 A line ended in <LF> or held a <CR> alone");
		s->state = SMTP_CLOSED;
		return SMTP_CLOSE;
	}
	if (s->state == SMTP_COMMAND) {
		smtp_command(s);
	} else if (s->state != SMTP_DATA) {
		smtp_auth_line(s);
	} else if (data_line(s)) {
		s->state = SMTP_WAITING;
		if (s->fault == 0)
			return SMTP_MESSAGE;
		smtp_session_finish(s, s->fault, s->fault_text);
	}
	if (s->errors > SMTP_ERRORS_MAX && s->state != SMTP_CLOSED)
		smtp_session_shut(s, "Too many errors");
	if (s->out.overflowed)
		s->state = SMTP_CLOSED;
	return s->state == SMTP_CLOSED ? SMTP_CLOSE : SMTP_MORE;
}

enum smtp_event smtp_session_input(struct smtp_session *s, const char *bytes, size_t len,
				   size_t *used)
{
	*used = 0;
	while (*used < len && s->state != SMTP_CLOSED && s->state != SMTP_WAITING) {
		enum smtp_event event;

		if (!gather(s, bytes + *used, len - *used, used))
			break;
		event = run_line(s);
		line_done(s);
		if (event != SMTP_MORE)
			return event;
	}
	if (s->state == SMTP_WAITING)
		return SMTP_MESSAGE;
	return s->state == SMTP_CLOSED ? SMTP_CLOSE : SMTP_MORE;
}
