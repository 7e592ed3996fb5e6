#include <check.h>
#include <stdio.h>
#include <string.h>

#include "exact.h"
#include "wire/socketio_reader.h"

Suite *socketio_suite(void);

#define PLACEHOLDER(num) "{\"_placeholder\":true,\"num\":" num "}"
#define DEEP_8           "[[[[[[[["
#define DEEP_64          DEEP_8 DEEP_8 DEEP_8 DEEP_8 DEEP_8 DEEP_8 DEEP_8 DEEP_8
#define OUT_8            "]]]]]]]]"
#define OUT_63           OUT_8 OUT_8 OUT_8 OUT_8 OUT_8 OUT_8 OUT_8 "]]]]]]]"
#define NAME_63          "/23456789012345678901234567890123456789012345678901234567890123"
#define NOTHING          ((struct slice){NULL, 0})

/* "type attachments nsp?query id event args data": what is not there is left out. */
static void describe(struct buf *out, const struct socketio_packet *p)
{
	buf_addf(out, "%d/%d %.*s", (int)p->type, p->attachments, (int)p->nsp.len,
		 p->nsp.at);
	if (p->query.len > 0)
		buf_addf(out, "?%.*s", (int)p->query.len, p->query.at);
	if (p->id != SOCKETIO_NO_ID)
		buf_addf(out, " #%lld", (long long)p->id);
	if (p->event.len > 0)
		buf_addf(out, " %.*s", (int)p->event.len, p->event.at);
	if (p->args.len > 0)
		buf_addf(out, " (%.*s)", (int)p->args.len, p->args.at);
	if (p->type == SOCKETIO_CONNECT || p->type == SOCKETIO_CONNECT_ERROR)
		buf_addf(out, " %.*s", (int)p->data.len, p->data.len ? p->data.at : "");
}

static const struct {
	const char *text, *packet;
} good[] = {
	/* The protocol's own examples. */
	{"0", "0/0 / "},
	{"0{\"sid\":\"wZX3\"}", "0/0 / {\"sid\":\"wZX3\"}"},
	{"0/admin,", "0/0 /admin "},
	{"0/admin,{\"sid\":\"oSO0\"}", "0/0 /admin {\"sid\":\"oSO0\"}"},
	{"4{\"message\":\"Not authorized\"}", "4/0 / {\"message\":\"Not authorized\"}"},
	{"2[\"foo\"]", "2/0 / \"foo\""},
	{"2/admin,[\"bar\"]", "2/0 /admin \"bar\""},
	{"51-[\"baz\"," PLACEHOLDER("0") "]", "2/1 / \"baz\" (" PLACEHOLDER("0") ")"},
	{"52-/admin,[\"baz\"," PLACEHOLDER("0") "," PLACEHOLDER("1") "]",
	 "2/2 /admin \"baz\" (" PLACEHOLDER("0") "," PLACEHOLDER("1") ")"},
	{"212[\"foo\"]", "2/0 / #12 \"foo\""},
	{"312[]", "3/0 / #12"},
	{"2/admin,13[\"foo\"]", "2/0 /admin #13 \"foo\""},
	{"3/admin,13[\"bar\"]", "3/0 /admin #13 (\"bar\")"},
	{"51-14[\"foo\"," PLACEHOLDER("0") "]",
	 "2/1 / #14 \"foo\" (" PLACEHOLDER("0") ")"},
	{"61-15[\"bar\"," PLACEHOLDER("0") "]",
	 "3/1 / #15 (\"bar\"," PLACEHOLDER("0") ")"},
	{"1", "1/0 /"},
	{"1/admin,", "1/0 /admin"},
	/* Namespaces. */
	{"1/admin", "1/0 /admin"},
	{"0/", "0/0 / "},
	{"0/,{}", "0/0 / {}"},
	{"0/admin?token=1234&uid=a,", "0/0 /admin?token=1234&uid=a "},
	{"0/?a=b,{}", "0/0 /?a=b {}"},
	{"0/a?,{}", "0/0 /a {}"},
	{"0/a?b?c,", "0/0 /a?b?c "},
	{"2/\xc3\xa4/b c,1[\"e\"]", "2/0 /\xc3\xa4/b c #1 \"e\""},
	{"1" NAME_63 "4,", "1/0 " NAME_63 "4"},
	/* Ids. */
	{"20[\"a\"]", "2/0 / #0 \"a\""},
	{"2007[\"a\"]", "2/0 / #7 \"a\""},
	{"2999999999999999[\"a\"]", "2/0 / #999999999999999 \"a\""},
	{"3[]", "3/0 /"},
	{"1/a,5", "1/0 /a #5"},
	/* Arguments. */
	{"2[1]", "2/0 / 1"},
	{"2[-1.5,2]", "2/0 / -1.5 (2)"},
	{"2[\"\"]", "2/0 / \"\""},
	{"2[ \"a\" , 1 ,\t{ \"b\" : [ ] } ] ", "2/0 / \"a\" (1 ,\t{ \"b\" : [ ] })"},
	{"2[\"a\",null,true,\"\\u0000\\ud800\",1e999]",
	 "2/0 / \"a\" (null,true,\"\\u0000\\ud800\",1e999)"},
	{"2[\"a\"," PLACEHOLDER("7") "]", "2/0 / \"a\" (" PLACEHOLDER("7") ")"},
	{"2[\"a\",{\"b\":1,\"b\":2}]", "2/0 / \"a\" ({\"b\":1,\"b\":2})"},
	{"3[{\"a\":1},2]", "3/0 / ({\"a\":1},2)"},
	{"2[\"connection\"]", "2/0 / \"connection\""},
	{"2[\"Connect\"]", "2/0 / \"Connect\""},
	{"2[\"a\",\"connect\"]", "2/0 / \"a\" (\"connect\")"},
	{"3[\"connect\"]", "3/0 / (\"connect\")"},
	{"4\"no\"", "4/0 / \"no\""},
	/* Attachments. */
	{"516-[\"a\"," PLACEHOLDER("15") "]", "2/16 / \"a\" (" PLACEHOLDER("15") ")"},
	{"52-[\"a\"]", "2/2 / \"a\""},
	{"61-[]", "3/1 /"},
	{"51-[\"a\",{\"num\":0,\"b\":{\"c\":[" PLACEHOLDER("0") "]}}]",
	 "2/1 / \"a\" ({\"num\":0,\"b\":{\"c\":[" PLACEHOLDER("0") "]}})"},
	{"51-[\"a\",{\"_placeholder\":false,\"num\":9}]",
	 "2/1 / \"a\" ({\"_placeholder\":false,\"num\":9})"},
	{"51-[\"a\",{\"num\":9,\"num\":0,\"_placeholder\":true}]",
	 "2/1 / \"a\" ({\"num\":9,\"num\":0,\"_placeholder\":true})"},
	{"51-[\"a\",{\"_placeholder\":true,\"_placeholder\":1}]",
	 "2/1 / \"a\" ({\"_placeholder\":true,\"_placeholder\":1})"},
	{"51-[\"a\",{\"_placeholder\":{\"x\":true}}]",
	 "2/1 / \"a\" ({\"_placeholder\":{\"x\":true}})"},
};

START_TEST(a_good_packet_is_taken_apart_and_put_together_again)
{
	size_t len = strlen(good[_i].text);
	char *text = exact_copy(good[_i].text, len);
	struct socketio_packet p, again;
	struct buf said, out, said_again;
	struct err e = ERR_INIT;

	buf_init(&said, 1024);
	buf_init(&said_again, 1024);
	buf_init(&out, 1024);
	ck_assert_msg(socketio_decode(&p, (struct slice){text, len}, &e) == 0, "%s: %s",
		      good[_i].text, e.text);
	describe(&said, &p);
	ck_assert_str_eq(buf_text(&said), good[_i].packet);
	socketio_put(&out, &p);
	ck_assert_int_eq(socketio_decode(&again, (struct slice){out.data, out.len}, &e),
			 0);
	describe(&said_again, &again);
	ck_assert_str_eq(buf_text(&said_again), buf_text(&said));
	buf_release(&said);
	buf_release(&said_again);
	buf_release(&out);
	free(text);
}
END_TEST

static const struct {
	const char *text, *said;
} bad[] = {
	{"", "without a type"},
	{"7", "unknown type"},
	{"9[\"a\"]", "unknown type"},
	{"abc", "unknown type"},
	{" 2[\"a\"]", "unknown type"},
	{"/", "unknown type"},
	/* Attachments. */
	{"5", "illegal attachments"},
	{"5[\"a\"]", "illegal attachments"},
	{"5-[\"a\"]", "illegal attachments"},
	{"51", "illegal attachments"},
	{"51[\"a\"]", "illegal attachments"},
	{"50-[\"a\"]", "illegal attachments"},
	{"501-[\"a\"]", "illegal attachments"},
	{"5-1-[\"a\"]", "illegal attachments"},
	{"51.0-[\"a\"]", "illegal attachments"},
	{"51e0-[\"a\"]", "illegal attachments"},
	{"5 1-[\"a\"]", "illegal attachments"},
	{"5/a,1-[\"a\"]", "illegal attachments"},
	{"517-[\"a\"]", "too many attachments"},
	{"59999999999999999999-[\"a\"]", "too many attachments"},
	{"61", "illegal attachments"},
	{"21-[\"a\"]", "wrong kind"},
	{"51-[\"a\"," PLACEHOLDER("1") "]", "not valid"},
	{"51-[\"a\"," PLACEHOLDER("-1") "]", "not valid"},
	{"51-[\"a\"," PLACEHOLDER("0.5") "]", "not valid"},
	{"51-[\"a\"," PLACEHOLDER("\"0\"") "]", "not valid"},
	{"51-[\"a\"," PLACEHOLDER("[0]") "]", "not valid"},
	{"51-[\"a\"," PLACEHOLDER("99999999999999999999") "]", "not valid"},
	{"51-[\"a\",{\"_placeholder\":true}]", "not valid"},
	{"51-[\"a\",{\"_pl\\u0061ceholder\":true,\"num\":1}]", "not valid"},
	{"51-[\"a\",[{\"b\":[" PLACEHOLDER("1") "]}]]", "not valid"},
	{"51-[\"a\",{\"num\":0,\"num\":1,\"_placeholder\":true}]", "not valid"},
	{"61-[" PLACEHOLDER("1") "]", "not valid"},
	/* Namespaces and ids. */
	{"1" NAME_63 "45,", "namespace is too long"},
	{"0/a\nb,", "control character"},
	{"0/a?\x1e,", "control character"},
	{"0/a\x7f", "control character"},
	{"2/admin[\"a\"]", "without its payload"},
	{"21000000000000000[\"a\"]", "id is too long"},
	{"299999999999999999999999[\"a\"]", "id is too long"},
	{"2-1[\"a\"]", "wrong kind"},
	{"21.5[\"a\"]", "wrong kind"},
	{"2 1[\"a\"]", "wrong kind"},
	{"2abc[\"a\"]", "wrong kind"},
	{"2 [\"a\"]", "wrong kind"},
	{"2/a,/b,[\"a\"]", "wrong kind"},
	/* Payloads of the wrong kind. */
	{"0[]", "wrong kind"},
	{"0\"a\"", "wrong kind"},
	{"0null", "wrong kind"},
	{"0true", "wrong kind"},
	{"0{", "not valid"},
	{"0{}{}", "not valid"},
	{"1{}", "wrong kind"},
	{"1[]", "wrong kind"},
	{"1/a,\"x\"", "wrong kind"},
	{"2", "without its payload"},
	{"212", "without its payload"},
	{"2/a,", "without its payload"},
	{"3", "without its payload"},
	{"312", "without its payload"},
	{"4", "without its payload"},
	{"51-", "without its payload"},
	{"4[]", "wrong kind"},
	{"2{}", "wrong kind"},
	{"2{\"0\":\"a\"}", "wrong kind"},
	{"2\"a\"", "wrong kind"},
	{"3{}", "wrong kind"},
	{"3\"a\"", "wrong kind"},
	{"2[", "without a name"},
	{"2[]", "without a name"},
	{"2[null]", "without a name"},
	{"2[true]", "without a name"},
	{"2[{}]", "without a name"},
	{"2[[\"a\"]]", "without a name"},
	{"51-[" PLACEHOLDER("0") "]", "without a name"},
	{"2[\"a\"", "not valid"},
	{"2[\"a\",", "not valid"},
	{"2[\"a\",]", "not valid"},
	{"2[\"a\" 1]", "not valid"},
	{"2[\"a\"]]", "not valid"},
	{"2[\"a\"] x", "not valid"},
	{"2[\"a\",{\"b\":}]", "not valid"},
	{"2[\"a\",[1}]", "not valid"},
	{"2[\"a\",01]", "not valid"},
	{"3[undefined]", "not valid"},
	/* Reserved names. */
	{"2[\"connect\"]", "reserved"},
	{"2[\"connect_error\"]", "reserved"},
	{"2[\"disconnect\"]", "reserved"},
	{"2[\"disconnecting\",1]", "reserved"},
	{"2/a,1[\"newListener\"]", "reserved"},
	{"51-[\"removeListener\"]", "reserved"},
	{"2[\"conn\\u0065ct\"]", "reserved"},
};

START_TEST(a_bad_packet_is_refused_with_the_reason)
{
	size_t len = strlen(bad[_i].text);
	char *text = exact_copy(bad[_i].text, len);
	struct socketio_packet p;
	struct err e = ERR_INIT;

	ck_assert_msg(socketio_decode(&p, (struct slice){text, len}, &e) == -1, "%s",
		      bad[_i].text);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_msg(strstr(e.text, bad[_i].said), "%s: %s", bad[_i].text, e.text);
	free(text);
}
END_TEST

START_TEST(no_beginning_of_a_good_packet_reads_beyond_its_end)
{
	size_t len = strlen(good[_i].text);

	for (size_t n = 0; n < len; n++) {
		char *text = exact_copy(good[_i].text, n);
		struct socketio_packet p;
		struct err e = ERR_INIT;

		if (socketio_decode(&p, (struct slice){text, n}, &e) < 0)
			ck_assert_int_eq(e.code, ERR_INVALID);
		free(text);
	}
}
END_TEST

START_TEST(arguments_may_be_63_levels_deep)
{
	static const char deep[] = "3" DEEP_64 "]" OUT_63, deeper[] = "3[" DEEP_64;
	static const char binary[] = "61-" DEEP_64 "]" OUT_63;
	struct socketio_packet p;
	struct err e = ERR_INIT;

	ck_assert_int_eq(socketio_decode(&p, slice_of(deep), &e), 0);
	ck_assert_int_eq(socketio_decode(&p, slice_of(binary), &e), 0);
	ck_assert_int_eq(socketio_decode(&p, slice_of(deeper), &e), -1);
}
END_TEST

START_TEST(a_query_has_its_limit)
{
	char text[SOCKETIO_QUERY_MAX + 8];
	struct socketio_packet p;
	struct err e = ERR_INIT;

	memset(text, 'q', sizeof(text));
	memcpy(text, "0/a?", 4);
	ck_assert_int_eq(
		socketio_decode(&p, (struct slice){text, SOCKETIO_QUERY_MAX + 4}, &e), 0);
	ck_assert_uint_eq(p.query.len, SOCKETIO_QUERY_MAX);
	ck_assert_int_eq(
		socketio_decode(&p, (struct slice){text, SOCKETIO_QUERY_MAX + 5}, &e),
		-1);
}
END_TEST

START_TEST(events_are_known_by_name_and_arguments_come_one_by_one)
{
	struct socketio_packet p;
	struct slice args, arg;
	struct err e;

	ck_assert_int_eq(
		socketio_decode(
			&p, slice_of("2[\"s\\u0065en\", {\"sequence\":\"12\"} ,2]"), &e),
		0);
	ck_assert(socketio_is_event(&p, "seen"));
	ck_assert(!socketio_is_event(&p, "see"));
	args = p.args;
	ck_assert(socketio_next_arg(&args, &arg));
	ck_assert(slice_is(arg, "{\"sequence\":\"12\"}"));
	ck_assert(socketio_next_arg(&args, &arg));
	ck_assert(slice_is(arg, "2"));
	ck_assert(!socketio_next_arg(&args, &arg));
	ck_assert_int_eq(socketio_decode(&p, slice_of("2[1]"), &e), 0);
	ck_assert(!socketio_is_event(&p, "1"));
	ck_assert(!socketio_next_arg(&p.args, &arg));
	ck_assert_int_eq(socketio_decode(&p, slice_of("3[1]"), &e), 0);
	ck_assert(!socketio_is_event(&p, ""));
}
END_TEST

/* ---- what a client says of itself ---- */

static const struct {
	const char *text, *token, *pid, *offset; /* token NULL: refused */
} auths[] = {
	{"0", "", "", ""},
	{"0{}", "", "", ""},
	{"0{\"token\":\"a.b.c\"}", "a.b.c", "", ""},
	{"0/admin,{\"x\":{\"token\":\"no\"},\"token\":\"yes\",\"y\":[\"pid\"]}", "yes",
	 "", ""},
	{"0{\"pid\":\"p\",\"offset\":\"0000000000000007\",\"token\":\"t\"}", "t", "p",
	 "0000000000000007"},
	{"0{\"token\":\"t\",\"pid\":\"p\"}", "t", "p", ""},
	{"0{\"token\":\"t\",\"offset\":\"7\"}", "t", "", "7"},
	{"0{\"token\":\"a\\u002eb\",\"t\\u006fken\":\"c\\\"\"}", "c\"", "", ""},
	{"0{\"token\":1,\"token\":\"2\"}", "2", "", ""},
	{"0{\"pid\":1,\"offset\":\"7\"}", "", "", "7"},
	{"0{\"pid\":\"p\",\"offset\":7}", "", "", ""},
	{"0{\"pid\":\"p\",\"offset\":null}", "", "", ""},
	{"0{\"pid\":\"p\",\"offset\":{\"pid\":\"q\"}}", "", "", ""},
	{"0{\"pid\":\"p\",\"offset\":\"\"}", "", "", ""},
	{"0{\"pid\":\"p\",\"offset\":"
	 "\"0123456789012345678901234567890123456789012345678901234567890123\"}",
	 "", "", ""},
	{"0{\"pid\":\"p\",\"offset\":"
	 "\"012345678901234567890123456789012345678901234567890123456789012\"}",
	 "", "p", "012345678901234567890123456789012345678901234567890123456789012"},
	{"0{\"token\":1}", NULL, "", ""},
	{"0{\"token\":null}", NULL, "", ""},
	{"0{\"token\":[\"a\"]}", NULL, "", ""},
	{"0{\"token\":\"a\\u0000b\"}", NULL, "", ""},
	{"0{\"token\":\"\\ud800\"}", NULL, "", ""},
};

START_TEST(token_and_session_are_found_in_what_a_client_connects_with)
{
	struct socketio_packet p;
	struct socketio_auth a;
	struct err e = ERR_INIT;

	ck_assert_int_eq(socketio_decode(&p, slice_of(auths[_i].text), &e), 0);
	if (!auths[_i].token) {
		ck_assert_int_eq(socketio_read_auth(&p, &a, &e), -1);
		ck_assert_int_eq(e.code, ERR_INVALID);
		return;
	}
	ck_assert_int_eq(socketio_read_auth(&p, &a, &e), 0);
	ck_assert_str_eq(a.token, auths[_i].token);
	ck_assert_str_eq(a.pid, auths[_i].pid);
	ck_assert_str_eq(a.offset, auths[_i].offset);
}
END_TEST

START_TEST(a_token_has_its_limit)
{
	char text[SOCKETIO_TOKEN_SIZE + 32];
	struct socketio_packet p;
	struct socketio_auth a;
	struct err e = ERR_INIT;

	snprintf(text, sizeof(text), "0{\"token\":\"%0*d\"}", SOCKETIO_TOKEN_SIZE - 1, 7);
	ck_assert_int_eq(socketio_decode(&p, slice_of(text), &e), 0);
	ck_assert_int_eq(socketio_read_auth(&p, &a, &e), 0);
	ck_assert_uint_eq(strlen(a.token), SOCKETIO_TOKEN_SIZE - 1);
	snprintf(text, sizeof(text), "0{\"token\":\"%0*d\"}", SOCKETIO_TOKEN_SIZE, 7);
	ck_assert_int_eq(socketio_decode(&p, slice_of(text), &e), 0);
	ck_assert_int_eq(socketio_read_auth(&p, &a, &e), -1);
}
END_TEST

/* ---- writing ---- */

static void expect(struct buf *out, const char *text)
{
	struct socketio_packet p;
	struct err e = ERR_INIT;

	ck_assert_str_eq(buf_text(out), text);
	ck_assert_int_eq(socketio_decode(&p, (struct slice){out->data, out->len}, &e), 0);
	buf_clear(out);
}

START_TEST(a_server_answers_in_the_protocols_own_words)
{
	struct slice main_nsp = slice_of("/"), custom = slice_of("/custom");
	struct buf out;

	buf_init(&out, 1024);
	socketio_put_connect(&out, main_nsp, "wZX3", NULL);
	expect(&out, "0{\"sid\":\"wZX3\"}");
	socketio_put_connect(&out, custom, "wZX3", "p\"");
	expect(&out, "0/custom,{\"sid\":\"wZX3\",\"pid\":\"p\\\"\"}");
	socketio_put_connect_error(&out, main_nsp, "Not authorized", NOTHING);
	expect(&out, "4{\"message\":\"Not authorized\"}");
	socketio_put_connect_error(&out, custom, "no", slice_of("{\"code\":4401}"));
	expect(&out, "4/custom,{\"message\":\"no\",\"data\":{\"code\":4401}}");
	socketio_put_disconnect(&out, main_nsp);
	expect(&out, "1");
	socketio_put_disconnect(&out, custom);
	expect(&out, "1/custom,");
	socketio_put_event(&out, main_nsp, SOCKETIO_NO_ID, 0, "transaction",
			   slice_of("{\"a\":1},\"0000000000000007\""));
	expect(&out, "2[\"transaction\",{\"a\":1},\"0000000000000007\"]");
	socketio_put_event(&out, custom, 12, 2, "a", slice_of("1"));
	expect(&out, "52-/custom,12[\"a\",1]");
	socketio_put_event(&out, main_nsp, 0, 0, "a", NOTHING);
	expect(&out, "20[\"a\"]");
	socketio_put_ack(&out, main_nsp, 12, 0, NOTHING);
	expect(&out, "312[]");
	socketio_put_ack(&out, custom, 13, 1, slice_of("\"bar\"," PLACEHOLDER("0")));
	expect(&out, "61-/custom,13[\"bar\"," PLACEHOLDER("0") "]");
	buf_release(&out);
}
END_TEST

START_TEST(a_packet_is_put_behind_the_type_of_its_message)
{
	struct buf out;

	buf_init(&out, 8);
	buf_add_char(&out, '4');
	socketio_put_disconnect(&out, slice_of("/"));
	ck_assert_str_eq(buf_text(&out), "41");
	socketio_put_disconnect(&out, slice_of("/far/too/long"));
	ck_assert(out.overflowed);
	buf_release(&out);
}
END_TEST

/* ---- attachments ---- */

START_TEST(binary_arguments_come_back_as_they_were)
{
	static const char text[] = "52-/custom,7[\"message\"," PLACEHOLDER(
		"1") ",{\"a\":[" PLACEHOLDER("0") "]},\"x\"]";
	char *copy = exact_copy(text, strlen(text));
	struct socketio_reader r;
	struct socketio_packet p;
	struct buf out;
	struct err e;

	buf_init(&out, 256);
	socketio_reader_init(&r, 256);
	ck_assert_int_eq(
		socketio_reader_text(&r, (struct slice){copy, strlen(text)}, &p, &e), 0);
	free(copy); /* it is kept */
	ck_assert(socketio_reader_waits(&r));
	ck_assert_int_eq(socketio_reader_binary(&r, (struct slice){"\0\x01", 2}, &p, &e),
			 0);
	ck_assert_int_eq(socketio_reader_binary(&r, NOTHING, &p, &e), 1);
	ck_assert(!socketio_reader_waits(&r));
	ck_assert(socketio_is_event(&p, "message"));
	ck_assert_int_eq(p.attachments, 2);
	ck_assert_uint_eq(socketio_reader_attachment(&r, 0).len, 2);
	ck_assert_int_eq(memcmp(socketio_reader_attachment(&r, 0).at, "\0\x01", 2), 0);
	ck_assert_uint_eq(socketio_reader_attachment(&r, 1).len, 0);
	socketio_put_event(&out, p.nsp, SOCKETIO_NO_ID, p.attachments, "message-back",
			   p.args);
	ck_assert_str_eq(buf_text(&out),
			 "52-/custom,[\"message-back\"," PLACEHOLDER(
				 "1") ",{\"a\":[" PLACEHOLDER("0") "]},\"x\"]");
	buf_clear(&out);
	socketio_put_ack(&out, p.nsp, p.id, p.attachments, p.args);
	ck_assert_str_eq(buf_text(&out),
			 "62-/custom,7[" PLACEHOLDER("1") ",{\"a\":[" PLACEHOLDER(
				 "0") "]},\"x\"]");
	/* The next one begins anew. */
	ck_assert_int_eq(socketio_reader_text(&r, slice_of("2[\"a\"]"), &p, &e), 1);
	ck_assert(socketio_is_event(&p, "a"));
	ck_assert_ptr_null(r.text.data);
	socketio_reader_release(&r);
	buf_release(&out);
}
END_TEST

START_TEST(text_and_attachments_come_only_in_their_turn)
{
	struct socketio_reader r;
	struct socketio_packet p;
	struct err e = ERR_INIT;

	socketio_reader_init(&r, 256);
	ck_assert_int_eq(socketio_reader_binary(&r, slice_of("x"), &p, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_int_eq(socketio_reader_text(&r, slice_of("52-[\"a\"]"), &p, &e), 0);
	ck_assert_int_eq(socketio_reader_binary(&r, slice_of("x"), &p, &e), 0);
	ck_assert_int_eq(socketio_reader_text(&r, slice_of("2[\"a\"]"), &p, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert(!socketio_reader_waits(&r));
	ck_assert_ptr_null(r.text.data);
	ck_assert_int_eq(socketio_reader_text(&r, slice_of("51-[\"a\"]"), &p, &e), 0);
	ck_assert_int_eq(socketio_reader_binary(&r, slice_of("x"), &p, &e), 1);
	ck_assert_int_eq(socketio_reader_binary(&r, slice_of("x"), &p, &e), -1);
	ck_assert_int_eq(socketio_reader_text(&r, slice_of("51-[]"), &p, &e), -1);
	ck_assert(!socketio_reader_waits(&r));
	socketio_reader_release(&r);
}
END_TEST

START_TEST(a_packet_and_its_attachments_have_one_maximum)
{
	struct socketio_reader r;
	struct socketio_packet p;
	struct err e = ERR_INIT;

	socketio_reader_init(&r, 10);
	ck_assert_int_eq(socketio_reader_text(&r, slice_of("2[\"abcdef\"]"), &p, &e), -1);
	ck_assert_int_eq(e.code, ERR_FULL);
	ck_assert_int_eq(socketio_reader_text(&r, slice_of("2[\"abcde\"]"), &p, &e), 1);
	ck_assert_int_eq(socketio_reader_text(&r, slice_of("52-[\"a\"]"), &p, &e), 0);
	ck_assert_int_eq(socketio_reader_binary(&r, slice_of("x"), &p, &e), 0);
	ck_assert_int_eq(socketio_reader_binary(&r, slice_of("y"), &p, &e), 1);
	ck_assert_int_eq(socketio_reader_text(&r, slice_of("52-[\"a\"]"), &p, &e), 0);
	ck_assert_int_eq(socketio_reader_binary(&r, slice_of("x"), &p, &e), 0);
	ck_assert_int_eq(socketio_reader_binary(&r, slice_of("yz"), &p, &e), -1);
	ck_assert_int_eq(e.code, ERR_FULL);
	ck_assert_ptr_null(r.bytes.data);
	socketio_reader_release(&r);
}
END_TEST

Suite *socketio_suite(void)
{
	Suite *s = suite_create("socketio");
	TCase *c = tcase_create("reading");

	tcase_add_loop_test(c, a_good_packet_is_taken_apart_and_put_together_again, 0,
			    sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(c, a_bad_packet_is_refused_with_the_reason, 0,
			    sizeof(bad) / sizeof(bad[0]));
	tcase_add_loop_test(c, no_beginning_of_a_good_packet_reads_beyond_its_end, 0,
			    sizeof(good) / sizeof(good[0]));
	tcase_add_test(c, arguments_may_be_63_levels_deep);
	tcase_add_test(c, a_query_has_its_limit);
	tcase_add_test(c, events_are_known_by_name_and_arguments_come_one_by_one);
	tcase_add_loop_test(c, token_and_session_are_found_in_what_a_client_connects_with,
			    0, sizeof(auths) / sizeof(auths[0]));
	tcase_add_test(c, a_token_has_its_limit);
	suite_add_tcase(s, c);
	c = tcase_create("writing");
	tcase_add_test(c, a_server_answers_in_the_protocols_own_words);
	tcase_add_test(c, a_packet_is_put_behind_the_type_of_its_message);
	suite_add_tcase(s, c);
	c = tcase_create("attachments");
	tcase_add_test(c, binary_arguments_come_back_as_they_were);
	tcase_add_test(c, text_and_attachments_come_only_in_their_turn);
	tcase_add_test(c, a_packet_and_its_attachments_have_one_maximum);
	suite_add_tcase(s, c);
	return s;
}
