/* A set of sequences that mostly come in rising order, as a channel's stream has them: 8
 * bytes each, and looked up by halving.
 *
 * What comes in order is appended; a stray (a delivery that was handed out or fed again)
 * goes into a second list, which alone has to be sorted. So a million entries cost no
 * sorting, and only the strays a pause. Twice the same is harmless. Pure; the caller's
 * storage; one thread at a time. */
#ifndef PAYBELL_APP_SEQUENCES_H
#define PAYBELL_APP_SEQUENCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEQUENCES_MAX (16 << 20) /* 128 MB */

struct sequences_run {
	int64_t *values;
	size_t count, capacity;
};

struct sequences {
	struct sequences_run rising, strays;
};

void sequences_init(struct sequences *s); /* takes no memory yet */
void sequences_release(struct sequences *s);
void sequences_clear(struct sequences *s); /* keeps the memory */

/* False: there are SEQUENCES_MAX, and it was not added. */
bool sequences_add(struct sequences *s, int64_t value);
/* After the last one, before it is asked. */
void sequences_seal(struct sequences *s);
bool sequences_have(const struct sequences *s, int64_t value);
/* How many were added. */
size_t sequences_count(const struct sequences *s);

#endif
