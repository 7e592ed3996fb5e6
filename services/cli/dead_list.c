/* paybell dead list: what has failed, the newest first. */
#include "base/setting.h"
#include "cli/dead.h"

#define LIMIT     "100"
#define LIMIT_MAX 1000000

const struct option dead_list_options[] = {
	{"--channel", "CHANNEL", "only what failed on this channel"},
	{"--reason", "REASON", "only what failed for this reason"},
	{"--since", "WHEN", "only what failed since then: 2h, 3d, an RFC 3339 time"},
	{"--limit", "N", "at most so many (default " LIMIT ")"},
	{NULL, NULL, NULL},
};

static int read_limit(const struct args *a, int64_t *limit, struct err *e)
{
	static const struct setting row = {"limit", SETTING_INT, 0,    NULL,
					   1,       LIMIT_MAX,   NULL, NULL};
	const char *text = args_value(a, "--limit");
	struct buf why;
	bool good;

	buf_init(&why, sizeof e->text);
	good = setting_read(&row, text != NULL ? text : LIMIT, limit, &why);
	if (!good)
		err_set(e, ERR_INVALID, "--limit%s", buf_text(&why));
	buf_release(&why);
	return good ? 0 : -1;
}

/* Prints what is wanted of a page, at most *left of it. */
static bool print_page(struct cli *c, const struct dead_filter *f,
		       const struct dead_page *page, int64_t *left)
{
	for (size_t i = 0; i<page->count && * left> 0; i++) {
		if (!dead_filter_wants(f, &page->deliveries[i]))
			continue;
		if (c->args.json)
			dead_print_json(&c->text, page, i);
		else
			dead_print(&c->ink, &page->deliveries[i]);
		--*left;
	}
	return cli_flush(c);
}

static int print_all(struct cli *c, const struct dead_filter *f, int64_t limit,
		     struct err *e)
{
	struct dead_walk walk;
	struct dead_page page;
	int64_t left = limit;
	bool heard = true, headed = c->args.json;
	int rc = 1;

	dead_walk_init(&walk, c, f->channel);
	while (left > 0 && heard && (rc = dead_walk_next(&walk, &page, e)) == 1) {
		if (!headed)
			dead_print_head(&c->ink);
		headed = true;
		heard = print_page(c, f, &page, &left);
		dead_page_free(&page);
	}
	if (left == 0)
		cli_note("there may be more: --limit");
	return rc < 0 || !heard ? -1 : 0;
}

enum cli_exit dead_list_run(struct cli *c, struct err *e)
{
	struct dead_filter filter;
	int64_t limit;

	if (dead_filter_read(&filter, &c->args, e) < 0 ||
	    read_limit(&c->args, &limit, e) < 0)
		return CLI_USAGE;
	return print_all(c, &filter, limit, e) == 0 ? CLI_OK : CLI_FAILED;
}
