/* paybell pay: one payment, made once however often it has to be asked for.
 *
 * The Idempotency-Key is made here (or given with --key) and is the same in every try, so
 * a lost answer costs nothing but a repetition. Only when all tries are over and one of
 * them may have done it is the outcome unknown; then the key is told, to go on with. */
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "cli/cli.h"
#include "cli/show.h"
#include "cli/timeline.h"
#include "cli/tree.h"
#include "wire/json.h"

#define KEY_BYTES 16
#define KEY_SIZE  (sizeof "paybell-" + 2 * KEY_BYTES)

const struct option pay_options[] = {
	{"--wait", NULL, "wait until every channel has ended; print the timeline"},
	{"--timeout", "TIME", "how long to wait: 60s, 5m (default " SHOW_TIMEOUT ")"},
	{"--key", "KEY", "the Idempotency-Key, to repeat a payment safely"},
	{NULL, NULL, NULL},
};

static void make_key(char out[KEY_SIZE])
{
	random_hex(out + snprintf(out, KEY_SIZE, "paybell-"), KEY_BYTES);
}

static void put_party(struct json_writer *w, const char *key, const char *user_id)
{
	if (strcmp(user_id, "-") != 0)
		json_put_text(w, key, user_id);
}

static void write_payment(const struct args *a, struct buf *json)
{
	const char *description = args_operand(a, 4);
	struct json_writer w;

	json_writer_init(&w, json);
	json_open(&w, NULL, '{');
	put_party(&w, "from", args_operand(a, 0));
	put_party(&w, "to", args_operand(a, 1));
	json_put_text(&w, "amount", args_operand(a, 2));
	json_put_text(&w, "currency", args_operand(a, 3));
	if (description != NULL)
		json_put_text(&w, "description", description);
	json_close(&w, '}');
}

static int send_payment(struct cli *c, struct buf *answer, struct err *e)
{
	const char *key = args_value(&c->args, "--key");
	char own_key[KEY_SIZE];
	struct api_request request = {
		.method = "POST", .path = "/transactions", .tries = API_TRIES};
	struct buf json;
	int rc;

	if (key == NULL)
		make_key(own_key);
	buf_init(&json, 1 << 20);
	write_payment(&c->args, &json);
	request.body = buf_text(&json);
	request.idempotency_key = key != NULL ? key : own_key;
	rc = api_call(c->api, &request, answer, e);
	if (rc < 0 && e->code == ERR_TIMEOUT)
		cli_note("nobody knows whether it was paid: repeat the command with "
			 "--key %s to be sure that it is, once",
			 request.idempotency_key);
	buf_release(&json);
	return rc;
}

static enum cli_exit print_payment(struct cli *c, const struct timeline *t,
				   const struct buf *answer, struct err *e)
{
	if (args_has(&c->args, "--wait"))
		return show_transaction(c, t->id, e);
	if (c->args.json)
		return cli_put_json(c, answer) ? CLI_OK : CLI_FAILED;
	ink_text(&c->ink, TINT_DIM, t->id);
	ink_raw(&c->ink, "  ");
	tree_payment(&c->ink, t);
	ink_raw(&c->ink, "\n");
	return CLI_OK;
}

enum cli_exit pay_run(struct cli *c, struct err *e)
{
	enum cli_exit code = CLI_FAILED;
	struct timeline *t = NULL;
	int64_t timeout_ms;
	struct buf answer;

	if (show_timeout(c, &timeout_ms, e) < 0)
		return CLI_USAGE; /* before anything is paid */
	buf_init(&answer, API_ANSWER_MAX);
	if (send_payment(c, &answer, e) == 0)
		t = timeline_read(buf_text(&answer), answer.len, e);
	if (t != NULL)
		code = print_payment(c, t, &answer, e);
	timeline_free(t);
	buf_release(&answer);
	return code;
}
