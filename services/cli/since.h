/* A time of the past, as an operator says it: "2h" or "3d" ago, or RFC 3339. Pure. */
#ifndef PAYBELL_CLI_SINCE_H
#define PAYBELL_CLI_SINCE_H

#include <stdint.h>

#include "base/err.h"

/* Units: ms s m h d, at most 3650d. *at_us is UTC; ERR_INVALID says what is allowed. */
int since_parse(const char *text, int64_t now_us, int64_t *at_us, struct err *e);

#endif
