/* A command line taken apart: the command, its operands, its options, and the flags that
 * are settings (for config_load). Pure; everything points into argv. */
#ifndef PAYBELL_CLI_ARGS_H
#define PAYBELL_CLI_ARGS_H

#include <stdbool.h>

#include "base/config.h"
#include "base/err.h"
#include "cli/command.h"

#define ARGS_OPERANDS_MAX 8
#define ARGS_GIVEN_MAX    64

struct args {
	const struct command *command; /* NULL: --help or --version of the whole */
	const char *operands[ARGS_OPERANDS_MAX];
	int operand_count;
	struct {
		const struct option *option;
		const char *value; /* NULL when it has none */
	} given[ARGS_GIVEN_MAX];
	int given_count;
	char *settings[ARGS_GIVEN_MAX * 2 + 1]; /* argv for config_load: argv[0] first */
	int setting_count;
	bool help, version, json;
};

/* The command's words come first, then operands and options in any order; "--" ends the
 * options, "-" is an operand, and so is a negative number. commands is ended by name
 * NULL. ERR_INVALID names what is wrong and where help is. */
int args_parse(struct args *a, const struct command *commands,
	       const struct setting_table *tables, int argc, char **argv, struct err *e);

/* The value that was given last; NULL when it was not. */
const char *args_value(const struct args *a, const char *flag);
bool args_has(const struct args *a, const char *flag);
/* All values, in their order: start with *at = 0; NULL at the end. */
const char *args_next(const struct args *a, const char *flag, int *at);

/* The operand, or NULL. */
const char *args_operand(const struct args *a, int i);

#endif
