/* Any bytes can be read as a mail, and nothing that is read is longer than it was. */
#include <string.h>

#include "fuzz.h"
#include "sandbox/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message m;
	struct err e = ERR_INIT;
	struct buf out;

	buf_init(&out, 1 << 20);
	message_parse(&m, (const char *)data, size);
	if (message_check(&m, &e) < 0)
		fuzz_require(e.text[0] != '\0', "a refusal says why");
	message_text(&m, HEADER_SUBJECT, &out);
	message_id(&m, &out);
	fuzz_require(out.len <= size, "headers do not grow");
	buf_clear(&out);
	message_part(&m, "text/plain", &out);
	message_part(&m, "text/html", &out);
	fuzz_require(out.len <= size * 4, "parts grow at most by a charset");
	buf_release(&out);
	return 0;
}
