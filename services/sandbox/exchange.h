/* One request to a provider's HTTP API, and what comes of it.
 *
 * The caller's storage, used again for one request after the other (its buffers keep
 * their memory): exchange_begin(), set what came in, hand it to twilio_receive(),
 * fcm_receive() or oauth_receive(), read what comes out. What came in is borrowed, what
 * comes out lives until the next exchange_begin(). Loop thread only. */
#ifndef PAYBELL_SANDBOX_EXCHANGE_H
#define PAYBELL_SANDBOX_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "sandbox/recorder.h"

#define EXCHANGE_BODY_MAX   65536 /* bytes of a request */
#define EXCHANGE_REASON_MAX 200

struct exchange {
	/* In. */
	const char *name;          /* the path's variable part: account or project */
	const char *authorization; /* NULL absent */
	const char *content_type;  /* NULL absent */
	const char *body;
	size_t body_len;
	int64_t now_us; /* UTC */

	/* Out. */
	int status;
	struct buf answer; /* JSON */
	bool accepted; /* then `record` is what to write down, pointing into the texts */
	char reason[EXCHANGE_REASON_MAX]; /* why not, when it was not accepted */
	struct record record;

	struct buf id, to, from, key, text;
};

void exchange_init(struct exchange *x);
void exchange_release(struct exchange *x);
void exchange_begin(struct exchange *x);

/* Is the content type the one that is wanted (parameters such as charset aside)? */
bool exchange_is_type(const struct exchange *x, const char *type);

/* What follows the scheme in the Authorization header; NULL when it is another scheme. */
const char *exchange_credentials(const struct exchange *x, const char *scheme);

#endif
