/* A payload is the same whole and one byte at a time; what was read is put and read again
 * as it was. The input is a payload. */
#include <string.h>

#include "fuzz.h"
#include "wire/engineio.h"

#define MAX_PAYLOAD 4096

/* Reads in pieces of `step` bytes and puts each packet into out (type, binary, length,
 * bytes, so that nothing is lost) and into a payload. Returns the last answer. */
static int read_all(struct slice payload, size_t step, struct buf *out,
		    struct buf *payload_out, struct err *e)
{
	struct engineio_reader r;
	struct engineio_packet p;
	int rc = 0;

	engineio_reader_init(&r, MAX_PAYLOAD);
	for (size_t at = 0; rc == 0 && (at < payload.len || at == 0); at += step) {
		size_t left = payload.len - at;
		struct slice piece = {payload.at + at, left < step ? left : step};
		bool last = at + step >= payload.len;

		while ((rc = engineio_reader_next(&r, &piece, last, &p, e)) == 1) {
			struct err put_error = ERR_INIT;

			buf_addf(out, "%d %d %zu ", (int)p.type, p.binary, p.data.len);
			buf_add(out, p.data.at, p.data.len);
			fuzz_require(engineio_payload_put(payload_out, &p, &put_error) ==
					     0,
				     "what was read can be put");
		}
		fuzz_require(rc < 0 || piece.len == 0, "a piece is used up");
	}
	engineio_reader_release(&r);
	return rc;
}

static void require_same(const struct buf *a, const struct buf *b, const char *what)
{
	fuzz_require(!a->overflowed && !b->overflowed, "there is room");
	fuzz_require(a->len == b->len &&
			     (a->len == 0 || !memcmp(a->data, b->data, a->len)),
		     what);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice payload = {(const char *)data, size};
	struct buf whole, bytewise, again, out, out_again;
	struct err e = ERR_INIT;
	int rc;

	buf_init(&whole, 64 * MAX_PAYLOAD);
	buf_init(&bytewise, 64 * MAX_PAYLOAD);
	buf_init(&again, 64 * MAX_PAYLOAD);
	buf_init(&out, MAX_PAYLOAD);
	buf_init(&out_again, MAX_PAYLOAD);
	rc = read_all(payload, size + 1, &whole, &out, &e);
	fuzz_require(rc == 0 || e.text[0], "a refusal says why");
	fuzz_require((size > MAX_PAYLOAD) <= (rc < 0), "the maximum holds");
	if (size <= MAX_PAYLOAD) {
		fuzz_require(read_all(payload, 1, &bytewise, &out_again, &e) == rc,
			     "pieces change nothing");
		require_same(&whole, &bytewise, "the same packets in pieces");
		require_same(&out, &out_again, "the same payload");
	}
	if (rc == 0) {
		fuzz_require(out.len == size && memcmp(out.data, data, size) == 0,
			     "a payload has one text");
		buf_clear(&out_again);
		fuzz_require(read_all((struct slice){out.data, out.len}, 7, &again,
				      &out_again, &e) == 0,
			     "what was put is read");
		require_same(&whole, &again, "put and read again, the same packets");
	}
	buf_release(&whole);
	buf_release(&bytewise);
	buf_release(&again);
	buf_release(&out);
	buf_release(&out_again);
	return 0;
}
