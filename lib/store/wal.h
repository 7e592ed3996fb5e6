/* The write-ahead log after a failure: what can be read of it is what the disk has. */
#ifndef PAYBELL_STORE_WAL_H
#define PAYBELL_STORE_WAL_H

#include "base/err.h"

/* Writes the log's bytes over themselves and syncs them. 0 also when there is no log.
 * Nobody may be writing the database meanwhile; readers may read. ERR_IO. */
int wal_settle(const char *database, struct err *e);

#endif
