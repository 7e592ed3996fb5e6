/* A channel's cursor in Redis, "<ledger id>:<sequence>": up to where it was fed. Pure. */
#ifndef PAYBELL_APP_CURSOR_H
#define PAYBELL_APP_CURSOR_H

#include <stdint.h>

#define CURSOR_MISSING (-1) /* "" */
#define CURSOR_FOREIGN (-2) /* another ledger's, or no cursor at all */

/* The sequence, or one of these. */
int64_t cursor_read(const char *text, const char *ledger_id);

#endif
