/* Every input is fed whole, a byte at a time and in random pieces, and has to say the
 * same. What an owner may forget between two reads is forgotten here. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "exact.h"
#include "wire/ws.h"

#define COUNT(rows)  (sizeof(rows) / sizeof((rows)[0]))
#define MAX_BYTES    (1 << 20)
#define RANDOM_FEEDS 4

Suite *ws_suite(void);

/* Not ck_assert(), which writes to a file each time: this is asked for every byte. */
static void require(bool holds, const char *what)
{
	if (!holds)
		ck_abort_msg("does not hold: %s", what);
}

/* ---- what a client sends ---- */

static void put_masked(struct buf *out, const void *payload, size_t len)
{
	static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};

	char *at;

	buf_add(out, mask, sizeof(mask));
	at = buf_reserve(out, len);
	for (size_t i = 0; i < len; i++)
		at[i] = (char)(((const unsigned char *)payload)[i] ^ mask[i % 4]);
	buf_commit(out, len);
}

static void put_frame(struct buf *out, unsigned first, const void *payload, size_t len)
{
	unsigned char head[10] = {(unsigned char)first};
	size_t size = 2;

	if (len < 126) {
		head[1] = (unsigned char)len;
	} else if (len < 65536) {
		head[1] = 126;
		head[2] = (unsigned char)(len >> 8);
		head[3] = (unsigned char)len;
		size = 4;
	} else {
		head[1] = 127;
		for (int i = 0; i < 8; i++)
			head[2 + i] = (unsigned char)((uint64_t)len >> (56 - 8 * i));
		size = 10;
	}
	head[1] |= 0x80;
	buf_add(out, head, size);
	put_masked(out, payload, len);
}

/* ---- what the reader says of it ---- */

static void say(struct buf *out, const char *what, const void *payload, size_t len)
{
	const unsigned char *p = payload;
	uint64_t hash = 14695981039346656037U;

	buf_addf(out, "%s(", what);
	for (size_t i = 0; i < len; i++) {
		hash = (hash ^ p[i]) * 1099511628211U;
		if (len <= 130)
			buf_addf(out, p[i] < ' ' || p[i] > '~' ? "\\x%02x" : "%c", p[i]);
	}
	if (len > 130)
		buf_addf(out, "%zu bytes, %016llx", len, (unsigned long long)hash);
	buf_add_char(out, ')');
}

struct listener {
	struct ws ws;
	unsigned char kept[WS_CONTROL_MAX]; /* of a control frame in pieces */
	struct buf message, said;
	size_t read;     /* bytes */
	size_t ended_at; /* the piece's end at which CLOSE or ERROR was said */
};

static void hear_data(struct listener *l, const struct ws_event *ev)
{
	require(ev->first == (l->message.max_bytes == 0), "the first slice says so");
	if (ev->first)
		buf_init(&l->message, 2 * MAX_BYTES);
	require(ev->len > 0 || ev->last, "a slice is empty only at the end");
	buf_add(&l->message, ev->bytes, ev->len);
	if (!ev->last)
		return;
	say(&l->said, ev->opcode == WS_TEXT ? "text" : "binary", buf_text(&l->message),
	    l->message.len);
	buf_release(&l->message);
	l->message.max_bytes = 0;
}

static void hear(struct listener *l, const struct ws_event *ev)
{
	char word[32];

	require((ev->bytes == NULL) == (ev->len == 0), "no bytes, no pointer");
	switch (ev->type) {
	case WS_EVENT_NONE:
		return;
	case WS_EVENT_DATA:
		hear_data(l, ev);
		return;
	case WS_EVENT_PING:
		say(&l->said, "ping", ev->bytes, ev->len);
		return;
	case WS_EVENT_PONG:
		say(&l->said, "pong", ev->bytes, ev->len);
		return;
	case WS_EVENT_CLOSE:
		snprintf(word, sizeof(word), "close %d", ev->code);
		say(&l->said, word, ev->bytes, ev->len);
		break;
	case WS_EVENT_ERROR:
		require(ev->why != NULL, "an error says why");
		buf_addf(&l->said, "error %d", ev->code);
	}
	require(l->ended_at == 0, "it ends once");
	l->ended_at = l->read;
}

static void feed_piece(struct listener *l, const char *bytes, size_t len, uint64_t max)
{
	unsigned char *piece = (unsigned char *)exact_copy(bytes, len);
	unsigned char control[WS_CONTROL_MAX];
	size_t at = 0;

	l->read += len;
	memset(control, 0xee, sizeof(control));
	memcpy(control, l->kept, ws_control_bytes(&l->ws));
	while (at < len) {
		struct ws_event ev;
		size_t used = ws_read(&l->ws, max, control, piece + at, len - at, &ev);

		require(used > 0 && used <= len - at, "some are taken");
		require(ev.type != WS_EVENT_NONE || used == len - at, "all are taken");
		hear(l, &ev);
		at += used;
		if (ws_idle(&l->ws))
			memset(&l->ws, 0, sizeof(l->ws));
	}
	memcpy(l->kept, control, ws_control_bytes(&l->ws));
	free(piece);
}

static uint32_t seed;

static size_t random_piece(size_t most)
{
	seed = seed * 1664525 + 1013904223;
	return 1 + (seed >> 8) % (seed >> 30 ? 9 : most);
}

/* step 0: in random pieces. What was said is the caller's. */
static struct listener listen_to(const struct buf *in, size_t step, uint64_t max)
{
	struct listener l = {0};

	buf_init(&l.said, MAX_BYTES);
	for (size_t at = 0; at < in->len;) {
		size_t piece = step > 0 ? step : random_piece(in->len);

		if (piece > in->len - at)
			piece = in->len - at;
		feed_piece(&l, in->data + at, piece, max);
		at += piece;
	}
	buf_release(&l.message);
	return l;
}

/* However it is cut. Returns the byte at which it ended, 0 if it did not. */
static size_t expect_within(const struct buf *in, uint64_t max, const char *said,
			    const char *row)
{
	size_t ended_at = 0;

	for (size_t run = 0; run < 2 + RANDOM_FEEDS; run++) {
		size_t step = run == 0 ? in->len : run == 1 ? 1 : 0;
		struct listener l = listen_to(in, step, max);

		if (strcmp(buf_text(&l.said), said) != 0)
			ck_abort_msg("%s, run %zu: %s, not %s", row, run,
				     buf_text(&l.said), said);
		if (step == 1)
			ended_at = l.ended_at;
		buf_release(&l.said);
	}
	return ended_at;
}

static size_t expect(const struct buf *in, const char *said, const char *row)
{
	return expect_within(in, MAX_BYTES, said, row);
}

/* ---- messages ---- */

struct frame {
	unsigned char first;
	const char *payload;
	size_t len;
};

#define F(first, payload)                                                                \
	{                                                                                \
		first, payload, sizeof(payload) - 1                                      \
	}
#define SMILE "\xf0\x9f\x98\x80"
#define TEN   "0123456789"
#define LONG  TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "12345" /* 125 bytes */

static const struct {
	struct frame frames[8];
	const char *said;
} conversations[] = {
	/* Whole messages. */
	{{F(0x81, "")}, "text()"},
	{{F(0x81, "Hello")}, "text(Hello)"},
	{{F(0x82, "")}, "binary()"},
	{{F(0x82, "\x00\xff\x80")}, "binary(\\x00\\xff\\x80)"},
	{{F(0x81, "a"), F(0x81, "b"), F(0x82, "c")}, "text(a)text(b)binary(c)"},
	/* Fragments. */
	{{F(0x01, "Hel"), F(0x80, "lo")}, "text(Hello)"},
	{{F(0x02, "Hel"), F(0x80, "lo")}, "binary(Hello)"},
	{{F(0x01, ""), F(0x80, "")}, "text()"},
	{{F(0x01, ""), F(0x00, ""), F(0x00, ""), F(0x80, "")}, "text()"},
	{{F(0x01, ""), F(0x00, "x"), F(0x80, "")}, "text(x)"},
	{{F(0x01, "a"), F(0x00, "b"), F(0x00, "c"), F(0x80, "d")}, "text(abcd)"},
	{{F(0x01, "a"), F(0x80, "b"), F(0x01, "c"), F(0x80, "d")}, "text(ab)text(cd)"},
	{{F(0x01, "a"), F(0x00, "b")}, ""},
	/* Control frames. */
	{{F(0x89, "")}, "ping()"},
	{{F(0x89, "x")}, "ping(x)"},
	{{F(0x8a, "")}, "pong()"},
	{{F(0x8a, "nobody asked")}, "pong(nobody asked)"},
	{{F(0x89, "\x00\xff\xfe")}, "ping(\\x00\\xff\\xfe)"},
	{{F(0x89, LONG)}, "ping(" LONG ")"},
	{{F(0x8a, LONG), F(0x89, LONG)}, "pong(" LONG ")ping(" LONG ")"},
	{{F(0x89, "1"), F(0x89, "2"), F(0x89, "3")}, "ping(1)ping(2)ping(3)"},
	/* Control frames between fragments. */
	{{F(0x01, "a"), F(0x89, "p"), F(0x80, "b")}, "ping(p)text(ab)"},
	{{F(0x01, "a"), F(0x89, ""), F(0x8a, ""), F(0x80, "b")}, "ping()pong()text(ab)"},
	{{F(0x01, "a"), F(0x89, LONG), F(0x00, "b"), F(0x8a, "q"), F(0x80, "c")},
	 "ping(" LONG ")pong(q)text(abc)"},
	{{F(0x01, ""), F(0x89, "p"), F(0x80, "")}, "ping(p)text()"},
	{{F(0x02, "\xf0"), F(0x89, "p"), F(0x80, "b")}, "ping(p)binary(\\xf0b)"},
	{{F(0x01, "a"), F(0x88, "\x03\xe8"), F(0x80, "b")}, "close 1000()"},
	{{F(0x01, "a"), F(0x89, "p"), F(0x00, "b"), F(0x02, "c")}, "ping(p)error 1002"},
	/* UTF-8 over fragments, also with control frames between. */
	{{F(0x81, SMILE)}, "text(\\xf0\\x9f\\x98\\x80)"},
	{{F(0x01, "\xf0"), F(0x00, "\x9f"), F(0x00, "\x98"), F(0x80, "\x80")},
	 "text(\\xf0\\x9f\\x98\\x80)"},
	{{F(0x01, "\xf0\x9f"), F(0x89, "\xff"), F(0x80, "\x98\x80")},
	 "ping(\\xff)text(\\xf0\\x9f\\x98\\x80)"},
	{{F(0x01, "\xf0"), F(0x00, ""), F(0x80, "\x9f\x98\x80")},
	 "text(\\xf0\\x9f\\x98\\x80)"},
	{{F(0x81, "\xf0\x9f\x98")}, "error 1007"},
	{{F(0x01, "\xf0\x9f\x98"), F(0x80, "")}, "error 1007"},
	{{F(0x01, "\xf0\x9f\x98"), F(0x00, "")}, ""},
	{{F(0x01, "\xf0\x9f\x98"), F(0x00, "a")}, "error 1007"},
	{{F(0x01, "\xff")}, "error 1007"},
	{{F(0x81, "a"), F(0x81, "\xc3"), F(0x81, "\xa9")}, "text(a)error 1007"},
	{{F(0x82, "\xc3"), F(0x81, "\xa9")}, "binary(\\xc3)error 1007"},
	{{F(0x81, "\xc0\xaf")}, "error 1007"},
	{{F(0x81, "\xed\xa0\x80")}, "error 1007"},
	{{F(0x81, "\xf4\x90\x80\x80")}, "error 1007"},
	{{F(0x81, "\xf4\x8f\xbf\xbf")}, "text(\\xf4\\x8f\\xbf\\xbf)"},
	{{F(0x81, "\xef\xbf\xbe")}, "text(\\xef\\xbf\\xbe)"},
	{{F(0x81, "a\0b")}, "text(a\\x00b)"},
	/* Continuations that belong to nothing, messages inside messages. */
	{{F(0x80, "x")}, "error 1002"},
	{{F(0x00, "x")}, "error 1002"},
	{{F(0x80, "")}, "error 1002"},
	{{F(0x81, "a"), F(0x80, "x")}, "text(a)error 1002"},
	{{F(0x89, "p"), F(0x00, "x")}, "ping(p)error 1002"},
	{{F(0x01, "a"), F(0x80, "b"), F(0x80, "x")}, "text(ab)error 1002"},
	{{F(0x01, "a"), F(0x81, "b")}, "error 1002"},
	{{F(0x01, "a"), F(0x01, "b")}, "error 1002"},
	{{F(0x02, "a"), F(0x82, "b")}, "error 1002"},
	{{F(0x01, ""), F(0x81, "b")}, "error 1002"},
	/* Closing. */
	{{F(0x88, "")}, "close 1005()"},
	{{F(0x88, "\x03\xe8")}, "close 1000()"},
	{{F(0x88, "\x03\xe9"
		  "bye")},
	 "close 1001(bye)"},
	{{F(0x88, "\x0f\xa0"
		  "\xc3\xa9")},
	 "close 4000(\\xc3\\xa9)"},
	{{F(0x88, "\x03")}, "error 1002"},
	{{F(0x88, "\x03\xe8\xff")}, "error 1007"},
	{{F(0x88, "\x03\xe8\xc3")}, "error 1007"},
	{{F(0x88, "\x03\xec")}, "error 1002"},
	{{F(0x88, "\x03\xed")}, "error 1002"},
	{{F(0x88, "\x00\x00")}, "error 1002"},
	/* After the end nothing is heard. */
	{{F(0x88, "\x03\xe8"), F(0x81, "x"), F(0x89, "p")}, "close 1000()"},
	{{F(0x88, ""), F(0x88, "")}, "close 1005()"},
	{{F(0x88, ""), F(0x83, "")}, "close 1005()"},
	{{F(0x83, "x"), F(0x81, "x"), F(0x88, "")}, "error 1002"},
};

START_TEST(conversations_are_understood_however_they_are_cut)
{
	for (size_t i = 0; i < COUNT(conversations); i++) {
		struct buf in;
		char row[32];

		buf_init(&in, 4096);
		for (size_t f = 0; f < 8 && conversations[i].frames[f].payload; f++)
			put_frame(&in, conversations[i].frames[f].first,
				  conversations[i].frames[f].payload,
				  conversations[i].frames[f].len);
		snprintf(row, sizeof(row), "row %zu", i);
		expect(&in, conversations[i].said, row);
		buf_release(&in);
	}
}
END_TEST

/* ---- headers ---- */

static const struct {
	const char *bytes;
	size_t len;
	int code;
	size_t at; /* the byte that decides */
} headers[] = {
#define H(bytes, code, at)                                                               \
	{                                                                                \
		bytes, sizeof(bytes) - 1, code, at                                       \
	}
	/* Reserved bits, alone, together, and on control frames. */
	H("\xc1\x80\0\0\0\0", 1002, 1),
	H("\xa1\x80\0\0\0\0", 1002, 1),
	H("\x91\x80\0\0\0\0", 1002, 1),
	H("\xf1\x80\0\0\0\0", 1002, 1),
	H("\xb2\x80\0\0\0\0", 1002, 1),
	H("\xc9\x80\0\0\0\0", 1002, 1),
	H("\xd8\x80\0\0\0\0", 1002, 1),
	H("\x41\x80\0\0\0\0", 1002, 1),
	/* No mask. */
	H("\x81\x00", 1002, 2),
	H("\x81\x05Hello", 1002, 2),
	H("\x82\x7e\x01\x00", 1002, 2),
	H("\x89\x00", 1002, 2),
	H("\x88\x02\x03\xe8", 1002, 2),
	/* Control frames: in fragments, too long. */
	H("\x09\x80\0\0\0\0", 1002, 1),
	H("\x0a\x80\0\0\0\0", 1002, 1),
	H("\x08\x80\0\0\0\0", 1002, 1),
	H("\x89\xfe\x00\x7e\0\0\0\0", 1002, 2),
	H("\x89\xfe\x00\x05\0\0\0\0", 1002, 2),
	H("\x8a\xff\0\0\0\0\0\0\0\x7e\0\0\0\0", 1002, 2),
	H("\x88\xfe\x00\x7e\0\0\0\0", 1002, 2),
	/* Lengths that are longer than they need to be. */
	H("\x82\xfe\x00\x00\0\0\0\0", 1002, 4),
	H("\x82\xfe\x00\x7d\0\0\0\0", 1002, 4),
	H("\x82\xff\0\0\0\0\0\0\0\0\0\0\0\0", 1002, 10),
	H("\x82\xff\0\0\0\0\0\0\0\x7d\0\0\0\0", 1002, 10),
	H("\x82\xff\0\0\0\0\0\0\xff\xff\0\0\0\0", 1002, 10),
	/* Lengths of 64 bits are none, however much may come. */
	H("\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 1002, 10),
	H("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 1002, 10),
	/* Too long for this reader, known before the mask. */
	H("\x82\xff\0\0\0\0\0\x10\0\x01\0\0\0\0", 1009, 10),
	H("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 1009, 10),
	H("\x01\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 1009, 10),
#undef H
};

START_TEST(a_header_is_refused_at_the_byte_that_decides)
{
	for (size_t i = 0; i < COUNT(headers); i++) {
		struct buf in;
		char row[32], said[32];

		buf_init(&in, 64);
		buf_add(&in, headers[i].bytes, headers[i].len);
		snprintf(row, sizeof(row), "header %zu", i);
		snprintf(said, sizeof(said), "error %d", headers[i].code);
		ck_assert_msg(expect(&in, said, row) == headers[i].at, "%s", row);
		buf_release(&in);
	}
}
END_TEST

START_TEST(every_first_byte_is_a_frame_or_refused)
{
	for (unsigned first = 0; first < 256; first++) {
		static const bool known[16] = {[WS_TEXT] = true,
					       [WS_BINARY] = true,
					       [WS_CLOSE] = true,
					       [WS_PING] = true,
					       [WS_PONG] = true};
		unsigned opcode = first & 15;
		bool good = known[opcode] && !(first & 0x70) &&
			    (opcode < 8 || (first & 0x80));
		struct buf in;
		struct listener l;

		buf_init(&in, 64);
		put_frame(&in, first, "", 0);
		l = listen_to(&in, 1, MAX_BYTES);
		ck_assert_msg((strcmp(buf_text(&l.said), "error 1002") == 0) == !good,
			      "%02x: %s", first, buf_text(&l.said));
		ck_assert(good || l.ended_at == 1);
		buf_release(&l.said);
		buf_release(&in);
	}
}
END_TEST

/* ---- sizes ---- */

/* Text of this length that has a code point of two bytes at every edge that it can. */
static char *text_of(size_t len)
{
	char *text = malloc(len + 1);

	if (text == NULL)
		abort();
	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + i % 23);
	for (size_t i = 0; i + 1 < len; i += 61)
		memcpy(text + i, "\xc3\xa9", 2);
	return text;
}

static const size_t sizes[] = {1,    2,     3,     7,     8,     9,     15,
			       124,  125,   126,   127,   128,   255,   256,
			       4096, 65534, 65535, 65536, 65537, 131071};

START_TEST(messages_of_every_size_come_out_as_they_went_in)
{
	for (size_t i = 0; i < COUNT(sizes); i++) {
		char *text = text_of(sizes[i]);
		struct buf in, said;

		buf_init(&in, MAX_BYTES);
		buf_init(&said, 4096);
		put_frame(&in, 0x81, text, sizes[i]);
		put_frame(&in, 0x02, text, sizes[i] / 2);
		put_frame(&in, 0x80, text + sizes[i] / 2, sizes[i] - sizes[i] / 2);
		say(&said, "text", text, sizes[i]);
		say(&said, "binary", text, sizes[i]);
		expect(&in, buf_text(&said), "size");
		buf_release(&in);
		buf_release(&said);
		free(text);
	}
}
END_TEST

START_TEST(a_message_may_have_the_limit_and_no_byte_more)
{
	static const size_t limits[] = {0, 1, 124, 125, 126, 127, 65535, 65536, 65537};

	for (size_t i = 0; i < COUNT(limits); i++) {
		size_t most = limits[i];
		char *text = text_of(most + 1);
		struct buf in, said;

		buf_init(&in, MAX_BYTES);
		buf_init(&said, 4096);
		put_frame(&in, 0x82, text, most);
		say(&said, "binary", text, most);
		expect_within(&in, most, buf_text(&said), "at the limit");
		buf_add_text(&said, "error 1009");
		put_frame(&in, 0x82, text, most + 1);
		expect_within(&in, most, buf_text(&said), "above it");
		buf_release(&in);
		buf_release(&said);
		free(text);
	}
}
END_TEST

START_TEST(the_limit_is_judged_from_the_header_over_all_fragments)
{
	struct buf in;

	/* 60 + 40 bytes are the limit; control frames do not count. */
	buf_init(&in, 4096);
	put_frame(&in, 0x01, LONG, 60);
	put_frame(&in, 0x89, LONG, 125);
	put_frame(&in, 0x00, LONG, 40);
	put_frame(&in, 0x00, "", 0);
	/* A header alone, without even its mask. */
	buf_add(&in, "\x80\x81", 2);
	ck_assert_uint_eq(expect_within(&in, 100, "ping(" LONG ")error 1009", "101"),
			  in.len);
	in.len -= 2;
	put_frame(&in, 0x80, "", 0);
	put_frame(&in, 0x01, LONG, 100); /* each message has its own */
	expect_within(&in, 99, "ping(" LONG ")error 1009", "99");
	ck_assert_uint_eq(expect_within(&in, 59, "error 1009", "59"), 2);
	buf_release(&in);
}
END_TEST

START_TEST(lengths_of_63_bits_are_added_without_overflow)
{
	struct buf in;

	buf_init(&in, 4096);
	put_frame(&in, 0x01, "12345", 5);
	buf_add(&in, "\x00\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10);
	put_masked(&in, "abc", 3);
	expect_within(&in, UINT64_MAX, "", "as long as a frame can be");
	expect_within(&in, (UINT64_MAX >> 1) + 5, "", "exactly the limit");
	ck_assert_uint_eq(expect_within(&in, (UINT64_MAX >> 1) + 4, "error 1009", "one"),
			  11 + 10);
	ck_assert_uint_eq(expect_within(&in, 4, "error 1009", "the first"), 2);
	buf_release(&in);
}
END_TEST

/* ---- fragments and UTF-8 ---- */

static const char mixed[] =
	"01234567 \xc3\xa9\xe2\x82\xac" SMILE "abcdefghij\xdf\xbf\xef\xbf\xbfz" SMILE;

START_TEST(a_text_may_be_cut_at_any_two_places)
{
	size_t len = sizeof(mixed) - 1;
	struct buf said;

	buf_init(&said, 4096);
	say(&said, "ping", "", 0);
	say(&said, "text", mixed, len);
	for (size_t first = 0; first <= len; first++) {
		for (size_t second = first; second <= len; second++) {
			struct buf in;

			buf_init(&in, 4096);
			put_frame(&in, 0x01, mixed, first);
			put_frame(&in, 0x89, "", 0);
			put_frame(&in, 0x00, mixed + first, second - first);
			put_frame(&in, 0x80, mixed + second, len - second);
			expect(&in, buf_text(&said), "fragments");
			buf_release(&in);
		}
	}
	buf_release(&said);
}
END_TEST

/* As valid text goes on, but for the byte at `bad`, in frames that are cut at `cut`. */
static void one_bad_byte(size_t bad, size_t cut, unsigned opcode, const char *said)
{
	size_t len = sizeof(mixed) - 1, ended_at, header = bad < cut ? 6 : 12;
	char *text = exact_copy(mixed, len);
	struct buf in;

	text[bad] = '\xff';
	buf_init(&in, 4096);
	put_frame(&in, opcode, text, cut);
	put_frame(&in, 0x80, text + cut, len - cut);
	ended_at = expect(&in, said, "a bad byte");
	require(ended_at == (opcode == WS_TEXT ? header + bad + 1 : 0), "at its byte");
	buf_release(&in);
	free(text);
}

START_TEST(a_bad_byte_is_refused_when_it_comes_wherever_it_stands)
{
	size_t len = sizeof(mixed) - 1;

	for (size_t bad = 0; bad < len; bad++) {
		struct buf said;
		char text[sizeof(mixed)];

		memcpy(text, mixed, sizeof(text));
		text[bad] = '\xff';
		buf_init(&said, 4096);
		say(&said, "binary", text, len);
		for (size_t cut = 0; cut <= len; cut++) {
			one_bad_byte(bad, cut, WS_TEXT, "error 1007");
			one_bad_byte(bad, cut, WS_BINARY, buf_text(&said));
		}
		buf_release(&said);
	}
}
END_TEST

START_TEST(a_text_that_ends_inside_a_code_point_is_refused_at_its_end)
{
	size_t len = sizeof(mixed) - 1;

	for (size_t cut = 0; cut <= len; cut++) {
		bool whole = cut == len || ((unsigned char)mixed[cut] & 0xc0) != 0x80;
		struct buf in, said;

		buf_init(&in, 4096);
		buf_init(&said, 4096);
		put_frame(&in, 0x81, mixed, cut);
		say(&said, "text", mixed, cut);
		expect(&in, whole ? buf_text(&said) : "error 1007", "an end");
		buf_release(&in);
		buf_release(&said);
	}
}
END_TEST

/* ---- closing ---- */

static bool may_be_sent(int code)
{
	static const int assigned[] = {1000, 1001, 1002, 1003, 1007, 1008,
				       1009, 1010, 1011, 1012, 1013, 1014};

	for (size_t i = 0; i < COUNT(assigned); i++)
		if (code == assigned[i])
			return true;
	return code >= 3000 && code < 5000;
}

START_TEST(every_close_code_is_one_or_refused)
{
	for (int code = 0; code <= UINT16_MAX; code++) {
		unsigned char payload[2] = {(unsigned char)(code >> 8),
					    (unsigned char)code};
		char said[32];
		struct buf in;
		struct listener l;

		snprintf(said, sizeof(said),
			 may_be_sent(code) ? "close %d()" : "error 1002", code);
		buf_init(&in, 64);
		put_frame(&in, 0x88, payload, sizeof(payload));
		l = listen_to(&in, in.len, MAX_BYTES);
		require(strcmp(buf_text(&l.said), said) == 0, said);
		require(ws_close_code_valid((uint16_t)code) == may_be_sent(code), said);
		buf_release(&l.said);
		buf_release(&in);
	}
}
END_TEST

START_TEST(a_close_reason_is_text_of_at_most_123_bytes)
{
	char payload[126] = "\x03\xe8";
	struct buf in, said;

	memset(payload + 2, 'r', sizeof(payload) - 2);
	for (size_t len = 0; len <= 123; len += len < 121 ? 11 : 1) {
		buf_init(&in, 4096);
		buf_init(&said, 4096);
		put_frame(&in, 0x88, payload, 2 + len);
		say(&said, "close 1000", payload + 2, len);
		expect(&in, buf_text(&said), "reason");
		for (size_t bad = 0; bad < len; bad++) {
			in.data[6 + 2 + bad] ^= '\x80';
			expect(&in, "error 1007", "a bad byte in a reason");
			in.data[6 + 2 + bad] ^= '\x80';
		}
		buf_release(&in);
		buf_release(&said);
	}
	buf_init(&in, 4096);
	put_frame(&in, 0x88, payload, 126);
	expect(&in, "error 1002", "124 bytes");
	buf_release(&in);
}
END_TEST

/* ---- what is kept ---- */

START_TEST(nothing_is_kept_between_messages_and_everything_within)
{
	struct buf in;
	struct ws ws = {0};
	unsigned char control[WS_CONTROL_MAX];
	size_t frame = 6 + 3;

	ck_assert_uint_le(sizeof(struct ws), 40);
	buf_init(&in, 256);
	put_frame(&in, 0x81, "abc", 3);
	put_frame(&in, 0x89, "abc", 3);
	put_frame(&in, 0x01, "abc", 3);
	put_frame(&in, 0x89, "abc", 3);
	put_frame(&in, 0x80, "abc", 3);
	put_frame(&in, 0x88, "", 0);
	for (size_t at = 0; at < in.len; at++) {
		struct ws_event ev;
		/* Between the first, second and last frame, and nowhere else. */
		bool idle = at % frame == 0 && at / frame != 3 && at / frame != 4;
		size_t frame_at = at % frame;
		bool ping = at / frame == 1 || at / frame == 3;

		ck_assert_msg(ws_idle(&ws) == idle, "before byte %zu", at);
		ck_assert_uint_eq(ws_control_bytes(&ws),
				  ping && frame_at > 6 ? frame_at - 6 : 0);
		ck_assert_uint_eq(
			ws_read(&ws, 100, control, (unsigned char *)in.data + at, 1, &ev),
			1);
	}
	ck_assert(!ws_idle(&ws)); /* that it ended has to be remembered */
	buf_release(&in);
}
END_TEST

START_TEST(a_payload_stays_where_it_is)
{
	struct buf in;
	struct ws ws = {0};
	struct ws_event ev;
	unsigned char *bytes;

	buf_init(&in, 256);
	put_frame(&in, 0x81, "text", 4);
	put_frame(&in, 0x89, "ping", 4);
	bytes = (unsigned char *)in.data;
	ck_assert_uint_eq(ws_read(&ws, 100, NULL, bytes, in.len, &ev), 10);
	ck_assert_ptr_eq(ev.bytes, bytes + 6);
	ck_assert(ev.first && ev.last && ev.opcode == WS_TEXT);
	ck_assert_uint_eq(ws_read(&ws, 100, NULL, bytes + 10, in.len - 10, &ev), 10);
	ck_assert_ptr_eq(ev.bytes, bytes + 16);
	ck_assert_mem_eq(bytes + 6, "text", 4);
	ck_assert_mem_eq(bytes + 16, "ping", 4);
	buf_release(&in);
}
END_TEST

START_TEST(what_comes_behind_an_end_is_taken_whole)
{
	struct buf in;
	struct ws ws = {0};
	struct ws_event ev;

	buf_init(&in, 256);
	put_frame(&in, 0x88,
		  "\x03\xe8"
		  "bye",
		  5);
	buf_add(&in, "whatever", 8);
	ck_assert_uint_eq(ws_read(&ws, 100, NULL, (unsigned char *)in.data, in.len, &ev),
			  in.len);
	ck_assert_int_eq(ev.type, WS_EVENT_CLOSE);
	ck_assert_mem_eq(ev.bytes, "bye", 3);
	ck_assert_uint_eq(ws_read(&ws, 100, NULL, (unsigned char *)in.data, 5, &ev), 5);
	ck_assert_int_eq(ev.type, WS_EVENT_NONE);
	buf_release(&in);
}
END_TEST

START_TEST(masking_goes_on_where_it_was_at_any_address)
{
	static const unsigned char mask[4] = {0x11, 0x82, 0x43, 0xf4};
	unsigned char plain[64];

	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (unsigned char)(i * 37);
	for (size_t offset = 0; offset < 9; offset++) {
		for (size_t len = 0; len <= 48; len++) {
			for (size_t cut = 0; cut <= len; cut++) {
				unsigned char *memory = malloc(offset + len + 1);
				unsigned char *bytes = memory + offset, turning[4];

				memcpy(bytes, plain, len);
				memcpy(turning, mask, 4);
				ws_mask(turning, bytes, cut);
				ws_mask(turning, bytes + cut, len - cut);
				for (size_t i = 0; i < len; i++)
					if (bytes[i] != (plain[i] ^ mask[i % 4]))
						ck_abort_msg("%zu of %zu, cut at %zu", i,
							     len, cut);
				free(memory);
			}
		}
	}
}
END_TEST

/* ---- writing ---- */

START_TEST(headers_have_the_shortest_form)
{
	static const struct {
		uint64_t len;
		size_t size;
		const char *bytes;
	} rows[] = {
		{0, 2, "\x81\x00"},
		{5, 2, "\x81\x05"},
		{125, 2, "\x81\x7d"},
		{126, 4, "\x81\x7e\x00\x7e"},
		{256, 4, "\x81\x7e\x01\x00"},
		{65535, 4, "\x81\x7e\xff\xff"},
		{65536, 10, "\x81\x7f\0\0\0\0\0\x01\0\0"},
		{UINT64_MAX >> 1, 10, "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"},
	};
	unsigned char out[WS_HEADER_MAX];

	for (size_t i = 0; i < COUNT(rows); i++) {
		ck_assert_uint_eq(ws_put_header(out, WS_TEXT, true, rows[i].len),
				  rows[i].size);
		ck_assert_mem_eq(out, rows[i].bytes, rows[i].size);
	}
	ws_put_header(out, WS_BINARY, false, 1);
	ck_assert_mem_eq(out, "\x02\x01", 2);
	ws_put_header(out, WS_CONTINUATION, true, 1);
	ck_assert_mem_eq(out, "\x80\x01", 2);
}
END_TEST

START_TEST(control_frames_are_written_whole)
{
	unsigned char out[WS_CONTROL_FRAME_MAX];

	ck_assert_uint_eq(ws_put_control(out, WS_PING, NULL, 0), 2);
	ck_assert_mem_eq(out, "\x89\x00", 2);
	ck_assert_uint_eq(ws_put_control(out, WS_PONG, "Hello", 5), 7);
	ck_assert_mem_eq(out, "\x8a\x05Hello", 7);
	ck_assert_uint_eq(ws_put_control(out, WS_PONG, LONG, 125), 127);
	ck_assert_mem_eq(out, "\x8a\x7d" LONG, 127);
	ck_assert_uint_eq(ws_put_close(out, WS_CLOSE_NONE, ""), 2);
	ck_assert_mem_eq(out, "\x88\x00", 2);
	ck_assert_uint_eq(ws_put_close(out, WS_CLOSE_NORMAL, ""), 4);
	ck_assert_mem_eq(out, "\x88\x02\x03\xe8", 4);
	ck_assert_uint_eq(ws_put_close(out, 4401, "token"), 9);
	ck_assert_mem_eq(out, "\x88\x07\x11\x31token", 9);
}
END_TEST

START_TEST(a_long_close_reason_is_cut_at_a_code_point)
{
	static const char reason[] = LONG SMILE;
	unsigned char out[WS_CONTROL_FRAME_MAX];

	ck_assert_uint_eq(ws_put_close(out, 1011, reason), 127);
	ck_assert_int_eq(out[1], 125);
	ck_assert_mem_eq(out + 4, reason, 123);
	/* The code point that begins at 121 does not fit. */
	ck_assert_uint_eq(ws_put_close(out, 1011, reason + 4), 4 + 121);
	ck_assert_mem_eq(out + 4, reason + 4, 121);
}
END_TEST

Suite *ws_suite(void)
{
	Suite *s = suite_create("ws");
	TCase *t = tcase_create("ws");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, conversations_are_understood_however_they_are_cut);
	tcase_add_test(t, a_header_is_refused_at_the_byte_that_decides);
	tcase_add_test(t, every_first_byte_is_a_frame_or_refused);
	tcase_add_test(t, messages_of_every_size_come_out_as_they_went_in);
	tcase_add_test(t, a_message_may_have_the_limit_and_no_byte_more);
	tcase_add_test(t, the_limit_is_judged_from_the_header_over_all_fragments);
	tcase_add_test(t, lengths_of_63_bits_are_added_without_overflow);
	tcase_add_test(t, a_text_may_be_cut_at_any_two_places);
	tcase_add_test(t, a_bad_byte_is_refused_when_it_comes_wherever_it_stands);
	tcase_add_test(t, a_text_that_ends_inside_a_code_point_is_refused_at_its_end);
	tcase_add_test(t, every_close_code_is_one_or_refused);
	tcase_add_test(t, a_close_reason_is_text_of_at_most_123_bytes);
	tcase_add_test(t, nothing_is_kept_between_messages_and_everything_within);
	tcase_add_test(t, a_payload_stays_where_it_is);
	tcase_add_test(t, what_comes_behind_an_end_is_taken_whole);
	tcase_add_test(t, masking_goes_on_where_it_was_at_any_address);
	tcase_add_test(t, headers_have_the_shortest_form);
	tcase_add_test(t, control_frames_are_written_whole);
	tcase_add_test(t, a_long_close_reason_is_cut_at_a_code_point);
	suite_add_tcase(s, t);
	return s;
}
