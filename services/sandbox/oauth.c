#include "sandbox/oauth.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "io/digest.h"
#include "io/token.h"
#include "wire/form.h"
#include "wire/json.h"

#define GRANT_TYPE      "urn:ietf:params:oauth:grant-type:jwt-bearer"
#define GOOGLE_ENDPOINT "https://oauth2.googleapis.com/token"
#define SECRET_BYTES    30

static int refuse(struct exchange *x, const char *error, const char *why)
{
	struct json_writer w;

	x->status = 400;
	snprintf(x->reason, sizeof(x->reason), "%s: %.120s", error, why);
	json_writer_init(&w, &x->answer);
	json_open(&w, NULL, '{');
	json_put_text(&w, "error", error);
	json_put_text(&w, "error_description", why);
	json_close(&w, '}');
	return -1;
}

/* grant_type goes to x->to, the assertion to x->text. */
static int parse(struct exchange *x)
{
	const char *at = x->body;
	size_t left = x->body_len;
	struct err e = ERR_INIT;
	int rc;

	if (!exchange_is_type(x, "application/x-www-form-urlencoded"))
		return refuse(x, "invalid_request",
			      "Content-Type must be application/x-www-form-urlencoded");
	while ((rc = form_next(&at, &left, &x->key, &x->from, &e)) > 0) {
		const char *key = buf_text(&x->key);
		struct buf *out;

		if (strcmp(key, "grant_type") == 0)
			out = &x->to;
		else if (strcmp(key, "assertion") == 0)
			out = &x->text;
		else
			return refuse(x, "invalid_request", "an unknown parameter");
		buf_add(out, buf_text(&x->from), x->from.len);
	}
	if (rc < 0)
		return refuse(x, "invalid_request", e.text);
	if (strcmp(buf_text(&x->to), GRANT_TYPE) != 0)
		return refuse(x, "unsupported_grant_type", "Invalid grant_type");
	if (x->text.len == 0)
		return refuse(x, "invalid_request", "assertion is missing");
	return 0;
}

/* header.payload.signature, each base64url. */
static bool looks_like_jwt(const char *text)
{
	for (int part = 0; part < 3; part++) {
		size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
					  "uvwxyz0123456789-_");

		if (len == 0 || text[len] != (part < 2 ? '.' : '\0'))
			return false;
		text += len + 1;
	}
	return true;
}

static int verify(const struct oauth *o, struct exchange *x)
{
	const char *assertion = buf_text(&x->text);
	int64_t now_s = x->now_us / US_PER_S;
	struct err e = ERR_INIT;
	char issuer[256];

	if (o->public_key_pem == NULL)
		return looks_like_jwt(assertion)
			       ? 0
			       : refuse(x, "invalid_grant", "Invalid JWT");
	if (token_verify_assertion(assertion, o->public_key_pem, GOOGLE_ENDPOINT, now_s,
				   issuer, sizeof(issuer), &e) == 0 ||
	    token_verify_assertion(assertion, o->public_key_pem, o->endpoint, now_s,
				   issuer, sizeof(issuer), &e) == 0)
		return 0;
	return refuse(x, "invalid_grant", e.text);
}

static const char *issue(struct oauth *o, int64_t now_us)
{
	unsigned char secret[SECRET_BYTES];
	unsigned slot = o->next++ % OAUTH_TOKENS_MAX;
	struct buf text;

	random_bytes(secret, sizeof(secret));
	buf_init(&text, OAUTH_TOKEN_SIZE - 1);
	buf_add_text(&text, "ya29.sandbox-");
	digest_base64url(&text, secret, sizeof(secret));
	mem_copy_text(o->issued[slot].text, OAUTH_TOKEN_SIZE, buf_text(&text));
	o->issued[slot].expires_us = now_us + OAUTH_EXPIRES_IN_S * US_PER_S;
	buf_release(&text);
	return o->issued[slot].text;
}

void oauth_receive(struct oauth *o, struct exchange *x)
{
	struct json_writer w;

	if (parse(x) < 0 || verify(o, x) < 0)
		return;
	x->status = 200;
	json_writer_init(&w, &x->answer);
	json_open(&w, NULL, '{');
	json_put_text(&w, "access_token", issue(o, x->now_us));
	json_put_int(&w, "expires_in", OAUTH_EXPIRES_IN_S);
	json_put_text(&w, "token_type", "Bearer");
	json_close(&w, '}');
}

bool oauth_accepts(const struct oauth *o, const char *token, int64_t now_us)
{
	if (token[0] == '\0')
		return false;
	if (strcmp(token, o->static_token) == 0)
		return true;
	for (unsigned i = 0; i < OAUTH_TOKENS_MAX; i++)
		if (now_us < o->issued[i].expires_us &&
		    strcmp(token, o->issued[i].text) == 0)
			return true;
	return false;
}
