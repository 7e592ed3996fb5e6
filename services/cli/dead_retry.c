/* paybell dead retry: what has failed is tried again, one delivery or all that match.
 *
 * All: one walk through the list, from the newest to the oldest, so it ends: what fails
 * again meanwhile stands where the walk has been. Many requests are in flight at once,
 * since each waits for a commit that they share. A single refusal (it has ended otherwise
 * meanwhile, or somebody else has reopened it) is counted and passed over; anything else
 * ends the walk. */
#include "base/mem.h"
#include "cli/dead.h"
#include "cli/progress.h"

#define PATH_SIZE 256

const struct option dead_retry_options[] = {
	{"--all", NULL, "all that have failed, or all that match:"},
	{"--channel", "CHANNEL", "only what failed on this channel"},
	{"--reason", "REASON", "only what failed for this reason"},
	{"--since", "WHEN", "only what failed since then: 2h, 3d, an RFC 3339 time"},
	{NULL, NULL, NULL},
};

struct retry {
	struct cli *cli;
	struct dead_filter filter;
	struct api_each calls[API_TOGETHER_MAX];
	struct buf paths[API_TOGETHER_MAX];
	int count; /* calls that are prepared */
	int64_t retried, refused;
	struct progress progress;
};

static struct api_request request_for(struct buf *path, const char *event_id,
				      const char *channel)
{
	buf_clear(path);
	buf_add_text(path, "/deliveries/");
	api_segment(path, event_id);
	buf_add_char(path, '/');
	api_segment(path, channel);
	buf_add_text(path, "/retry");
	return (struct api_request){
		.method = "POST", .path = buf_text(path), .tries = API_TRIES};
}

/* ---- one ---- */

static void print_one(struct cli *c, const struct buf *body)
{
	if (c->args.json) {
		cli_put_json(c, body);
		return;
	}
	ink_text(&c->ink, TINT_STRONG, args_operand(&c->args, 0));
	ink_raw(&c->ink, "  ");
	ink_text(&c->ink, TINT_STRONG, args_operand(&c->args, 1));
	ink_raw(&c->ink, "  is open again and will be tried\n");
}

static enum cli_exit retry_one(struct cli *c, struct err *e)
{
	struct api_request request;
	struct buf path, body;
	int rc;

	buf_init(&path, 4096);
	buf_init(&body, API_ANSWER_MAX);
	request =
		request_for(&path, args_operand(&c->args, 0), args_operand(&c->args, 1));
	rc = path.overflowed ? err_set(e, ERR_INVALID, "an argument is too long")
			     : api_call(c->api, &request, &body, e);
	if (rc == 0)
		print_one(c, &body);
	buf_release(&body);
	buf_release(&path);
	return rc == 0 ? CLI_OK : CLI_FAILED;
}

/* ---- all ---- */

static bool is_refusal(const struct err *e)
{
	return e->code == ERR_CONFLICT || e->code == ERR_NOT_FOUND;
}

/* Too busy, or no answer: once more, alone and with patience. */
static void ask_again(struct retry *r, struct api_each *call)
{
	bool unknown = call->e.code == ERR_TIMEOUT;

	if (call->e.code != ERR_IO && !unknown)
		return;
	progress_clear(&r->progress);
	call->e = (struct err)ERR_INIT;
	api_call(r->cli->api, &call->request, &call->body, &call->e);
	if (!unknown || call->e.code != ERR_CONFLICT)
		return;
	/* The first one did it, and this one's answer is only its refusal. */
	call->e = (struct err)ERR_INIT;
	buf_clear(&call->body);
}

/* What was done is counted and shown, also when something else went wrong beside it. */
static int take_answer(struct retry *r, const struct api_each *call, struct err *e)
{
	if (is_refusal(&call->e)) {
		r->refused++;
		return 0;
	}
	if (call->e.code != ERR_NONE) {
		*e = call->e;
		return -1;
	}
	r->retried++;
	if (r->cli->args.json && call->body.len > 0) {
		ink_json(&r->cli->text, buf_text(&call->body), call->body.len);
		buf_add_char(&r->cli->text, '\n');
	}
	return 0;
}

static int send_prepared(struct retry *r, struct err *e)
{
	int count = r->count, rc = 0;

	if (count == 0)
		return 0;
	r->count = 0;
	api_call_each(r->cli->api, r->calls, count);
	for (int i = 0; i < count; i++) {
		if (rc == 0)
			ask_again(r, &r->calls[i]);
		if (take_answer(r, &r->calls[i], e) < 0)
			rc = -1;
	}
	progress_show(&r->progress, "%lld retried, %lld refused", (long long)r->retried,
		      (long long)r->refused);
	return cli_flush(r->cli) ? rc : -1;
}

static int retry_page(struct retry *r, const struct dead_page *page, struct err *e)
{
	for (size_t i = 0; i < page->count; i++) {
		const struct dead_delivery *d = &page->deliveries[i];
		int at = r->count;

		if (!dead_filter_wants(&r->filter, d))
			continue;
		r->calls[at].request =
			request_for(&r->paths[at], d->event_id, d->channel);
		r->count++;
		if (r->count == API_TOGETHER_MAX && send_prepared(r, e) < 0)
			return -1;
	}
	return send_prepared(r, e);
}

static int walk(struct retry *r, struct err *e)
{
	struct dead_walk w;
	struct dead_page page;
	int rc;

	dead_walk_init(&w, r->cli, r->filter.channel);
	while ((rc = dead_walk_next(&w, &page, e)) == 1) {
		rc = retry_page(r, &page, e);
		dead_page_free(&page);
		if (rc < 0)
			break;
	}
	return rc;
}

static void report(struct retry *r)
{
	const char *one = r->refused == 1 ? "was" : "were";

	progress_clear(&r->progress);
	if (r->refused > 0)
		cli_note("%lld %s not failed any more when asked", (long long)r->refused,
			 one);
	if (r->cli->args.json)
		cli_note("%lld retried", (long long)r->retried);
	else
		ink_rawf(&r->cli->ink, "%lld retried\n", (long long)r->retried);
}

static enum cli_exit retry_all(struct cli *c, struct err *e)
{
	struct retry *r;
	int rc;

	r = mem_alloc(sizeof *r);
	r->cli = c;
	if (dead_filter_read(&r->filter, &c->args, e) < 0) {
		mem_free(r);
		return CLI_USAGE;
	}
	progress_init(&r->progress);
	for (int i = 0; i < API_TOGETHER_MAX; i++) {
		buf_init(&r->calls[i].body, API_ANSWER_MAX);
		buf_init(&r->paths[i], PATH_SIZE);
	}
	rc = walk(r, e);
	report(r);
	for (int i = 0; i < API_TOGETHER_MAX; i++) {
		buf_release(&r->calls[i].body);
		buf_release(&r->paths[i]);
	}
	mem_free(r);
	return rc == 0 ? CLI_OK : CLI_FAILED;
}

/* One that is named, or --all with its conditions; never everything by a slip. */
enum cli_exit dead_retry_run(struct cli *c, struct err *e)
{
	const struct args *a = &c->args;
	bool all = args_has(a, "--all");

	if (all && a->operand_count == 0)
		return retry_all(c, e);
	if (!all && a->operand_count == 2 && a->given_count == 0)
		return retry_one(c, e);
	err_set(e, ERR_INVALID, "dead retry needs EVENT and CHANNEL, or --all%s",
		all || a->operand_count == 2 ? ", not both" : "");
	return CLI_USAGE;
}
