#include "worker/lanes.h"

#include <string.h>

#include "base/id.h"
#include "base/map.h"
#include "base/mem.h"

struct lane {
	struct list nodes;
	char user_id[USER_ID_MAX + 1];
};

struct lanes {
	struct map *by_user;
};

struct lanes *lanes_new(void)
{
	struct lanes *l = mem_alloc(sizeof(*l));

	l->by_user = map_new();
	return l;
}

void lanes_free(struct lanes *l)
{
	if (!l)
		return;
	map_free(l->by_user);
	mem_free(l);
}

bool lanes_join(struct lanes *l, const char *user_id, struct lane_node *node)
{
	size_t len = strlen(user_id);
	struct lane *lane = map_get(l->by_user, user_id, len);

	if (!lane) {
		lane = mem_alloc(sizeof(*lane));
		list_init(&lane->nodes);
		mem_copy_text(lane->user_id, sizeof(lane->user_id), user_id);
		map_put(l->by_user, user_id, len, lane);
	}
	node->lane = lane;
	list_append(&lane->nodes, &node->link);
	return lane->nodes.next == &node->link;
}

bool lanes_is_first(const struct lane_node *node)
{
	return node->lane && node->lane->nodes.next == &node->link;
}

struct lane_node *lanes_leave(struct lanes *l, struct lane_node *node)
{
	struct lane *lane = node->lane;
	bool first = lanes_is_first(node);

	if (!lane)
		return NULL;
	list_remove(&node->link);
	node->lane = NULL;
	if (list_empty(&lane->nodes)) {
		map_remove(l->by_user, lane->user_id, strlen(lane->user_id));
		mem_free(lane);
		return NULL;
	}
	return first ? container_of(lane->nodes.next, struct lane_node, link) : NULL;
}

size_t lanes_count(const struct lanes *l)
{
	return map_count(l->by_user);
}
