/* Money: an integer of minor units and an ISO 4217 currency. No floating point anywhere.
 *
 * Amounts are text on the wire ("15.00"), int64 minor units inside (1500 with USD, 15
 * with JPY, 15000 with KWD). */
#ifndef PAYBELL_BASE_MONEY_H
#define PAYBELL_BASE_MONEY_H

#include <stdint.h>

#include "base/err.h"

#define MONEY_CODE_SIZE 4 /* "USD" and its NUL */
#define MONEY_MAX_MINOR                                                                  \
	1000000000000000LL /* 10^15, so that sums of thousands of them fit an int64 */
#define MONEY_TEXT_SIZE 32

/* The decimals of a currency (ISO 4217 list one, active codes that are money: no XAU,
 * XXX, XTS …), or -1 for one that is unknown. Upper case only. */
int money_decimals(const char *currency);

/* Strict: digits, at most one '.', at least one digit before it and one after it, no
 * sign, no exponent, no spaces, no leading zero but in "0" and "0.…", at most the
 * currency's decimals; fewer are filled up. Zero is refused. Error texts name the remedy
 * ("USD has 2 decimals, 15.001 has 3"). */
int money_parse(const char *text, const char *currency, int64_t *minor, struct err *e);

/* "-15.00"; always all decimals of the currency (unknown currency: 2). Returns out. */
const char *money_format(char out[MONEY_TEXT_SIZE], int64_t minor, const char *currency);

#endif
