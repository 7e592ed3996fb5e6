/* Google's OAuth 2 token endpoint, the server's side: a service account's signed
 * assertion becomes an access token (RFC 7523, RFC 6749 section 5).
 *
 * With a public key the assertion must be signed by the account's key, be meant for this
 * endpoint and not have ended; without one it must only look like a token. At most
 * OAUTH_TOKENS_MAX tokens live at once: the oldest goes. Loop thread only. */
#ifndef PAYBELL_SANDBOX_OAUTH_H
#define PAYBELL_SANDBOX_OAUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/exchange.h"

#define OAUTH_TOKENS_MAX   64
#define OAUTH_TOKEN_SIZE   64
#define OAUTH_EXPIRES_IN_S 3599

struct oauth {
	const char *static_token;   /* always accepted too; "" none. Borrowed */
	const char *public_key_pem; /* NULL: signatures are not checked. Borrowed */
	const char *endpoint; /* "http://127.0.0.1:8090/token"; besides it Google's own
				 address is an audience. Borrowed */
	struct {
		char text[OAUTH_TOKEN_SIZE];
		int64_t expires_us; /* UTC */
	} issued[OAUTH_TOKENS_MAX];
	unsigned next; /* slot */
};

/* POST /token */
void oauth_receive(struct oauth *o, struct exchange *x);

/* Was this token issued here, and does it still hold? */
bool oauth_accepts(const struct oauth *o, const char *token, int64_t now_us);

#endif
