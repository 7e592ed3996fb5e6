/* JSON Web Tokens (RFC 7519) through libjwt: HS256 for our own users, RS256 to ask
 * Google's token endpoint. Any thread. */
#ifndef PAYBELL_IO_TOKEN_H
#define PAYBELL_IO_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"

#define TOKEN_MAX        2048 /* bytes of a token, NUL included */
#define TOKEN_SECRET_MIN 32

struct token_claims {
	char subject[USER_ID_MAX + 1];
	char audience[64];
	char scope[32];                            /* "" or "ops" */
	int64_t issued_s, not_before_s, expires_s; /* Unix seconds */
};

int token_sign(char out[TOKEN_MAX], const struct token_claims *claims, const char *secret,
	       struct err *e);

/* Signature with either secret (second may be NULL), alg HS256 exactly, exp and nbf
 * against now_s, audience equal. ERR_INVALID says which failed. */
int token_verify(struct token_claims *out, const char *token, const char *secret,
		 const char *second_secret, const char *audience, int64_t now_s,
		 struct err *e);

/* RFC 7523 assertion as Google's service accounts use it: iss, scope, aud, iat, exp;
 * RS256 with a PEM private key. */
int token_sign_assertion(char out[TOKEN_MAX], const char *issuer, const char *scope,
			 const char *audience, int64_t issued_s, int64_t expires_s,
			 const char *private_key_pem, struct err *e);

/* The other side, for the sandbox: checks an RS256 assertion against a PEM public key;
 * fills issuer (size bytes) from it. */
int token_verify_assertion(const char *token, const char *public_key_pem,
			   const char *audience, int64_t now_s, char *issuer, size_t size,
			   struct err *e);

#endif
