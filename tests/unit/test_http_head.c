/* Every head is fed whole, a byte at a time and in random pieces, into a buffer that
 * moves as it grows, and has to say the same. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "exact.h"
#include "wire/http_head.h"

#define COUNT(rows)  (sizeof(rows) / sizeof((rows)[0]))
#define RANDOM_FEEDS 6
#define HOST         "Host: example.com\r\n"
#define GET          "GET / HTTP/1.1\r\n" HOST

Suite *http_head_suite(void);

static uint32_t seed;

/* step 0: random pieces. The buffer that the head points into is the caller's. Returns
 * what http_head_read() said last; *given is how much it had then. */
static int feed(struct http_head *h, const char *text, size_t len, size_t step,
		size_t max_bytes, char **buffer, size_t *given, struct err *e)
{
	int rc = 0;

	*buffer = NULL;
	*given = 0;
	http_head_init(h, max_bytes);
	while (rc == 0 && *given < len) {
		size_t piece = step;

		if (piece == 0) {
			seed = seed * 1664525 + 1013904223;
			piece = 1 + (seed >> 8) % 40;
		}
		*given += piece < len - *given ? piece : len - *given;
		free(*buffer);
		*buffer = exact_copy(text, *given);
		rc = http_head_read(h, *buffer, *given, e);
	}
	return rc;
}

static char *text_of(struct http_text text)
{
	static char out[4][256];
	static int turn;
	char *to = out[turn = (turn + 1) % 4];

	snprintf(to, sizeof(out[0]), "%.*s", (int)text.len, text.at ? text.at : "(none)");
	return to;
}

/* A complete head, read in one piece. */
static void read_whole(struct http_head *h, const char *text)
{
	struct err e = ERR_INIT;

	http_head_init(h, HTTP_HEAD_MAX_DEFAULT);
	if (http_head_read(h, text, strlen(text), &e) != 1)
		ck_abort_msg("%s: %s", text, e.text);
}

static const struct {
	const char *head, *behind;
	const char *method, *path;
	int minor;
	long long content_length;
	bool chunked;
} good[] = {
	{GET "\r\n", "", "GET", "/", 1, -1, false},
	{GET "\r\n", "\x81\x85", "GET", "/", 1, -1, false},
	{GET "\r\n", "GET / HTTP/1.1\r\n", "GET", "/", 1, -1, false},
	{"\r\n" GET "\r\n", "", "GET", "/", 1, -1, false},
	{"GET /ws?token=x HTTP/1.1\r\n" HOST "\r\n", "", "GET", "/ws", 1, -1, false},
	{"GET /a/b/../%2e?x?y HTTP/1.1\r\n" HOST "\r\n", "", "GET", "/a/b/../%2e", 1, -1,
	 false},
	{"POST /p HTTP/1.1\r\n" HOST "Content-Length: 12\r\n\r\n", "twelve bytes", "POST",
	 "/p", 1, 12, false},
	{"POST /p HTTP/1.1\r\n" HOST "content-length:0\r\n\r\n", "", "POST", "/p", 1, 0,
	 false},
	{"POST / HTTP/1.1\r\n" HOST "CONTENT-LENGTH: 999999999999999999\r\n\r\n", "",
	 "POST", "/", 1, 999999999999999999, false},
	{"POST / HTTP/1.1\r\n" HOST "Content-Length: 0005\r\n\r\n", "", "POST", "/", 1, 5,
	 false},
	{"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked \r\n\r\n", "0\r\n\r\n",
	 "POST", "/", 1, -1, true},
	{"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "", "OPTIONS", "*", 1, -1, false},
	{"get / HTTP/1.1\r\n" HOST "\r\n", "", "get", "/", 1, -1, false},
	{"M-SEARCH / HTTP/1.1\r\n" HOST "\r\n", "", "M-SEARCH", "/", 1, -1, false},
	{"GET http://example.com/a?b HTTP/1.1\r\n" HOST "\r\n", "", "GET", "/a", 1, -1,
	 false},
	{"GET HTTPS://h:1/a HTTP/1.1\r\n" HOST "\r\n", "", "GET", "/a", 1, -1, false},
	{"GET ws://h HTTP/1.1\r\n" HOST "\r\n", "", "GET", "/", 1, -1, false},
	{"GET http://h?q HTTP/1.1\r\n" HOST "\r\n", "", "GET", "/", 1, -1, false},
	{"GET / HTTP/1.0\r\n\r\n", "", "GET", "/", 0, -1, false},
	{"GET / HTTP/1.2\r\n" HOST "\r\n", "", "GET", "/", 2, -1, false},
	{"GET / HTTP/1.1\r\nHost:\r\n\r\n", "", "GET", "/", 1, -1, false},
	{"GET / HTTP/1.1\r\nhOST: [::1]:80\r\n\r\n", "", "GET", "/", 1, -1, false},
	{GET "X:\r\nY: \t \r\nZ:\t1\t2 \r\n\r\n", "", "GET", "/", 1, -1, false},
	{GET "X: \xc3\xa9\xff\r\n\r\n", "", "GET", "/", 1, -1, false},
	{GET "!#$%&'*+-.^_`|~09azAZ: x\r\n\r\n", "", "GET", "/", 1, -1, false},
	{GET "X: a:b: c\r\n\r\n", "", "GET", "/", 1, -1, false},
};

static void check_good(size_t row, size_t step)
{
	char text[1024], *buffer;
	struct http_head h;
	struct err e = ERR_INIT;
	size_t given, head = strlen(good[row].head);
	int len = snprintf(text, sizeof(text), "%s%s", good[row].head, good[row].behind);
	int rc = feed(&h, text, (size_t)len, step, 1024, &buffer, &given, &e);

	ck_assert_msg(rc == 1, "row %zu: %s", row, e.text);
	ck_assert_uint_eq(h.bytes, head);
	ck_assert(step != 1 || given == head);
	ck_assert_str_eq(text_of(http_head_method(&h)), good[row].method);
	ck_assert_str_eq(text_of(http_head_path(&h)), good[row].path);
	ck_assert_int_eq(h.minor_version, good[row].minor);
	ck_assert_int_eq(h.content_length, good[row].content_length);
	ck_assert_int_eq(h.chunked, good[row].chunked);
	free(buffer);
}

START_TEST(good_heads_are_read_however_they_are_cut)
{
	for (size_t row = 0; row < COUNT(good); row++) {
		check_good(row, 1024);
		check_good(row, 1);
		for (int i = 0; i < RANDOM_FEEDS; i++)
			check_good(row, 0);
	}
}
END_TEST

static const struct {
	const char *text;
	size_t len;
	int status;
	const char *why;
} bad[] = {
#define B(text, status, why)                                                             \
	{                                                                                \
		text, sizeof(text) - 1, status, why                                      \
	}
	/* Ends of lines. */
	B("GET / HTTP/1.1\n", 400, "LF without CR"),
	B("GET / HTTP/1.1\r\n" HOST "\n", 400, "LF without CR"),
	B("GET / HTTP/1.1\rX", 400, "CR without LF"),
	B("GET / HTTP/1.1\r\r\n", 400, "CR without LF"),
	B(GET "X: a\rb\r\n\r\n", 400, "CR without LF"),
	B(GET "X: a\nb\r\n\r\n", 400, "LF without CR"),
	B(GET "X: a\r\n\rX\r\n\r\n", 400, "CR without LF"),
	B("\n" GET "\r\n", 400, "LF without CR"),
	B("\r\n\r\n" GET "\r\n", 400, "empty lines"),
	/* Control characters. */
	B(GET "X: \0\r\n\r\n", 400, "control character"),
	B(GET "X: a\x01", 400, "control character"),
	B(GET "X: a\x0b", 400, "control character"),
	B(GET "X: a\x1f", 400, "control character"),
	B(GET "X: a\x7f", 400, "control character"),
	B("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 400, "control character"),
	B("\0", 400, "control character"),
	/* Request lines. */
	B("GET /\r\n", 400, "version"),
	B("GET / \r\n", 400, "version"),
	B("GET  / HTTP/1.1\r\n", 400, "version"),
	B("GET /  HTTP/1.1\r\n", 400, "version"),
	B("GET / HTTP/1.1 \r\n", 400, "version"),
	B("GET\t/\tHTTP/1.1\r\n", 400, "method"),
	B("GET /a b HTTP/1.1\r\n", 400, "version"),
	B("GET / http/1.1\r\n", 400, "version"),
	B("GET / HTTP/1\r\n", 400, "version"),
	B("GET / HTTP/11\r\n", 400, "version"),
	B("GET / HTTP/1.10\r\n", 400, "version"),
	B("GET / HTTP/1.x\r\n", 400, "version"),
	B("GET / HTTPS/1.1\r\n", 400, "version"),
	B("GET / HTTP/2.0\r\n", 505, "only HTTP/1"),
	B("GET / HTTP/0.9\r\n", 505, "only HTTP/1"),
	B("GET / HTTP/3.0\r\n", 505, "only HTTP/1"),
	B("PRI * HTTP/2.0\r\n", 505, "only HTTP/1"),
	B(" GET / HTTP/1.1\r\n", 400, "method"),
	B("G(T / HTTP/1.1\r\n", 400, "method"),
	B("G\xc3\xa9T / HTTP/1.1\r\n", 400, "method"),
	B("GET x HTTP/1.1\r\n", 400, "no path"),
	B("GET ?x HTTP/1.1\r\n", 400, "no path"),
	B("GET ** HTTP/1.1\r\n", 400, "no path"),
	B("GET http:///a HTTP/1.1\r\n", 400, "no path"),
	B("GET http:// HTTP/1.1\r\n", 400, "no path"),
	B("GET ftp://h/a HTTP/1.1\r\n", 400, "no path"),
	B("CONNECT example.com:443 HTTP/1.1\r\n", 400, "no path"),
	B("GET /#top HTTP/1.1\r\n", 400, "no target"),
	B("GET /\t HTTP/1.1\r\n", 400, "no target"),
	B("GET /\xc3\xa9 HTTP/1.1\r\n", 400, "no target"),
	/* Fields. */
	B(GET "X : a\r\n\r\n", 400, "name"),
	B(GET "X\t: a\r\n\r\n", 400, "name"),
	B(GET ": a\r\n\r\n", 400, "name"),
	B(GET "X Y: a\r\n\r\n", 400, "name"),
	B(GET "X(: a\r\n\r\n", 400, "name"),
	B(GET "X\xc3\xa9: a\r\n\r\n", 400, "name"),
	B(GET "\"X\": a\r\n\r\n", 400, "name"),
	B(GET "X\r\n\r\n", 400, "colon"),
	B(GET "X a\r\n\r\n", 400, "colon"),
	B(GET "X: a\r\n b\r\n\r\n", 400, "folded"),
	B(GET "X: a\r\n\tb: c\r\n\r\n", 400, "folded"),
	B("GET / HTTP/1.1\r\n " HOST "\r\n", 400, "folded"),
	B(GET "X: a\r\n \r\n", 400, "folded"),
	/* Hosts. */
	B("GET / HTTP/1.1\r\n\r\n", 400, "no Host"),
	B("GET / HTTP/1.1\r\nX: y\r\n\r\n", 400, "no Host"),
	B(GET HOST "\r\n", 400, "more than one Host"),
	B(GET "host: other\r\n\r\n", 400, "more than one Host"),
	B("GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400, "more than one Host"),
	B("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "Host that is none"),
	B("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400, "Host that is none"),
	B("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "Host that is none"),
	B("GET / HTTP/1.1\r\nHost: u@b\r\n\r\n", 400, "Host that is none"),
	B("GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n", 400, "Host that is none"),
	/* Bodies. */
	B(GET "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400, "more than one"),
	B(GET "Content-Length: 5\r\ncontent-length: 6\r\n\r\n", 400, "more than one"),
	B(GET "Content-Length: 5, 5\r\n\r\n", 400, "no number"),
	B(GET "Content-Length:\r\n\r\n", 400, "no number"),
	B(GET "Content-Length: +5\r\n\r\n", 400, "no number"),
	B(GET "Content-Length: -5\r\n\r\n", 400, "no number"),
	B(GET "Content-Length: 0x5\r\n\r\n", 400, "no number"),
	B(GET "Content-Length: 5 5\r\n\r\n", 400, "no number"),
	B(GET "Content-Length: 1000000000000000000\r\n\r\n", 400, "no number"),
	B(GET "Content-Length: 18446744073709551621\r\n\r\n", 400, "no number"),
	B(GET "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
	  "Transfer-Encoding and"),
	B(GET "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 400,
	  "Transfer-Encoding and"),
	B(GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
	  "more than one Transfer-Encoding"),
	B(GET "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "other than chunked"),
	B(GET "Transfer-Encoding: chunked, identity\r\n\r\n", 501, "other than chunked"),
	B(GET "Transfer-Encoding: xchunked\r\n\r\n", 501, "other than chunked"),
	B(GET "Transfer-Encoding:\r\n\r\n", 501, "other than chunked"),
	B("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "HTTP/1.0"),
#undef B
};

/* Returns how much it had when it refused. */
static size_t check_bad(size_t row, size_t step)
{
	struct http_head h;
	struct err e = ERR_INIT;
	size_t given;
	char *buffer;
	int rc = feed(&h, bad[row].text, bad[row].len, step, 1024, &buffer, &given, &e);

	ck_assert_msg(rc == -1, "row %zu is taken", row);
	ck_assert_msg(h.status == bad[row].status && strstr(e.text, bad[row].why),
		      "row %zu: %d %s", row, h.status, e.text);
	free(buffer);
	return given;
}

START_TEST(bad_heads_are_refused_however_they_are_cut)
{
	for (size_t row = 0; row < COUNT(bad); row++) {
		check_bad(row, bad[row].len);
		check_bad(row, 1);
		for (int i = 0; i < RANDOM_FEEDS; i++)
			check_bad(row, 0);
	}
}
END_TEST

START_TEST(rubbish_is_refused_at_its_first_control_character)
{
	static const char tls[] = "\x16\x03\x01";
	struct http_head h;
	struct err e = ERR_INIT;

	http_head_init(&h, HTTP_HEAD_MAX_DEFAULT);
	ck_assert_int_eq(http_head_read(&h, tls, 1, &e), -1);
	ck_assert_int_eq(h.status, 400);
}
END_TEST

/* "GET /aaa HTTP/1.1" and "X: aaa" of a given size, in all. */
static size_t put_head(char *out, size_t target, size_t value)
{
	size_t len = 0;

	memcpy(out, "GET /", 5);
	memset(out + 5, 'a', target);
	len = 5 + target;
	memcpy(out + len, " HTTP/1.1\r\n" HOST "X: ", 11 + 19 + 3);
	len += 11 + 19 + 3;
	memset(out + len, 'v', value);
	len += value;
	memcpy(out + len, "\r\n\r\n", 4);
	return len + 4;
}

static int read_with(const char *text, size_t len, size_t step, size_t max, int *status)
{
	struct http_head h;
	struct err e = ERR_INIT;
	size_t given;
	char *buffer;
	int rc = feed(&h, text, len, step, max, &buffer, &given, &e);

	*status = h.status;
	free(buffer);
	return rc;
}

START_TEST(a_head_may_have_the_maximum_and_no_byte_more)
{
	static char text[4096];
	size_t len = put_head(text, 100, 100);
	int status;

	for (size_t step = 0; step <= len; step += step > 0 ? 37 : 1) {
		ck_assert_int_eq(read_with(text, len, step, len, &status), 1);
		ck_assert_int_eq(read_with(text, len, step, len + 1, &status), 1);
		ck_assert_int_eq(read_with(text, len, step, len - 1, &status), -1);
		ck_assert_int_eq(status, 431);
	}
}
END_TEST

START_TEST(what_is_too_long_says_where)
{
	static char text[4096];
	int status;
	size_t len = put_head(text, 2000, 0);

	ck_assert_int_eq(read_with(text, len, len, 1000, &status), -1);
	ck_assert_int_eq(status, 414);
	ck_assert_int_eq(read_with(text, len, 1, 1000, &status), -1);
	ck_assert_int_eq(status, 414);
	len = put_head(text, 0, 2000);
	ck_assert_int_eq(read_with(text, len, len, 1000, &status), -1);
	ck_assert_int_eq(status, 431);
	ck_assert_int_eq(read_with(text, len, 1, 1000, &status), -1);
	ck_assert_int_eq(status, 431);
	/* At the maximum it is known; a byte before, it is not. */
	ck_assert_int_eq(read_with(text, 1000, 1000, 1000, &status), -1);
	ck_assert_int_eq(read_with(text, 999, 999, 1000, &status), 0);
}
END_TEST

START_TEST(fields_are_found_in_any_case_and_counted)
{
	struct http_head h;
	struct http_text value;

	read_whole(&h, GET "Origin:  https://example.com \r\nX-Empty:\r\n"
			   "x-two: a\r\nX-Two: b\r\nX: short\r\n\r\n");
	ck_assert_uint_eq(http_head_field(&h, "origin", &value), 1);
	ck_assert_str_eq(text_of(value), "https://example.com");
	ck_assert_uint_eq(http_head_field(&h, "ORIGIN", NULL), 1);
	ck_assert_uint_eq(http_head_field(&h, "X-Two", &value), 2);
	ck_assert_str_eq(text_of(value), "a");
	ck_assert_uint_eq(http_head_field(&h, "x-empty", &value), 1);
	ck_assert(value.at != NULL && value.len == 0);
	ck_assert_uint_eq(http_head_field(&h, "X-Tw", &value), 0);
	ck_assert_ptr_null(value.at);
	ck_assert_uint_eq(http_head_field(&h, "GET / HTTP/1.1", &value), 0);
	ck_assert_uint_eq(http_head_field(&h, "", &value), 0);
}
END_TEST

START_TEST(what_follows_the_head_is_no_field)
{
	struct http_head h;

	read_whole(&h, GET "\r\nX: y\r\n\r\n");
	ck_assert_uint_eq(http_head_field(&h, "X", NULL), 0);
	read_whole(&h, "GET / HTTP/1.0\r\n\r\nX: y\r\n\r\n");
	ck_assert_uint_eq(http_head_field(&h, "X", NULL), 0);
}
END_TEST

START_TEST(lists_are_one_field_or_several)
{
	static const char *const members[] = {"keep-alive", "Upgrade", "a b", "last"};
	struct http_head h;
	struct http_items next = {0};
	struct http_text item;

	read_whole(&h, GET "Connection: keep-alive ,, Upgrade,\r\nX: none, of, it\r\n"
			   "Connection:\r\nCONNECTION: ,a b\r\nconnection:last\r\n\r\n");
	for (size_t i = 0; i < COUNT(members); i++) {
		ck_assert(http_head_next_item(&h, "Connection", &next, &item));
		ck_assert_str_eq(text_of(item), members[i]);
	}
	ck_assert(!http_head_next_item(&h, "Connection", &next, &item));
	ck_assert(!http_head_next_item(&h, "Connection", &next, &item));
	ck_assert(http_head_has_item(&h, "connection", "upgrade"));
	ck_assert(http_head_has_item(&h, "connection", "LAST"));
	ck_assert(!http_head_has_item(&h, "connection", "upgrad"));
	ck_assert(!http_head_has_item(&h, "connection", "upgrades"));
	ck_assert(!http_head_has_item(&h, "connection", "of"));
	ck_assert(!http_head_has_item(&h, "connection", ""));
}
END_TEST

static const struct {
	const char *target, *name;
	int rc;
	const char *value;
} queries[] = {
	{"/", "a", 0, ""},
	{"/?", "a", 0, ""},
	{"/?a", "a", 1, ""},
	{"/?a=", "a", 1, ""},
	{"/?a=b", "a", 1, "b"},
	{"/?a=b=c?d", "a", 1, "b=c?d"},
	{"/?a=1&a=2", "a", 1, "1"},
	{"/?b=1&&a=2&", "a", 1, "2"},
	{"/?ab=1&ba=2", "a", 0, ""},
	{"/?ab=1&ba=2", "ba", 1, "2"},
	{"/?A=1", "a", 0, ""},
	{"/?a=x%20y+z%2B%3d%26", "a", 1, "x y z+=&"},
	{"/?%61b=1", "ab", 1, "1"},
	{"/?a=%c3%a9", "a", 1, "\xc3\xa9"},
	{"/?a=1234567", "a", 1, "1234567"},
	{"/?a=eyJ.b_-", "a", 1, "eyJ.b_-"},
	{"/?a=12345678901", "a", -1, ""},
	{"/?a=%31234567890", "a", 1, "1234567890"},
	{"/?a=%", "a", -1, ""},
	{"/?a=%4", "a", -1, ""},
	{"/?a=%4&b=1", "a", -1, ""},
	{"/?a=%zz", "a", -1, ""},
	{"/?a=%00", "a", -1, ""},
	{"/?a%00=1", "a", 0, ""},
	{"/?a%=1&a=2", "a", 1, "2"},
	{"/?b=%&a=2", "a", 1, "2"},
	{"http://h?a=b", "a", 1, "b"},
};

START_TEST(query_values_are_decoded_on_demand)
{
	for (size_t i = 0; i < COUNT(queries); i++) {
		char text[256], out[11] = "";
		struct http_head h;
		int rc;

		snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" HOST "\r\n",
			 queries[i].target);
		read_whole(&h, text);
		rc = http_head_query(&h, queries[i].name, out, sizeof(out));
		ck_assert_msg(rc == queries[i].rc, "%s: %d", queries[i].target, rc);
		ck_assert(rc != 1 || strcmp(out, queries[i].value) == 0);
	}
}
END_TEST

START_TEST(texts_are_compared_as_said)
{
	struct http_text text = {"Upgrade", 7}, none = {NULL, 0}, empty = {"", 0};

	ck_assert(http_text_is(text, "Upgrade"));
	ck_assert(!http_text_is(text, "upgrade"));
	ck_assert(!http_text_is(text, "Upgrad"));
	ck_assert(http_text_is_nocase(text, "uPGRADE"));
	ck_assert(!http_text_is_nocase(text, "Upgrades"));
	ck_assert(!http_text_is(none, "") && !http_text_is_nocase(none, ""));
	ck_assert(http_text_is(empty, ""));
	ck_assert(http_text_is_token(text));
	ck_assert(!http_text_is_token(empty));
	ck_assert(!http_text_is_token((struct http_text){"a b", 3}));
	ck_assert(!http_text_is_token((struct http_text){"a\0", 2}));
}
END_TEST

Suite *http_head_suite(void)
{
	Suite *s = suite_create("http_head");
	TCase *t = tcase_create("http_head");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, good_heads_are_read_however_they_are_cut);
	tcase_add_test(t, bad_heads_are_refused_however_they_are_cut);
	tcase_add_test(t, rubbish_is_refused_at_its_first_control_character);
	tcase_add_test(t, a_head_may_have_the_maximum_and_no_byte_more);
	tcase_add_test(t, what_is_too_long_says_where);
	tcase_add_test(t, fields_are_found_in_any_case_and_counted);
	tcase_add_test(t, what_follows_the_head_is_no_field);
	tcase_add_test(t, lists_are_one_field_or_several);
	tcase_add_test(t, query_values_are_decoded_on_demand);
	tcase_add_test(t, texts_are_compared_as_said);
	suite_add_tcase(s, t);
	return s;
}
