#include <check.h>
#include <stdio.h>
#include <string.h>

#include "exact.h"
#include "wire/user.h"

Suite *user_suite(void);

static const char alice[] =
	"{\"name\":\"Alice\",\"email\":\"alice@example.com\",\"phone\":\"+"
	"4366012345678\","
	"\"locale\":\"de-AT\",\"timezone\":\"Europe/Vienna\",\"preferences\":{"
	"\"push\":{},\"sms\":{\"enabled\":false,\"min_amount\":{\"amount\":\"10.00\","
	"\"currency\":\"EUR\"}}}}";

static int decode(struct user *u, const char *text, struct problem *p)
{
	size_t len = strlen(text);
	char *bytes = exact_copy(text, len);
	int rc = user_decode(u, bytes, len, p);

	free(bytes);
	return rc;
}

START_TEST(a_user_is_read_and_keeps_id_and_times)
{
	struct user u = {.id = "alice", .created_us = 1, .updated_us = 2};
	struct problem p;

	ck_assert_int_eq(decode(&u, alice, &p), 0);
	ck_assert_str_eq(u.id, "alice");
	ck_assert_int_eq(u.created_us, 1);
	ck_assert_int_eq(u.updated_us, 2);
	ck_assert_str_eq(u.phone, "+4366012345678");
	ck_assert_int_eq(u.preference_count, 2);
	ck_assert(user_preference(&u, "push")->enabled);
	ck_assert(!user_preference(&u, "sms")->enabled);
	ck_assert_int_eq(user_preference(&u, "sms")->min_minor, 1000);
	ck_assert_str_eq(user_preference(&u, "sms")->min_currency, "EUR");
	ck_assert_ptr_null(user_preference(&u, "email"));
}
END_TEST

static const struct {
	const char *from, *to;
	enum problem_kind kind;
	const char *field;
} edits[] = {
	{"\"Alice\"", "\"\xe5\xb1\xb1\xe7\x94\xb0 \xf0\x9f\x8e\x89 \\\"<x>\\\"\"",
	 PROBLEM_NONE, ""},
	{"\"email\":\"alice@example.com\",", "", PROBLEM_NONE, ""},
	{"\"+4366012345678\"", "null", PROBLEM_NONE, ""},
	{"de-AT", "zh-Hant-TW", PROBLEM_NONE, ""},
	{"de-AT", "es-419", PROBLEM_NONE, ""},
	{"de-AT", "fil", PROBLEM_NONE, ""},
	{"Europe/Vienna", "Etc/GMT+5", PROBLEM_NONE, ""},
	{"\"name\"", "name", PROBLEM_MALFORMED, ""},
	{"Alice", "\\u0000", PROBLEM_MALFORMED, ""},
	{"\"name\":\"Alice\",", "", PROBLEM_VALIDATION, "name"},
	{"Alice", "", PROBLEM_VALIDATION, "name"},
	{"Alice", "A\\r\\nBcc: x", PROBLEM_VALIDATION, "name"},
	{"\"Alice\"", "{}", PROBLEM_VALIDATION, "name"},
	{"alice@example.com", "", PROBLEM_VALIDATION, "email"},
	{"alice@example.com", "alice", PROBLEM_VALIDATION, "email"},
	{"alice@example.com", "a@b\\r\\nc", PROBLEM_VALIDATION, "email"},
	{"alice@example.com", "a@b>, <c@d", PROBLEM_VALIDATION, "email"},
	{"+4366012345678", "066012345678", PROBLEM_VALIDATION, "phone"},
	{"+4366012345678", "+0366012345678", PROBLEM_VALIDATION, "phone"},
	{"+4366012345678", "+43 660 123456", PROBLEM_VALIDATION, "phone"},
	{"+4366012345678", "+123456", PROBLEM_VALIDATION, "phone"},
	{"+4366012345678", "+1234567890123456", PROBLEM_VALIDATION, "phone"},
	{"+4366012345678", "+", PROBLEM_VALIDATION, "phone"},
	{"de-AT", "german", PROBLEM_VALIDATION, "locale"},
	{"de-AT", "de_AT", PROBLEM_VALIDATION, "locale"},
	{"de-AT", "de-", PROBLEM_VALIDATION, "locale"},
	{"de-AT", "../de", PROBLEM_VALIDATION, "locale"},
	{"de-AT", "de-AT-x", PROBLEM_VALIDATION, "locale"},
	{"Europe/Vienna", "../etc", PROBLEM_VALIDATION, "timezone"},
	{"Europe/Vienna", "", PROBLEM_VALIDATION, "timezone"},
	{"Europe/Vienna", "A B", PROBLEM_VALIDATION, "timezone"},
	{"\"preferences\":{", "\"preferences\":[],\"x\":{", PROBLEM_VALIDATION,
	 "preferences"},
	{"\"push\"", "\"Push\"", PROBLEM_VALIDATION, "preferences.Push"},
	{"\"push\"", "\"\"", PROBLEM_VALIDATION, "preferences.\"\""},
	{"\"push\"", "\"abcdefghijklmnopq\"", PROBLEM_VALIDATION,
	 "preferences.abcdefghijklmnopq"},
	{"\"push\":{}", "\"push\":true", PROBLEM_VALIDATION, "preferences.push"},
	{"\"push\":{}", "\"push\":{\"on\":true}", PROBLEM_VALIDATION,
	 "preferences.push.on"},
	{"false", "0", PROBLEM_VALIDATION, "preferences.sms.enabled"},
	{"{\"amount\":\"10.00\"", "{\"amount\":10.00", PROBLEM_VALIDATION,
	 "preferences.sms.min_amount.amount"},
	{"\"10.00\"", "\"10.001\"", PROBLEM_VALIDATION,
	 "preferences.sms.min_amount.amount"},
	{"\"10.00\"", "\"0\"", PROBLEM_VALIDATION, "preferences.sms.min_amount.amount"},
	{"\"EUR\"", "\"EURO\"", PROBLEM_VALIDATION,
	 "preferences.sms.min_amount.currency"},
	{"\"EUR\"", "\"EUX\"", PROBLEM_VALIDATION, "preferences.sms.min_amount.currency"},
	{"\"EUR\"", "\"EUR\",\"x\":1", PROBLEM_VALIDATION,
	 "preferences.sms.min_amount.x"},
	{"\"name\"", "\"id\":\"alice\",\"name\"", PROBLEM_VALIDATION, "id"},
};

START_TEST(each_wrong_field_is_named_and_nothing_is_changed)
{
	struct user u = {.name = "before", .preference_count = 1};
	struct problem p = {.kind = PROBLEM_NONE};
	int rc = decode(&u, exact_edit(alice, edits[_i].from, edits[_i].to), &p);

	ck_assert_msg(p.kind == edits[_i].kind, "%d %s", p.kind, p.detail);
	ck_assert_int_eq(rc, edits[_i].kind == PROBLEM_NONE ? 0 : -1);
	if (rc == 0)
		return;
	ck_assert_str_eq(p.field, edits[_i].field);
	ck_assert_uint_gt(strlen(p.detail), strlen(p.field));
	ck_assert_str_eq(u.name, "before");
	ck_assert_int_eq(u.preference_count, 1);
}
END_TEST

START_TEST(every_prefix_is_malformed)
{
	struct user u;
	struct problem p;

	for (size_t len = 0; len < strlen(alice); len++) {
		char *bytes = exact_copy(alice, len);

		ck_assert_int_eq(user_decode(&u, bytes, len, &p), -1);
		ck_assert_int_eq(p.kind, PROBLEM_MALFORMED);
		ck_assert_int_eq(preferences_decode(&u, bytes, len, &p), -1);
		free(bytes);
	}
	ck_assert_int_eq(user_decode(&u, "", USER_BODY_MAX + 1, &p), -1);
	ck_assert_int_eq(p.kind, PROBLEM_TOO_LARGE);
}
END_TEST

START_TEST(preferences_go_into_the_database_and_come_back)
{
	struct user u = {0}, back = {0};
	struct problem p;
	struct buf out;

	ck_assert_int_eq(decode(&u, alice, &p), 0);
	buf_init(&out, 4096);
	preferences_encode(&u, &out);
	ck_assert_str_eq(buf_text(&out),
			 "{\"push\":{\"enabled\":true},\"sms\":{\"enabled\":false,"
			 "\"min_amount\":{\"amount\":\"10.00\",\"currency\":\"EUR\"}}}");
	ck_assert_int_eq(preferences_decode(&back, out.data, out.len, &p), 0);
	ck_assert_int_eq(back.preference_count, 2);
	ck_assert_int_eq(user_preference(&back, "sms")->min_minor, 1000);
	buf_clear(&out);
	u.preference_count = 0;
	preferences_encode(&u, &out);
	ck_assert_str_eq(buf_text(&out), "{}");
	ck_assert_int_eq(preferences_decode(&back, "{}", 2, &p), 0);
	ck_assert_int_eq(back.preference_count, 0);
	buf_release(&out);
}
END_TEST

START_TEST(more_channels_than_eight_are_refused)
{
	char body[512] = "{\"c0\":{}";
	struct user u = {0};
	struct problem p;

	for (int i = 1; i < 9; i++)
		sprintf(body + strlen(body), ",\"c%d\":{}", i);
	strcat(body, "}");
	ck_assert_int_eq(preferences_decode(&u, body, strlen(body), &p), -1);
	ck_assert_str_eq(p.field, "preferences");
	strcpy(strstr(body, ",\"c8\""), "}");
	ck_assert_int_eq(preferences_decode(&u, body, strlen(body), &p), 0);
	ck_assert_int_eq(u.preference_count, 8);
}
END_TEST

START_TEST(a_user_is_answered_whole)
{
	struct user u = {.id = "bob",
			 .name = "Bob",
			 .created_us = 1768728600123456,
			 .updated_us = 1768728600123457};
	struct buf out;

	buf_init(&out, 4096);
	user_encode(&u, &out);
	ck_assert_str_eq(buf_text(&out),
			 "{\"id\":\"bob\",\"name\":\"Bob\",\"preferences\":{},"
			 "\"created_at\":\"2026-01-18T09:30:00.123456Z\","
			 "\"created_us\":1768728600123456,"
			 "\"updated_at\":\"2026-01-18T09:30:00.123457Z\","
			 "\"updated_us\":1768728600123457}");
	buf_release(&out);
}
END_TEST

static const struct {
	const char *body;
	enum problem_kind kind;
	const char *field;
} devices[] = {
	{"{\"kind\":\"fcm\",\"token\":\"abc:DEF-_1\"}", PROBLEM_NONE, ""},
	{"{\"kind\":\"fcm\"", PROBLEM_MALFORMED, ""},
	{"{\"kind\":\"fcm\"}", PROBLEM_VALIDATION, "token"},
	{"{\"token\":\"x\"}", PROBLEM_VALIDATION, "kind"},
	{"{\"kind\":\"fax\",\"token\":\"x\"}", PROBLEM_VALIDATION, "kind"},
	{"{\"kind\":\"fcm\",\"token\":\"\"}", PROBLEM_VALIDATION, "token"},
	{"{\"kind\":\"fcm\",\"token\":\"a b\"}", PROBLEM_VALIDATION, "token"},
	{"{\"kind\":\"fcm\",\"token\":\"a\\nb\"}", PROBLEM_VALIDATION, "token"},
	{"{\"kind\":\"fcm\",\"token\":7}", PROBLEM_VALIDATION, "token"},
	{"{\"kind\":\"fcm\",\"token\":\"x\",\"id\":1}", PROBLEM_VALIDATION, "id"},
};

START_TEST(a_device_is_read_or_refused_by_field)
{
	struct device d = {.id = "dev_x"};
	struct problem p = {.kind = PROBLEM_NONE};
	size_t len = strlen(devices[_i].body);
	char *bytes = exact_copy(devices[_i].body, len);
	int rc = device_decode(&d, bytes, len, &p);

	ck_assert_int_eq(p.kind, devices[_i].kind);
	ck_assert_int_eq(rc, p.kind == PROBLEM_NONE ? 0 : -1);
	ck_assert_str_eq(d.token, rc == 0 ? "abc:DEF-_1" : "");
	ck_assert_str_eq(d.id, "dev_x");
	if (rc < 0)
		ck_assert_str_eq(p.field, devices[_i].field);
	for (size_t n = 0; rc == 0 && n < len; n++) {
		char *prefix = exact_copy(bytes, n);

		ck_assert_int_eq(device_decode(&d, prefix, n, &p), -1);
		free(prefix);
	}
	free(bytes);
}
END_TEST

START_TEST(a_token_is_never_shown)
{
	struct device d = {.id = "dev_x", .token = "0123456789abcdefWXYZ"};
	struct buf out;

	buf_init(&out, 1024);
	device_encode(&d, &out);
	ck_assert_str_eq(
		buf_text(&out),
		"{\"id\":\"dev_x\",\"kind\":\"fcm\",\"token_tail\":\"WXYZ\","
		"\"created_at\":\"1970-01-01T00:00:00.000000Z\",\"created_us\":0}");
	buf_clear(&out);
	strcpy(d.token, "short");
	device_encode(&d, &out);
	ck_assert_ptr_null(strstr(buf_text(&out), "short"));
	ck_assert_ptr_null(strstr(buf_text(&out), "hort"));
	buf_release(&out);
}
END_TEST

Suite *user_suite(void)
{
	Suite *s = suite_create("user");
	TCase *c = tcase_create("user");

	tcase_add_test(c, a_user_is_read_and_keeps_id_and_times);
	tcase_add_loop_test(c, each_wrong_field_is_named_and_nothing_is_changed, 0,
			    sizeof(edits) / sizeof(edits[0]));
	tcase_add_test(c, every_prefix_is_malformed);
	tcase_add_test(c, preferences_go_into_the_database_and_come_back);
	tcase_add_test(c, more_channels_than_eight_are_refused);
	tcase_add_test(c, a_user_is_answered_whole);
	tcase_add_loop_test(c, a_device_is_read_or_refused_by_field, 0,
			    sizeof(devices) / sizeof(devices[0]));
	tcase_add_test(c, a_token_is_never_shown);
	suite_add_tcase(s, c);
	return s;
}
