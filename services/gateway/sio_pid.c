#include "gateway/sio_pid.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "io/digest.h"
#include "wire/event.h"

/* Stands before what is signed: no token's signature is made of such a text. */
#define PURPOSE "paybell pid 1\n"

_Static_assert(USER_ID_MAX + LIVE_LEDGER_SIZE + EVENT_SEQUENCE_SIZE + 3 + 44 <=
		       SIO_PID_SIZE,
	       "a pid fits");

/* Adds the signature of what lies in text. */
static void sign(struct buf *out, const char *text, size_t len, const char *secret)
{
	uint8_t digest[SHA256_BYTES];
	struct buf input;

	buf_init(&input, SIO_PID_SIZE + sizeof(PURPOSE));
	buf_add_text(&input, PURPOSE);
	buf_add(&input, text, len);
	digest_hmac_sha256(digest, secret, strlen(secret), input.data, input.len);
	buf_release(&input);
	digest_base64url(out, digest, sizeof(digest));
}

void sio_pid_format(char out[SIO_PID_SIZE], const struct sio_pid *p,
		    const struct access_settings *s)
{
	char sequence[EVENT_SEQUENCE_SIZE];
	struct buf text, signature;

	sequence_format(sequence, p->first);
	buf_init(&text, SIO_PID_SIZE);
	buf_addf(&text, "%s~%s~%s", p->all ? "*" : p->user_id, p->ledger, sequence);
	buf_init(&signature, 64);
	sign(&signature, text.data, text.len, s->secret);
	snprintf(out, SIO_PID_SIZE, "%s~%s", text.data, signature.data);
	buf_release(&text);
	buf_release(&signature);
}

static bool is_signed(const char *text, size_t len, const char *signature,
		      const char *secret)
{
	struct buf right;
	bool equal;

	if (!secret || secret[0] == '\0')
		return false;
	buf_init(&right, 64);
	sign(&right, text, len, secret);
	equal = right.len == strlen(signature) &&
		digest_equal(right.data, signature, right.len);
	buf_release(&right);
	return equal;
}

/* Takes off what stands before the next '~'. False: there is none, or it does not fit. */
static bool take_part(const char **text, char *out, size_t size)
{
	const char *end = strchr(*text, '~');
	size_t len = end ? (size_t)(end - *text) : size;

	if (len >= size)
		return false;
	memcpy(out, *text, len);
	out[len] = '\0';
	*text = end + 1;
	return true;
}

bool sio_pid_parse(struct sio_pid *p, const char *text, const struct access_settings *s)
{
	const char *signature = strrchr(text, '~'), *rest = text;
	char sequence[EVENT_SEQUENCE_SIZE];
	size_t len = signature ? (size_t)(signature - text) : 0;

	if (len == 0 || len >= SIO_PID_SIZE)
		return false;
	if (!is_signed(text, len, signature + 1, s->secret) &&
	    !is_signed(text, len, signature + 1, s->old_secret))
		return false;
	if (!take_part(&rest, p->user_id, sizeof(p->user_id)) ||
	    !take_part(&rest, p->ledger, sizeof(p->ledger)) ||
	    !take_part(&rest, sequence, sizeof(sequence)))
		return false;
	p->all = strcmp(p->user_id, "*") == 0;
	p->first = sequence_parse(sequence);
	return p->first >= 0;
}
