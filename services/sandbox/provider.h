/* The providers' HTTP APIs: which one a request is for, what a fault makes of it, and its
 * answer. Loop thread only. */
#ifndef PAYBELL_SANDBOX_PROVIDER_H
#define PAYBELL_SANDBOX_PROVIDER_H

#include "sandbox/sandbox.h"

/* True when the path is one of a provider's: then it answers, at once or later. */
bool provider_request(struct sandbox *s, struct http_request *r);

#endif
