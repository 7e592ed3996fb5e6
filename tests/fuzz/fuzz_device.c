/* A device that was taken is taken again when written anew, and its token is never shown.
 */
#include <string.h>

#include "fuzz.h"
#include "wire/user.h"

static void check_again(const struct device *d)
{
	struct device back = {0};
	struct json_writer w;
	struct problem p;
	struct buf out;

	buf_init(&out, USER_BODY_MAX);
	json_writer_init(&w, &out);
	json_open(&w, NULL, '{');
	json_put_text(&w, "kind", device_kind_name(d->kind));
	json_put_text(&w, "token", d->token);
	json_close(&w, '}');
	fuzz_require(device_decode(&back, out.data, out.len, &p) == 0,
		     "it is taken again");
	fuzz_require(back.kind == d->kind && strcmp(back.token, d->token) == 0,
		     "the same");
	buf_release(&out);
}

static void check_hidden(const struct device *d)
{
	size_t len = strlen(d->token);
	struct buf out;

	buf_init(&out, USER_BODY_MAX);
	device_encode(d, &out);
	fuzz_require(!out.overflowed, "it fits");
	/* A shorter one may be in the answer by chance: an id, a time. */
	if (len > ID_SIZE)
		fuzz_require(!strstr(buf_text(&out), d->token), "the token is not shown");
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct device d = {.id = "dev_01KF8E0AW0000000017W3NM8D4"};
	struct problem p;

	if (device_decode(&d, (const char *)data, size, &p) < 0)
		return 0;
	check_again(&d);
	check_hidden(&d);
	return 0;
}
