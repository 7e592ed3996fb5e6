/* A head that is fed whole and one byte at a time is the same head or the same refusal;
 * what it hands out lies inside of it, and the handshake is judged. */
#include <string.h>

#include "fuzz.h"
#include "wire/ws_handshake.h"

#define HEAD_MAX 1024

static void require_within(const struct http_head *h, struct http_text text)
{
	fuzz_require(text.at == NULL ? text.len == 0
				     : text.at >= h->text && text.at + text.len + 2 <=
								     h->text + h->bytes,
		     "a text lies in the head");
}

static void look_up(const struct http_head *h)
{
	static const char *const names[] = {"Connection", "Host", "X", "Content-Length"};
	struct http_text text = http_head_path(h);
	char value[32];

	fuzz_require(http_text_is_token(http_head_method(h)), "the method is a token");
	fuzz_require(text.len > 0 && (text.at[0] == '/' || http_text_is(text, "*")),
		     "the path is one");
	if (http_head_query(h, "a", value, sizeof(value)) == 1)
		fuzz_require(strlen(value) < sizeof(value), "the value ends");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct http_items next = {0};
		struct http_text first, item;
		size_t count = http_head_field(h, names[i], &first);

		fuzz_require((count > 0) == (first.at != NULL), "found and counted");
		require_within(h, first);
		while (http_head_next_item(h, names[i], &next, &item)) {
			fuzz_require(count > 0 && item.len > 0, "a member of a field");
			require_within(h, item);
		}
	}
	fuzz_require(http_head_field(h, "Host", NULL) <= 1, "one Host");
	fuzz_require(http_head_field(h, "Content-Length", NULL) ==
			     (h->content_length >= 0),
		     "one Content-Length");
	fuzz_require(!h->chunked || h->content_length < 0, "one length of a body");
}

static void judge(const struct http_head *h)
{
	struct ws_handshake hs;
	struct err e = ERR_INIT;
	char text[WS_ACCEPT_TEXT_CHARS];

	if (ws_handshake_judge(&hs, h, &e) < 0) {
		fuzz_require(e.text[0] && hs.fields, "a refusal says why");
		fuzz_require(hs.status == 400 || hs.status == 405 || hs.status == 426,
			     "a status of its own");
		return;
	}
	require_within(h, hs.key);
	require_within(h, hs.origin);
	ws_handshake_accept_text(&hs, text);
}

/* The buffer is one of its own each time, as if it had moved. Returns what was said
 * last; *h answers from *buffer. */
static int feed(const uint8_t *data, size_t size, size_t step, struct http_head *h,
		char **buffer, struct err *e)
{
	int rc = 0;

	*buffer = NULL;
	http_head_init(h, HEAD_MAX);
	for (size_t given = 0; rc == 0 && given < size;) {
		given += step < size - given ? step : size - given;
		free(*buffer);
		*buffer = malloc(given);
		fuzz_require(*buffer != NULL, "there is memory");
		memcpy(*buffer, data, given);
		rc = http_head_read(h, *buffer, given, e);
		fuzz_require(rc != 1 || (h->bytes <= given && h->bytes <= HEAD_MAX),
			     "no more is taken than given");
		fuzz_require(rc != 1 || step > 1 || h->bytes == given, "at its byte");
	}
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_head whole, single;
	struct err e = ERR_INIT, single_e = ERR_INIT;
	char *buffer, *single_buffer;
	int rc;

	if (size == 0 || size > 2 * HEAD_MAX)
		return 0;
	rc = feed(data, size, size, &whole, &buffer, &e);
	fuzz_require(feed(data, size, 1, &single, &single_buffer, &single_e) == rc,
		     "the same is said");
	fuzz_require(whole.status == single.status && whole.bytes == single.bytes &&
			     whole.content_length == single.content_length &&
			     whole.chunked == single.chunked &&
			     strcmp(e.text, single_e.text) == 0,
		     "in the same words");
	fuzz_require((rc < 0) == (whole.status >= 400) && (rc < 0) == (e.text[0] != 0),
		     "a refusal says why");
	if (rc == 1) {
		look_up(&whole);
		look_up(&single);
		judge(&whole);
	}
	free(buffer);
	free(single_buffer);
	return 0;
}
