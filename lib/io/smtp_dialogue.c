#include "io/smtp_dialogue.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { STEP_RESET, STEP_MAIL, STEP_RCPT, STEP_DATA, STEP_TEXT };

#define COMMANDS_MAX 2048

static void fill_text(struct smtp_dialogue *d, const char *body, size_t len);
static void take_reply(struct smtp_dialogue *d, int code);
static void refuse_data(struct smtp_dialogue *d);
static void next_command(struct smtp_dialogue *d);
static void finish(struct smtp_dialogue *d, int code);

int smtp_extension(const char *line, size_t len)
{
	/* "250-PIPELINING", "250 SIZE 10240000" */
	static const struct {
		const char *word;
		int extension;
	} known[] = {{"PIPELINING", SMTP_PIPELINING}, {"SIZE", SMTP_SIZE}};

	if (len < 4 || memcmp(line, "250", 3) != 0)
		return 0;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t n = strlen(known[i].word);

		if (len >= 4 + n && strncasecmp(line + 4, known[i].word, n) == 0 &&
		    (len == 4 + n || strchr(" \r\n", line[4 + n])))
			return known[i].extension;
	}
	return 0;
}

bool smtp_address_ok(const char *address)
{
	size_t len = strlen(address);

	if (len > 254)
		return false;
	for (size_t i = 0; i < len; i++)
		if (address[i] <= ' ' || address[i] > '~' || strchr("<>\"\\", address[i]))
			return false;
	return true;
}

bool smtp_dialogue_init(struct smtp_dialogue *d, const char *from, const char *to,
			const char *body, size_t len, size_t max_bytes)
{
	*d = (struct smtp_dialogue){0};
	buf_init(&d->commands, COMMANDS_MAX);
	buf_init(&d->text, max_bytes);
	fill_text(d, body, len);
	if (d->text.overflowed) {
		smtp_dialogue_release(d);
		return false;
	}
	snprintf(d->mail, sizeof(d->mail), "MAIL FROM:<%.254s>", from);
	snprintf(d->rcpt, sizeof(d->rcpt), "RCPT TO:<%.254s>\r\n", to);
	return true;
}

void smtp_dialogue_release(struct smtp_dialogue *d)
{
	buf_release(&d->commands);
	buf_release(&d->text);
}

void smtp_dialogue_begin(struct smtp_dialogue *d, int extensions, bool reset_first)
{
	buf_clear(&d->commands);
	d->sent = 0;
	d->extensions = extensions;
	d->step = reset_first ? STEP_RESET : STEP_MAIL;
	d->in_text = false;
	d->code = 0;
	d->line_len = 0;
	d->last_line = false;
	d->done = d->answered = d->closing = d->bad = d->must_reset = false;
	d->status = 0;
	if ((extensions & SMTP_PIPELINING) == 0) {
		next_command(d);
		return;
	}
	/* DATA is the last of a group: what follows hangs on its reply (RFC 2920 3.1). */
	for (int first = d->step; d->step <= STEP_DATA; d->step++) {
		next_command(d);
		if (d->step == STEP_DATA) {
			d->step = first;
			break;
		}
	}
}

const char *smtp_dialogue_pending(const struct smtp_dialogue *d, size_t *len)
{
	const struct buf *b = d->in_text ? &d->text : &d->commands;

	*len = d->done ? 0 : b->len - d->sent;
	return *len > 0 ? b->data + d->sent : "";
}

void smtp_dialogue_wrote(struct smtp_dialogue *d, size_t len)
{
	d->sent += len;
}

bool smtp_dialogue_whole(const struct smtp_dialogue *d)
{
	return d->in_text && d->sent == d->text.len;
}

static void end_line(struct smtp_dialogue *d)
{
	int code = d->code;
	bool last = d->last_line;

	d->bad = d->line_len < 3;
	d->code = 0;
	d->line_len = 0;
	d->last_line = false;
	if (!d->bad && last)
		take_reply(d, code);
}

static void read_byte(struct smtp_dialogue *d, char c)
{
	if (c == '\n') {
		end_line(d);
	} else if (d->line_len < 3) {
		d->bad = c < (d->line_len == 0 ? '2' : '0') ||
			 c > (d->line_len == 0 ? '5' : '9');
		d->code = d->code * 10 + (c - '0');
		d->last_line = true; /* "250" alone is a whole reply */
		d->line_len++;
	} else {
		if (d->line_len == 3) {
			d->last_line = c != '-';
			d->bad = c != '-' && c != ' ' && c != '\r';
		}
		if (++d->line_len > SMTP_LINE_MAX)
			d->bad = true;
	}
}

void smtp_dialogue_read(struct smtp_dialogue *d, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (d->done) {
			/* Nothing was asked: the two ends are out of step. */
			d->closing = true;
			return;
		}
		read_byte(d, bytes[i]);
		if (d->bad) {
			finish(d, d->status);
			d->closing = true;
			return;
		}
	}
}

/* The mail as it goes over the wire. A bare CR or LF would end a line for some servers
 * and not for others, which is how one mail becomes two (SMTP smuggling). */
static void fill_text(struct smtp_dialogue *d, const char *body, size_t len)
{
	size_t at = 0;

	while (at < len) {
		size_t end = at;

		while (end < len && body[end] != '\r' && body[end] != '\n')
			end++;
		if (body[at] == '.')
			buf_add_char(&d->text, '.');
		d->size += end - at + 2;
		buf_add(&d->text, body + at, end - at);
		buf_add(&d->text, "\r\n", 2);
		at = end + 1;
		if (end + 1 < len && body[end] == '\r' && body[end + 1] == '\n')
			at++;
	}
	buf_add(&d->text, ".\r\n", 3);
}

/* The command of the step, behind those that are waiting already. */
static void next_command(struct smtp_dialogue *d)
{
	struct buf *b = &d->commands;

	switch (d->step) {
	case STEP_RESET:
		buf_add_text(b, "RSET\r\n");
		break;
	case STEP_MAIL:
		buf_add_text(b, d->mail);
		if (d->extensions & SMTP_SIZE)
			buf_addf(b, " SIZE=%zu", d->size);
		buf_add_text(b, "\r\n");
		break;
	case STEP_RCPT:
		buf_add_text(b, d->rcpt);
		break;
	case STEP_DATA:
		buf_add_text(b, "DATA\r\n");
		break;
	default:
		break;
	}
}

/* May the text go, or an empty one? False: the dialogue is over, or out of step. */
static bool take_data_reply(struct smtp_dialogue *d, int code)
{
	if (code == 354 && d->status == 0) {
		d->in_text = true;
		d->sent = 0;
		return true;
	}
	if (code == 354) {
		refuse_data(d);
		return true;
	}
	if (code / 100 == 2 || code / 100 == 3) {
		d->bad = true;
		return false;
	}
	d->must_reset = true;
	finish(d, d->status ? d->status : code);
	return false;
}

static void take_reply(struct smtp_dialogue *d, int code)
{
	bool pipelining = (d->extensions & SMTP_PIPELINING) != 0;
	bool good = code / 100 == 2;

	d->answered = true;
	if (code == 421) { /* it closes the session, whatever was asked */
		d->closing = true;
		finish(d, d->status ? d->status : code);
		return;
	}
	switch (d->step) {
	case STEP_RESET:
		d->closing = !good;
		if (!good) {
			finish(d, code);
			return;
		}
		break;
	case STEP_MAIL:
	case STEP_RCPT:
		if (code / 100 == 3) {
			d->bad = true;
			return;
		}
		if (!good && d->status == 0)
			d->status = code;
		if (!good && !pipelining) {
			d->must_reset = true;
			finish(d, code);
			return;
		}
		break;
	case STEP_DATA:
		if (!take_data_reply(d, code))
			return;
		break;
	default:
		/* A verdict before the end of the text: it will not read the rest as one.
		 */
		d->closing = d->in_text && !smtp_dialogue_whole(d);
		d->bad = code / 100 == 3;
		finish(d, d->status ? d->status : code);
		return;
	}
	d->step++;
	if (!pipelining && d->step <= STEP_DATA)
		next_command(d);
}

/* The server takes text for a message that it refused: an empty one ends that. */
static void refuse_data(struct smtp_dialogue *d)
{
	buf_add_text(&d->commands, ".\r\n");
	d->must_reset = true;
}

static void finish(struct smtp_dialogue *d, int code)
{
	d->status = code;
	d->done = true;
}
