/* A text frame of the gateway's plain protocol, as far as it is counted: hello and event.
 *
 * Found by their members' names and not by a decoder of the gateway's own: what judges it
 * shall not share its mistakes. Pure. */
#ifndef PAYBELL_TESTS_TOLD_H
#define PAYBELL_TESTS_TOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOLD_TEXT_SIZE 80

enum told_type { TOLD_OTHER, TOLD_HELLO, TOLD_EVENT };

struct told {
	enum told_type type;
	int64_t sequence;
	bool resync;                  /* HELLO */
	char ledger[TOLD_TEXT_SIZE];  /* HELLO */
	char id[TOLD_TEXT_SIZE];      /* EVENT */
	char subject[TOLD_TEXT_SIZE]; /* EVENT */
};

/* TOLD_OTHER for everything else, and for what has not all of its members. */
void told_read(struct told *t, const char *json, size_t len);

#endif
