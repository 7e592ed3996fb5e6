/* decode, encode, decode: the same event, in at most EVENT_ENCODED_MAX bytes. */
#include <string.h>

#include "fuzz.h"
#include "wire/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct event_naming naming = {"paybell/backend", "transaction"};
	struct event ev, back;
	struct err e = ERR_INIT;
	struct buf out;

	if (event_decode(&ev, (const char *)data, size, &e) < 0) {
		fuzz_require(e.text[0] != '\0', "a refusal says why");
		return 0;
	}
	buf_init(&out, EVENT_ENCODED_MAX);
	event_encode(&ev, &naming, &out);
	fuzz_require(!out.overflowed, "it fits");
	fuzz_require(event_decode(&back, out.data, out.len, &e) == 0, "it is read again");
	fuzz_require(ev.sequence == back.sequence && ev.time_us == back.time_us &&
			     ev.direction == back.direction &&
			     ev.amount_minor == back.amount_minor &&
			     ev.balance_minor == back.balance_minor,
		     "the numbers are the same");
	fuzz_require(strcmp(ev.id, back.id) == 0 &&
			     strcmp(ev.transaction_id, back.transaction_id) == 0 &&
			     strcmp(ev.user_id, back.user_id) == 0 &&
			     strcmp(ev.counterparty, back.counterparty) == 0 &&
			     strcmp(ev.currency, back.currency) == 0 &&
			     strcmp(ev.description, back.description) == 0,
		     "the texts are the same");
	buf_release(&out);
	return 0;
}
