/* Walking through what has failed, as GET /deliveries lists it: shared by the commands
 * `dead list`, `dead show` and `dead retry`. */
#ifndef PAYBELL_CLI_DEAD_H
#define PAYBELL_CLI_DEAD_H

#include "cli/cli.h"
#include "cli/dead_page.h"

/* --channel, --reason and --since; borrows from a. ERR_INVALID. */
int dead_filter_read(struct dead_filter *f, const struct args *a, struct err *e);

/* The newest first, each once: what fails while it goes on is behind it. */
struct dead_walk {
	struct cli *cli;
	const char *channel; /* NULL: all */
	char cursor[DEAD_CURSOR_SIZE];
	bool over;
};

void dead_walk_init(struct dead_walk *w, struct cli *c, const char *channel);
/* 1: *page is the next one (dead_page_free()), perhaps empty; 0: there are no more; -1.
 */
int dead_walk_next(struct dead_walk *w, struct dead_page *page, struct err *e);

#endif
