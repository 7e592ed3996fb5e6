#include "cli/args.h"

#include <string.h>

#include "base/log.h"
#include "base/setting.h"

#define SEE_HELP "; see paybell --help"

struct parser {
	struct args *a;
	const struct setting_table *tables;
	int argc, at; /* the next argument to look at */
	char **argv;
};

/* How many words of argv the command's name takes; 0: it is another command. */
static int words_of(const char *name, int argc, char **argv)
{
	int words = 0;

	for (;;) {
		size_t len = strcspn(name, " ");

		if (words == argc || strlen(argv[words]) != len ||
		    strncmp(argv[words], name, len) != 0)
			return 0;
		words++;
		if (name[len] == '\0')
			return words;
		name += len + 1;
	}
}

static const struct command *find_command(const struct command *commands, int argc,
					  char **argv, int *words)
{
	for (; commands->name != NULL; commands++) {
		*words = words_of(commands->name, argc, argv);
		if (*words > 0)
			return commands;
	}
	return NULL;
}

/* "user" alone, or with a word that is none of its commands. */
static bool is_group(const struct command *commands, const char *word)
{
	size_t len = strlen(word);

	for (; commands->name != NULL; commands++)
		if (strncmp(commands->name, word, len) == 0 && commands->name[len] == ' ')
			return true;
	return false;
}

static int refuse_command(const struct command *commands, int argc, char **argv,
			  struct err *e)
{
	struct log_quote quoted;

	if (argc == 0)
		return err_set(e, ERR_INVALID, "say what to do" SEE_HELP);
	if (!is_group(commands, argv[0]))
		return err_set(e, ERR_INVALID, "%s is not a command" SEE_HELP,
			       log_quote(&quoted, argv[0]));
	if (argc == 1)
		return err_set(e, ERR_INVALID, "%s needs a second word" SEE_HELP,
			       argv[0]);
	return err_set(e, ERR_INVALID, "%s has no command %s" SEE_HELP, argv[0],
		       log_quote(&quoted, argv[1]));
}

static bool is_setting(const struct setting_table *tables, const char *flag, size_t len)
{
	char name[SETTING_NAME_SIZE];

	if (!setting_name(name, flag + 2, len - 2))
		return false;
	for (; tables->rows != NULL; tables++)
		for (const struct setting *s = tables->rows; s->name != NULL; s++) {
			size_t known = strlen(s->name);

			if (strncmp(name, s->name, known) == 0 &&
			    (name[known] == '\0' || strcmp(name + known, "_FILE") == 0))
				return true;
		}
	return false;
}

static const struct option *find_option(const struct command *c, const char *flag,
					size_t len)
{
	const struct option *o = c->options;

	for (; o != NULL && o->flag != NULL; o++)
		if (strlen(o->flag) == len && strncmp(o->flag, flag, len) == 0)
			return o;
	return NULL;
}

static int take_option(struct parser *p, const struct option *o, size_t len,
		       struct err *e)
{
	const char *arg = p->argv[p->at++], *value = NULL;

	if (o->value == NULL && arg[len] == '=')
		return err_set(e, ERR_INVALID, "%s takes no value", o->flag);
	if (o->value != NULL && arg[len] == '=')
		value = arg + len + 1;
	else if (o->value != NULL && p->at < p->argc)
		value = p->argv[p->at++];
	else if (o->value != NULL)
		return err_set(e, ERR_INVALID, "%s needs a value: %s %s", o->flag,
			       o->flag, o->value);
	if (p->a->given_count == ARGS_GIVEN_MAX)
		return err_set(e, ERR_INVALID, "more than %d options", ARGS_GIVEN_MAX);
	p->a->given[p->a->given_count].option = o;
	p->a->given[p->a->given_count++].value = value;
	return 0;
}

static int take_setting(struct parser *p, size_t len, struct err *e)
{
	char *arg = p->argv[p->at++];

	if (p->a->setting_count > 2 * ARGS_GIVEN_MAX - 2)
		return err_set(e, ERR_INVALID, "more than %d settings", ARGS_GIVEN_MAX);
	p->a->settings[p->a->setting_count++] = arg;
	if (arg[len] != '=' && p->at < p->argc)
		p->a->settings[p->a->setting_count++] = p->argv[p->at++];
	return 0;
}

/* "-", "-5.00" and what does not begin with a dash. */
static bool is_operand(const char *arg)
{
	return arg[0] != '-' || arg[1] == '\0' || (arg[1] >= '0' && arg[1] <= '9');
}

static int take_operand(struct parser *p, struct err *e)
{
	const struct command *c = p->a->command;
	struct log_quote quoted;

	if (p->a->operand_count == c->most)
		return err_set(e, ERR_INVALID,
			       "%s is one argument too many for %s: paybell %s %s",
			       log_quote(&quoted, p->argv[p->at]), c->name, c->name,
			       c->operands);
	p->a->operands[p->a->operand_count++] = p->argv[p->at++];
	return 0;
}

static int take_flag(struct parser *p, struct err *e)
{
	const char *arg = p->argv[p->at];
	size_t len = strcspn(arg, "=");
	const struct option *o = find_option(p->a->command, arg, len);
	struct log_quote quoted;

	if (o != NULL)
		return take_option(p, o, len, e);
	if (strcmp(arg, "--json") == 0)
		p->a->json = true;
	else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)
		p->a->help = true;
	else if (strncmp(arg, "--", 2) == 0 && is_setting(p->tables, arg, len))
		return take_setting(p, len, e);
	else
		return err_set(e, ERR_INVALID,
			       "%s has no option %s; see paybell %s --help",
			       p->a->command->name, log_quote(&quoted, arg),
			       p->a->command->name);
	p->at++;
	return 0;
}

static int check_operands(const struct args *a, struct err *e)
{
	const struct command *c = a->command;

	if (a->help || a->operand_count >= c->least)
		return 0;
	return err_set(e, ERR_INVALID, "%s needs more: paybell %s %s", c->name, c->name,
		       c->operands);
}

/* `paybell --help`, `paybell user --help`, `paybell --version`. */
static bool asks_alone(struct args *a, const struct command *commands, int argc,
		       char **argv)
{
	if (argc < 1 || argc > 2 || (argc == 2 && !is_group(commands, argv[0])))
		return false;
	a->help = strcmp(argv[argc - 1], "--help") == 0 ||
		  strcmp(argv[argc - 1], "-h") == 0;
	a->version = argc == 1 && strcmp(argv[0], "--version") == 0;
	return a->help || a->version;
}

static int take_all(struct parser *p, struct err *e)
{
	bool options = true;

	while (p->at < p->argc) {
		const char *arg = p->argv[p->at];
		int rc = 0;

		if (options && strcmp(arg, "--") == 0) {
			options = false;
			p->at++;
		} else if (!options || is_operand(arg)) {
			rc = take_operand(p, e);
		} else {
			rc = take_flag(p, e);
		}
		if (rc < 0)
			return -1;
	}
	return 0;
}

int args_parse(struct args *a, const struct command *commands,
	       const struct setting_table *tables, int argc, char **argv, struct err *e)
{
	struct parser p = {a, tables, argc, 1, argv};
	int words = 0;

	*a = (struct args){0};
	a->settings[a->setting_count++] = argv[0];
	if (asks_alone(a, commands, argc - 1, argv + 1))
		return 0;
	a->command = find_command(commands, argc - 1, argv + 1, &words);
	if (a->command == NULL)
		return refuse_command(commands, argc - 1, argv + 1, e);
	p.at += words;
	return take_all(&p, e) < 0 ? -1 : check_operands(a, e);
}

const char *args_next(const struct args *a, const char *flag, int *at)
{
	while (*at < a->given_count) {
		int i = (*at)++;

		if (strcmp(a->given[i].option->flag, flag) == 0)
			return a->given[i].value;
	}
	return NULL;
}

const char *args_value(const struct args *a, const char *flag)
{
	const char *value = NULL, *next;

	for (int at = 0; (next = args_next(a, flag, &at)) != NULL;)
		value = next;
	return value;
}

bool args_has(const struct args *a, const char *flag)
{
	for (int i = 0; i < a->given_count; i++)
		if (strcmp(a->given[i].option->flag, flag) == 0)
			return true;
	return false;
}

const char *args_operand(const struct args *a, int i)
{
	return i < a->operand_count ? a->operands[i] : NULL;
}
