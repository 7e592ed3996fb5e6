/* What a hostile connection is told, as far as it matters how it ended: the last HTTP
 * status, and the code of a WebSocket's close frame. Fed in pieces of any size; the heads
 * of answers must come whole, as they do from one send. Pure. */
#ifndef PAYBELL_TESTS_HOSTILE_ANSWER_H
#define PAYBELL_TESTS_HOSTILE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_SID_SIZE 64

struct answer {
	int status;                /* of the last answer; 0: none yet */
	int close_code;            /* 0: no close frame; 1005: one without a code */
	char sid[ANSWER_SID_SIZE]; /* Engine.IO's, "" */
	bool frames;               /* what comes are frames now */
	uint8_t head[10];          /* of a frame */
	uint8_t head_len;
	uint8_t code_len;
	uint64_t left; /* of its payload */
};

void answer_take(struct answer *a, const uint8_t *bytes, size_t len);
/* "close 1008", "status 431"; false: it was told nothing of the sort. A 101 and a 200 are
 * no end. */
bool answer_describe(const struct answer *a, char *out, size_t size);

#endif
