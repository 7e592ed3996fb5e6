#include "backend/auth.h"

#include <string.h>
#include <strings.h>

int auth_init(struct auth *a, const char *digests, struct err *e)
{
	a->count = 0;
	for (const char *at = digests; *at != '\0';) {
		size_t len = strcspn(at, ",");
		char hex[2 * SHA256_BYTES + 1];

		if (a->count == AUTH_KEYS_MAX)
			return err_set(e, ERR_INVALID, "more than %d keys",
				       AUTH_KEYS_MAX);
		if (len != sizeof hex - 1)
			return err_set(e, ERR_INVALID,
				       "key %d is not a SHA-256 digest of 64 hex digits: "
				       "printf %%s KEY | sha256sum",
				       a->count + 1);
		memcpy(hex, at, len);
		hex[len] = '\0';
		if (digest_parse_hex(a->digests[a->count++], hex) < 0)
			return err_set(e, ERR_INVALID,
				       "key %d has characters that are not hex digits",
				       a->count);
		at += len + (at[len] == ',');
	}
	return a->count > 0 ? 0 : err_set(e, ERR_INVALID, "no key");
}

int auth_check(const struct auth *a, const char *authorization,
	       uint8_t digest[SHA256_BYTES], struct problem *p)
{
	const char *key;
	int found = 0;

	if (authorization == NULL || strncasecmp(authorization, "Bearer ", 7) != 0)
		return problem_set(p, PROBLEM_UNAUTHORIZED, "Authorization",
				   "send Authorization: Bearer <api key>");
	key = authorization + 7;
	if (strlen(key) > AUTH_KEY_MAX)
		return problem_set(p, PROBLEM_UNAUTHORIZED, "Authorization",
				   "this key is not known");
	digest_sha256(digest,
		      (const struct digest_part[]){{key, strlen(key)}, {NULL, 0}});
	for (int i = 0; i < a->count; i++)
		found |= digest_equal(digest, a->digests[i], SHA256_BYTES);
	return found ? 0
		     : problem_set(p, PROBLEM_UNAUTHORIZED, "Authorization",
				   "this key is not known");
}
