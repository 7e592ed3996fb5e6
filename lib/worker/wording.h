/* What templates may say about an event: the list of names, and their values for one
 * recipient. Pure. */
#ifndef PAYBELL_WORKER_WORDING_H
#define PAYBELL_WORKER_WORDING_H

#include "base/buf.h"
#include "store/events.h"

#define WORDING_COUNT 14

/* NULL-ended: user_name amount currency counterparty description balance time
 * transaction_id user_id sequence credit debit has_counterparty has_description. The last
 * four are "1" or empty, for sections. Static storage. */
extern const char *const wording_names[];

/* Text of people's is freed of the characters that order other text anew (U+202A to
 * U+202E, U+2066 to U+2069); where it holds right-to-left letters it is set between FSI
 * and PDI, so that it cannot turn round what stands beside it. HTML takes <bdi> for that,
 * so `html` leaves the marks out (Unicode Standard Annex 9, sections 2.4 and 6.3). */
struct wording {
	struct buf text;
	size_t offsets[WORDING_COUNT];
	const char *values[WORDING_COUNT];
};

void wording_init(struct wording *w);
void wording_release(struct wording *w);
/* Fills w->values, borrowed until the next call. */
void wording_fill(struct wording *w, const struct recipient *r, bool html);

#endif
