#include <check.h>
#include <string.h>

#include "exact.h"
#include "wire/json_scan.h"

Suite *json_scan_suite(void);

/* All tokens, a letter each: the kinds in their order, BAD is '!'. */
static void scan(const char *json, char *letters, size_t size)
{
	static const char names[] = "!{}[]kt0+-n.";
	size_t len = strlen(json), n = 0;
	char *bytes = exact_copy(json, len);
	enum json_scan_kind kind;
	struct json_scan s;
	struct slice raw;

	json_scan_init(&s, (struct slice){bytes, len});
	do {
		kind = json_scan_next(&s, &raw);
		ck_assert_uint_lt(n + 1, size);
		letters[n++] = names[kind];
	} while (kind != JSON_SCAN_BAD && kind != JSON_SCAN_END);
	letters[n] = '\0';
	ck_assert_int_eq(json_scan_next(&s, &raw), kind); /* and it stays so */
	free(bytes);
}

static const struct {
	const char *json, *letters;
} cases[] = {
	{"{}", "{}."},
	{"[]", "[]."},
	{" [ ] ", "[]."},
	{"\t\r\n1 ", "0."},
	{"\"\"", "t."},
	{"true", "+."},
	{"false", "-."},
	{"null", "n."},
	{"{\"a\":1}", "{k0}."},
	{"{\"a\" : [ 1 , {\"b\":null} , [] ] , \"a\":true}", "{k[0{kn}[]]k+}."},
	{"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud800\"]", "[t]."},
	{"[\"\xf0\x9f\x8e\x89 \x7f\"]", "[t]."},
	{"[0,-0,1,-1,10,0.5,-1.25,1e5,1E+5,1e-5,0e0,1.0e00]", "[000000000000]."},
	{"", "!"},
	{" ", "!"},
	{"{", "{!"},
	{"[", "[!"},
	{"[1", "[0!"},
	{"[1,", "[0!"},
	{"[1,]", "[0!"},
	{"[,1]", "[!"},
	{"[1 2]", "[0!"},
	{"[1}", "[0!"},
	{"{\"a\":1]", "{k0!"},
	{"{\"a\"}", "{!"},
	{"{\"a\":}", "{k!"},
	{"{\"a\":1,}", "{k0!"},
	{"{,}", "{!"},
	{"{1:1}", "{!"},
	{"{a:1}", "{!"},
	{"{\"a\" 1}", "{!"},
	{"1 1", "0!"},
	{"[]]", "[]!"},
	{"[],", "[]!"},
	{"\"", "!"},
	{"\"a", "!"},
	{"\"\\", "!"},
	{"\"\\\"", "!"},
	{"\"\\x\"", "!"},
	{"\"\\u12g4\"", "!"},
	{"\"\\u123", "!"},
	{"\"\n\"", "!"},
	{"\"\x1f\"", "!"},
	{"'a'", "!"},
	{"01", "0!"},
	{"+1", "!"},
	{"-", "!"},
	{".5", "!"},
	{"1.", "!"},
	{"1.e5", "!"},
	{"1e", "!"},
	{"1e+", "!"},
	{"0x10", "0!"},
	{"tru", "!"},
	{"trueA", "+!"},
	{"True", "!"},
	{"NaN", "!"},
	{"undefined", "!"},
	{"/**/1", "!"},
	{"\xef\xbb\xbf"
	 "1",
	 "!"},
	{"\xc2\xa0"
	 "1",
	 "!"},
};

START_TEST(json_is_taken_apart_as_rfc_8259_says)
{
	char letters[64];

	scan(cases[_i].json, letters, sizeof(letters));
	ck_assert_str_eq(letters, cases[_i].letters);
}
END_TEST

START_TEST(a_raw_nul_ends_nothing)
{
	struct slice rest = {"[1\0]", 4}, value;

	ck_assert(!json_scan_value(&rest, &value));
	rest = (struct slice){"\"a\0\"", 4};
	ck_assert(!json_scan_value(&rest, &value));
	rest = (struct slice){"\"\\\0\"", 4};
	ck_assert(!json_scan_value(&rest, &value));
	rest = (struct slice){NULL, 0};
	ck_assert(!json_scan_value(&rest, &value));
}
END_TEST

START_TEST(sixty_four_levels_are_the_limit)
{
	char json[2 * JSON_SCAN_DEPTH_MAX + 2], letters[2 * JSON_SCAN_DEPTH_MAX + 4];

	memset(json, '[', JSON_SCAN_DEPTH_MAX);
	memset(json + JSON_SCAN_DEPTH_MAX, ']', JSON_SCAN_DEPTH_MAX);
	json[2 * JSON_SCAN_DEPTH_MAX] = '\0';
	scan(json, letters, sizeof(letters));
	ck_assert_uint_eq(strlen(letters), 2 * JSON_SCAN_DEPTH_MAX + 1);
	ck_assert_ptr_nonnull(strchr(letters, '.'));
	memset(json, '[', JSON_SCAN_DEPTH_MAX + 1);
	scan(json, letters, sizeof(letters));
	ck_assert_uint_eq(strlen(letters), JSON_SCAN_DEPTH_MAX + 1);
	ck_assert_ptr_nonnull(strchr(letters, '!'));
}
END_TEST

START_TEST(values_are_taken_off_one_by_one)
{
	struct slice rest = slice_of("  {\"a\":[1]}  ,\"x\" ,  -1.5e3  "), value;

	ck_assert(json_scan_value(&rest, &value));
	ck_assert(slice_is(value, "{\"a\":[1]}"));
	ck_assert_int_eq(rest.at[0], ',');
	rest = slice_from(rest, 1);
	ck_assert(json_scan_value(&rest, &value));
	ck_assert(slice_is(value, "\"x\""));
	rest = slice_from(rest, 1);
	ck_assert(json_scan_value(&rest, &value));
	ck_assert(slice_is(value, "-1.5e3"));
	ck_assert_uint_eq(rest.len, 0);
}
END_TEST

static const struct {
	const char *raw, *text; /* text NULL: refused */
} texts[] = {
	{"\"\"", ""},
	{"\"abc\"", "abc"},
	{"\"\\\"\\\\\\/\"", "\"\\/"},
	{"\"\\b\\f\\n\\r\\t\"", "\b\f\n\r\t"},
	{"\"\\u0041\\u00E9\\u20ac\"", "A\xc3\xa9\xe2\x82\xac"},
	{"\"\\ud83c\\udf89\"", "\xf0\x9f\x8e\x89"},
	{"\"\\uDBFF\\uDFFF\"", "\xf4\x8f\xbf\xbf"},
	{"\"\\u07ff\\u0800\\uffff\"", "\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"},
	{"\"12345678901\"", "12345678901"},
	{"\"123456789012\"", NULL},
	{"\"12345678901\\u0041\"", NULL},
	{"\"1234567890\\u00e9\"", NULL},
	{"\"\\u0000\"", NULL},
	{"\"\\ud83c\"", NULL},
	{"\"\\ud83c\\n\"", NULL},
	{"\"\\ud83c12345678\"", NULL},
	{"\"\\ud83c\\u0041\"", NULL},
	{"\"\\ud83c\\ud83c\"", NULL},
	{"\"\\udf89\"", NULL},
};

START_TEST(a_member_is_found_at_the_top_and_nowhere_else)
{
	static const struct {
		const char *json, *raw; /* NULL: none */
	} members[] = {
		{"{\"name\":\"a\"}", "\"a\""},
		{" { \"x\" : [ {\"name\":1} ] , \"name\" : \"b\" } ", "\"b\""},
		{"{\"name\":1,\"name\":2}", "2"},
		{"{\"n\\u0061me\":3}", "3"},
		{"{\"x\":{\"name\":1}}", NULL},
		{"[\"name\",1]", NULL},
		{"{\"x\":\"name\"}", NULL},
		{"{\"name\":1", NULL},
		{"{\"name\":1}x", NULL},
		{"", NULL},
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		struct slice raw = {NULL, 0};
		bool found = json_scan_member(slice_of(members[i].json), "name", &raw);

		ck_assert_msg(found == (members[i].raw != NULL), "%s", members[i].json);
		if (found)
			ck_assert_msg(slice_is(raw, members[i].raw), "%s",
				      members[i].json);
	}
}
END_TEST

START_TEST(a_text_comes_without_its_escapes_or_not_at_all)
{
	size_t len = strlen(texts[_i].raw);
	char *bytes = exact_copy(texts[_i].raw, len), out[12];
	struct slice raw = {bytes, len};

	ck_assert_int_eq(json_scan_text(raw, out, sizeof(out)), texts[_i].text ? 0 : -1);
	ck_assert_str_eq(out, texts[_i].text ? texts[_i].text : "");
	if (texts[_i].text)
		ck_assert(json_scan_is(raw, texts[_i].text));
	ck_assert(!json_scan_is(raw, "something else"));
	free(bytes);
}
END_TEST

Suite *json_scan_suite(void)
{
	Suite *s = suite_create("json_scan");
	TCase *c = tcase_create("json_scan");

	tcase_add_loop_test(c, json_is_taken_apart_as_rfc_8259_says, 0,
			    sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(c, a_raw_nul_ends_nothing);
	tcase_add_test(c, sixty_four_levels_are_the_limit);
	tcase_add_test(c, values_are_taken_off_one_by_one);
	tcase_add_test(c, a_member_is_found_at_the_top_and_nowhere_else);
	tcase_add_loop_test(c, a_text_comes_without_its_escapes_or_not_at_all, 0,
			    sizeof(texts) / sizeof(texts[0]));
	suite_add_tcase(s, c);
	return s;
}
