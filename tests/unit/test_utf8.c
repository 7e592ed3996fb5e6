#include <check.h>
#include <string.h>

#include "base/utf8.h"
#include "exact.h"

Suite *utf8_suite(void);

/* RFC 3629 section 3, written down once more and by hand. Returns the length. */
static size_t encode(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

START_TEST(every_code_point_decodes_to_itself_and_surrogates_do_not)
{
	for (uint32_t c = 0; c <= 0x110fff; c++) {
		char bytes[4];
		uint32_t back = 0xffffffff;
		size_t len = encode(c, bytes);
		bool valid = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);

		if (utf8_decode(bytes, len, &back) != (valid ? len : 0) ||
		    (valid && back != c) || utf8_valid(bytes, len) != valid)
			ck_abort_msg("U+%04X", c);
		if (valid && len > 1 && utf8_decode(bytes, len - 1, &back) != 0)
			ck_abort_msg("U+%04X cut short", c);
	}
}
END_TEST

/* How many bytes are taken, one at a time, before one is refused. */
static size_t taken(const char *bytes, size_t len, struct utf8_state *s)
{
	*s = (struct utf8_state){0};
	for (size_t i = 0; i < len; i++)
		if (!utf8_feed(s, bytes + i, 1))
			return i;
	return len;
}

START_TEST(every_code_point_is_valid_a_byte_at_a_time_and_unfinished_until_its_last)
{
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		char bytes[4];
		struct utf8_state s;
		size_t len = encode(c, bytes);

		if (c >= 0xd800 && c <= 0xdfff) {
			if (taken(bytes, len, &s) != 1)
				ck_abort_msg("U+%04X", c);
			continue;
		}
		for (size_t cut = 1; cut <= len; cut++)
			if (taken(bytes, cut, &s) != cut ||
			    s.left != (uint8_t)(len - cut))
				ck_abort_msg("U+%04X cut at %zu", c, cut);
	}
}
END_TEST

START_TEST(a_fault_is_found_at_its_byte_wherever_the_pieces_are_cut)
{
	/* A long run of ASCII, so that the eight at a time are left and entered. */
	static const char text[] = "0123456789abcdef\xc3\xa9 0123\xf0\x9f\x98\x80 "
				   "0123456789abcdefghij\xed\xa0\x80";
	size_t len = sizeof(text) - 1;

	for (size_t cut = 0; cut <= len; cut++) {
		char *first = exact_copy(text, cut);
		char *second = exact_copy(text + cut, len - cut);
		struct utf8_state s = {0};
		/* The fault is its last byte but one, the 0xa0. */
		bool valid = utf8_feed(&s, first, cut);

		ck_assert_msg(valid == (cut < len - 1), "cut at %zu", cut);
		ck_assert(!valid || !utf8_feed(&s, second, len - cut));
		free(first);
		free(second);
	}
}
END_TEST

START_TEST(malformed_sequences_are_refused)
{
	static const char *const rows[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xe0\x80\x80",
		"\xe0\x9f\xbf",
		"\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xfe",
		"\xff",
		"\xc3",
		"\xe2\x82",
		"\xf0\x9f\x98",
		"\xc3(",
		"\xe2(\xa1",
		"\xe2\x82(",
		"ab\xc3",
		"\xf8\x88\x80\x80\x80",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_msg(!utf8_valid(rows[i], strlen(rows[i])), "row %zu", i);
		ck_assert(!utf8_is_line(rows[i], strlen(rows[i])));
	}
	ck_assert(utf8_valid("", 0));
	ck_assert(utf8_valid("a\0b", 3));
	ck_assert_uint_eq(utf8_decode("", 0, &(uint32_t){0}), 0);
}
END_TEST

START_TEST(a_line_has_no_control_characters)
{
	static const char *const bad[] = {
		"a\nb",     "a\tb",     "\r",       "\x1b[0m",      "\x7f",
		"\xc2\x80", "\xc2\x9f", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!utf8_is_line(bad[i], strlen(bad[i])), "row %zu", i);
	ck_assert(!utf8_is_line("a\0b", 3));
	ck_assert(
		utf8_is_line("Lunch \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 \xc2\xa0", 18));
	ck_assert(utf8_is_line("", 0));
}
END_TEST

START_TEST(code_points_are_counted)
{
	ck_assert_uint_eq(utf8_count("", 0), 0);
	ck_assert_uint_eq(utf8_count("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10), 4);
}
END_TEST

START_TEST(a_prefix_never_cuts_a_code_point)
{
	const char *text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
	static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};

	for (size_t max = 0; max < sizeof(expected) / sizeof(expected[0]); max++)
		ck_assert_uint_eq(utf8_prefix(text, 11, max), expected[max]);
}
END_TEST

START_TEST(a_prefix_of_what_is_not_utf8_is_still_bounded)
{
	const char *text = "\x80\x80\x80\x80\x80\x80\x80\x80";

	for (size_t max = 0; max <= 9; max++)
		ck_assert_uint_le(utf8_prefix(text, 8, max), max);
	ck_assert_uint_eq(utf8_prefix(text, 8, 6), 6);
}
END_TEST

Suite *utf8_suite(void)
{
	Suite *s = suite_create("utf8");
	TCase *t = tcase_create("utf8");

	tcase_add_test(t, every_code_point_decodes_to_itself_and_surrogates_do_not);
	tcase_add_test(
		t,
		every_code_point_is_valid_a_byte_at_a_time_and_unfinished_until_its_last);
	tcase_add_test(t, a_fault_is_found_at_its_byte_wherever_the_pieces_are_cut);
	tcase_add_test(t, malformed_sequences_are_refused);
	tcase_add_test(t, a_line_has_no_control_characters);
	tcase_add_test(t, code_points_are_counted);
	tcase_add_test(t, a_prefix_never_cuts_a_code_point);
	tcase_add_test(t, a_prefix_of_what_is_not_utf8_is_still_bounded);
	suite_add_tcase(s, t);
	return s;
}
