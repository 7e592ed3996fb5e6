/* What a Socket.IO client shows to go on with its session (connection state recovery):
 * whose events those were, and of which ledger from where on.
 *
 * It is signed, so a gateway that never saw the session can go on with it, and never
 * changes while the session does. "<user>~<ledger>~<sequence>~<HMAC-SHA256, base64url>";
 * the user of an operator's is "*". It gives no right: the token beside it does. Any
 * thread. */
#ifndef PAYBELL_GATEWAY_SIO_PID_H
#define PAYBELL_GATEWAY_SIO_PID_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/access.h"
#include "wire/live.h"

#define SIO_PID_SIZE 256 /* NUL included */

struct sio_pid {
	char user_id[USER_ID_MAX + 1]; /* "" with `all` */
	bool all;
	char ledger[LIVE_LEDGER_SIZE];
	int64_t first; /* sequence: it knew everything up to here when it began */
};

void sio_pid_format(char out[SIO_PID_SIZE], const struct sio_pid *p,
		    const struct access_settings *s);

/* Signed with either secret. False: that is none of ours. */
bool sio_pid_parse(struct sio_pid *p, const char *text, const struct access_settings *s);

#endif
