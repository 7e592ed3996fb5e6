#include "sandbox/smtp_session.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

#define RECIPIENTS_BYTES_MAX 32768
#define KEEP_DATA_BYTES      32768 /* of a message's memory, for the next one */

static void reply(struct smtp_session *s, int status, const char *text)
{
	buf_addf(&s->out, "%d %s\r\n", status, text);
	if (status < 400)
		return;
	s->errors++;
	if (s->settings->on_refusal != NULL)
		s->settings->on_refusal(s->settings->arg, status, text);
}

/* ---- a message's life ---- */

static void reset(struct smtp_session *s)
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
	reset(s);
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
	reply(s, status, text);
	reset(s);
	s->state = status == 421 ? SMTP_CLOSED : SMTP_COMMAND;
	return status == 421;
}

/* ---- commands ---- */

static void greet(struct smtp_session *s, const char *argument, bool extended)
{
	if (argument[0] == '\0' || strpbrk(argument, " \t") != NULL) {
		reply(s, 501,
		      extended ? "5.5.4 Syntax: EHLO hostname"
			       : "5.5.4 Syntax: HELO hostname");
		return;
	}
	reset(s);
	s->greeted = true;
	s->extended = extended;
	if (!extended) {
		reply(s, 250, s->settings->hostname);
		return;
	}
	buf_addf(&s->out,
		 "250-%s\r\n250-PIPELINING\r\n250-SIZE %zu\r\n250-AUTH PLAIN LOGIN\r\n"
		 "250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n",
		 s->settings->hostname, s->settings->max_message_bytes);
}

static void ehlo(struct smtp_session *s, const char *argument)
{
	greet(s, argument, true);
}

static void helo(struct smtp_session *s, const char *argument)
{
	greet(s, argument, false);
}

/* One of MAIL's parameters. 0, or -1 after a refusal. */
static int mail_parameter(struct smtp_session *s, const char *key, const char *value)
{
	char *end;

	if (strcmp(key, "SIZE") == 0) {
		unsigned long long size = strtoull(value, &end, 10);

		if (value[0] < '0' || value[0] > '9' || *end != '\0')
			reply(s, 501, "5.5.4 SIZE must be a number");
		else if (size > s->settings->max_message_bytes)
			reply(s, 552, "5.3.4 Message size exceeds fixed limit");
		else
			return 0;
	} else if (strcmp(key, "BODY") == 0) {
		s->eight_bit = strcasecmp(value, "8BITMIME") == 0;
		if (s->eight_bit || strcasecmp(value, "7BIT") == 0)
			return 0;
		reply(s, 501, "5.5.4 BODY must be 7BIT or 8BITMIME");
	} else if (strcmp(key, "AUTH") == 0 && value[0] != '\0') {
		return 0; /* RFC 4954 section 5: may be ignored */
	} else {
		reply(s, 555, "5.5.4 Unsupported option");
	}
	return -1;
}

static void mail(struct smtp_session *s, const char *argument)
{
	char key[SMTP_PARAMETER_SIZE], value[SMTP_PARAMETER_SIZE];
	struct err e = ERR_INIT;
	const char *parameters;
	int rc;

	if (s->settings->user[0] && !s->authenticated) {
		reply(s, 530, "5.7.0 Authentication required");
		return;
	}
	if (s->has_sender) {
		reply(s, 503, "5.5.1 Nested MAIL command");
		return;
	}
	if (smtp_path_parse(argument, "FROM:", true, s->sender, &parameters, &e) < 0) {
		reply(s, 501, "5.1.7 Bad sender address syntax");
		return;
	}
	while ((rc = smtp_path_parameter(&parameters, key, value)) > 0) {
		if (!s->extended) {
			reply(s, 555, "5.5.4 Options need EHLO");
			return;
		}
		if (mail_parameter(s, key, value) < 0)
			return;
	}
	if (rc < 0) {
		reply(s, 501, "5.5.4 Bad option syntax");
		return;
	}
	s->has_sender = true;
	reply(s, 250, "2.1.0 Ok");
}

static void rcpt(struct smtp_session *s, const char *argument)
{
	char address[SMTP_ADDRESS_SIZE];
	struct err e = ERR_INIT;
	const char *parameters;

	if (!s->has_sender)
		reply(s, 503, "5.5.1 Need MAIL command");
	else if (s->recipient_count >= s->settings->max_recipients)
		reply(s, 452, "4.5.3 Too many recipients");
	else if (smtp_path_parse(argument, "TO:", false, address, &parameters, &e) < 0)
		reply(s, 501, "5.1.3 Bad recipient address syntax");
	else if (parameters[strspn(parameters, " ")] != '\0')
		reply(s, 555, "5.5.4 Unsupported option");
	else {
		if (s->recipient_count++ > 0)
			buf_add_char(&s->recipients, ',');
		buf_add_text(&s->recipients, address);
		reply(s, 250, "2.1.5 Ok");
	}
}

static void data(struct smtp_session *s, const char *argument)
{
	if (argument[0] != '\0')
		reply(s, 501, "5.5.4 Syntax: DATA");
	else if (!s->has_sender)
		reply(s, 503, "5.5.1 Need MAIL command");
	else if (s->recipient_count == 0)
		reply(s, 503, "5.5.1 Need RCPT command");
	else {
		s->state = SMTP_DATA;
		reply(s, 354, "End data with <CR><LF>.<CR><LF>");
	}
}

static void rset(struct smtp_session *s, const char *argument)
{
	if (argument[0] != '\0') {
		reply(s, 501, "5.5.4 Syntax: RSET");
		return;
	}
	reset(s);
	reply(s, 250, "2.0.0 Ok");
}

static void noop(struct smtp_session *s, const char *argument)
{
	(void)argument;
	reply(s, 250, "2.0.0 Ok");
}

static void vrfy(struct smtp_session *s, const char *argument)
{
	if (argument[0] == '\0')
		reply(s, 501, "5.5.4 Syntax: VRFY address");
	else
		reply(s, 252, "2.5.0 Send some mail and see");
}

static void help(struct smtp_session *s, const char *argument)
{
	(void)argument;
	reply(s, 214, "2.0.0 See RFC 5321");
}

static void quit(struct smtp_session *s, const char *argument)
{
	if (argument[0] != '\0') {
		reply(s, 501, "5.5.4 Syntax: QUIT");
		return;
	}
	reply(s, 221, "2.0.0 Bye");
	s->state = SMTP_CLOSED;
}

static void unsupported(struct smtp_session *s, const char *argument)
{
	(void)argument;
	reply(s, 502, "5.5.1 Command not implemented");
}

/* ---- AUTH ---- */

static void judge_login(struct smtp_session *s, const char *user, const char *password)
{
	s->state = SMTP_COMMAND;
	if (s->settings->user[0] && (strcmp(user, s->settings->user) != 0 ||
				     strcmp(password, s->settings->password) != 0)) {
		reply(s, 535, "5.7.8 Authentication credentials invalid");
		return;
	}
	s->authenticated = true;
	reply(s, 235, "2.7.0 Authentication successful");
}

static void bad_login(struct smtp_session *s)
{
	s->state = SMTP_COMMAND;
	reply(s, 501, "5.5.2 Cannot decode response");
}

static void login_plain(struct smtp_session *s, const char *base64)
{
	char user[SMTP_LOGIN_SIZE], password[SMTP_LOGIN_SIZE];

	if (smtp_login_plain(base64, user, password) < 0)
		bad_login(s);
	else
		judge_login(s, user, password);
}

static void login_user(struct smtp_session *s, const char *base64)
{
	if (smtp_login_text(base64, s->user) < 0) {
		bad_login(s);
		return;
	}
	s->state = SMTP_AUTH_PASSWORD;
	reply(s, 334, "UGFzc3dvcmQ6"); /* Password: */
}

static void login_password(struct smtp_session *s, const char *base64)
{
	char password[SMTP_LOGIN_SIZE];

	if (smtp_login_text(base64, password) < 0)
		bad_login(s);
	else
		judge_login(s, s->user, password);
}

static void auth(struct smtp_session *s, const char *argument)
{
	size_t len = strcspn(argument, " ");
	const char *initial = argument + len + strspn(argument + len, " ");
	bool plain = len == 5 && strncasecmp(argument, "PLAIN", 5) == 0;
	bool login = len == 5 && strncasecmp(argument, "LOGIN", 5) == 0;

	if (!s->extended || s->has_sender || s->authenticated)
		reply(s, 503, "5.5.1 AUTH is not possible here");
	else if (!plain && !login)
		reply(s, 504, "5.5.4 Unrecognized authentication type");
	else if (initial[0] != '\0')
		(plain ? login_plain : login_user)(s, initial);
	else {
		s->state = plain ? SMTP_AUTH_PLAIN : SMTP_AUTH_USER;
		reply(s, 334, plain ? "" : "VXNlcm5hbWU6"); /* Username: */
	}
}

static void auth_line(struct smtp_session *s)
{
	enum smtp_state state = s->state;

	if (s->overlong || strcmp(s->line, "*") == 0) {
		s->state = SMTP_COMMAND;
		reply(s, 501, "5.7.0 Authentication aborted");
	} else if (state == SMTP_AUTH_PLAIN) {
		login_plain(s, s->line);
	} else if (state == SMTP_AUTH_USER) {
		login_user(s, s->line);
	} else {
		login_password(s, s->line);
	}
}

/* ---- lines ---- */

static const struct {
	const char *verb;
	void (*run)(struct smtp_session *s, const char *argument);
	bool after_greeting; /* EHLO or HELO has to come first */
} commands[] = {
	{"MAIL", mail, true},         {"RCPT", rcpt, true},
	{"DATA", data, true},         {"EHLO", ehlo, false},
	{"HELO", helo, false},        {"RSET", rset, false},
	{"NOOP", noop, false},        {"QUIT", quit, false},
	{"AUTH", auth, true},         {"VRFY", vrfy, false},
	{"HELP", help, false},        {"EXPN", unsupported, false},
	{"BDAT", unsupported, false}, {"STARTTLS", unsupported, false},
	{"TURN", unsupported, false}, {"ETRN", unsupported, false},
};

/* Printable ASCII, and spaces. */
static bool is_command_text(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (line[i] < ' ' || line[i] > '~')
			return false;
	return true;
}

static void command(struct smtp_session *s)
{
	size_t len = strcspn(s->line, " ");
	const char *argument = s->line + len;

	if (s->overlong || s->line_len > SMTP_COMMAND_MAX - 2) {
		reply(s, 500, "5.5.2 Line too long");
		return;
	}
	if (!is_command_text(s->line, s->line_len)) {
		reply(s, 500, "5.5.2 Commands are printable ASCII");
		return;
	}
	argument += strspn(argument, " ");
	while (s->line_len > 0 && s->line[s->line_len - 1] == ' ')
		s->line[--s->line_len] = '\0';
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strlen(commands[i].verb) != len ||
		    strncasecmp(s->line, commands[i].verb, len) != 0)
			continue;
		if (commands[i].after_greeting && !s->greeted)
			reply(s, 503, "5.5.1 Say EHLO first");
		else
			commands[i].run(s, argument);
		return;
	}
	reply(s, 500, "5.5.2 Command unrecognized");
}

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
		reply(s, 521, "5.5.2 A line ended in <LF> or held a <CR> alone");
		s->state = SMTP_CLOSED;
		return SMTP_CLOSE;
	}
	if (s->state == SMTP_COMMAND) {
		command(s);
	} else if (s->state != SMTP_DATA) {
		auth_line(s);
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
