#include <check.h>
#include <string.h>

#include "sandbox/encoded.h"
#include "sandbox/message.h"

Suite *sandbox_message_suite(void);

static const char mail[] =
	"From: =?UTF-8?Q?J=C3=B6rg?= <a@b.example>\r\n"
	"subject:  =?utf-8?B?R3LDvMOf?=\r\n =?utf-8?Q?e_=F0=9F=8E=89?= 5 =?x\r\n"
	"Message-ID:\r\n <evt_1.email@b.example>\r\n"
	"Content-Type: multipart/mixed; boundary=\"out er\"\r\n\r\n"
	"preamble\r\n--out er\r\n"
	"Content-Type: multipart/alternative; boundary=in\r\n\r\n"
	"--in\r\nContent-Type: text/plain; charset=utf-8\r\n"
	"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	"a =E2=82=AC soft=\r\nly =ZZ\r\n--in\r\n"
	"Content-Type: text/html; charset=iso-8859-1\r\n\r\n"
	"<p>\xe4</p>\r\n--in--\r\n--out er--\r\n";

static struct message m;
static struct buf out;

static void setup(void)
{
	message_parse(&m, mail, sizeof(mail) - 1);
	buf_init(&out, 10000);
}

static void teardown(void)
{
	buf_release(&out);
}

START_TEST(headers_are_unfolded_and_decoded)
{
	message_text(&m, HEADER_SUBJECT, &out);
	ck_assert_str_eq(buf_text(&out), "Gr\xc3\xbc\xc3\x9f"
					 "e \xf0\x9f\x8e\x89 5 =?x");
	buf_clear(&out);
	message_id(&m, &out);
	ck_assert_str_eq(buf_text(&out), "evt_1.email@b.example");
	buf_clear(&out);
	message_text(&m, HEADER_FROM, &out);
	ck_assert_str_eq(buf_text(&out), "J\xc3\xb6rg <a@b.example>");
}
END_TEST

START_TEST(parts_are_found_in_nested_multiparts_and_decoded)
{
	ck_assert(message_part(&m, "text/plain", &out));
	ck_assert_str_eq(buf_text(&out), "a \xe2\x82\xac softly =ZZ");
	buf_clear(&out);
	ck_assert(message_part(&m, "text/html", &out));
	ck_assert_str_eq(buf_text(&out), "<p>\xc3\xa4</p>");
	ck_assert(!message_part(&m, "image/png", &out));
}
END_TEST

START_TEST(a_plain_mail_is_its_own_part)
{
	static const char plain[] = "From: a@b.example\r\n"
				    "Content-Transfer-Encoding: base64\r\n\r\n"
				    "aGVs\r\nbG8=\r\n";

	message_parse(&m, plain, sizeof(plain) - 1);
	ck_assert(message_part(&m, "text/plain", &out));
	ck_assert_str_eq(buf_text(&out), "hello");
	ck_assert(!message_part(&m, "text/html", &out));
}
END_TEST

START_TEST(what_a_strict_server_refuses_is_named)
{
	static const char *const rows[][2] = {
		{"Subject: x\r\n\r\n", "there is no From header"},
		{"From: a\r\nFrom: b\r\n\r\n", "there are 2 From headers"},
		{"From: a\r\nMessage-ID: <a>\r\nmessage-id: <b>\r\n\r\n",
		 "there are 2 Message-ID headers"},
		{"From: a\r\nno header\r\n\r\n", "a header line is malformed"},
		{"From : a\r\n\r\n", "a header line is malformed"},
		{" folded\r\nFrom: a\r\n\r\n", "a header line is malformed"},
	};
	struct err e = ERR_INIT;

	ck_assert_int_eq(message_check(&m, &e), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		message_parse(&m, rows[i][0], strlen(rows[i][0]));
		ck_assert_int_eq(message_check(&m, &e), -1);
		ck_assert_str_eq(e.text, rows[i][1]);
	}
}
END_TEST

START_TEST(bad_encodings_stay_as_they_are)
{
	static const char text[] = "=?utf-8?B?!!?= =?utf-8?X?a?= =?koi8-r?Q?a?= =?=";

	encoded_words(text, sizeof(text) - 1, &out);
	ck_assert_str_eq(buf_text(&out), "!! =?utf-8?X?a?= =?koi8-r?Q?a?= =?=");
}
END_TEST

Suite *sandbox_message_suite(void)
{
	Suite *suite = suite_create("sandbox_message");
	TCase *tc = tcase_create("message");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, headers_are_unfolded_and_decoded);
	tcase_add_test(tc, parts_are_found_in_nested_multiparts_and_decoded);
	tcase_add_test(tc, a_plain_mail_is_its_own_part);
	tcase_add_test(tc, what_a_strict_server_refuses_is_named);
	tcase_add_test(tc, bad_encodings_stay_as_they_are);
	suite_add_tcase(suite, tc);
	return suite;
}
