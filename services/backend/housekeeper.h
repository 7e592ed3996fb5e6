/* The housekeeper: a thread for the slow work that nobody waits for.
 *
 * With a connection of its own it moves the WAL into the database (PASSIVE, twice a
 * second while there is something to move); at wal_max it makes the committer pause for
 * one RESTART, at twice that the committer refuses clients until there is room. It raises
 * the channels' floors (up to where nothing is open) and drops idempotency keys that are
 * older than yesterday, both as jobs in the committer's back queue. */
#ifndef PAYBELL_BACKEND_HOUSEKEEPER_H
#define PAYBELL_BACKEND_HOUSEKEEPER_H

#include "app/bus.h"
#include "backend/checker.h"
#include "backend/committer.h"

struct housekeeper;

struct housekeeper_settings {
	const char *database;
	int64_t wal_max_bytes;
	const struct bus_channels *channels; /* borrowed */
	struct committer *committer;
	struct claim *claim;
	struct checker *checker; /* gives way at wal_max; may be NULL */
};

int housekeeper_start(struct housekeeper **out,
		      const struct housekeeper_settings *settings, struct err *e);
void housekeeper_stop(
	struct housekeeper *h); /* before the committer; NULL does nothing */

#endif
