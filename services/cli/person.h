/* The API's answers about a person, as lines for the terminal: who it is, the devices,
 * the balances. Pure: JSON in, text out; members that it does not know are passed over.
 * -1 and *e (ERR_INVALID) when the JSON is something else. */
#ifndef PAYBELL_CLI_PERSON_H
#define PAYBELL_CLI_PERSON_H

#include "base/buf.h"
#include "base/err.h"
#include "cli/ink.h"

int person_print(struct ink *k, const struct buf *json, struct err *e);
int person_print_device(struct ink *k, const struct buf *json, struct err *e);
int person_print_devices(struct ink *k, const struct buf *json, struct err *e);
int person_print_balances(struct ink *k, const struct buf *json, struct err *e);

/* A page of events, a line each; *next (EVENT_SEQUENCE_SIZE bytes) gets where the next
 * one begins, "" when this was the last. */
int person_print_events(struct ink *k, const struct buf *json, char *next, struct err *e);

#endif
