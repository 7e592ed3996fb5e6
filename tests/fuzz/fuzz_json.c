/* What was read, written and read again is written the same; text that was put is read
 * back; what the reader takes the scanner takes as one value, with the same texts. */
#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "wire/json.h"
#include "wire/json_scan.h"

static void value_survives(const char *bytes, size_t size)
{
	struct buf once, twice;
	struct json_t *value;
	struct err e = ERR_INIT;

	value = json_read(bytes, size, &e);
	if (!value) {
		fuzz_require(e.code == ERR_INVALID && e.text[0], "a refusal says why");
		return;
	}
	buf_init(&once, 8 * size + 64);
	buf_init(&twice, 8 * size + 64);
	json_encode_value(value, &once);
	json_free(value);
	fuzz_require(!once.overflowed, "JSON grows at most eightfold");
	value = json_read(once.data, once.len, &e);
	fuzz_require(value != NULL, "what was written is read");
	json_encode_value(value, &twice);
	json_free(value);
	fuzz_require(once.len == twice.len &&
			     memcmp(once.data, twice.data, once.len) == 0,
		     "written twice is the same");
	buf_release(&once);
	buf_release(&twice);
}

/* Two readers of ours that would not agree what is JSON were a hole. The scanner takes
 * more: repeated keys, deeper nesting, numbers of any size, U+0000. */
static void scanner_agrees(const char *bytes, size_t size)
{
	char unescaped[256];
	struct json_t *value, *text_value;
	struct json_scan s;
	struct slice raw;
	struct err e = ERR_INIT;
	enum json_scan_kind kind;

	value = json_read(bytes, size, &e);
	json_scan_init(&s, (struct slice){bytes, size});
	while ((kind = json_scan_next(&s, &raw)) != JSON_SCAN_END) {
		if (kind == JSON_SCAN_BAD)
			break;
		if (kind != JSON_SCAN_TEXT ||
		    json_scan_text(raw, unescaped, sizeof(unescaped)) < 0)
			continue;
		text_value = json_read(raw.at, raw.len, &e);
		if (text_value)
			fuzz_require(strcmp(json_text(text_value), unescaped) == 0,
				     "a text is the same for both");
		json_free(text_value);
	}
	fuzz_require(!value || kind == JSON_SCAN_END, "the scanner takes what is read");
	json_free(value);
}

/* Any bytes put as text come back as they were, when they were UTF-8, and are JSON in any
 * case. */
static void text_survives(const char *bytes, size_t size)
{
	char text[512], back[sizeof(text) * 3];
	size_t len = size < sizeof(text) - 1 ? size : sizeof(text) - 1;
	struct json_reader r;
	struct json_writer w;
	struct problem p;
	struct err e;
	struct json_t *value;
	struct buf out;

	memcpy(text, bytes, len);
	text[len] = '\0';
	buf_init(&out, 8192);
	json_writer_init(&w, &out);
	json_open(&w, NULL, '{');
	json_put_text(&w, "t", text);
	json_close(&w, '}');
	value = json_read(out.data, out.len, &e);
	fuzz_require(value != NULL, "text that was put is JSON");
	json_reader_init(&r, value, "", &p);
	fuzz_require(json_get_text(&r, "t", true, back, sizeof(back)), "text is there");
	fuzz_require(json_reader_end(&r, "t") == 0, "and nothing else");
	fuzz_require(utf8_valid(back, strlen(back)), "it is UTF-8");
	if (utf8_valid(text, strlen(text)))
		fuzz_require(strcmp(back, text) == 0, "it is the same");
	json_free(value);
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	value_survives((const char *)data, size);
	scanner_agrees((const char *)data, size);
	text_survives((const char *)data, size);
	return 0;
}
