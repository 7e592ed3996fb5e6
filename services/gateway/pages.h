/* Static files: a request's path becomes an open file of one folder, and nothing outside
 * of it.
 *
 * Any thread; nothing is kept between requests, so files may be replaced at any time. A
 * path is the percent-decoded one; "/" at its end means index.html there. Not served are:
 * segments that are empty or begin with a dot, what is no regular file, what a symbolic
 * link leads to outside of the folder (openat2(2), RESOLVE_BENEATH), and files of more
 * than PAGES_FILE_MAX bytes. */
#ifndef PAYBELL_GATEWAY_PAGES_H
#define PAYBELL_GATEWAY_PAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"

#define PAGES_PATH_MAX 1024
#define PAGES_FILE_MAX (4 << 20)

struct page {
	int fd;
	uint64_t size;
	const char *type;  /* Content-Type */
	char tag[40];      /* ETag: changes with the time of change and the size */
	char modified[32]; /* Last-Modified */
	time_t modified_s;
};

/* Whether the folder can be read from. */
int pages_check(const char *folder, struct err *e);

/* Opens what the path names; the descriptor is the caller's. False: there is nothing. */
bool pages_open(struct page *out, const char *folder, const char *path);

/* Whether the client has it already, by its If-None-Match or else its If-Modified-Since
 * (RFC 9110 section 13.2.2); either may be NULL. */
bool pages_is_known(const struct page *p, const char *none_match, const char *since);

#endif
