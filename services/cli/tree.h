/* A timeline as a tree of lines: what was accepted, when it was committed and published,
 * and below that each person, channel, device and, where there were several, each
 * attempt. Times are counted from the acceptance. Pure. */
#ifndef PAYBELL_CLI_TREE_H
#define PAYBELL_CLI_TREE_H

#include "cli/ink.h"
#include "cli/timeline.h"

#define TREE_MAX_BYTES (8 << 20)

void tree_render(struct ink *k, const struct timeline *t);

/* A status' colour, and its sign before it: "✓". Shared with the lines of `watch`. */
enum tint tree_tint(const char *status);
const char *tree_sign(const char *status);

/* "alice → bob  15.00 USD  "Lunch"": a payment in one line, without its end. */
void tree_payment(struct ink *k, const struct timeline *t);

#endif
