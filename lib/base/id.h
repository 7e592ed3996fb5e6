/* Identifiers: prefixed ULIDs that know their row.
 *
 * "evt_01J…": a prefix and 26 characters of Crockford's base 32, a ULID: 48 bits of UTC
 * milliseconds, then 80 bits. The ULID leaves those 80 to its maker as long as they do
 * not repeat; ours are 40 bits of the row's key and 40 random ones. So an id sorts by
 * time, cannot be guessed from its neighbour, and finds its row without an index of its
 * own: the key is in it. The row stores the whole text, and a reader compares it. */
#ifndef PAYBELL_BASE_ID_H
#define PAYBELL_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID_SIZE    31 /* "evt_" + 26 + NUL */
#define ID_KEY_MAX ((INT64_C(1) << 40) - 1)

#define USER_ID_MAX 64 /* bytes without the NUL */

/* prefix is three letters: "txn", "evt", "dev". key 0 to ID_KEY_MAX. Any thread. */
void id_make(char out[ID_SIZE], const char *prefix, int64_t utc_us, int64_t key);

/* The row's key in a well-formed id of that prefix; -1 otherwise. */
int64_t id_key(const char *text, const char *prefix);

/* [A-Za-z0-9._-]{1,64}: so never an address. */
bool id_is_user(const char *text, size_t len);

#endif
