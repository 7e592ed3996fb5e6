#include <check.h>
#include <string.h>

#include "base/money.h"

Suite *money_suite(void);

START_TEST(decimals_are_iso_4217_s)
{
	static const struct {
		const char *code;
		int decimals;
	} rows[] = {{"AED", 2},  {"USD", 2},  {"EUR", 2},  {"JPY", 0},  {"KRW", 0},
		    {"CLP", 0},  {"XPF", 0},  {"ISK", 0},  {"UYI", 0},  {"KWD", 3},
		    {"BHD", 3},  {"TND", 3},  {"CLF", 4},  {"UYW", 4},  {"ZWG", 2},
		    {"XCG", 2},  {"HUF", 2},  {"MGA", 2},  {"XAU", -1}, {"XXX", -1},
		    {"XTS", -1}, {"XDR", -1}, {"BGN", -1}, {"ANG", -1}, {"HRK", -1},
		    {"usd", -1}, {"", -1},    {"US", -1},  {"USDX", -1}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(money_decimals(rows[i].code) == rows[i].decimals, "%s",
			      rows[i].code);
}
END_TEST

START_TEST(the_table_is_sorted_and_whole)
{
	char code[4] = "AAA";
	int known[5] = {0};

	/* A row out of order would be missed by the binary search for some of these. */
	for (code[0] = 'A'; code[0] <= 'Z'; code[0]++)
		for (code[1] = 'A'; code[1] <= 'Z'; code[1]++)
			for (code[2] = 'A'; code[2] <= 'Z'; code[2]++)
				if (money_decimals(code) >= 0)
					known[money_decimals(code)]++;
	ck_assert_int_eq(known[0], 17);
	ck_assert_int_eq(known[1], 0);
	ck_assert_int_eq(known[2], 139);
	ck_assert_int_eq(known[3], 7);
	ck_assert_int_eq(known[4], 2);
}
END_TEST

START_TEST(amounts_become_minor_units)
{
	static const struct {
		const char *text, *currency;
		int64_t minor;
	} rows[] = {
		{"15.00", "USD", 1500},
		{"15", "USD", 1500},
		{"15.5", "USD", 1550},
		{"0.01", "USD", 1},
		{"15", "JPY", 15},
		{"15.000", "KWD", 15000},
		{"15.1", "KWD", 15100},
		{"0.0001", "CLF", 1},
		{"10000000000000.00", "USD", MONEY_MAX_MINOR},
		{"1000000000000000", "JPY", MONEY_MAX_MINOR},
		{"100000000000", "CLF", MONEY_MAX_MINOR},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = ERR_INIT;
		int64_t minor = -1;

		ck_assert_msg(money_parse(rows[i].text, rows[i].currency, &minor, &e) ==
				      0,
			      "%s %s: %s", rows[i].text, rows[i].currency, e.text);
		ck_assert_int_eq(minor, rows[i].minor);
	}
}
END_TEST

START_TEST(anything_else_is_refused)
{
	static const char *const rows[][2] = {
		{"", "USD"},
		{".", "USD"},
		{".5", "USD"},
		{"5.", "USD"},
		{"1.2.3", "USD"},
		{"+1", "USD"},
		{"-1", "USD"},
		{"1e3", "USD"},
		{" 1", "USD"},
		{"1 ", "USD"},
		{"1,00", "USD"},
		{"01", "USD"},
		{"00", "USD"},
		{"00.50", "USD"},
		{"1_000", "USD"},
		{"0x10", "USD"},
		{"0", "USD"},
		{"0.00", "USD"},
		{"0", "JPY"},
		{"15.001", "USD"},
		{"15.0", "JPY"},
		{"15.0000", "KWD"},
		{"1", "usd"},
		{"1", "XAU"},
		{"1", ""},
		{"NaN", "USD"},
		{"Infinity", "USD"},
		{"10000000000000.01", "USD"},
		{"1000000000000001", "JPY"},
		{"1000000000000000", "CLF"},
		{"1000000000000000", "USD"},
		{"100000000000.0001", "CLF"},
		{"99999999999999999999999999999999999999999999", "USD"},
		{"\xd9\xa1", "USD"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = ERR_INIT;
		int64_t minor = 77;

		ck_assert_msg(money_parse(rows[i][0], rows[i][1], &minor, &e) == -1,
			      "%s %s", rows[i][0], rows[i][1]);
		ck_assert_int_eq(e.code, ERR_INVALID);
		ck_assert_int_eq(minor, 77);
	}
}
END_TEST

START_TEST(a_refusal_names_the_remedy)
{
	struct err e = ERR_INIT;
	int64_t minor;

	money_parse("15.001", "USD", &minor, &e);
	ck_assert_str_eq(e.text, "USD has 2 decimals, 15.001 has 3");
	money_parse("15.0", "JPY", &minor, &e);
	ck_assert_str_eq(e.text, "JPY has no decimals, 15.0 has 1");
	money_parse("99999999999999999", "USD", &minor, &e);
	ck_assert_str_eq(e.text,
			 "the amount is too large, USD 10000000000000.00 is the most");
}
END_TEST

START_TEST(formatting_shows_all_decimals_and_the_sign)
{
	static const struct {
		int64_t minor;
		const char *currency, *text;
	} rows[] = {
		{-1500, "USD", "-15.00"},
		{1500, "USD", "15.00"},
		{15, "JPY", "15"},
		{15000, "KWD", "15.000"},
		{0, "USD", "0.00"},
		{0, "JPY", "0"},
		{5, "USD", "0.05"},
		{-5, "KWD", "-0.005"},
		{100, "CLF", "0.0100"},
		{1500, "???", "15.00"},
		{INT64_MAX, "JPY", "9223372036854775807"},
		{INT64_MIN, "CLF", "-922337203685477.5808"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[MONEY_TEXT_SIZE];

		ck_assert_str_eq(money_format(out, rows[i].minor, rows[i].currency),
				 rows[i].text);
	}
}
END_TEST

Suite *money_suite(void)
{
	Suite *s = suite_create("money");
	TCase *t = tcase_create("money");

	tcase_add_test(t, decimals_are_iso_4217_s);
	tcase_add_test(t, the_table_is_sorted_and_whole);
	tcase_add_test(t, amounts_become_minor_units);
	tcase_add_test(t, anything_else_is_refused);
	tcase_add_test(t, a_refusal_names_the_remedy);
	tcase_add_test(t, formatting_shows_all_decimals_and_the_sign);
	suite_add_tcase(s, t);
	return s;
}
