/* The bearer token for FCM: given by a setting, or asked for with a service account's key
 * and kept fresh.
 *
 * A new one is asked for 5 minutes before the old one ends, and when FCM has refused it;
 * failures are repeated after 1 s, doubling to 60 s. Source: RFC 7523 section 2.1, as
 * Google's "Using OAuth 2.0 for Server to Server Applications" has it. Loop thread. */
#ifndef PAYBELL_PUSH_ACCESS_TOKEN_H
#define PAYBELL_PUSH_ACCESS_TOKEN_H

#include <stdbool.h>

#include "io/transfer.h"
#include "push/service_account.h"

#define ACCESS_TOKEN_SIZE 2560

struct access_token;

/* account is borrowed for its whole life; changed(arg) is called from the loop whenever
 * access_token_ready() changes. */
struct access_token *access_token_start(struct loop *l, struct transfer_engine *t,
					const struct service_account *account,
					loop_fn *changed, void *arg);
void access_token_stop(struct access_token *a); /* NULL does nothing */

bool access_token_ready(const struct access_token *a);
/* "Authorization: Bearer …"; borrowed until the loop goes on. */
const char *access_token_header(const struct access_token *a);
/* The provider refused it: ask for another one. */
void access_token_refused(struct access_token *a);

/* Reads a token endpoint's answer: token (size bytes) and how long it lives. Pure. */
int access_token_parse(char *token, size_t size, int64_t *expires_s, const char *json,
		       size_t len, struct err *e);

#endif
