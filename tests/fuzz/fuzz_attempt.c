/* decode, encode, decode, encode: the same bytes, in at most ATTEMPT_ENCODED_MAX. */
#include <string.h>

#include "fuzz.h"
#include "wire/attempt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attempt a, back;
	struct err e = ERR_INIT;
	struct buf once, twice;

	if (attempt_decode(&a, (const char *)data, size, &e) < 0) {
		fuzz_require(e.text[0] != '\0', "a refusal says why");
		return 0;
	}
	buf_init(&once, ATTEMPT_ENCODED_MAX);
	buf_init(&twice, ATTEMPT_ENCODED_MAX);
	attempt_encode(&a, &once);
	fuzz_require(!once.overflowed, "it fits");
	fuzz_require(attempt_decode(&back, once.data, once.len, &e) == 0,
		     "it is read again");
	attempt_encode(&back, &twice);
	fuzz_require(strcmp(once.data, twice.data) == 0, "it is written the same");
	fuzz_require(strcmp(a.event_id, back.event_id) == 0 &&
			     a.sequence == back.sequence && a.status == back.status &&
			     a.final == back.final && a.reason == back.reason &&
			     a.started_us == back.started_us &&
			     a.took_us == back.took_us &&
			     a.next_at_us == back.next_at_us && a.late == back.late &&
			     strcmp(a.provider_id, back.provider_id) == 0 &&
			     strcmp(a.device_id, back.device_id) == 0,
		     "it is the same");
	buf_release(&once);
	buf_release(&twice);
	return 0;
}
