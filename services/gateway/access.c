#include "gateway/access.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define SCOPE_ALL "ops"

int access_judge(struct access *a, const struct access_settings *s, const char *token,
		 struct err *e)
{
	const char *old = s->old_secret[0] != '\0' ? s->old_secret : NULL;
	struct token_claims claims;

	if (token_verify(&claims, token, s->secret, old, s->audience,
			 clock_utc_us() / US_PER_S, e) < 0)
		return -1;
	*a = (struct access){.all = strcmp(claims.scope, SCOPE_ALL) == 0,
			     .expires_s = claims.expires_s};
	if (!a->all && !id_is_user(claims.subject, strlen(claims.subject)))
		return err_set(e, ERR_INVALID, "the token's subject is not a user's id");
	mem_copy_text(a->user_id, sizeof(a->user_id), claims.subject);
	return 0;
}

bool access_is_for(const struct access *a, const char *user_id)
{
	if (a->all || !user_id)
		return a->all && !user_id;
	return strcmp(a->user_id, user_id) == 0;
}

bool access_allows_origin(const struct access_settings *s, struct http_text origin)
{
	const char *at = s->origins + strspn(s->origins, ", ");

	if (!origin.at)
		return true;
	while (*at != '\0') {
		size_t len = strcspn(at, ", ");

		if ((len == 1 && *at == '*') ||
		    (len == origin.len && memcmp(at, origin.at, len) == 0))
			return true;
		at += len + strspn(at + len, ", ");
	}
	return false;
}
