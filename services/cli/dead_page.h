/* A delivery as the API tells it, a page of them, and which of its deliveries are meant.
 * Pure; members that it does not know are passed over. */
#ifndef PAYBELL_CLI_DEAD_PAGE_H
#define PAYBELL_CLI_DEAD_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "cli/ink.h"
#include "wire/user.h"

#define DEAD_REASON_SIZE 32
#define DEAD_CURSOR_SIZE 64
#define DEAD_PAGE_MAX    1000

struct dead_delivery {
	char event_id[ID_SIZE], transaction_id[ID_SIZE];
	char user_id[USER_ID_MAX + 1], channel[CHANNEL_NAME_MAX + 1];
	char reason[DEAD_REASON_SIZE]; /* "" none */
	int64_t sequence, attempts;
	int64_t ended_us; /* UTC */
};

/* One alone. ERR_INVALID: it is something else. */
int dead_delivery_read(struct dead_delivery *d, const struct buf *json, struct err *e);

struct json_t;

struct dead_page {
	struct dead_delivery *deliveries;
	size_t count;
	char next[DEAD_CURSOR_SIZE]; /* "": this was the last page */
	struct json_t *json;
};

/* dead_page_free() in any case. ERR_INVALID: it is something else. */
int dead_page_read(struct dead_page *p, const struct buf *json, struct err *e);
void dead_page_free(struct dead_page *p); /* zeroed storage: nothing happens */

/* NULL and 0 are no condition. */
struct dead_filter {
	const char *channel, *reason;
	int64_t since_us; /* it ended then or later */
};

bool dead_filter_wants(const struct dead_filter *f, const struct dead_delivery *d);

/* The lines of a table, and the API's object as it is. */
void dead_print_head(struct ink *k);
void dead_print(struct ink *k, const struct dead_delivery *d);
void dead_print_json(struct buf *out, const struct dead_page *p, size_t i);

#endif
