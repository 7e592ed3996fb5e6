#include "cli/dead.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/since.h"
#include "wire/attempt.h"

#define PAGE      (3 * API_TOGETHER_MAX)
#define PATH_SIZE 512

static int check_reason(const char *reason, struct err *e)
{
	struct log_quote quoted;

	if (reason == NULL || attempt_reason_parse(reason) > REASON_NONE)
		return 0;
	return err_set(
		e, ERR_INVALID,
		"--reason %s is none: one is like rejected, bad_address, expired or "
		"attempts_exhausted",
		log_quote(&quoted, reason));
}

int dead_filter_read(struct dead_filter *f, const struct args *a, struct err *e)
{
	const char *since = args_value(a, "--since");

	*f = (struct dead_filter){.channel = args_value(a, "--channel"),
				  .reason = args_value(a, "--reason")};
	if (check_reason(f->reason, e) < 0)
		return -1;
	if (since != NULL && since_parse(since, clock_utc_us(), &f->since_us, e) < 0)
		return err_wrap(e, "--since");
	return 0;
}

void dead_walk_init(struct dead_walk *w, struct cli *c, const char *channel)
{
	*w = (struct dead_walk){.cli = c, .channel = channel};
}

static int fetch(struct dead_walk *w, struct buf *body, struct err *e)
{
	struct api_request request = {.method = "GET", .tries = API_TRIES};
	struct buf path;
	int rc;

	buf_init(&path, PATH_SIZE);
	buf_addf(&path, "/deliveries?status=failed&limit=%d", PAGE);
	if (w->channel != NULL) {
		buf_add_text(&path, "&channel=");
		api_segment(&path, w->channel);
	}
	if (w->cursor[0] != '\0') {
		buf_add_text(&path, "&cursor=");
		api_segment(&path, w->cursor);
	}
	request.path = buf_text(&path);
	rc = path.overflowed ? err_set(e, ERR_INVALID, "--channel is too long")
			     : api_call(w->cli->api, &request, body, e);
	buf_release(&path);
	return rc;
}

/* The walk must end, whatever is answered. */
static int go_on(struct dead_walk *w, const struct dead_page *page, struct err *e)
{
	if (page->next[0] != '\0' && strcmp(page->next, w->cursor) == 0)
		return err_set(e, ERR_CORRUPT, "the API gives the same page again");
	mem_copy_text(w->cursor, sizeof w->cursor, page->next);
	w->over = page->next[0] == '\0';
	return 1;
}

int dead_walk_next(struct dead_walk *w, struct dead_page *page, struct err *e)
{
	struct buf body;
	int rc = -1;

	if (w->over)
		return 0;
	buf_init(&body, API_ANSWER_MAX);
	*page = (struct dead_page){.json = NULL};
	if (fetch(w, &body, e) == 0 && dead_page_read(page, &body, e) == 0)
		rc = go_on(w, page, e);
	buf_release(&body);
	if (rc < 0)
		dead_page_free(page);
	return rc;
}
