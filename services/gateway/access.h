/* Who may connect: the token, the page that a browser comes from. Any thread. */
#ifndef PAYBELL_GATEWAY_ACCESS_H
#define PAYBELL_GATEWAY_ACCESS_H

#include "base/id.h"
#include "io/token.h"
#include "wire/ws_handshake.h"

struct access_settings {
	const char *secret, *old_secret; /* both are valid: "" is none */
	const char *audience;
	const char *origins; /* separated by commas, "*" is any; "" none: then only who
				sends no Origin, which no browser does */
};

/* What a token that is good says. */
struct access {
	char user_id[USER_ID_MAX + 1];
	bool all;          /* an operator: hears all */
	int64_t expires_s; /* Unix */
};

/* ERR_INVALID says which of it is not good; nothing of the token is in the text. */
int access_judge(struct access *a, const struct access_settings *s, const char *token,
		 struct err *e);

/* Is it for this user? NULL: an operator's. So it may take the place of another token. */
bool access_is_for(const struct access *a, const char *user_id);

/* May a page from there connect? origin without a value: no browser, and yes. */
bool access_allows_origin(const struct access_settings *s, struct http_text origin);

#endif
