/* Where a Redis is: the URL of redis_new(), taken apart. Pure; any thread.
 *
 * redis://[[user]:password@]host[:port][/db], or unix:/path[?db=n]. User and password may
 * carry %XX; an IPv6 host stands in brackets; port 6379 and db 0 are the defaults.
 * Limits: host and path fit a struct (255 and 107 bytes), user and password 255 bytes, db
 * 0 to 65,535. The password is a secret: error texts and redis_url_address() never show
 * it. */
#ifndef PAYBELL_IO_REDIS_URL_H
#define PAYBELL_IO_REDIS_URL_H

#include "base/err.h"

#define REDIS_URL_PART_SIZE 256
#define REDIS_URL_PATH_SIZE 108 /* sun_path */

struct redis_url {
	char host[REDIS_URL_PART_SIZE]; /* "" with a path */
	int port;
	char path[REDIS_URL_PATH_SIZE]; /* "" with a host */
	char user[REDIS_URL_PART_SIZE];
	char password[REDIS_URL_PART_SIZE];
	int db;
};

/* ERR_INVALID with what is wrong. */
int redis_url_parse(struct redis_url *u, const char *text, struct err *e);

#define REDIS_URL_ADDRESS_SIZE 280
/* "127.0.0.1:6379", "[::1]:6379" or the path, for logs. Returns out. */
const char *redis_url_address(char out[REDIS_URL_ADDRESS_SIZE],
			      const struct redis_url *u);

#endif
