/* Why a call failed: a code where callers branch, a sentence for people.
 *
 * Every fallible call of the tree takes a `struct err *e` as its last parameter, returns
 * 0/-1 or pointer/NULL, and fills *e exactly when it fails. The caller owns the storage
 * (usually its stack); nothing is allocated, so an error can always be reported. Any
 * thread. */
#ifndef PAYBELL_BASE_ERR_H
#define PAYBELL_BASE_ERR_H

enum err_code {
	ERR_NONE = 0,
	ERR_IO,        /* the system or a peer failed; trying again may help */
	ERR_INVALID,   /* the input is wrong; trying again will not help */
	ERR_NOT_FOUND, /* what was named does not exist */
	ERR_CONFLICT,  /* it exists already, differently, or somebody else holds it */
	ERR_FULL,      /* a stated maximum is reached; later may work */
	ERR_CORRUPT,   /* stored data contradicts itself */
	ERR_CLOSED,    /* the connection or object is closed */
	ERR_TIMEOUT,
};

#define ERR_TEXT_MAX                                                                     \
	320 /* bytes, terminator included; longer text is cut at a UTF-8 boundary */

struct err {
	enum err_code code;
	char text[ERR_TEXT_MAX];
};

#define ERR_INIT                                                                         \
	{                                                                                \
		ERR_NONE, ""                                                             \
	}

/* Fill *e and return -1, so that `return err_set(e, …)` is one line. e may not be NULL.
 */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Same, with ": <strerror(errnum)>" added. */
int err_set_errno(struct err *e, enum err_code code, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Put "<context>: " in front of the text that is there; the code stays. Returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The code as a word for logs ("io", "invalid", …). Static storage. */
const char *err_code_name(enum err_code code);

#endif
