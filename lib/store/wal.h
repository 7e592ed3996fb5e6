/* The write-ahead log after a failure: what can be read of it is what the disk has. */
#ifndef PAYBELL_STORE_WAL_H
#define PAYBELL_STORE_WAL_H

#include "base/err.h"

/* Writes the log's bytes over themselves and syncs them. 0 also when there is no log.
 * Nobody may be writing the database meanwhile; readers may read. ERR_IO. */
int wal_settle(const char *database, struct err *e);

/* The same with the database's pages: those that the log has had, which are all that a
 * checkpoint can have moved. After a checkpoint that failed and before the next one.
 * database_fd is open for reading and writing; it stays the caller's, who may not close
 * it while this process has the database open (SQLite's locks would go with it). Nobody
 * may be at a checkpoint meanwhile. ERR_IO. */
int wal_settle_pages(const char *database, int database_fd, struct err *e);

#endif
