/* What redis.c sees of the words of a command: they are encoded as they come (RESP2: each
 * word is "$<length>\r\n<bytes>\r\n"), so that sending is one copy. Everybody else uses
 * the functions in redis.h. */
#ifndef PAYBELL_IO_REDIS_ARGS_H
#define PAYBELL_IO_REDIS_ARGS_H

#include <stddef.h>

#include "base/buf.h"

struct redis_args {
	size_t count;
	struct buf words;
};

/* Adds the whole command to out ("*<count>\r\n" and the words), or nothing: -1 when it
 * does not fit. */
int redis_args_encode(const struct redis_args *a, struct buf *out);

#endif
