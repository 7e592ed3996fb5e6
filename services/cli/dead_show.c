/* paybell dead show: how one channel stands with one event, and all its attempts. The
 * delivery names its transaction, whose timeline has them. */
#include "cli/dead.h"
#include "cli/timeline.h"
#include "cli/tree.h"
#include "wire/json.h"

#define PATH_SIZE 4096

static int get(struct cli *c, const struct buf *path, struct buf *body, struct err *e)
{
	const struct api_request request = {
		.method = "GET", .path = buf_text(path), .tries = API_TRIES};

	if (path->overflowed)
		return err_set(e, ERR_INVALID, "an argument is too long");
	return api_call(c->api, &request, body, e);
}

static int fetch_delivery(struct cli *c, struct dead_delivery *d, struct err *e)
{
	struct buf path, body;
	int rc = -1;

	buf_init(&path, PATH_SIZE);
	buf_init(&body, API_ANSWER_MAX);
	buf_add_text(&path, "/deliveries/");
	api_segment(&path, args_operand(&c->args, 0));
	buf_add_char(&path, '/');
	api_segment(&path, args_operand(&c->args, 1));
	if (get(c, &path, &body, e) == 0)
		rc = dead_delivery_read(d, &body, e);
	buf_release(&body);
	buf_release(&path);
	return rc;
}

static struct timeline *fetch_timeline(struct cli *c, const struct dead_delivery *d,
				       struct err *e)
{
	struct timeline *t = NULL;
	struct buf path, body;

	buf_init(&path, PATH_SIZE);
	buf_init(&body, API_ANSWER_MAX);
	buf_add_text(&path, "/transactions/");
	api_segment(&path, d->transaction_id);
	if (get(c, &path, &body, e) == 0)
		t = timeline_read(buf_text(&body), body.len, e);
	if (t != NULL && !timeline_keep(t, d->event_id, d->channel)) {
		err_set(e, ERR_NOT_FOUND, "%s has no %s for %s", d->transaction_id,
			d->channel, d->event_id);
		timeline_free(t);
		t = NULL;
	}
	buf_release(&body);
	buf_release(&path);
	return t;
}

static void print_json(struct cli *c, const struct timeline *t)
{
	const struct timeline_event *ev = &t->events[0];
	const struct timeline_channel *channel = &ev->channels[0];
	struct json_writer w;
	struct buf record;

	json_writer_init(&w, &c->text);
	json_open(&w, NULL, '{');
	json_put_text(&w, "event_id", ev->id);
	json_put_text(&w, "sequence", ev->sequence);
	json_put_text(&w, "user_id", ev->user_id);
	json_put_text(&w, "channel", channel->name);
	json_put_text(&w, "status", channel->status);
	json_put_text(&w, "transaction_id", t->id);
	json_put_text(&w, "amount", t->amount);
	json_put_text(&w, "currency", t->currency);
	json_open(&w, "attempts", '[');
	buf_init(&record, ATTEMPT_ENCODED_MAX);
	for (size_t i = 0; i < channel->count; i++) {
		buf_clear(&record);
		attempt_encode(&channel->attempts[i], &record);
		json_put_raw(&w, NULL, record.data, record.len);
	}
	buf_release(&record);
	json_close(&w, ']');
	json_close(&w, '}');
	buf_add_char(&c->text, '\n');
}

enum cli_exit dead_show_run(struct cli *c, struct err *e)
{
	struct dead_delivery d;
	struct timeline *t;

	if (fetch_delivery(c, &d, e) < 0)
		return CLI_FAILED;
	t = fetch_timeline(c, &d, e);
	if (t == NULL)
		return CLI_FAILED;
	if (c->args.json)
		print_json(c, t);
	else
		tree_render(&c->ink, t);
	timeline_free(t);
	return CLI_OK;
}
