#include <check.h>
#include <string.h>

#include "exact.h"
#include "wire/json.h"

Suite *json_suite(void);

static const struct {
	const char *text, *said;
} bad[] = {
	{"", "line 1, column 1: it is empty"},
	{"{", "ends too early"},
	{"{}{}", "line 1, column 3"},
	{"{\"a\":1,\n \"a\":2}", "line 2, column"},
	{"{\"a\":1,\"a\":2}", "a key may appear only once"},
	{"{\"a\":\"\\u0000\"}", "text may not contain U+0000"},
	{"{\"a\\u0000b\":1}", "text may not contain U+0000"},
	{"{\"a\":\"\xff\"}", "UTF-8"},
	{"{\"a\":\"\xed\xa0\x80\"}", "UTF-8"},
	{"{\"a\":\"\\ud800\"}", "line 1, column"},
	{"{\"a\":1e999}", "the number is too large"},
	{"{\"a\":01}", "not valid JSON"},
	{"{\"a\":NaN}", "not valid JSON"},
	{"{'a':1}", "not valid JSON"},
	{"{\"a\":1,}", "not valid JSON"},
	{"[1 2]", "not valid JSON"},
	{"\xef\xbb\xbf{}", "not valid JSON"},
	{"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "line 1, column 17: nested more than 16"},
	{"\n\xc3\xa9\xc3\xa9[[[[[[[[[[[[[[[[[", "line 2, column 19: nested more than 16"},
};

START_TEST(bad_json_is_refused_with_its_place)
{
	size_t len = strlen(bad[_i].text);
	char *bytes = exact_copy(bad[_i].text, len);
	struct err e;

	ck_assert_ptr_null(json_read(bytes, len, &e));
	ck_assert_msg(strstr(e.text, bad[_i].said), "%s", e.text);
	ck_assert_int_eq(e.code, ERR_INVALID);
	free(bytes);
}
END_TEST

START_TEST(a_raw_nul_is_refused)
{
	struct err e;

	ck_assert_ptr_null(json_read("{\"a\":\"x\0y\"}", 11, &e));
	ck_assert_ptr_null(json_read("{}\0", 3, &e));
	ck_assert_ptr_null(json_read("{\"a\":1\0}", 8, &e));
	ck_assert_str_eq(e.text, "line 1, column 7: text may not contain U+0000");
	ck_assert_ptr_null(json_read("[true\0]", 7, &e));
	ck_assert_ptr_null(json_read("1\0", 2, &e));
}
END_TEST

START_TEST(what_jansson_says_does_not_repeat_the_input)
{
	static const char text[] = "{\"email\":secret@example.com}";
	struct err e;

	ck_assert_ptr_null(json_read(text, strlen(text), &e));
	ck_assert_ptr_null(strstr(e.text, "secret"));
}
END_TEST

START_TEST(sixteen_levels_are_read)
{
	static const char text[] = "[[[[[[[[[[[[[[[[\"[[[[{{{{\\\"[[\"]]]]]]]]]]]]]]]]";
	struct err e;
	struct json_t *v = json_read(text, strlen(text), &e);

	ck_assert_ptr_nonnull(v);
	json_free(v);
}
END_TEST

static const char sample[] =
	"{\"text\":\"ab\",\"int\":7,\"real\":1.5,\"yes\":true,\"none\":null,"
	"\"huge\":123456789012345678901234567890,\"list\":[{\"x\":1},2]}";

static struct json_t *read_sample(void)
{
	struct err e;
	struct json_t *v = json_read(sample, strlen(sample), &e);

	ck_assert_ptr_nonnull(v);
	return v;
}

START_TEST(getters_take_what_fits_and_end_refuses_the_rest)
{
	struct json_t *v = read_sample(), *list;
	struct json_reader r;
	struct problem p;
	char text[3];
	int64_t n;
	bool yes;

	json_reader_init(&r, v, "", &p);
	ck_assert(json_get_text(&r, "text", true, text, sizeof(text)));
	ck_assert_str_eq(text, "ab");
	ck_assert(json_get_int(&r, "int", true, 7, 7, &n));
	ck_assert_int_eq(n, 7);
	ck_assert(json_get_bool(&r, "yes", true, &yes));
	ck_assert(yes);
	ck_assert(!json_get_text(&r, "none", false, text, sizeof(text)));
	ck_assert(!json_get_text(&r, "absent", false, text, sizeof(text)));
	ck_assert_str_eq(text, "");
	list = json_get_value(&r, "list", true);
	ck_assert_uint_eq(json_count(list), 2);
	ck_assert_uint_eq(json_count(json_item(list, 0)), 1);
	ck_assert_ptr_null(json_item(list, 2));
	ck_assert(!json_failed(&r));
	ck_assert_int_eq(json_reader_end(&r, "text, int, yes, none, list, re"), -1);
	ck_assert_str_eq(p.field, "real");
	ck_assert_ptr_nonnull(strstr(p.detail, "text, int, yes"));
	json_free(v);
}
END_TEST

static const struct {
	const char *key;
	char getter;
	const char *said;
} wrong[] = {
	{"int", 't', "in.int must be text, not a number"},
	{"text", 'i', "in.text must be a number, not text"},
	{"real", 'i', "in.real must be a whole number"},
	{"huge", 'i', "in.huge must be a whole number"},
	{"text", 'b', "in.text must be true or false, not text"},
	{"text", 'v', "in.text must be an object or an array, not text"},
	{"absent", 't', "in.absent is required"},
	{"none", 'i', "in.none is required and may not be null"},
	{"text", 's', "in.text must have at most 1 bytes, not 2"},
	{"int", '<', "in.int must be from 8 to 9, not 7"},
	{"int", '>', "in.int must be from 1 to 6, not 7"},
};

START_TEST(a_fault_names_the_whole_field_and_the_remedy)
{
	struct json_t *v = read_sample();
	struct json_reader r;
	struct problem p = {.kind = PROBLEM_NONE};
	const char *key = wrong[_i].key;
	char text[8];
	int64_t n;
	bool flag;

	json_reader_init(&r, v, "in", &p);
	switch (wrong[_i].getter) {
	case 't':
		ck_assert(!json_get_text(&r, key, true, text, sizeof(text)));
		break;
	case 's':
		ck_assert(!json_get_text(&r, key, true, text, 2));
		break;
	case 'i':
		ck_assert(!json_get_int(&r, key, true, 0, 9, &n));
		break;
	case '<':
		ck_assert(!json_get_int(&r, key, true, 8, 9, &n));
		break;
	case '>':
		ck_assert(!json_get_int(&r, key, true, 1, 6, &n));
		break;
	case 'b':
		ck_assert(!json_get_bool(&r, key, true, &flag));
		break;
	default:
		ck_assert_ptr_null(json_get_value(&r, key, true));
	}
	ck_assert_int_eq(p.kind, PROBLEM_VALIDATION);
	ck_assert_msg(strncmp(p.detail, wrong[_i].said, strlen(wrong[_i].said)) == 0,
		      "%s", p.detail);
	ck_assert_int_eq(strncmp(p.field, "in.", 3), 0);
	ck_assert_str_eq(p.field + 3, key);
	json_free(v);
}
END_TEST

START_TEST(the_first_fault_stays_also_across_readers)
{
	struct json_t *v = read_sample();
	struct json_reader outer, inner;
	struct problem p;

	json_reader_init(&outer, v, "", &p);
	json_reader_init(&inner, v, "in", &p);
	json_fault(&inner, "one", "is first");
	json_fault(&inner, "two", "is second");
	json_fault(&outer, "three", "is third");
	ck_assert_int_eq(json_reader_end(&outer, "text"), -1);
	ck_assert_str_eq(p.field, "in.one");
	ck_assert_str_eq(p.detail, "in.one is first");
	json_free(v);
}
END_TEST

START_TEST(what_is_not_an_object_is_named)
{
	struct json_t *v = read_sample();
	struct json_reader r;
	struct problem p;
	char text[8];

	json_reader_init(&r, NULL, "", &p);
	ck_assert_str_eq(p.detail, "body must be an object, not absent");
	ck_assert(!json_get_text(&r, "a", true, text, sizeof(text)));
	p.kind = PROBLEM_NONE;
	json_reader_init(&r, json_item(v, 0), "data", &p);
	ck_assert_str_eq(p.field, "data");
	json_free(v);
}
END_TEST

START_TEST(the_writer_puts_commas_and_escapes)
{
	struct json_writer w;
	struct buf out;

	buf_init(&out, 1024);
	json_writer_init(&w, &out);
	json_open(&w, NULL, '{');
	json_put_text(&w, "t", "a\"\\\n\r\t\x01\x7f\xc3\xa9\xff\xed\xa0\x80z");
	json_open(&w, "l", '[');
	json_put_int(&w, NULL, -1);
	json_put_int(&w, NULL, INT64_MIN);
	json_open(&w, NULL, '{');
	json_close(&w, '}');
	json_put_raw(&w, NULL, "[0]", 3);
	json_close(&w, ']');
	json_put_bool(&w, "b", false);
	json_put_null(&w, "n");
	json_put_text(&w, "e", "");
	json_close(&w, '}');
	ck_assert_str_eq(buf_text(&out),
			 "{\"t\":\"a\\\"\\\\\\n\\r\\t\\u0001\x7f\xc3\xa9\xef\xbf\xbd"
			 "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\","
			 "\"l\":[-1,-9223372036854775808,{},[0]],\"b\":false,\"n\":null,"
			 "\"e\":\"\"}");
	buf_release(&out);
}
END_TEST

/* The writer looks at eight bytes at a time. */
START_TEST(every_byte_comes_back_from_every_place)
{
	for (int byte = 1; byte < 256; byte++) {
		for (size_t place = 0; place < 17; place++) {
			char text[] = "aaaaaaaaaaaaaaaaa", back[64];
			struct json_writer w;
			struct json_reader r;
			struct problem p;
			struct err e = ERR_INIT;
			struct json_t *root;
			struct buf out;

			text[place] = (char)byte;
			buf_init(&out, 256);
			json_writer_init(&w, &out);
			json_open(&w, NULL, '{');
			json_put_text(&w, "t", text);
			json_close(&w, '}');
			root = json_read(out.data, out.len, &e);
			ck_assert_msg(root != NULL, "byte %d at %zu: %s", byte, place,
				      buf_text(&out));
			json_reader_init(&r, root, "", &p);
			ck_assert(json_get_text(&r, "t", true, back, sizeof(back)));
			if (byte < 0x80)
				ck_assert_str_eq(back, text);
			else
				ck_assert_mem_eq(back + place, "\xef\xbf\xbd", 3);
			json_free(root);
			buf_release(&out);
		}
	}
}
END_TEST

START_TEST(what_goes_over_the_buffer_is_told_and_not_cut)
{
	struct json_writer w;
	struct buf out;

	buf_init(&out, 16);
	json_writer_init(&w, &out);
	json_open(&w, NULL, '{');
	json_put_text(&w, "key", "far too long for it");
	json_close(&w, '}');
	ck_assert(out.overflowed);
	ck_assert_uint_le(out.len, 16);
	buf_release(&out);
}
END_TEST

START_TEST(every_prefix_of_good_json_is_refused)
{
	struct err e;

	for (size_t len = 0; len < strlen(sample); len++) {
		char *bytes = exact_copy(sample, len);

		ck_assert_ptr_null(json_read(bytes, len, &e));
		free(bytes);
	}
}
END_TEST

Suite *json_suite(void)
{
	Suite *s = suite_create("json");
	TCase *c = tcase_create("json");

	tcase_add_loop_test(c, bad_json_is_refused_with_its_place, 0,
			    sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(c, a_raw_nul_is_refused);
	tcase_add_test(c, what_jansson_says_does_not_repeat_the_input);
	tcase_add_test(c, sixteen_levels_are_read);
	tcase_add_test(c, getters_take_what_fits_and_end_refuses_the_rest);
	tcase_add_loop_test(c, a_fault_names_the_whole_field_and_the_remedy, 0,
			    sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(c, the_first_fault_stays_also_across_readers);
	tcase_add_test(c, what_is_not_an_object_is_named);
	tcase_add_test(c, the_writer_puts_commas_and_escapes);
	tcase_add_test(c, every_byte_comes_back_from_every_place);
	tcase_add_test(c, what_goes_over_the_buffer_is_told_and_not_cut);
	tcase_add_test(c, every_prefix_of_good_json_is_refused);
	suite_add_tcase(s, c);
	return s;
}
