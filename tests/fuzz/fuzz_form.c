/* Pairs that were taken, put and taken again are the same. */
#include <string.h>

#include "fuzz.h"
#include "wire/form.h"

#define TEXT_MAX 4096

/* Takes all pairs and puts each into out; -1 when one is refused. */
static int take_and_put(const char *text, size_t len, struct buf *out)
{
	struct buf key, value;
	struct err e = ERR_INIT;
	int rc;

	buf_init(&key, TEXT_MAX);
	buf_init(&value, TEXT_MAX);
	while ((rc = form_next(&text, &len, &key, &value, &e)) == 1) {
		fuzz_require(strlen(buf_text(&key)) == key.len, "no NUL in a key");
		fuzz_require(strlen(buf_text(&value)) == value.len, "no NUL in a value");
		form_put(out, buf_text(&key), buf_text(&value));
	}
	fuzz_require(rc == 0 || e.text[0], "a refusal says why");
	fuzz_require(rc < 0 || len == 0, "the end is the end");
	buf_release(&key);
	buf_release(&value);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once, twice;

	/* Three bytes for one, an '=' and an '&' for an empty pair. */
	buf_init(&once, 4 * size + 16);
	buf_init(&twice, 4 * size + 16);
	if (take_and_put((const char *)data, size, &once) == 0) {
		fuzz_require(!once.overflowed, "it fits");
		fuzz_require(take_and_put(buf_text(&once), once.len, &twice) == 0,
			     "it is taken again");
		fuzz_require(strcmp(buf_text(&once), buf_text(&twice)) == 0,
			     "it is the same");
	}
	buf_release(&once);
	buf_release(&twice);
	return 0;
}
