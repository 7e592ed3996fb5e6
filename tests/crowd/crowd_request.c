#include "base/base64.h"
#include "base/clock.h"
#include "base/random.h"
#include "crowd_inside.h"
#include "io/digest.h"
#include "wire/event.h"
#include "wire/live.h"

#include <string.h>

#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

void crowd_token(struct buf *out, const struct crowd_who *w, const char *secret,
		 int64_t expires_s)
{
	size_t begin = out->len;
	uint8_t mac[SHA256_BYTES];
	struct buf claims;

	buf_init(&claims, 512);
	buf_addf(&claims, "{\"sub\":\"%s\",\"aud\":\"paybell\",\"exp\":%lld%s}",
		 w->right == CROWD_OPS ? "ops" : w->user_id, (long long)expires_s,
		 w->right == CROWD_OPS ? ",\"scope\":\"ops\"" : "");
	digest_base64url(out, HEADER, strlen(HEADER));
	buf_add_char(out, '.');
	digest_base64url(out, claims.data, claims.len);
	digest_hmac_sha256(mac, secret, strlen(secret), out->data + begin,
			   out->len - begin);
	buf_add_char(out, '.');
	digest_base64url(out, mac, sizeof(mac));
	buf_release(&claims);
}

static void add_query(struct buf *b, const struct crowd_who *w)
{
	char sequence[EVENT_SEQUENCE_SIZE];

	if (w->after < 0)
		return;
	sequence_format(sequence, w->after);
	buf_addf(b, "?after=%s", sequence);
	if (w->ledger)
		buf_addf(b, "&ledger=%s", w->ledger);
}

void crowd_make_request(struct crowd *c, const struct crowd_who *w)
{
	struct buf *b = &c->request;
	uint8_t key[16];

	random_bytes(key, sizeof(key));
	buf_clear(b);
	buf_addf(b, "GET %s", c->path);
	add_query(b, w);
	buf_addf(b,
		 " HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ",
		 c->host);
	base64_encode(b, key, sizeof(key));
	if (w->right != CROWD_NOBODY) {
		buf_add_text(b,
			     "\r\nSec-WebSocket-Protocol: " LIVE_SUBPROTOCOL ", token.");
		crowd_token(b, w, c->settings.secret,
			    clock_utc_us() / US_PER_S + CROWD_TOKEN_S);
	}
	buf_add_text(b, "\r\n\r\n");
}
