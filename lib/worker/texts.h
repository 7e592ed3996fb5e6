/* The texts of one channel in all languages: loaded once at start, rendered for one
 * recipient at a time.
 *
 * A folder holds <locale>/<channel>/transaction.completed.<part>. Every locale that has
 * the channel's folder must have all of its parts, the fallback must be there, and each
 * file must compile: else nothing starts (templates are part of the configuration).
 * Locales are found as RFC 4647 section 3.4 has it ("lookup"): de-AT, then de, then the
 * fallback. Loop thread. */
#ifndef PAYBELL_WORKER_TEXTS_H
#define PAYBELL_WORKER_TEXTS_H

#include "worker/transport.h"

#define TEXTS_LOCALES_MAX 64

struct texts;

/* parts as in a transport's table. */
int texts_load(struct texts **out, const char *folder, const char *channel,
	       const struct transport_part *parts, const char *fallback, struct err *e);
void texts_free(struct texts *t);

/* Fills m->locale and m->parts from m->recipient; borrowed until the next call. -1: a
 * text does not fit. */
int texts_render(struct texts *t, struct message *m, struct err *e);

#endif
