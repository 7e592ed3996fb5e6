#include <check.h>
#include <string.h>

#include "wire/mime.h"

Suite *mime_suite(void);

static const struct mime_message plain = {
	.from_name = "Paybell",
	.from_address = "noreply@paybell.example",
	.to_name = "Bob \"the\" Builder",
	.to_address = "bob@example.com",
	.subject = "You received 15.00 USD",
	.message_id = "evt_01KF8E0AW000000012T9V6Q3NX.email@host1",
	.date_us = 1768728600123456,
	.language = "de-AT",
	.text = "Hello,\n.you = me \r\nFrom x",
	.html = "",
};

START_TEST(a_plain_message_is_readable_source)
{
	struct err e = ERR_INIT;
	struct buf out;

	buf_init(&out, 65536);
	ck_assert_msg(mime_encode(&plain, &out, &e) == 0, "%s", e.text);
	ck_assert_str_eq(buf_text(&out),
			 "Date: Sun, 18 Jan 2026 09:30:00 +0000\r\n"
			 "From: \"Paybell\" <noreply@paybell.example>\r\n"
			 "To: \"Bob \\\"the\\\" Builder\" <bob@example.com>\r\n"
			 "Subject: You received 15.00 USD\r\n"
			 "Message-ID: <evt_01KF8E0AW000000012T9V6Q3NX.email@host1>\r\n"
			 "Auto-Submitted: auto-generated\r\n"
			 "Content-Language: de-AT\r\n"
			 "MIME-Version: 1.0\r\n"
			 "Content-Type: text/plain; charset=utf-8\r\n"
			 "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
			 "Hello,\r\n=2Eyou =3D me=20\r\n=46rom x\r\n");
	buf_release(&out);
}
END_TEST

START_TEST(text_and_html_are_alternatives)
{
	struct mime_message m = plain;
	struct err e = ERR_INIT;
	struct buf out;

	m.to_name = m.from_name = "";
	m.text = "\xe5\xb1\xb1\xe7\x94\xb0";
	m.html = "<p>\xc3\xa9 is one byte in six or fewer</p>";
	buf_init(&out, 65536);
	ck_assert_int_eq(mime_encode(&m, &out, &e), 0);
	ck_assert_ptr_nonnull(
		strstr(buf_text(&out), "From: noreply@paybell.example\r\n"));
	ck_assert_ptr_nonnull(strstr(buf_text(&out),
				     "Content-Type: multipart/alternative; "
				     "boundary=\"=_paybell_alternative\"\r\n\r\n"
				     "--=_paybell_alternative\r\n"
				     "Content-Type: text/plain; charset=utf-8\r\n"
				     "Content-Transfer-Encoding: base64\r\n\r\n"
				     "5bGx55Sw\r\n\r\n"
				     "--=_paybell_alternative\r\n"
				     "Content-Type: text/html; charset=utf-8\r\n"
				     "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
				     "<p>=C3=A9 is one byte in six or fewer</p>\r\n\r\n"
				     "--=_paybell_alternative--\r\n"));
	buf_release(&out);
}
END_TEST

START_TEST(a_long_subject_in_any_script_is_folded_into_encoded_words)
{
	char subject[400] = "";
	struct mime_message m = plain;
	struct err e = ERR_INIT;
	struct buf out;
	const char *line, *end;

	for (int i = 0; i < 60; i++)
		strcat(subject, i % 2 ? "\xf0\x9f\x8e\x89" : "\xc3\xa9");
	m.subject = subject;
	buf_init(&out, 65536);
	ck_assert_int_eq(mime_encode(&m, &out, &e), 0);
	line = strstr(buf_text(&out), "Subject: =?UTF-8?B?w6nwn46J");
	ck_assert_ptr_nonnull(line);
	for (; (end = strstr(line, "\r\n")) && end != line; line = end + 2)
		ck_assert_int_le(end - line, 76);
	buf_release(&out);
}
END_TEST

START_TEST(a_subject_that_looks_encoded_is_encoded)
{
	struct mime_message m = plain;
	struct err e = ERR_INIT;
	struct buf out;

	m.subject = "=?UTF-8?B?WA==?=";
	buf_init(&out, 65536);
	ck_assert_int_eq(mime_encode(&m, &out, &e), 0);
	ck_assert_ptr_null(strstr(buf_text(&out), "WA=="));
	buf_release(&out);
}
END_TEST

START_TEST(long_lines_are_broken_softly)
{
	char text[1001];
	struct mime_message m = plain;
	struct err e = ERR_INIT;
	struct buf out;
	const char *line, *end;

	memset(text, '.', sizeof(text) - 1);
	text[1000] = '\0';
	m.text = text;
	buf_init(&out, 65536);
	ck_assert_int_eq(mime_encode(&m, &out, &e), 0);
	for (line = buf_text(&out); (end = strstr(line, "\r\n")); line = end + 2) {
		ck_assert_int_le(end - line, 76);
		ck_assert_int_ne(line[0], '.');
	}
	buf_release(&out);
}
END_TEST

static const struct {
	size_t member;
	const char *value;
} injections[] = {
#define AT(name) offsetof(struct mime_message, name)
	{AT(from_name), "a\r\nBcc: x@y"},
	{AT(to_name), "a\nBcc: x@y"},
	{AT(to_name), "a\xc2\x85"
		      "b"},
	{AT(to_name), "a\xff"},
	{AT(from_address), "a@b>\r\nBcc: x@y"},
	{AT(to_address), "a@b, c@d"},
	{AT(to_address), ""},
	{AT(subject), "a\r\n\r\nbody"},
	{AT(subject), "a\rb"},
	{AT(message_id), "a@b>\r\nX: <c"},
	{AT(message_id), "no-at"},
	{AT(language), "de\r\nX: y"},
	{AT(text), "\xff"},
	{AT(html), "\xc0\x80"},
};

START_TEST(what_could_start_a_header_is_refused)
{
	struct mime_message m = plain;
	struct err e = ERR_INIT;
	struct buf out;

	memcpy((char *)&m + injections[_i].member, &injections[_i].value,
	       sizeof(const char *));
	buf_init(&out, 65536);
	ck_assert_int_eq(mime_encode(&m, &out, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_uint_eq(out.len, 0);
	buf_release(&out);
}
END_TEST

#define L64 "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"
#define D63 "ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"

static const struct {
	const char *address;
	bool valid;
} addresses[] = {
	{"a@b", true},
	{"a.b+c@x-y.example", true},
	{"!#$%&'*+-/=?^_`{|}~@e.org", true},
	{L64 "@" D63 "." D63 "." D63, false}, /* 257 */
	{L64 "@" D63 "." D63, true},
	{"l" L64 "@e.org", false},
	{"a@d" D63 ".org", false},
	{"", false},
	{"@", false},
	{"a@", false},
	{"@b", false},
	{"a", false},
	{"a@b@c", false},
	{".a@b", false},
	{"a.@b", false},
	{"a..b@c", false},
	{"a@.b", false},
	{"a@b.", false},
	{"a@b..c", false},
	{"a@-b", false},
	{"a@b-", false},
	{"a@b-.c", false},
	{"a b@c", false},
	{"\"a b\"@c", false},
	{"a@[127.0.0.1]", false},
	{"a@b_c", false},
	{"\xc3\xa9@b", false},
	{"a@\xc3\xa9", false},
	{"a@b\n", false},
	{"a\t@b", false},
	{"<a@b>", false},
	{"a,b@c", false},
	{"a(b)@c", false},
};

START_TEST(addresses_are_judged)
{
	struct err e;

	ck_assert_msg((mime_address_check(addresses[_i].address, &e) == 0) ==
			      addresses[_i].valid,
		      "%s", addresses[_i].address);
}
END_TEST

START_TEST(a_message_over_the_buffers_maximum_is_told)
{
	struct err e = ERR_INIT;
	struct buf out;

	buf_init(&out, 100);
	ck_assert_int_eq(mime_encode(&plain, &out, &e), -1);
	ck_assert_int_eq(e.code, ERR_FULL);
	buf_release(&out);
}
END_TEST

Suite *mime_suite(void)
{
	Suite *s = suite_create("mime");
	TCase *c = tcase_create("mime");

	tcase_add_test(c, a_plain_message_is_readable_source);
	tcase_add_test(c, text_and_html_are_alternatives);
	tcase_add_test(c, a_long_subject_in_any_script_is_folded_into_encoded_words);
	tcase_add_test(c, a_subject_that_looks_encoded_is_encoded);
	tcase_add_test(c, long_lines_are_broken_softly);
	tcase_add_loop_test(c, what_could_start_a_header_is_refused, 0,
			    sizeof(injections) / sizeof(injections[0]));
	tcase_add_loop_test(c, addresses_are_judged, 0,
			    sizeof(addresses) / sizeof(addresses[0]));
	tcase_add_test(c, a_message_over_the_buffers_maximum_is_told);
	suite_add_tcase(s, c);
	return s;
}
