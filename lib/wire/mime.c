/* A mail from text that anybody may have written.
 *
 * The danger is a line break in the wrong place: it starts a header, or ends the message.
 * So every header value is either refused when it holds a control character (names,
 * addresses, ids) or leaves as base64 in encoded words (RFC 2047), and both bodies leave
 * encoded. Nothing that came in stands in the output as it is, but printable ASCII.
 *
 * A body is quoted-printable while it is mostly ASCII, so that people can read the
 * source, and base64 from where that is shorter (about one byte in six). "=_" cannot
 * occur in either, so the boundary that has it needs no search. Lines that begin with '.'
 * or "From " are escaped too: no relay has a reason to touch them. */
#include "wire/mime.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/utf8.h"

#define LINE_MAX_CHARS  76 /* RFC 2045 section 6.7, RFC 2047 section 2 */
#define BOUNDARY        "=_paybell_alternative"
#define WORD_OPEN       "=?UTF-8?B?"
#define WORD_CLOSE      "?="
#define QUOTED_NAME_MAX 60
#define LOCAL_MAX       64 /* RFC 5321 section 4.5.3.1 */
#define ADDRESS_MAX     254
#define LABEL_MAX       63
#define LANGUAGE_MAX    35
#define BASE64_LINE     57 /* bytes that make 76 characters */

/* ---- addresses and ids ---- */

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* dot-atom of RFC 5322 section 3.2.3. */
static bool is_dot_atom(const char *text, size_t len)
{
	if (len == 0 || text[0] == '.' || text[len - 1] == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.' && text[i - 1] == '.')
			return false;
		if (!is_alnum(text[i]) &&
		    (!text[i] || !strchr("!#$%&'*+-/=?^_`{|}~.", text[i])))
			return false;
	}
	return true;
}

/* Labels of letters, digits and inner hyphens, with single dots between them. */
static bool is_domain(const char *text, size_t len)
{
	size_t label = 0;

	if (len == 0)
		return false;
	for (size_t i = 0; i <= len; i++) {
		if (i == len || text[i] == '.') {
			if (label == 0 || label > LABEL_MAX || text[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!is_alnum(text[i]) && (text[i] != '-' || label == 0))
			return false;
		label++;
	}
	return true;
}

int mime_address_check(const char *address, struct err *e)
{
	size_t len = strnlen(address, ADDRESS_MAX + 1), local;
	const char *at = memchr(address, '@', len);

	if (len > ADDRESS_MAX)
		return err_set(e, ERR_INVALID, "an address has at most %d characters",
			       ADDRESS_MAX);
	if (!at)
		return err_set(e, ERR_INVALID, "an address is local@domain");
	local = (size_t)(at - address);
	if (local > LOCAL_MAX)
		return err_set(e, ERR_INVALID,
			       "an address has at most %d characters before the '@'",
			       LOCAL_MAX);
	if (!is_dot_atom(address, local))
		return err_set(e, ERR_INVALID,
			       "before the '@' stand ASCII letters, digits and "
			       "!#$%%&'*+-/=?^_`{|}~ with single dots between them");
	if (!is_domain(at + 1, len - local - 1))
		return err_set(
			e, ERR_INVALID,
			"behind the '@' stands a domain of letters, digits and '-' "
			"(an international one in its xn-- form)");
	return 0;
}

/* left@right without brackets (RFC 5322 section 3.6.4); both sides as dot-atoms. */
static int check_message_id(const char *id, struct err *e)
{
	size_t len = strnlen(id, ADDRESS_MAX + 1);
	const char *at = memchr(id, '@', len);

	if (!at || len > ADDRESS_MAX || !is_dot_atom(id, (size_t)(at - id)) ||
	    !is_dot_atom(at + 1, len - (size_t)(at - id) - 1))
		return err_set(e, ERR_INVALID,
			       "message id: must be left@right of at most %d plain "
			       "characters",
			       ADDRESS_MAX);
	return 0;
}

static int check_line(const char *what, const char *text, struct err *e)
{
	size_t len = strnlen(text, MIME_HEADER_MAX + 1);

	if (len > MIME_HEADER_MAX)
		return err_set(e, ERR_INVALID, "%s: at most %d bytes", what,
			       MIME_HEADER_MAX);
	if (!utf8_is_line(text, len))
		return err_set(e, ERR_INVALID,
			       "%s: must be one line of UTF-8 without control characters",
			       what);
	return 0;
}

static int check_part(const char *what, const char *text, struct err *e)
{
	size_t len = strnlen(text, MIME_PART_MAX + 1);

	if (len > MIME_PART_MAX)
		return err_set(e, ERR_INVALID, "%s: at most %d bytes", what,
			       MIME_PART_MAX);
	if (!utf8_valid(text, len))
		return err_set(e, ERR_INVALID, "%s: must be UTF-8", what);
	return 0;
}

static int check_language(const char *tag, struct err *e)
{
	size_t len = strnlen(tag, LANGUAGE_MAX + 1);
	bool good = len <= LANGUAGE_MAX;

	for (size_t i = 0; i < len; i++)
		good = good && (is_alnum(tag[i]) || tag[i] == '-');
	if (good)
		return 0;
	return err_set(e, ERR_INVALID, "language: must be a tag such as de-AT");
}

static int check(const struct mime_message *m, struct err *e)
{
	if (mime_address_check(m->from_address, e) < 0)
		return err_wrap(e, "from");
	if (mime_address_check(m->to_address, e) < 0)
		return err_wrap(e, "to");
	if (check_line("from name", m->from_name, e) < 0 ||
	    check_line("to name", m->to_name, e) < 0 ||
	    check_line("subject", m->subject, e) < 0)
		return -1;
	if (check_message_id(m->message_id, e) < 0 || check_language(m->language, e) < 0)
		return -1;
	return check_part("text", m->text, e) < 0 ? -1 : check_part("html", m->html, e);
}

/* ---- headers ---- */

/* May it stand in a header as it is? Printable ASCII that nobody takes for an encoded
 * word. */
static bool is_plain(const char *text, size_t max_len)
{
	size_t len = strlen(text);

	if (len > max_len || (len > 0 && (text[0] == ' ' || text[len - 1] == ' ')))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < ' ' || text[i] > '~')
			return false;
	}
	return !strstr(text, "=?");
}

/* Encoded words, folded so that no line is longer than 76; column is where the line
 * stands. Returns where the last line stands then. */
static size_t put_encoded_words(struct buf *out, const char *text, size_t column)
{
	const size_t frame = strlen(WORD_OPEN) + strlen(WORD_CLOSE);
	size_t len = strlen(text);

	for (;;) {
		size_t room = (LINE_MAX_CHARS - column - frame) / 4 * 3;
		size_t n = utf8_prefix(text, len, room);

		buf_add_text(out, WORD_OPEN);
		base64_encode(out, text, n);
		buf_add_text(out, WORD_CLOSE);
		column += frame + (n + 2) / 3 * 4;
		text += n;
		len -= n;
		if (len == 0)
			return column;
		buf_add_text(out, "\r\n ");
		column = 1;
	}
}

static void put_subject(struct buf *out, const char *subject)
{
	static const char name[] = "Subject: ";

	buf_add_text(out, name);
	if (is_plain(subject, LINE_MAX_CHARS - strlen(name)))
		buf_add_text(out, subject);
	else
		put_encoded_words(out, subject, strlen(name));
	buf_add_text(out, "\r\n");
}

/* header: name <address>, on two lines when it would be too long. */
static void put_mailbox(struct buf *out, const char *header, const char *name,
			const char *address)
{
	size_t column = strlen(header);

	buf_add_text(out, header);
	if (!name[0]) {
		buf_addf(out, "%s\r\n", address);
		return;
	}
	if (is_plain(name, QUOTED_NAME_MAX)) {
		size_t before = out->len;

		buf_add_char(out, '"');
		for (const char *p = name; *p; p++) {
			if (*p == '"' || *p == '\\')
				buf_add_char(out, '\\');
			buf_add_char(out, *p);
		}
		buf_add_char(out, '"');
		column += out->len - before;
	} else {
		column = put_encoded_words(out, name, column);
	}
	if (column + strlen(address) + 3 > LINE_MAX_CHARS)
		buf_add_text(out, "\r\n");
	buf_addf(out, " <%s>\r\n", address);
}

static void put_headers(struct buf *out, const struct mime_message *m)
{
	char date[CLOCK_RFC5322_SIZE];

	clock_rfc5322(date, m->date_us);
	buf_addf(out, "Date: %s\r\n", date);
	put_mailbox(out, "From: ", m->from_name, m->from_address);
	put_mailbox(out, "To: ", m->to_name, m->to_address);
	put_subject(out, m->subject);
	buf_addf(out, "Message-ID: <%s>\r\n", m->message_id);
	buf_add_text(out, "Auto-Submitted: auto-generated\r\n");
	if (m->language[0])
		buf_addf(out, "Content-Language: %s\r\n", m->language);
	buf_add_text(out, "MIME-Version: 1.0\r\n");
}

/* ---- bodies ---- */

/* Every line break, of whatever kind, as CRLF. */
static void put_canonical(struct buf *out, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\r\n");

		buf_add(out, text, n);
		text += n;
		if (!*text)
			return;
		text += text[0] == '\r' && text[1] == '\n' ? 2 : 1;
		buf_add_text(out, "\r\n");
	}
}

static bool is_line_break(const char *text, size_t len, size_t at)
{
	return at + 1 < len && text[at] == '\r' && text[at + 1] == '\n';
}

/* Must this byte be written as =XX? Blanks only where a line ends (RFC 2045 section 6.7
 * rule 3). */
static bool needs_escape(const char *text, size_t len, size_t at, size_t column)
{
	char c = text[at];

	if (c == ' ' || c == '\t')
		return at + 1 == len || is_line_break(text, len, at + 1);
	if (c < '!' || c > '~' || c == '=')
		return true;
	return column == 0 && (c == '.' || (c == 'F' && len - at >= 5 &&
					    memcmp(text + at, "From ", 5) == 0));
}

static void put_quoted_printable(struct buf *out, const char *text, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t column = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool escape;
		size_t width;

		if (is_line_break(text, len, i)) {
			buf_add_text(out, "\r\n");
			column = 0;
			i++;
			continue;
		}
		width = needs_escape(text, len, i, column) ? 3 : 1;
		if (column + width > LINE_MAX_CHARS - 1) { /* the last one is the '=' */
			buf_add_text(out, "=\r\n");
			column = 0;
		}
		escape = needs_escape(text, len, i, column);
		if (escape) {
			char code[3] = {'=', hex[c >> 4], hex[c & 15]};

			buf_add(out, code, sizeof(code));
		} else {
			buf_add_char(out, (char)c);
		}
		column += escape ? 3 : 1;
	}
	buf_add_text(out, "\r\n");
}

static void put_base64_lines(struct buf *out, const char *bytes, size_t len)
{
	for (size_t at = 0; at < len; at += BASE64_LINE) {
		base64_encode(out, bytes + at,
			      len - at < BASE64_LINE ? len - at : BASE64_LINE);
		buf_add_text(out, "\r\n");
	}
}

/* One part: its headers, the empty line, its body. */
static void put_part(struct buf *out, const char *type, const char *text)
{
	struct buf canonical;
	size_t others = 0;
	bool base64;

	buf_init(&canonical, 2 * MIME_PART_MAX);
	put_canonical(&canonical, text);
	for (size_t i = 0; i < canonical.len; i++)
		others += (unsigned char)canonical.data[i] >= 0x80;
	base64 = others > canonical.len / 6;
	buf_addf(out,
		 "Content-Type: %s; charset=utf-8\r\n"
		 "Content-Transfer-Encoding: %s\r\n\r\n",
		 type, base64 ? "base64" : "quoted-printable");
	if (base64)
		put_base64_lines(out, canonical.data, canonical.len);
	else
		put_quoted_printable(out, buf_text(&canonical), canonical.len);
	buf_release(&canonical);
}

int mime_encode(const struct mime_message *m, struct buf *out, struct err *e)
{
	if (check(m, e) < 0)
		return -1;
	put_headers(out, m);
	if (!m->html[0]) {
		put_part(out, "text/plain", m->text);
	} else {
		buf_add_text(out,
			     "Content-Type: multipart/alternative; boundary=\"" BOUNDARY
			     "\"\r\n\r\n--" BOUNDARY "\r\n");
		put_part(out, "text/plain", m->text);
		buf_add_text(out, "\r\n--" BOUNDARY "\r\n");
		put_part(out, "text/html", m->html);
		buf_add_text(out, "\r\n--" BOUNDARY "--\r\n");
	}
	if (out->overflowed)
		return err_set(e, ERR_FULL, "the message is larger than %zu bytes",
			       out->max_bytes);
	return 0;
}
