/* How far a long command is: one line on stderr that is written over, on a terminal
 * only, a few times a second at most. One thread. */
#ifndef PAYBELL_CLI_PROGRESS_H
#define PAYBELL_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* The caller's storage. */
struct progress {
	bool terminal, shown;
	int64_t next_us;
};

void progress_init(struct progress *p);
/* Our own words, ASCII. */
void progress_show(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void progress_clear(struct progress *p); /* before other words, and at the end */

#endif
