#include <check.h>
#include <stdio.h>
#include <string.h>

#include "io/redis_url.h"

Suite *redis_url_suite(void);

static struct redis_url url;
static struct err error;

static void parse(const char *text)
{
	ck_assert_msg(redis_url_parse(&url, text, &error) == 0, "%s: %s", text,
		      error.text);
}

START_TEST(a_url_is_taken_apart)
{
	char address[REDIS_URL_ADDRESS_SIZE];

	parse("redis://127.0.0.1");
	ck_assert_str_eq(url.host, "127.0.0.1");
	ck_assert_int_eq(url.port, 6379);
	ck_assert_int_eq(url.db, 0);
	ck_assert_str_eq(url.password, "");
	parse("redis://bell:p%40s%2fs:w@redis.internal:7000/12");
	ck_assert_str_eq(url.user, "bell");
	ck_assert_str_eq(url.password, "p@s/s:w");
	ck_assert_str_eq(url.host, "redis.internal");
	ck_assert_int_eq(url.port, 7000);
	ck_assert_int_eq(url.db, 12);
	ck_assert_str_eq(redis_url_address(address, &url), "redis.internal:7000");
	parse("redis://:secret@[::1]:7001/");
	ck_assert_str_eq(url.user, "");
	ck_assert_str_eq(url.password, "secret");
	ck_assert_str_eq(url.host, "::1");
	ck_assert_str_eq(redis_url_address(address, &url), "[::1]:7001");
	parse("unix:/run/redis.sock?db=5");
	ck_assert_str_eq(url.path, "/run/redis.sock");
	ck_assert_str_eq(url.host, "");
	ck_assert_int_eq(url.db, 5);
	ck_assert_str_eq(redis_url_address(address, &url), "/run/redis.sock");
	parse("unix:///run/redis.sock");
	ck_assert_str_eq(url.path, "/run/redis.sock");
}
END_TEST

START_TEST(what_is_not_a_url_is_refused_and_no_password_is_told)
{
	static const char *const wrong[] = {
		"",
		"127.0.0.1:6379",
		"rediss://127.0.0.1",
		"redis:127.0.0.1",
		"redis://",
		"redis://:1",
		"redis://h:0",
		"redis://h:65536",
		"redis://h:12x",
		"redis://h:",
		"redis://h/x",
		"redis://h/65536",
		"redis://h?db=1",
		"redis://hunter2@h",
		"redis://user:@h",
		"redis://:hunter2%4@h",
		"redis://:hunter2%zz@h",
		"redis://:hunter2%00@h",
		"redis://:hunter2%-1@h",
		"redis://:hunter2/x@h",
		"redis://[::1",
		"redis://[::1]x",
		"redis://[]",
		"unix:",
		"unix:relative",
		"unix:/",
		"unix://host/path",
		"unix:/s?db=x",
		"unix:/s?name=x",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_msg(redis_url_parse(&url, wrong[i], &error) == -1, "%s",
			      wrong[i]);
		ck_assert_int_eq(error.code, ERR_INVALID);
		ck_assert_ptr_null(strstr(error.text, "hunter2"));
	}
}
END_TEST

START_TEST(parts_that_are_too_long_are_refused_at_their_limit)
{
	char text[700], part[300];

	memset(part, 'a', sizeof(part) - 1);
	part[REDIS_URL_PART_SIZE - 1] = '\0';
	snprintf(text, sizeof(text), "redis://:%s@%s", part, part);
	parse(text);
	ck_assert_uint_eq(strlen(url.password), REDIS_URL_PART_SIZE - 1);
	ck_assert_str_eq(url.host, part);
	snprintf(text, sizeof(text), "redis://%sa", part);
	ck_assert_int_eq(redis_url_parse(&url, text, &error), -1);
	snprintf(text, sizeof(text), "redis://:%sa@h", part);
	ck_assert_int_eq(redis_url_parse(&url, text, &error), -1);
	part[REDIS_URL_PATH_SIZE - 2] = '\0';
	snprintf(text, sizeof(text), "unix:/%s", part);
	parse(text);
	snprintf(text, sizeof(text), "unix:/%sa", part);
	ck_assert_int_eq(redis_url_parse(&url, text, &error), -1);
}
END_TEST

Suite *redis_url_suite(void)
{
	Suite *s = suite_create("redis_url");
	TCase *t = tcase_create("redis_url");

	tcase_add_test(t, a_url_is_taken_apart);
	tcase_add_test(t, what_is_not_a_url_is_refused_and_no_password_is_told);
	tcase_add_test(t, parts_that_are_too_long_are_refused_at_their_limit);
	suite_add_tcase(s, t);
	return s;
}
