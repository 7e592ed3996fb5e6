/* A queue for each user: who came first goes first, and nobody waits for another's.
 *
 * The node lives in the thing that waits; the lanes own nothing of it. A lane exists
 * while somebody is in it. Loop thread. */
#ifndef PAYBELL_WORKER_LANES_H
#define PAYBELL_WORKER_LANES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

struct lanes;
struct lane;

struct lane_node {
	struct list link;
	struct lane *lane; /* NULL: in none */
};

struct lanes *lanes_new(void);
void lanes_free(struct lanes *l); /* the nodes must have left; NULL does nothing */

/* At the end of the user's lane; true when it is the first there. */
bool lanes_join(struct lanes *l, const char *user_id, struct lane_node *node);
bool lanes_is_first(const struct lane_node *node); /* false in none */
/* Who is first now instead of `node`: NULL when nobody is left or node was not the first.
 * In no lane: nothing happens. */
struct lane_node *lanes_leave(struct lanes *l, struct lane_node *node);

size_t lanes_count(const struct lanes *l);

#endif
