#include "cli/cli.h"

#include <ctype.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define TEXT_MAX_BYTES (32 << 20)
#define NOTE_MAX_BYTES 2048
#define OWN_ROWS       3

static const struct setting own_rows[OWN_ROWS] = {
	{"API", SETTING_TEXT, offsetof(struct cli_settings, api), "http://127.0.0.1:8080",
	 1, 512, NULL, "Where the backend's API is."},
	{"API_KEY", SETTING_SECRET, offsetof(struct cli_settings, api_key), "", 0, 512,
	 NULL, "The key that may call it."},
	SETTING_END,
};

/* ---- help ---- */

#define SUMMARY_COLUMN 46

static void add_padded(struct buf *out, const char *text, size_t column)
{
	size_t len = strlen(text);

	buf_add_text(out, text);
	buf_addf(out, "%*s", len < column ? (int)(column - len) : 1, "");
}

static void add_commands(struct buf *out, const struct command *commands)
{
	char usage[256];

	for (; commands->name != NULL; commands++) {
		snprintf(usage, sizeof usage, "  %s %s", commands->name,
			 commands->operands);
		add_padded(out, usage, SUMMARY_COLUMN);
		buf_addf(out, "%s\n", commands->summary);
	}
}

static void add_option(struct buf *out, const struct option *o)
{
	char usage[128];

	snprintf(usage, sizeof usage, "  %s%s%s", o->flag, o->value != NULL ? " " : "",
		 o->value != NULL ? o->value : "");
	add_padded(out, usage, 24);
	buf_addf(out, "%s\n", o->help);
}

static void add_options(struct buf *out, const struct command *command)
{
	static const struct option common[] = {
		{"--json", NULL, "machine output: the JSON as it is, one a line"},
		{"-h, --help", NULL, "print this, and end"},
		{NULL, NULL, NULL},
	};
	const struct option *o = command != NULL ? command->options : NULL;

	buf_add_text(out, "\nOptions:\n");
	for (; o != NULL && o->flag != NULL; o++)
		add_option(out, o);
	for (o = common; o->flag != NULL; o++)
		add_option(out, o);
	if (command == NULL)
		add_option(out, &(struct option){"--version", NULL,
						 "print the version, and end"});
}

static void add_help(struct buf *out, const struct args *a,
		     const struct command *commands, const struct setting_table *tables)
{
	const struct command *c = a->command;

	if (c != NULL) {
		buf_addf(out, "Usage: paybell %s %s%s[OPTION]...\n\n%c%s.\n", c->name,
			 c->operands, c->operands[0] != '\0' ? " " : "",
			 toupper((unsigned char)c->summary[0]), c->summary + 1);
		if (c->details != NULL)
			buf_addf(out, "\n%s\n", c->details);
	} else {
		buf_add_text(out, "Usage: paybell COMMAND [OPTION]...\n\n"
				  "The command line of Paybell: a payment happens, every "
				  "channel rings.\n\nCommands:\n");
		add_commands(out, commands);
	}
	add_options(out, c);
	buf_add_text(out, "\nExit codes: 0 done, 1 failed, 2 used wrongly.\n"
			  "\nSettings, as flags or in the environment; NAME_FILE reads "
			  "one from a file:\n\n");
	config_help(tables, out);
}

/* ---- one life ---- */

static enum cli_exit fail(enum cli_exit code, const struct err *e)
{
	if (e->text[0] != '\0')
		cli_note("%s", e->text);
	return code;
}

static void on_wait(void *arg, const char *why, int64_t wait_ms)
{
	char span[INK_SPAN_SIZE];

	cli_note("%s; asking again in %s", why, ink_span(span, wait_ms * 1000));
}

static bool wants_colour(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == '\0') &&
	       (term == NULL || strcmp(term, "dumb") != 0);
}

static int open_cli(struct cli *c, struct err *e)
{
	c->loop = loop_new();
	c->ink = (struct ink){&c->text, wants_colour()};
	if (!c->args.command->api)
		return 0;
	if (c->settings.api_key[0] == '\0')
		return err_set(e, ERR_INVALID,
			       "PAYBELL_API_KEY is not set, and the API wants a key");
	return api_new(&c->api, c->loop, c->settings.api, c->settings.api_key, on_wait,
		       NULL, e);
}

static enum cli_exit run(struct cli *c)
{
	enum cli_exit code = CLI_USAGE;
	struct err e = ERR_INIT;

	if (open_cli(c, &e) == 0)
		code = c->args.command->run(c, &e);
	if (!cli_flush(c) && code == CLI_OK)
		code = CLI_FAILED;
	api_free(c->api);
	loop_free(c->loop);
	return code == CLI_OK ? CLI_OK : fail(code, &e);
}

/* Cuts the text up. */
static void note_lines(char *text)
{
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest))
		cli_note("%s", line);
}

static enum cli_exit load(struct cli *c, const struct setting_table *tables)
{
	struct buf faults;
	struct err e = ERR_INIT;
	int rc;

	buf_init(&faults, NOTE_MAX_BYTES * 8);
	rc = config_load(tables, c->args.setting_count, c->args.settings, environ,
			 &faults, &e);
	if (rc < 0)
		note_lines(faults.data);
	buf_release(&faults);
	return rc < 0 ? CLI_USAGE : CLI_OK;
}

static enum cli_exit live(struct cli *c, const struct command *commands,
			  const struct setting_table *tables, int argc, char **argv)
{
	struct err e = ERR_INIT;

	if (args_parse(&c->args, commands, tables, argc, argv, &e) < 0)
		return fail(CLI_USAGE, &e);
	if (c->args.version) {
		buf_addf(&c->text, "paybell %s\n", PAYBELL_VERSION);
		return cli_flush(c) ? CLI_OK : CLI_FAILED;
	}
	if (c->args.help) {
		add_help(&c->text, &c->args, commands, tables);
		return cli_flush(c) ? CLI_OK : CLI_FAILED;
	}
	if (load(c, tables) != CLI_OK)
		return CLI_USAGE;
	return run(c);
}

_Noreturn void cli_main(const struct command *commands, int argc, char **argv)
{
	struct cli c = {.api = NULL};
	const struct setting_table tables[] = {
		{own_rows, &c.settings},
		{common_setting_rows, &c.settings.common},
		{NULL, NULL},
	};
	enum cli_exit code;

	signal(SIGPIPE, SIG_IGN);
	log_init("cli", LOG_ERROR);
	config_set_foreign(settings_suite());
	buf_init(&c.text, TEXT_MAX_BYTES);
	code = live(&c, commands, tables, argc, argv);
	buf_release(&c.text);
	/* From here, where the settings still are: their texts are the process's own. */
	exit(code);
}

/* ---- for the commands ---- */

bool cli_flush(struct cli *c)
{
	bool good = c->text.len == 0 ||
		    fwrite(c->text.data, 1, c->text.len, stdout) == c->text.len;

	buf_clear(&c->text);
	return fflush(stdout) == 0 && good;
}

bool cli_put_json(struct cli *c, const struct buf *body)
{
	ink_json(&c->text, buf_text(body), body->len);
	buf_add_char(&c->text, '\n');
	return cli_flush(c);
}

void cli_note(const char *fmt, ...)
{
	struct buf text, line;
	struct ink k = {&line, false};
	va_list args;

	buf_init(&text, NOTE_MAX_BYTES);
	buf_init(&line, NOTE_MAX_BYTES * 8);
	va_start(args, fmt);
	buf_addv(&text, fmt, args);
	va_end(args);
	ink_raw(&k, "paybell: ");
	ink_text(&k, TINT_NONE, buf_text(&text));
	ink_raw(&k, "\n");
	fputs(buf_text(&line), stderr);
	buf_release(&line);
	buf_release(&text);
}
