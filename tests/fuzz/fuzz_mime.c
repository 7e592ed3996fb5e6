/* Whatever the parts hold: the message has exactly the headers that we put, once each, is
 * 7-bit with CRLF at the end of each line, and no line is longer than 998 bytes (78 but
 * for addresses and ids).
 *
 * The input is the parts of a message with lines of "--" between them:
 * schema/examples/mime. */
#include <string.h>

#include "fuzz.h"
#include "wire/mime.h"

#define PARTS 9

/* Cuts the text at its separators; parts that are missing are "". */
static void split(char *text, const char *parts[PARTS])
{
	for (int i = 0; i < PARTS; i++) {
		char *end = i < PARTS - 1 ? strstr(text, "\n--\n") : NULL;

		parts[i] = text;
		if (!end) {
			text += strlen(text);
			continue;
		}
		*end = '\0';
		text = end + 4;
	}
}

static void check_bytes(const struct buf *out)
{
	size_t column = 0;

	for (size_t i = 0; i < out->len; i++) {
		unsigned char c = (unsigned char)out->data[i];

		if (c == '\r') {
			fuzz_require(i + 1 < out->len && out->data[i + 1] == '\n',
				     "CRLF");
			column = 0;
			i++;
			continue;
		}
		fuzz_require(c == '\t' || (c >= ' ' && c <= '~'), "printable ASCII only");
		fuzz_require(++column <= 998, "lines of at most 998 bytes");
	}
	fuzz_require(column == 0, "the last line is ended");
}

static void check_headers(const char *text)
{
	static const char *const names[] = {"Date: ",
					    "From: ",
					    "To: ",
					    "Subject: ",
					    "Message-ID: ",
					    "Auto-Submitted: ",
					    "Content-Language: ",
					    "MIME-Version: ",
					    "Content-Type: ",
					    "Content-Transfer-Encoding: "};
	const size_t count = sizeof(names) / sizeof(names[0]);
	int last = -1;

	while (strncmp(text, "\r\n", 2) != 0) {
		int found = -1;

		for (size_t i = 0; text[0] != ' ' && i < count; i++) {
			if (strncmp(text, names[i], strlen(names[i])) == 0)
				found = (int)i;
		}
		fuzz_require(found > last || (text[0] == ' ' && last >= 0),
			     "our headers only, in our order, once");
		if (found > last)
			last = found;
		text = strstr(text, "\r\n") + 2;
	}
	fuzz_require(last >= 8, "the last one is reached");
}

/* Nothing in a body can be taken for the end of the message or of a part. */
static void check_body(const char *text, int boundaries)
{
	int found = 0;

	for (; *text; text = strstr(text, "\r\n") + 2) {
		fuzz_require(text[0] != '.', "no line begins with a dot");
		fuzz_require(strncmp(text, "From ", 5) != 0, "no line begins with From");
		if (strncmp(text, "--=_", 4) == 0)
			found++;
	}
	fuzz_require(found == boundaries, "our boundaries only");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	const char *parts[PARTS];
	struct mime_message m;
	struct err e = ERR_INIT;
	struct buf out;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	split(text, parts);
	m = (struct mime_message){parts[0],
				  parts[1],
				  parts[2],
				  parts[3],
				  parts[4],
				  parts[5],
				  (int64_t)size * 1000003,
				  parts[6],
				  parts[7],
				  parts[8]};
	buf_init(&out, 16 + 8 * size + 4096);
	if (mime_encode(&m, &out, &e) == 0) {
		check_bytes(&out);
		check_headers(buf_text(&out));
		check_body(strstr(buf_text(&out), "\r\n\r\n") + 4, m.html[0] ? 3 : 0);
	} else {
		fuzz_require(e.code == ERR_INVALID && e.text[0], "a refusal says why");
		fuzz_require(out.len == 0, "and leaves nothing");
	}
	buf_release(&out);
	free(text);
	return 0;
}
