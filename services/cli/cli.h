/* What the commands work with: their arguments, the settings, the API and the terminal.
 *
 * One thread, one command, then the process ends. Exit codes: 0 done, 1 failed, 2 used
 * wrongly. Results go to stdout, everything else to stderr as "paybell: …". */
#ifndef PAYBELL_CLI_CLI_H
#define PAYBELL_CLI_CLI_H

#include <stdbool.h>

#include "app/settings.h"
#include "cli/api.h"
#include "cli/args.h"
#include "cli/ink.h"
#include "io/loop.h"

struct cli_settings {
	const char *api, *api_key;
	struct common_settings common;
};

struct cli {
	struct args args;
	struct cli_settings settings;
	struct loop *loop;
	struct api *api; /* NULL when the command is not for it */
	struct buf text; /* what goes to stdout next: through `ink` */
	struct ink ink;
};

/* The whole of main(): ends the process. */
_Noreturn void cli_main(const struct command *commands, int argc, char **argv);

/* Writes c->text to stdout and empties it; false when nobody reads it any more. */
bool cli_flush(struct cli *c);
/* One answer of the API as it is, in a line. */
bool cli_put_json(struct cli *c, const struct buf *body);
/* "paybell: …" on stderr, escaped. */
void cli_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
