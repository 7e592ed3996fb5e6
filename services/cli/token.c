/* paybell token: a user's token for the gateway, alone on stdout, for a script. */
#include "io/token.h"
#include "base/setting.h"
#include "cli/cli.h"
#include "wire/json.h"

const struct option token_options[] = {
	{"--ttl", "SECONDS", "how long it is good (default: as the API likes)"},
	{NULL, NULL, NULL},
};

static int write_request(const struct args *a, struct buf *json, struct err *e)
{
	static const struct setting row = {"ttl", SETTING_INT, 0,    NULL,
					   1,     INT32_MAX,   NULL, NULL};
	const char *text = args_value(a, "--ttl");
	int64_t ttl_s;
	struct json_writer w;
	struct buf why;
	bool good = true;

	json_writer_init(&w, json);
	json_open(&w, NULL, '{');
	if (text != NULL) {
		buf_init(&why, sizeof e->text);
		good = setting_read(&row, text, &ttl_s, &why);
		if (good)
			json_put_int(&w, "ttl_s", ttl_s);
		else
			err_set(e, ERR_INVALID, "--ttl%s", buf_text(&why));
		buf_release(&why);
	}
	json_close(&w, '}');
	return good ? 0 : -1;
}

static int print_token(struct cli *c, const struct buf *answer, struct err *e)
{
	struct problem p = {.kind = PROBLEM_NONE};
	char token[TOKEN_MAX];
	struct json_t *root = json_read(buf_text(answer), answer->len, e);
	struct json_reader r;

	if (root == NULL)
		return -1;
	json_reader_init(&r, root, "", &p);
	json_get_text(&r, "token", true, token, sizeof token);
	json_free(root);
	if (p.kind != PROBLEM_NONE)
		return err_set(e, ERR_INVALID, "the API's answer: %s", p.detail);
	ink_text(&c->ink, TINT_NONE, token);
	ink_raw(&c->ink, "\n");
	return 0;
}

static int ask(struct cli *c, const char *json, struct err *e)
{
	struct api_request request = {.method = "POST", .body = json};
	struct buf path, answer;
	int rc;

	buf_init(&path, 4096);
	buf_init(&answer, API_ANSWER_MAX);
	buf_add_text(&path, "/users/");
	api_segment(&path, args_operand(&c->args, 0));
	buf_add_text(&path, "/tokens");
	request.path = buf_text(&path);
	rc = api_call(c->api, &request, &answer, e);
	if (rc == 0 && c->args.json)
		cli_put_json(c, &answer);
	else if (rc == 0)
		rc = print_token(c, &answer, e);
	buf_release(&path);
	buf_release(&answer);
	return rc;
}

enum cli_exit token_run(struct cli *c, struct err *e)
{
	enum cli_exit code = CLI_USAGE;
	struct buf json;

	buf_init(&json, 256);
	if (write_request(&c->args, &json, e) == 0)
		code = ask(c, buf_text(&json), e) == 0 ? CLI_OK : CLI_FAILED;
	buf_release(&json);
	return code;
}
