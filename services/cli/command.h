/* What a command of `paybell` is: a row of main.c's table. */
#ifndef PAYBELL_CLI_COMMAND_H
#define PAYBELL_CLI_COMMAND_H

#include <stdbool.h>

#include "base/err.h"

/* What every command ends with. */
enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli;

struct option {
	const char *flag;  /* "--name" */
	const char *value; /* what to call its value in the help; NULL: it has none */
	const char *help;
};

struct command {
	const char *name;             /* "pay", "user balance" */
	const char *operands;         /* "FROM TO AMOUNT CURRENCY [DESCRIPTION]" */
	int least, most;              /* how many operands */
	const struct option *options; /* ended by flag NULL; NULL: none */
	const char *summary;          /* a line of `paybell --help` */
	const char *details;          /* more for `paybell CMD --help`; may be NULL */
	bool api;                     /* it calls the API: the key must be set */
	/* On anything but CLI_OK *e may say why; it is printed then. */
	enum cli_exit (*run)(struct cli *c, struct err *e);
};

enum cli_exit pay_run(struct cli *c, struct err *e);
enum cli_exit show_run(struct cli *c, struct err *e);
enum cli_exit watch_run(struct cli *c, struct err *e);
enum cli_exit user_add_run(struct cli *c, struct err *e);
enum cli_exit user_show_run(struct cli *c, struct err *e);
enum cli_exit user_delete_run(struct cli *c, struct err *e);
enum cli_exit user_balance_run(struct cli *c, struct err *e);
enum cli_exit user_events_run(struct cli *c, struct err *e);
enum cli_exit token_run(struct cli *c, struct err *e);
enum cli_exit backup_run(struct cli *c, struct err *e);
enum cli_exit dead_list_run(struct cli *c, struct err *e);
enum cli_exit dead_show_run(struct cli *c, struct err *e);
enum cli_exit dead_retry_run(struct cli *c, struct err *e);
enum cli_exit doctor_run(struct cli *c, struct err *e);
enum cli_exit ledger_adopt_run(struct cli *c, struct err *e);

extern const struct option pay_options[], show_options[], watch_options[],
	user_add_options[], user_events_options[], token_options[], backup_options[],
	dead_list_options[], dead_retry_options[], ledger_adopt_options[];

#endif
