/* libjwt takes the algorithm from the token's own header, and the key for whatever that
 * asks for: a public key in PEM is a fine HMAC secret then, and "none" needs no key at
 * all. So the algorithm is compared with the one wanted, after the signature was checked;
 * and no verification goes without a key. Times are ours too: a token without exp has
 * none. */
#include "io/token.h"

#include <errno.h>
#include <jwt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int encode(char out[TOKEN_MAX], jwt_t *jwt, jwt_alg_t alg, const char *key,
		  struct err *e);
static jwt_t *decode(const char *token, jwt_alg_t alg, const char *key, struct err *e);
static int check_times(struct token_claims *out, jwt_t *jwt, int64_t now_s,
		       struct err *e);
static int copy_grant(char *out, size_t size, jwt_t *jwt, const char *name,
		      struct err *e);
static int check_audience(jwt_t *jwt, const char *audience, struct err *e);

static int check_secret(const char *secret, struct err *e)
{
	if (secret == NULL || strlen(secret) < TOKEN_SECRET_MIN)
		return err_set(e, ERR_INVALID, "a token's secret has at least %d bytes",
			       TOKEN_SECRET_MIN);
	return 0;
}

static jwt_t *new_jwt(void)
{
	jwt_t *jwt = NULL;

	if (jwt_new(&jwt) != 0)
		abort();
	return jwt;
}

int token_sign(char out[TOKEN_MAX], const struct token_claims *claims, const char *secret,
	       struct err *e)
{
	jwt_t *jwt;
	int rc, failed = 0;

	if (check_secret(secret, e) < 0)
		return -1;
	if (!id_is_user(claims->subject, strlen(claims->subject)))
		return err_set(e, ERR_INVALID, "a token's subject is not a user id");
	jwt = new_jwt();
	failed |= jwt_add_grant(jwt, "sub", claims->subject);
	failed |= jwt_add_grant(jwt, "aud", claims->audience);
	if (claims->scope[0] != '\0')
		failed |= jwt_add_grant(jwt, "scope", claims->scope);
	failed |= jwt_add_grant_int(jwt, "iat", claims->issued_s);
	failed |= jwt_add_grant_int(jwt, "nbf", claims->not_before_s);
	failed |= jwt_add_grant_int(jwt, "exp", claims->expires_s);
	if (failed)
		rc = err_set(e, ERR_INVALID, "a token's claims are not UTF-8 text");
	else
		rc = encode(out, jwt, JWT_ALG_HS256, secret, e);
	jwt_free(jwt);
	return rc;
}

int token_verify(struct token_claims *out, const char *token, const char *secret,
		 const char *second_secret, const char *audience, int64_t now_s,
		 struct err *e)
{
	struct token_claims claims = {0};
	jwt_t *jwt;
	int rc = -1;

	if (check_secret(secret, e) < 0 ||
	    (second_secret != NULL && check_secret(second_secret, e) < 0))
		return -1;
	jwt = decode(token, JWT_ALG_HS256, secret, e);
	if (jwt == NULL && second_secret != NULL)
		jwt = decode(token, JWT_ALG_HS256, second_secret, e);
	if (jwt == NULL)
		return -1;
	if (check_times(&claims, jwt, now_s, e) < 0 ||
	    check_audience(jwt, audience, e) < 0 ||
	    copy_grant(claims.subject, sizeof(claims.subject), jwt, "sub", e) < 0 ||
	    copy_grant(claims.audience, sizeof(claims.audience), jwt, "aud", e) < 0)
		goto out;
	if (jwt_get_grant(jwt, "scope") != NULL &&
	    copy_grant(claims.scope, sizeof(claims.scope), jwt, "scope", e) < 0)
		goto out;
	if (!id_is_user(claims.subject, strlen(claims.subject))) {
		err_set(e, ERR_INVALID, "the token's subject is not a user id");
		goto out;
	}
	*out = claims;
	rc = 0;
out:
	jwt_free(jwt);
	return rc;
}

int token_sign_assertion(char out[TOKEN_MAX], const char *issuer, const char *scope,
			 const char *audience, int64_t issued_s, int64_t expires_s,
			 const char *private_key_pem, struct err *e)
{
	jwt_t *jwt = new_jwt();
	int rc, failed = 0;

	failed |= jwt_add_grant(jwt, "iss", issuer);
	failed |= jwt_add_grant(jwt, "scope", scope);
	failed |= jwt_add_grant(jwt, "aud", audience);
	failed |= jwt_add_grant_int(jwt, "iat", issued_s);
	failed |= jwt_add_grant_int(jwt, "exp", expires_s);
	if (failed)
		rc = err_set(e, ERR_INVALID, "an assertion's claims are not UTF-8 text");
	else
		rc = encode(out, jwt, JWT_ALG_RS256, private_key_pem, e);
	jwt_free(jwt);
	return rc;
}

int token_verify_assertion(const char *token, const char *public_key_pem,
			   const char *audience, int64_t now_s, char *issuer, size_t size,
			   struct err *e)
{
	jwt_t *jwt = decode(token, JWT_ALG_RS256, public_key_pem, e);
	struct token_claims claims = {0}; /* its times */
	int rc = -1;

	if (jwt == NULL)
		return -1;
	if (check_times(&claims, jwt, now_s, e) == 0 &&
	    check_audience(jwt, audience, e) == 0)
		rc = copy_grant(issuer, size, jwt, "iss", e);
	jwt_free(jwt);
	return rc;
}

static int encode(char out[TOKEN_MAX], jwt_t *jwt, jwt_alg_t alg, const char *key,
		  struct err *e)
{
	char *text;
	int rc = 0;

	if (jwt_set_alg(jwt, alg, (const unsigned char *)key, (int)strlen(key)) != 0)
		return err_set(e, ERR_INVALID, "the key does not fit %s",
			       jwt_alg_str(alg));
	text = jwt_encode_str(jwt);
	if (text == NULL)
		return err_set(e, ERR_INVALID, "%s does not sign with this key",
			       jwt_alg_str(alg));
	if (!mem_copy_text(out, TOKEN_MAX, text))
		rc = err_set(e, ERR_INVALID, "a token has at most %d bytes",
			     TOKEN_MAX - 1);
	free(text); /* jwt_encode_str()'s, from malloc */
	return rc;
}

/* Three parts of base64url: what follows reads nothing else (libb64 skips what it does
 * not know, so that one token would have many texts). */
static bool is_token(const char *token)
{
	for (int dots = 0;; dots++) {
		size_t len = strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					   "abcdefghijklmnopqrstuvwxyz0123456789-_");

		if (len == 0)
			return false;
		token += len;
		if (*token != '.')
			return *token == '\0' && dots == 2;
		token++;
	}
}

static jwt_t *decode(const char *token, jwt_alg_t alg, const char *key, struct err *e)
{
	jwt_t *jwt = NULL;
	size_t key_len = key != NULL ? strlen(key) : 0;

	if (key_len == 0) {
		err_set(e, ERR_INVALID, "there is no key to check the token with");
		return NULL;
	}
	if (strnlen(token, TOKEN_MAX) == TOKEN_MAX) {
		err_set(e, ERR_INVALID, "the token is longer than %d bytes",
			TOKEN_MAX - 1);
		return NULL;
	}
	if (!is_token(token)) {
		err_set(e, ERR_INVALID, "that is not a signed token");
		return NULL;
	}
	if (jwt_decode(&jwt, token, (const unsigned char *)key, (int)key_len) != 0) {
		err_set(e, ERR_INVALID, "the token's form or signature is wrong");
		return NULL;
	}
	if (jwt_get_alg(jwt) != alg) {
		err_set(e, ERR_INVALID, "the token's algorithm is not %s",
			jwt_alg_str(alg));
		jwt_free(jwt);
		return NULL;
	}
	return jwt;
}

/* -1 when it is there and not an integer; absent leaves *value alone. By its JSON,
 * because jwt_get_grant_int() takes any other type for a plain 0. */
static int get_time(jwt_t *jwt, const char *name, int64_t *value, struct err *e)
{
	char *json = jwt_get_grants_json(jwt, name);
	char *end = json;

	if (json == NULL)
		return 0;
	errno = 0;
	*value = strtoll(json, &end, 10);
	if (errno != 0 || end == json || *end != '\0')
		err_set(e, ERR_INVALID, "the token's %s is not an integer", name);
	else
		end = NULL;
	free(json);
	return end == NULL ? 0 : -1;
}

static int check_times(struct token_claims *out, jwt_t *jwt, int64_t now_s, struct err *e)
{
	if (get_time(jwt, "exp", &out->expires_s, e) < 0 ||
	    get_time(jwt, "nbf", &out->not_before_s, e) < 0 ||
	    get_time(jwt, "iat", &out->issued_s, e) < 0)
		return -1;
	if (now_s >= out->expires_s)
		return err_set(e, ERR_INVALID, "the token has expired");
	if (now_s < out->not_before_s)
		return err_set(e, ERR_INVALID, "the token is not valid yet");
	return 0;
}

static int copy_grant(char *out, size_t size, jwt_t *jwt, const char *name, struct err *e)
{
	const char *text = jwt_get_grant(jwt, name);

	if (text == NULL)
		return err_set(e, ERR_INVALID, "the token has no %s", name);
	if (strlen(text) >= size)
		return err_set(e, ERR_INVALID, "the token's %s is too long", name);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

static int check_audience(jwt_t *jwt, const char *audience, struct err *e)
{
	const char *text = jwt_get_grant(jwt, "aud");

	if (text == NULL || strcmp(text, audience) != 0)
		return err_set(e, ERR_INVALID, "the token is for another audience");
	return 0;
}
