#include <check.h>
#include <stdio.h>
#include <string.h>

#include "exact.h"
#include "wire/ws_handshake.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define KEY         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION     "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE     "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define START       "GET /ws HTTP/1.1\r\nHost: example.com\r\n"

Suite *ws_handshake_suite(void);

static void read_head(struct http_head *head, const char *text)
{
	struct err e = ERR_INIT;

	http_head_init(head, HTTP_HEAD_MAX_DEFAULT);
	if (http_head_read(head, text, strlen(text), &e) != 1)
		ck_abort_msg("%s: %s", text, e.text);
}

static const char *const good[] = {
	START UPGRADE KEY VERSION "\r\n",
	START KEY VERSION UPGRADE "Origin: https://example.com\r\n\r\n",
	START KEY VERSION "upgrade: WebSocket\r\nconnection: keep-alive, upgrade\r\n\r\n",
	START KEY VERSION "Upgrade: h2c, websocket\r\nConnection: keep-alive\r\n"
			  "Connection: Upgrade\r\n\r\n",
	START UPGRADE KEY VERSION "Content-Length: 0\r\n\r\n",
	START UPGRADE VERSION "Sec-WebSocket-Key:  AAAAAAAAAAAAAAAAAAAAAA== \r\n\r\n",
	START UPGRADE VERSION "Sec-WebSocket-Key: +/+/+/+/+/+/+/+/+/+/+w==\r\n\r\n",
	START UPGRADE KEY VERSION "Sec-WebSocket-Protocol: a, b\r\n"
				  "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
	"GET /ws HTTP/1.2\r\nHost: h\r\n" UPGRADE KEY VERSION "\r\n",
};

START_TEST(good_handshakes_are_taken)
{
	for (size_t i = 0; i < COUNT(good); i++) {
		struct http_head head;
		struct ws_handshake hs;
		struct err e = ERR_INIT;

		read_head(&head, good[i]);
		ck_assert_msg(ws_handshake_judge(&hs, &head, &e) == 0, "row %zu: %s", i,
			      e.text);
		ck_assert_uint_eq(hs.key.len, WS_KEY_CHARS);
		ck_assert_int_eq(hs.origin.at != NULL, i == 1);
	}
}
END_TEST

static const struct {
	const char *text;
	int status;
	const char *fields, *why;
} bad[] = {
	{"POST /ws HTTP/1.1\r\nHost: h\r\n" UPGRADE KEY VERSION "\r\n", 405,
	 "Allow: GET\r\n", "method"},
	{"get /ws HTTP/1.1\r\nHost: h\r\n" UPGRADE KEY VERSION "\r\n", 405,
	 "Allow: GET\r\n", "method"},
	{"GET /ws HTTP/1.0\r\nHost: h\r\n" UPGRADE KEY VERSION "\r\n", 400, "",
	 "HTTP/1.0"},
	{START UPGRADE KEY VERSION "Content-Length: 1\r\n\r\n", 400, "", "body"},
	{START UPGRADE KEY VERSION "Transfer-Encoding: chunked\r\n\r\n", 400, "", "body"},
	{START KEY VERSION "\r\n", 426, "Upgrade: websocket\r\nConnection: Upgrade\r\n",
	 "no Upgrade"},
	{START KEY VERSION "Upgrade: websockets\r\nConnection: Upgrade\r\n\r\n", 426,
	 "Upgrade: websocket\r\nConnection: Upgrade\r\n", "no Upgrade"},
	{START KEY VERSION "Upgrade: websocket\r\n\r\n", 400, "", "Connection"},
	{START KEY VERSION "Upgrade: websocket\r\nConnection: close\r\n\r\n", 400, "",
	 "Connection"},
	{START UPGRADE KEY "\r\n", 426, "Sec-WebSocket-Version: 13\r\n", "version"},
	{START UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n", 426,
	 "Sec-WebSocket-Version: 13\r\n", "version"},
	{START UPGRADE KEY "Sec-WebSocket-Version: 13, 8\r\n\r\n", 426,
	 "Sec-WebSocket-Version: 13\r\n", "version"},
	{START UPGRADE KEY "Sec-WebSocket-Version: 013\r\n\r\n", 426,
	 "Sec-WebSocket-Version: 13\r\n", "version"},
	{START UPGRADE KEY VERSION VERSION "\r\n", 400, "", "Version"},
	{START UPGRADE VERSION "\r\n", 400, "", "Key"},
	{START UPGRADE VERSION KEY KEY "\r\n", 400, "", "Key"},
	{START UPGRADE VERSION "Sec-WebSocket-Key:\r\n\r\n", 400, "", "Key"},
	{START UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n\r\n", 400,
	 "", "Key"},
	{START UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ===\r\n\r\n",
	 400, "", "Key"},
	{START UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n\r\n", 400,
	 "", "Key"},
	{START UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ===\r\n\r\n", 400,
	 "", "Key"},
	{START UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25-ZQ==\r\n\r\n", 400,
	 "", "Key"},
	{START UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbX sZSBub25jZQ==\r\n\r\n", 400,
	 "", "Key"},
	{START UPGRADE KEY VERSION "Origin: a\r\nOrigin: a\r\n\r\n", 400, "", "Origin"},
	{START UPGRADE KEY VERSION "Sec-WebSocket-Protocol: a, b c\r\n\r\n", 400, "",
	 "subprotocol"},
	{START UPGRADE KEY VERSION "Sec-WebSocket-Protocol: a\r\n"
				   "Sec-WebSocket-Protocol: b/c\r\n\r\n",
	 400, "", "subprotocol"},
};

START_TEST(bad_handshakes_are_refused_with_what_the_answer_needs)
{
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct http_head head;
		struct ws_handshake hs;
		struct err e = ERR_INIT;

		read_head(&head, bad[i].text);
		ck_assert_msg(ws_handshake_judge(&hs, &head, &e) == -1, "row %zu", i);
		ck_assert_msg(hs.status == bad[i].status && strstr(e.text, bad[i].why),
			      "row %zu: %d %s", i, hs.status, e.text);
		ck_assert_str_eq(hs.fields, bad[i].fields);
	}
}
END_TEST

/* The example of RFC 6455 section 1.3. */
START_TEST(the_text_to_hash_is_the_key_and_the_guid)
{
	struct http_head head;
	struct ws_handshake hs;
	struct err e = ERR_INIT;
	char blank[WS_ACCEPT_TEXT_CHARS] = "";
	char *text = exact_copy(blank, sizeof(blank));

	read_head(&head, good[0]);
	ck_assert_int_eq(ws_handshake_judge(&hs, &head, &e), 0);
	ws_handshake_accept_text(&hs, text);
	ck_assert_mem_eq(text,
			 "dGhlIHNhbXBsZSBub25jZQ=="
			 "258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
			 WS_ACCEPT_TEXT_CHARS);
	free(text);
}
END_TEST

START_TEST(subprotocols_come_in_the_order_in_which_they_are_wanted)
{
	static const char *const offered[] = {"paybell.v1", "token.eyJ.x_-.y", "last"};
	struct http_head head;
	struct http_items next = {0};
	struct http_text protocol;

	read_head(&head, START UPGRADE KEY VERSION
		  "Sec-WebSocket-Protocol: paybell.v1, token.eyJ.x_-.y\r\n"
		  "sec-websocket-protocol: last\r\n\r\n");
	for (size_t i = 0; i < COUNT(offered); i++) {
		ck_assert(ws_handshake_next_protocol(&head, &next, &protocol));
		ck_assert(http_text_is(protocol, offered[i]));
	}
	ck_assert(!ws_handshake_next_protocol(&head, &next, &protocol));
}
END_TEST

START_TEST(an_origin_is_handed_out_as_it_came)
{
	struct http_head head;
	struct ws_handshake hs;
	struct err e = ERR_INIT;

	read_head(&head, good[1]);
	ck_assert_int_eq(ws_handshake_judge(&hs, &head, &e), 0);
	ck_assert(http_text_is(hs.origin, "https://example.com"));
}
END_TEST

Suite *ws_handshake_suite(void)
{
	Suite *s = suite_create("ws_handshake");
	TCase *t = tcase_create("ws_handshake");

	tcase_add_test(t, good_handshakes_are_taken);
	tcase_add_test(t, bad_handshakes_are_refused_with_what_the_answer_needs);
	tcase_add_test(t, the_text_to_hash_is_the_key_and_the_guid);
	tcase_add_test(t, subprotocols_come_in_the_order_in_which_they_are_wanted);
	tcase_add_test(t, an_origin_is_handed_out_as_it_came);
	suite_add_tcase(s, t);
	return s;
}
