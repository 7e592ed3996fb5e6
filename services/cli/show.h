/* A transaction's timeline on the terminal: for `show` and `pay --wait`. */
#ifndef PAYBELL_CLI_SHOW_H
#define PAYBELL_CLI_SHOW_H

#include "cli/cli.h"

/* The command's own --wait and --timeout say whether to wait first. */
enum cli_exit show_transaction(struct cli *c, const char *id, struct err *e);

#define SHOW_TIMEOUT "60s"

/* --timeout, or its default; ERR_INVALID. */
int show_timeout(const struct cli *c, int64_t *timeout_ms, struct err *e);

#endif
