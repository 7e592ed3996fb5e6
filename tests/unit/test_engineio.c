#include <check.h>
#include <string.h>

#include "exact.h"
#include "wire/engineio.h"

Suite *engineio_suite(void);

#define SEPARATOR "\x1e"

/* "4:text" for each packet, 'b' for a binary message, '|' between them. */
static void describe(struct buf *out, const struct engineio_packet *p)
{
	if (out->len > 0)
		buf_add_char(out, '|');
	buf_addf(out, "%c:", p->binary ? 'b' : '0' + (int)p->type);
	buf_add(out, p->data.at, p->data.len);
}

static const struct {
	const char *text, *packet; /* NULL: refused */
} packets[] = {
	{"0{\"sid\":\"a\"}", "0:{\"sid\":\"a\"}"},
	{"1", "1:"},
	{"2", "2:"},
	{"2probe", "2:probe"},
	{"3", "3:"},
	{"3probe", "3:probe"},
	{"4", "4:"},
	{"4hello", "4:hello"},
	{"4\xe2\x82\xac", "4:\xe2\x82\xac"},
	{"44", "4:4"},
	{"4b", "4:b"},
	{"5", "5:"},
	{"6", "6:"},
	{"b", "b:"},
	{"bAQID", "b:\x01\x02\x03"},
	{"bAQIDBA==", "b:\x01\x02\x03\x04"},
	{"", NULL},
	{"7", NULL},
	{"9", NULL},
	{"/", NULL},
	{" 4", NULL},
	{"abc", NULL},
	{"B", NULL},
	{"bAQI", NULL},
	{"bAQID ", NULL},
	{"bAQIDBA", NULL},
	{"b-_-_", NULL},
	{"b====", NULL},
};

START_TEST(a_packet_of_text_is_its_type_and_its_data)
{
	size_t len = strlen(packets[_i].text);
	char *text = exact_copy(packets[_i].text, len);
	struct engineio_packet p;
	struct buf bytes, said;
	struct err e = ERR_INIT;
	int rc;

	buf_init(&bytes, 16);
	buf_init(&said, 64);
	rc = engineio_decode(&p, (struct slice){text, len}, false, &bytes, &e);
	if (packets[_i].packet) {
		ck_assert_int_eq(rc, 0);
		describe(&said, &p);
		ck_assert_str_eq(buf_text(&said), packets[_i].packet);
	} else {
		ck_assert_int_eq(rc, -1);
		ck_assert_int_eq(e.code, ERR_INVALID);
	}
	buf_release(&bytes);
	buf_release(&said);
	free(text);
}
END_TEST

START_TEST(a_binary_message_is_its_bytes)
{
	struct engineio_packet p;
	struct buf bytes;
	struct err e;

	buf_init(&bytes, 16);
	ck_assert_int_eq(
		engineio_decode(&p, (struct slice){"\0\xff", 2}, true, &bytes, &e), 0);
	ck_assert(p.binary && p.type == ENGINEIO_MESSAGE);
	ck_assert_uint_eq(p.data.len, 2);
	ck_assert_int_eq(memcmp(p.data.at, "\0\xff", 2), 0);
	ck_assert_int_eq(engineio_decode(&p, (struct slice){NULL, 0}, true, &bytes, &e),
			 0);
	ck_assert(p.binary && p.data.len == 0);
	buf_release(&bytes);
}
END_TEST

START_TEST(base64_that_is_too_long_is_not_called_bad)
{
	struct engineio_packet p;
	struct buf bytes;
	struct err e;

	buf_init(&bytes, 3);
	ck_assert_int_eq(engineio_decode(&p, slice_of("bAQID"), false, &bytes, &e), 0);
	ck_assert_int_eq(engineio_decode(&p, slice_of("bAQIDBA=="), false, &bytes, &e),
			 -1);
	ck_assert_int_eq(e.code, ERR_FULL);
	ck_assert_int_eq(engineio_decode(&p, slice_of("bAQID"), false, &bytes, &e), 0);
	buf_release(&bytes);
}
END_TEST

START_TEST(a_probe_is_that_word_and_nothing_else)
{
	struct engineio_packet p = {ENGINEIO_PING, false, slice_of("probe")};
	struct buf out;

	ck_assert(engineio_is_probe(&p, ENGINEIO_PING));
	ck_assert(!engineio_is_probe(&p, ENGINEIO_PONG));
	p.data = slice_of("probes");
	ck_assert(!engineio_is_probe(&p, ENGINEIO_PING));
	p.data = (struct slice){NULL, 0};
	ck_assert(!engineio_is_probe(&p, ENGINEIO_PING));
	buf_init(&out, 16);
	engineio_put(&out, ENGINEIO_PONG, slice_of("probe"));
	ck_assert_str_eq(buf_text(&out), "3probe");
	buf_release(&out);
}
END_TEST

START_TEST(a_session_opens_with_what_the_client_has_to_know)
{
	struct engineio_open o = {"lv_VI97H\"", true, 25000, 20000, 1000000};
	struct buf out;

	buf_init(&out, 256);
	engineio_put_open(&out, &o);
	ck_assert_str_eq(buf_text(&out),
			 "0{\"sid\":\"lv_VI97H\\\"\",\"upgrades\":[\"websocket\"],"
			 "\"pingInterval\":25000,\"pingTimeout\":20000,"
			 "\"maxPayload\":1000000}");
	buf_clear(&out);
	o = (struct engineio_open){"a", false, 300, 200, 1};
	engineio_put_open(&out, &o);
	ck_assert_str_eq(buf_text(&out),
			 "0{\"sid\":\"a\",\"upgrades\":[],\"pingInterval\":300,"
			 "\"pingTimeout\":200,\"maxPayload\":1}");
	buf_release(&out);
}
END_TEST

/* ---- payloads ---- */

/* Reads it in pieces of `step` bytes into a description; returns the last answer. */
static int read_payload(const char *payload, size_t step, size_t max_payload,
			struct buf *said, struct err *e)
{
	size_t len = strlen(payload);
	struct engineio_reader r;
	struct engineio_packet p;
	int rc = 0;

	engineio_reader_init(&r, max_payload);
	for (size_t at = 0; rc == 0 && (at < len || at == 0); at += step) {
		size_t n = len - at < step ? len - at : step;
		char *bytes = exact_copy(payload + at, n);
		struct slice piece = {bytes, n};

		while ((rc = engineio_reader_next(&r, &piece, at + step >= len, &p, e)) ==
		       1)
			describe(said, &p);
		ck_assert(rc < 0 || piece.len == 0);
		free(bytes);
	}
	engineio_reader_release(&r);
	return rc;
}

static const struct {
	const char *payload, *packets;
	int rc;
} payloads[] = {
	{"4hello", "4:hello", 0},
	{"2", "2:", 0},
	{"4hello" SEPARATOR "4\xe2\x82\xac", "4:hello|4:\xe2\x82\xac", 0},
	{"4hello" SEPARATOR "bAQIDBA==", "4:hello|b:\x01\x02\x03\x04", 0},
	{"bAQID" SEPARATOR "b" SEPARATOR "bBA==" SEPARATOR "4",
	 "b:\x01\x02\x03|b:|b:\x04|4:", 0},
	{"2" SEPARATOR "6" SEPARATOR "1", "2:|6:|1:", 0},
	{"4a" SEPARATOR "7" SEPARATOR "4b", "4:a", -1},
	{"4a" SEPARATOR "bA" SEPARATOR "4b", "4:a", -1},
	{"", "", -1},
	{SEPARATOR, "", -1},
	{"4a" SEPARATOR, "4:a", -1},
	{SEPARATOR "4a", "", -1},
	{"4a" SEPARATOR SEPARATOR "4b", "4:a", -1},
	{"abc", "", -1},
	{"4\xff", "", -1},
	{"4\xe2\x82" SEPARATOR "4\xac", "", -1},
};

START_TEST(a_payload_is_the_same_in_pieces_of_any_size)
{
	static const size_t steps[] = {1, 2, 3, 7, 64};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct err e = ERR_INIT;
		struct buf said;
		int rc;

		buf_init(&said, 256);
		rc = read_payload(payloads[_i].payload, steps[i], 64, &said, &e);
		ck_assert_int_eq(rc, payloads[_i].rc);
		ck_assert_str_eq(buf_text(&said), payloads[_i].packets);
		if (rc < 0)
			ck_assert_int_eq(e.code, ERR_INVALID);
		buf_release(&said);
	}
}
END_TEST

START_TEST(the_maximum_is_judged_before_anything_is_kept)
{
	struct engineio_packet p;
	struct engineio_reader r;
	struct slice piece = slice_of("4234567");
	struct err e;

	engineio_reader_init(&r, 8);
	ck_assert_int_eq(engineio_reader_expect(&r, 8, &e), 0);
	ck_assert_int_eq(engineio_reader_expect(&r, 9, &e), -1);
	ck_assert_int_eq(e.code, ERR_FULL);
	ck_assert_int_eq(engineio_reader_expect(&r, UINT64_MAX, &e), -1);
	ck_assert_int_eq(engineio_reader_next(&r, &piece, false, &p, &e), 0);
	piece = slice_of("89");
	ck_assert_int_eq(engineio_reader_next(&r, &piece, false, &p, &e), -1);
	ck_assert_int_eq(e.code, ERR_FULL);
	ck_assert_uint_eq(r.part.len, 7);
	engineio_reader_release(&r);

	engineio_reader_init(&r, 8);
	piece = slice_of("4a" SEPARATOR "4b" SEPARATOR "4cd");
	ck_assert_int_eq(engineio_reader_next(&r, &piece, true, &p, &e), -1);
	ck_assert_int_eq(e.code, ERR_FULL);
	ck_assert_ptr_null(r.part.data);
	engineio_reader_release(&r);
}
END_TEST

START_TEST(a_payload_of_exactly_the_maximum_is_taken)
{
	for (size_t step = 1; step <= 9; step++) {
		struct err e = ERR_INIT;
		struct buf said;

		buf_init(&said, 64);
		ck_assert_int_eq(read_payload("4a" SEPARATOR "4bcde", step, 8, &said, &e),
				 0);
		ck_assert_str_eq(buf_text(&said), "4:a|4:bcde");
		ck_assert_int_eq(
			read_payload("4a" SEPARATOR "4bcdef", step, 8, &said, &e), -1);
		ck_assert_int_eq(e.code, ERR_FULL);
		buf_release(&said);
	}
}
END_TEST

START_TEST(what_is_put_is_read_again)
{
	struct engineio_packet in[] = {
		{ENGINEIO_MESSAGE, false, slice_of("2[\"a\"]")},
		{ENGINEIO_MESSAGE, true, {"\0\x1e\xff", 3}},
		{ENGINEIO_MESSAGE, true, {NULL, 0}},
		{ENGINEIO_NOOP, false, {NULL, 0}},
	};
	struct engineio_reader r;
	struct engineio_packet p;
	struct slice piece;
	struct buf out;
	struct err e;

	buf_init(&out, 64);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(engineio_payload_put(&out, &in[i], &e), 0);
	ck_assert_str_eq(buf_text(&out),
			 "42[\"a\"]" SEPARATOR "bAB7/" SEPARATOR "b" SEPARATOR "6");
	engineio_reader_init(&r, 64);
	piece = (struct slice){out.data, out.len};
	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq(engineio_reader_next(&r, &piece, true, &p, &e), 1);
		ck_assert(p.type == in[i].type && p.binary == in[i].binary);
		ck_assert_uint_eq(p.data.len, in[i].data.len);
		if (p.data.len > 0)
			ck_assert_int_eq(memcmp(p.data.at, in[i].data.at, p.data.len), 0);
	}
	ck_assert_int_eq(engineio_reader_next(&r, &piece, true, &p, &e), 0);
	engineio_reader_release(&r);
	buf_release(&out);
}
END_TEST

START_TEST(what_does_not_fit_leaves_the_payload_as_it_was)
{
	struct engineio_packet text = {ENGINEIO_MESSAGE, false, slice_of("hello")};
	struct engineio_packet bytes = {ENGINEIO_MESSAGE, true, slice_of("hello")};
	struct buf out;
	struct err e;

	buf_init(&out, 13);
	ck_assert_int_eq(engineio_payload_put(&out, &text, &e), 0);
	ck_assert_int_eq(engineio_payload_put(&out, &bytes, &e), -1);
	ck_assert_int_eq(e.code, ERR_FULL);
	ck_assert_str_eq(buf_text(&out), "4hello");
	ck_assert_int_eq(engineio_payload_put(&out, &text, &e), 0);
	ck_assert_str_eq(buf_text(&out), "4hello" SEPARATOR "4hello");
	ck_assert(!out.overflowed);
	ck_assert_int_eq(engineio_payload_put(&out, &text, &e), -1);
	buf_release(&out);
	buf_init(&out, 8);
	ck_assert_int_eq(engineio_payload_put(&out, &bytes, &e), -1);
	buf_release(&out);
	buf_init(&out, 9);
	ck_assert_int_eq(engineio_payload_put(&out, &bytes, &e), 0);
	ck_assert_str_eq(buf_text(&out), "baGVsbG8=");
	buf_release(&out);
}
END_TEST

START_TEST(text_with_a_separator_cannot_go_into_a_payload)
{
	struct engineio_packet p = {ENGINEIO_MESSAGE, false, slice_of("a" SEPARATOR)};
	struct buf out;
	struct err e;

	buf_init(&out, 64);
	ck_assert_int_eq(engineio_payload_put(&out, &p, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	p.binary = true;
	ck_assert_int_eq(engineio_payload_put(&out, &p, &e), 0);
	buf_release(&out);
}
END_TEST

Suite *engineio_suite(void)
{
	Suite *s = suite_create("engineio");
	TCase *c = tcase_create("packets");

	tcase_add_loop_test(c, a_packet_of_text_is_its_type_and_its_data, 0,
			    sizeof(packets) / sizeof(packets[0]));
	tcase_add_test(c, a_binary_message_is_its_bytes);
	tcase_add_test(c, base64_that_is_too_long_is_not_called_bad);
	tcase_add_test(c, a_probe_is_that_word_and_nothing_else);
	tcase_add_test(c, a_session_opens_with_what_the_client_has_to_know);
	suite_add_tcase(s, c);
	c = tcase_create("payloads");
	tcase_add_loop_test(c, a_payload_is_the_same_in_pieces_of_any_size, 0,
			    sizeof(payloads) / sizeof(payloads[0]));
	tcase_add_test(c, the_maximum_is_judged_before_anything_is_kept);
	tcase_add_test(c, a_payload_of_exactly_the_maximum_is_taken);
	tcase_add_test(c, what_is_put_is_read_again);
	tcase_add_test(c, what_does_not_fit_leaves_the_payload_as_it_was);
	tcase_add_test(c, text_with_a_separator_cannot_go_into_a_payload);
	suite_add_tcase(s, c);
	return s;
}
