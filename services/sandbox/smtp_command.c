#include "sandbox/smtp_command.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void greet(struct smtp_session *s, const char *argument, bool extended)
{
	if (argument[0] == '\0' || strpbrk(argument, " \t") != NULL) {
		smtp_reply(s, 501,
			   extended ? "5.5.4 Syntax: EHLO hostname"
				    : "5.5.4 Syntax: HELO hostname");
		return;
	}
	smtp_reset(s);
	s->greeted = true;
	s->extended = extended;
	if (!extended) {
		smtp_reply(s, 250, s->settings->hostname);
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
			smtp_reply(s, 501, "5.5.4 SIZE must be a number");
		else if (size > s->settings->max_message_bytes)
			smtp_reply(s, 552, "5.3.4 Message size exceeds fixed limit");
		else
			return 0;
	} else if (strcmp(key, "BODY") == 0) {
		s->eight_bit = strcasecmp(value, "8BITMIME") == 0;
		if (s->eight_bit || strcasecmp(value, "7BIT") == 0)
			return 0;
		smtp_reply(s, 501, "5.5.4 BODY must be 7BIT or 8BITMIME");
	} else if (strcmp(key, "AUTH") == 0 && value[0] != '\0') {
		return 0; /* RFC 4954 section 5: may be ignored */
	} else {
		smtp_reply(s, 555, "5.5.4 Unsupported option");
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
		smtp_reply(s, 530, "5.7.0 Authentication required");
		return;
	}
	if (s->has_sender) {
		smtp_reply(s, 503, "5.5.1 Nested MAIL command");
		return;
	}
	if (smtp_path_parse(argument, "FROM:", true, s->sender, &parameters, &e) < 0) {
		smtp_reply(s, 501, "5.1.7 Bad sender address syntax");
		return;
	}
	while ((rc = smtp_path_parameter(&parameters, key, value)) > 0) {
		if (!s->extended) {
			smtp_reply(s, 555, "5.5.4 Options need EHLO");
			return;
		}
		if (mail_parameter(s, key, value) < 0)
			return;
	}
	if (rc < 0) {
		smtp_reply(s, 501, "5.5.4 Bad option syntax");
		return;
	}
	s->has_sender = true;
	smtp_reply(s, 250, "2.1.0 Ok");
}

/* A mailbox that is not there, to be tried out: unknown@… */
static bool is_unknown(const char *address)
{
	return strncasecmp(address, "unknown@", 8) == 0;
}

static void rcpt(struct smtp_session *s, const char *argument)
{
	char address[SMTP_ADDRESS_SIZE];
	struct err e = ERR_INIT;
	const char *parameters;

	if (!s->has_sender)
		smtp_reply(s, 503, "5.5.1 Need MAIL command");
	else if (s->recipient_count >= s->settings->max_recipients)
		smtp_reply(s, 452, "4.5.3 Too many recipients");
	else if (smtp_path_parse(argument, "TO:", false, address, &parameters, &e) < 0)
		smtp_reply(s, 501, "5.1.3 Bad recipient address syntax");
	else if (parameters[strspn(parameters, " ")] != '\0')
		smtp_reply(s, 555, "5.5.4 Unsupported option");
	else if (is_unknown(address))
		smtp_reply(s, 550, "5.1.1 No such mailbox here");
	else {
		if (s->recipient_count++ > 0)
			buf_add_char(&s->recipients, ',');
		buf_add_text(&s->recipients, address);
		smtp_reply(s, 250, "2.1.5 Ok");
	}
}

static void data(struct smtp_session *s, const char *argument)
{
	if (argument[0] != '\0')
		smtp_reply(s, 501, "5.5.4 Syntax: DATA");
	else if (!s->has_sender)
		smtp_reply(s, 503, "5.5.1 Need MAIL command");
	else if (s->recipient_count == 0)
		smtp_reply(s, 503, "5.5.1 Need RCPT command");
	else {
		s->state = SMTP_DATA;
		smtp_reply(s, 354, "End data with <CR><LF>.<CR><LF>");
	}
}

static void rset(struct smtp_session *s, const char *argument)
{
	if (argument[0] != '\0') {
		smtp_reply(s, 501, "5.5.4 Syntax: RSET");
		return;
	}
	smtp_reset(s);
	smtp_reply(s, 250, "2.0.0 Ok");
}

static void noop(struct smtp_session *s, const char *argument)
{
	(void)argument;
	smtp_reply(s, 250, "2.0.0 Ok");
}

static void vrfy(struct smtp_session *s, const char *argument)
{
	if (argument[0] == '\0')
		smtp_reply(s, 501, "5.5.4 Syntax: VRFY address");
	else
		smtp_reply(s, 252, "2.5.0 Send some mail and see");
}

static void help(struct smtp_session *s, const char *argument)
{
	(void)argument;
	smtp_reply(s, 214, "2.0.0 See RFC 5321");
}

static void quit(struct smtp_session *s, const char *argument)
{
	if (argument[0] != '\0') {
		smtp_reply(s, 501, "5.5.4 Syntax: QUIT");
		return;
	}
	smtp_reply(s, 221, "2.0.0 Bye");
	s->state = SMTP_CLOSED;
}

static void unsupported(struct smtp_session *s, const char *argument)
{
	(void)argument;
	smtp_reply(s, 502, "5.5.1 Command not implemented");
}

/* ---- AUTH ---- */

static void judge_login(struct smtp_session *s, const char *user, const char *password)
{
	s->state = SMTP_COMMAND;
	if (s->settings->user[0] && (strcmp(user, s->settings->user) != 0 ||
				     strcmp(password, s->settings->password) != 0)) {
		smtp_reply(s, 535, "5.7.8 Authentication credentials invalid");
		return;
	}
	s->authenticated = true;
	smtp_reply(s, 235, "2.7.0 Authentication successful");
}

static void bad_login(struct smtp_session *s)
{
	s->state = SMTP_COMMAND;
	smtp_reply(s, 501, "5.5.2 Cannot decode response");
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
	smtp_reply(s, 334, "UGFzc3dvcmQ6"); /* Password: */
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
		smtp_reply(s, 503, "5.5.1 AUTH is not possible here");
	else if (!plain && !login)
		smtp_reply(s, 504, "5.5.4 Unrecognized authentication type");
	else if (initial[0] != '\0')
		(plain ? login_plain : login_user)(s, initial);
	else {
		s->state = plain ? SMTP_AUTH_PLAIN : SMTP_AUTH_USER;
		smtp_reply(s, 334, plain ? "" : "VXNlcm5hbWU6"); /* Username: */
	}
}

void smtp_auth_line(struct smtp_session *s)
{
	enum smtp_state state = s->state;

	if (s->overlong || strcmp(s->line, "*") == 0) {
		s->state = SMTP_COMMAND;
		smtp_reply(s, 501, "5.7.0 Authentication aborted");
	} else if (state == SMTP_AUTH_PLAIN) {
		login_plain(s, s->line);
	} else if (state == SMTP_AUTH_USER) {
		login_user(s, s->line);
	} else {
		login_password(s, s->line);
	}
}

/* ---- which one ---- */

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

void smtp_command(struct smtp_session *s)
{
	size_t len = strcspn(s->line, " ");
	const char *argument = s->line + len;

	if (s->overlong || s->line_len > SMTP_COMMAND_MAX - 2) {
		smtp_reply(s, 500, "5.5.2 Line too long");
		return;
	}
	if (!is_command_text(s->line, s->line_len)) {
		smtp_reply(s, 500, "5.5.2 Commands are printable ASCII");
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
			smtp_reply(s, 503, "5.5.1 Say EHLO first");
		else
			commands[i].run(s, argument);
		return;
	}
	smtp_reply(s, 500, "5.5.2 Command unrecognized");
}
