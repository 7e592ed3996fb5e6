/* paybell user: people, their devices, balances and events. */
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/person.h"
#include "wire/event.h"
#include "wire/json.h"
#include "wire/user.h"

#define PATH_MAX_BYTES 4096

const struct option user_add_options[] = {
	{"--name", "NAME", "what to call the person; required"},
	{"--email", "ADDRESS", "where mail goes to"},
	{"--phone", "NUMBER", "where SMS go to: +43660123456"},
	{"--locale", "LOCALE", "the language of the messages: de-AT"},
	{"--timezone", "ZONE", "Europe/Vienna"},
	{"--disable", "CHANNEL", "send nothing over push, email or sms; again for more"},
	{"--device", "KIND:TOKEN", "where push goes to: fcm:TOKEN; again for more"},
	{NULL, NULL, NULL},
};

const struct option user_events_options[] = {
	{"--after", "SEQUENCE", "go on behind this one (default: from the first)"},
	{"--limit", "COUNT", "how many at most (default 100)"},
	{NULL, NULL, NULL},
};

/* /users/<the first operand><rest>, with any method. */
static int call_user(struct cli *c, const char *method, const char *rest,
		     const char *body, struct buf *answer, struct err *e)
{
	struct api_request request = {.method = method, .body = body};
	struct buf path;
	int rc;

	/* To read again is harmless, to write again as well: PUT and DELETE by their
	 * nature, a device because the same token is the same device. */
	request.tries = strcmp(method, "GET") == 0 ? 1 : API_TRIES;
	buf_init(&path, PATH_MAX_BYTES);
	buf_add_text(&path, "/users/");
	api_segment(&path, args_operand(&c->args, 0));
	buf_add_text(&path, rest);
	request.path = buf_text(&path);
	rc = api_call(c->api, &request, answer, e);
	buf_release(&path);
	return rc;
}

typedef int print_fn(struct ink *k, const struct buf *json, struct err *e);

/* A call whose answer is printed, as it is or by `print`. */
static int call_and_print(struct cli *c, const char *method, const char *rest,
			  const char *body, print_fn *print, struct err *e)
{
	struct buf answer;
	int rc;

	buf_init(&answer, API_ANSWER_MAX);
	rc = call_user(c, method, rest, body, &answer, e);
	if (rc == 0 && c->args.json)
		cli_put_json(c, &answer);
	else if (rc == 0)
		rc = print(&c->ink, &answer, e);
	buf_release(&answer);
	return rc;
}

/* ---- add ---- */

static void put_given(struct json_writer *w, const struct args *a, const char *key,
		      const char *flag)
{
	const char *value = args_value(a, flag);

	if (value != NULL)
		json_put_text(w, key, value);
}

/* The channel is a key of the JSON, where only a name may stand; the API knows which
 * ones. */
static int put_disabled(struct json_writer *w, const struct args *a, struct err *e)
{
	const char *channel;
	int rc = 0;

	if (!args_has(a, "--disable"))
		return 0;
	json_open(w, "preferences", '{');
	for (int at = 0; (channel = args_next(a, "--disable", &at)) != NULL;) {
		if (!channel_name_valid(channel)) {
			rc = err_set(e, ERR_INVALID,
				     "--disable wants a channel, such as push, email or "
				     "sms");
			break;
		}
		json_open(w, channel, '{');
		json_put_bool(w, "enabled", false);
		json_close(w, '}');
	}
	json_close(w, '}');
	return rc;
}

static int write_user(const struct args *a, struct buf *json, struct err *e)
{
	struct json_writer w;
	int rc;

	json_writer_init(&w, json);
	json_open(&w, NULL, '{');
	put_given(&w, a, "name", "--name");
	put_given(&w, a, "email", "--email");
	put_given(&w, a, "phone", "--phone");
	put_given(&w, a, "locale", "--locale");
	put_given(&w, a, "timezone", "--timezone");
	rc = put_disabled(&w, a, e);
	json_close(&w, '}');
	return rc;
}

/* "fcm:TOKEN" */
static int write_device(const char *text, struct buf *json, struct err *e)
{
	char kind[CHANNEL_NAME_MAX + 1] = "";
	const char *colon = strchr(text, ':');
	struct json_writer w;

	if (colon == NULL || (size_t)(colon - text) >= sizeof kind)
		return err_set(e, ERR_INVALID,
			       "--device wants KIND:TOKEN, as in "
			       "fcm:TOKEN");
	mem_copy_text(kind, (size_t)(colon - text) + 1, text);
	json_writer_init(&w, json);
	json_open(&w, NULL, '{');
	json_put_text(&w, "kind", kind);
	json_put_text(&w, "token", colon + 1);
	json_close(&w, '}');
	return 0;
}

/* All that can be judged here is, before anything is written there. */
static int check_devices(const struct args *a, struct err *e)
{
	const char *text;
	struct buf json;
	int rc = 0;

	buf_init(&json, USER_BODY_MAX);
	for (int at = 0; rc == 0 && (text = args_next(a, "--device", &at)) != NULL;) {
		buf_clear(&json);
		rc = write_device(text, &json, e);
	}
	buf_release(&json);
	return rc;
}

static int add_devices(struct cli *c, struct err *e)
{
	const char *text;
	struct buf json;
	int rc = 0;

	buf_init(&json, USER_BODY_MAX);
	for (int at = 0;
	     rc == 0 && (text = args_next(&c->args, "--device", &at)) != NULL;) {
		buf_clear(&json);
		rc = write_device(text, &json, e);
		if (rc == 0)
			rc = call_and_print(c, "POST", "/devices", buf_text(&json),
					    person_print_device, e);
	}
	buf_release(&json);
	return rc;
}

enum cli_exit user_add_run(struct cli *c, struct err *e)
{
	enum cli_exit code = CLI_USAGE;
	struct buf json;

	buf_init(&json, 1 << 20);
	if (write_user(&c->args, &json, e) == 0 && check_devices(&c->args, e) == 0) {
		code = CLI_FAILED;
		if (call_and_print(c, "PUT", "", buf_text(&json), person_print, e) == 0 &&
		    add_devices(c, e) == 0)
			code = CLI_OK;
	}
	buf_release(&json);
	return code;
}

/* ---- the others ---- */

enum cli_exit user_show_run(struct cli *c, struct err *e)
{
	if (call_and_print(c, "GET", "", NULL, person_print, e) < 0 ||
	    call_and_print(c, "GET", "/devices", NULL, person_print_devices, e) < 0)
		return CLI_FAILED;
	return CLI_OK;
}

enum cli_exit user_delete_run(struct cli *c, struct err *e)
{
	struct buf answer;
	int rc;

	buf_init(&answer, API_ANSWER_MAX);
	rc = call_user(c, "DELETE", "", NULL, &answer, e);
	buf_release(&answer);
	if (rc < 0)
		return CLI_FAILED;
	if (!c->args.json) {
		ink_text(&c->ink, TINT_STRONG, args_operand(&c->args, 0));
		ink_raw(&c->ink, " deleted: the contact data is erased, the ledger "
				 "keeps its entries\n");
	}
	return CLI_OK;
}

enum cli_exit user_balance_run(struct cli *c, struct err *e)
{
	return call_and_print(c, "GET", "/balance", NULL, person_print_balances, e) == 0
		       ? CLI_OK
		       : CLI_FAILED;
}

static void add_query(struct buf *rest, const struct args *a, const char *name,
		      const char *flag)
{
	const char *value = args_value(a, flag);

	if (value == NULL)
		return;
	buf_addf(rest, "%c%s=", strchr(buf_text(rest), '?') != NULL ? '&' : '?', name);
	api_segment(rest, value);
}

static int print_events(struct ink *k, const struct buf *json, struct err *e)
{
	char next[EVENT_SEQUENCE_SIZE];

	if (person_print_events(k, json, next, e) < 0)
		return -1;
	if (next[0] != '\0')
		cli_note("there are more: --after %s", next);
	return 0;
}

enum cli_exit user_events_run(struct cli *c, struct err *e)
{
	struct buf rest;
	int rc;

	buf_init(&rest, PATH_MAX_BYTES);
	buf_add_text(&rest, "/events");
	add_query(&rest, &c->args, "after", "--after");
	add_query(&rest, &c->args, "limit", "--limit");
	rc = call_and_print(c, "GET", buf_text(&rest), NULL, print_events, e);
	buf_release(&rest);
	return rc == 0 ? CLI_OK : CLI_FAILED;
}
