/* The command line of hostile; hostile.c says what the options mean. */
#ifndef PAYBELL_TESTS_HOSTILE_OPTIONS_H
#define PAYBELL_TESTS_HOSTILE_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define HOSTILE_SCRIPT_MAX (16 << 20) /* bytes of a file */

enum finish { STAY, RESET, RESET_ANSWERED, HALF };

struct options {
	struct sockaddr_in to, from;
	struct buf first, then;
	long connections, total; /* at a time, in all */
	long times;              /* `then` is sent; -1: again and again */
	long piece;              /* bytes; 0: as the kernel takes them */
	long rate;               /* new ones a second; 0: all at once */
	long seconds, every_ms;
	enum finish finish;
	bool mute;
};

/* Says what is wrong and exits with 2. */
void options_read(struct options *o, int argc, char **argv);
void options_release(struct options *o);

#endif
