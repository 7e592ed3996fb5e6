/* A Google service account's key file: who asks for access tokens, and with what. Pure
 * but for reading the file. */
#ifndef PAYBELL_PUSH_SERVICE_ACCOUNT_H
#define PAYBELL_PUSH_SERVICE_ACCOUNT_H

#include <stddef.h>

#include "base/err.h"

#define SERVICE_ACCOUNT_MAX_BYTES 16384

struct service_account {
	char project[64], email[256], token_uri[256];
	char private_key[8192]; /* PEM */
};

/* The JSON as the console gives it; fields that are not needed are passed over. */
int service_account_parse(struct service_account *a, const char *json, size_t len,
			  struct err *e);
int service_account_read(struct service_account *a, const char *path, struct err *e);

#endif
