/* The timeline of a transaction: accepted, committed, published, and every attempt of
 * each channel and device. */
#ifndef PAYBELL_BACKEND_TIMELINE_H
#define PAYBELL_BACKEND_TIMELINE_H

#include "app/bus.h"
#include "backend/books.h"
#include "wire/transaction.h"

/* {<the
 * transaction>,"timeline":{"accepted_us","committed_us"?,"published_us"?},"events":[{"event_id","sequence","user_id","direction","channels":{"push":
 * {"status":"delivered"|…|"open","attempts":[<attempt record>…]}}}]} */
int timeline_encode(struct books *b, const struct transaction *t,
		    const struct bus_channels *channels, struct buf *out, struct err *e);

#endif
