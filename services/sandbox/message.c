#include "sandbox/message.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "sandbox/encoded.h"

static const struct {
	const char *name;
	bool once;
} known[HEADER_COUNT] = {
	[HEADER_FROM] = {"From", true},
	[HEADER_TO] = {"To", true},
	[HEADER_CC] = {"Cc", true},
	[HEADER_SUBJECT] = {"Subject", true},
	[HEADER_DATE] = {"Date", true},
	[HEADER_MESSAGE_ID] = {"Message-ID", true},
	[HEADER_MIME_VERSION] = {"MIME-Version", true},
	[HEADER_CONTENT_TYPE] = {"Content-Type", true},
	[HEADER_TRANSFER_ENCODING] = {"Content-Transfer-Encoding", true},
};

/* ---- headers ---- */

/* The next CRLF-ended line off *rest, without its end. */
static bool next_line(struct span *rest, struct span *line)
{
	const char *end;

	if (rest->len == 0)
		return false;
	end = memmem(rest->at, rest->len, "\r\n", 2);
	line->at = rest->at;
	line->len = end != NULL ? (size_t)(end - rest->at) : rest->len;
	rest->at += line->len + (end != NULL ? 2 : 0);
	rest->len -= line->len + (end != NULL ? 2 : 0);
	return true;
}

/* The length of a field's name; 0 when the line is none (RFC 5322 section 2.2). */
static size_t name_len(const struct span *line)
{
	size_t i = 0;

	while (i < line->len && line->at[i] > ' ' && line->at[i] < 127 &&
	       line->at[i] != ':')
		i++;
	return i < line->len && line->at[i] == ':' ? i : 0;
}

static void note(struct message *m, struct span name, struct span value)
{
	for (int i = 0; i < HEADER_COUNT; i++) {
		if (strlen(known[i].name) != name.len ||
		    strncasecmp(known[i].name, name.at, name.len) != 0)
			continue;
		if (m->count[i]++ == 0)
			m->headers[i] = value;
		return;
	}
}

static bool is_folded(const struct span *rest)
{
	return rest->len > 0 && (rest->at[0] == ' ' || rest->at[0] == '\t');
}

void message_parse(struct message *m, const char *bytes, size_t len)
{
	struct span rest = {bytes, len}, line;

	memset(m, 0, sizeof(*m));
	m->well_formed = true;
	while (next_line(&rest, &line) && line.len > 0) {
		size_t name = name_len(&line);
		struct span more;

		while (is_folded(&rest) && next_line(&rest, &more))
			line.len = (size_t)(more.at + more.len - line.at);
		if (name == 0) {
			m->well_formed = false;
			continue;
		}
		note(m, (struct span){line.at, name},
		     (struct span){line.at + name + 1, line.len - name - 1});
	}
	m->body = rest;
}

int message_check(const struct message *m, struct err *e)
{
	if (!m->well_formed)
		return err_set(e, ERR_INVALID, "a header line is malformed");
	if (m->count[HEADER_FROM] == 0)
		return err_set(e, ERR_INVALID, "there is no From header");
	for (int i = 0; i < HEADER_COUNT; i++)
		if (known[i].once && m->count[i] > 1)
			return err_set(e, ERR_INVALID, "there are %d %s headers",
				       m->count[i], known[i].name);
	return 0;
}

/* Without line ends, and without white space around it. */
static void unfold(struct span value, struct buf *out)
{
	size_t start = out->len;

	while (value.len > 0 && isspace((unsigned char)value.at[0])) {
		value.at++;
		value.len--;
	}
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] != '\r' && value.at[i] != '\n')
			buf_add_char(out, value.at[i]);
	while (out->len > start && isspace((unsigned char)out->data[out->len - 1]))
		out->data[--out->len] = '\0';
}

void message_text(const struct message *m, enum message_header which, struct buf *out)
{
	struct buf plain;

	buf_init(&plain, out->max_bytes);
	unfold(m->headers[which], &plain);
	encoded_words(buf_text(&plain), plain.len, out);
	buf_release(&plain);
}

void message_id(const struct message *m, struct buf *out)
{
	struct span value = m->headers[HEADER_MESSAGE_ID];
	struct buf plain;

	buf_init(&plain, out->max_bytes);
	unfold(value, &plain);
	if (plain.len >= 2 && plain.data[0] == '<' && plain.data[plain.len - 1] == '>')
		buf_add(out, plain.data + 1, plain.len - 2);
	else
		buf_add(out, buf_text(&plain), plain.len);
	buf_release(&plain);
}

/* ---- parts ---- */

/* Does the header's value begin with this word (and end there, or go on with a
 * parameter)? */
static bool begins_with(const char *value, const char *word)
{
	size_t len = strlen(word);

	return strncasecmp(value, word, len) == 0 &&
	       (value[len] == '\0' || strchr("; \t", value[len]) != NULL);
}

/* A parameter of a Content-Type, quoted or not. */
static void parameter(const char *value, const char *name, struct buf *out)
{
	size_t len = strlen(name);

	for (const char *at = strchr(value, ';'); at != NULL; at = strchr(at, ';')) {
		at++;
		at += strspn(at, " \t");
		if (strncasecmp(at, name, len) != 0 || at[len] != '=')
			continue;
		at += len + 1;
		if (*at == '"')
			buf_add(out, at + 1, strcspn(at + 1, "\""));
		else
			buf_add(out, at, strcspn(at, "; \t"));
		return;
	}
}

static void latin1_to_utf8(const struct buf *in, struct buf *out)
{
	for (size_t i = 0; i < in->len; i++) {
		unsigned char c = (unsigned char)in->data[i];

		if (c >= 0x80)
			buf_add_char(out, (char)(0xc0 | c >> 6));
		buf_add_char(out, (char)(c < 0x80 ? c : (0x80 | (c & 0x3f))));
	}
}

static void decode_body(const struct message *m, const char *type, struct buf *out)
{
	struct buf encoding, charset, bytes;

	buf_init(&encoding, 256);
	buf_init(&charset, 256);
	buf_init(&bytes, m->body.len);
	unfold(m->headers[HEADER_TRANSFER_ENCODING], &encoding);
	parameter(type, "charset", &charset);
	if (strcasecmp(buf_text(&encoding), "quoted-printable") == 0)
		encoded_quoted_printable(m->body.at, m->body.len, &bytes);
	else if (strcasecmp(buf_text(&encoding), "base64") == 0)
		encoded_base64(m->body.at, m->body.len, &bytes);
	else
		buf_add(&bytes, m->body.at, m->body.len);
	if (strcasecmp(buf_text(&charset), "iso-8859-1") == 0)
		latin1_to_utf8(&bytes, out);
	else
		buf_add(out, buf_text(&bytes), bytes.len);
	buf_release(&encoding);
	buf_release(&charset);
	buf_release(&bytes);
}

/* 0: an ordinary line, 1: a part begins, 2: the last one has ended. */
static int delimiter(const struct span *line, const struct buf *boundary)
{
	size_t len = boundary->len + 2;

	if (line->len < len || memcmp(line->at, "--", 2) != 0 ||
	    memcmp(line->at + 2, boundary->data, boundary->len) != 0)
		return 0;
	return line->len >= len + 2 && memcmp(line->at + len, "--", 2) == 0 ? 2 : 1;
}

static bool find_part(const struct message *m, const char *wanted, int depth,
		      struct buf *out);

static bool find_in_multipart(const struct message *m, const struct buf *boundary,
			      const char *wanted, int depth, struct buf *out)
{
	struct span rest = m->body, line;
	const char *start = NULL;
	int kind = 0;

	while (kind != 2 && next_line(&rest, &line)) {
		struct message part;
		size_t len;

		kind = delimiter(&line, boundary);
		if (kind == 0)
			continue;
		len = start != NULL ? (size_t)(line.at - start) : 0;
		if (len >= 2) { /* the CRLF before a delimiter belongs to it */
			message_parse(&part, start, len - 2);
			if (find_part(&part, wanted, depth + 1, out))
				return true;
		}
		start = rest.at;
	}
	return false;
}

static bool find_part(const struct message *m, const char *wanted, int depth,
		      struct buf *out)
{
	struct buf type, boundary;
	bool found = false;

	if (depth > MESSAGE_DEPTH_MAX)
		return false;
	buf_init(&type, 4096);
	buf_init(&boundary, 256);
	unfold(m->headers[HEADER_CONTENT_TYPE], &type);
	if (type.len == 0)
		buf_add_text(&type, "text/plain");
	parameter(buf_text(&type), "boundary", &boundary);
	if (strncasecmp(buf_text(&type), "multipart/", 10) == 0 && boundary.len > 0) {
		found = find_in_multipart(m, &boundary, wanted, depth, out);
	} else if (begins_with(buf_text(&type), wanted)) {
		decode_body(m, buf_text(&type), out);
		found = true;
	}
	buf_release(&type);
	buf_release(&boundary);
	return found;
}

bool message_part(const struct message *m, const char *type, struct buf *out)
{
	return find_part(m, type, 0, out);
}
