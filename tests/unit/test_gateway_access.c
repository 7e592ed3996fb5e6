#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "exact.h"
#include "gateway/access.h"

Suite *gateway_access_suite(void);

#define SECRET       "a secret of thirty-two bytes, or more"
#define OTHER_SECRET "another secret that was valid until now"

static const struct access_settings settings = {SECRET, OTHER_SECRET, "paybell", ""};
static const struct access_settings alone = {SECRET, "", "paybell", ""};

static char token[TOKEN_MAX];
static struct err e;

static int64_t now_s(void)
{
	return clock_utc_us() / US_PER_S;
}

static int judge(const char *user_id, const char *scope, const char *secret,
		 const struct access_settings *s, struct access *a)
{
	struct token_claims claims = {.audience = "paybell",
				      .issued_s = now_s(),
				      .not_before_s = now_s(),
				      .expires_s = now_s() + 60};

	strcpy(claims.subject, user_id);
	strcpy(claims.scope, scope);
	ck_assert_int_eq(token_sign(token, &claims, secret, &e), 0);
	return access_judge(a, s, token, &e);
}

START_TEST(a_token_is_for_its_user_until_it_ends)
{
	struct access a;

	ck_assert_int_eq(judge("bob", "", SECRET, &settings, &a), 0);
	ck_assert_str_eq(a.user_id, "bob");
	ck_assert(!a.all);
	ck_assert_int_ge(a.expires_s, now_s() + 50);
	ck_assert_int_le(a.expires_s, now_s() + 60);
}
END_TEST

START_TEST(only_the_scope_of_an_operator_hears_all)
{
	struct access a;

	ck_assert_int_eq(judge("op", "ops", SECRET, &settings, &a), 0);
	ck_assert(a.all);
	ck_assert_int_eq(judge("bob", "opsx", SECRET, &settings, &a), 0);
	ck_assert(!a.all);
	ck_assert_int_eq(judge("bob", "op", SECRET, &settings, &a), 0);
	ck_assert(!a.all);
}
END_TEST

START_TEST(the_old_secret_is_good_while_there_is_one)
{
	struct access a;

	ck_assert_int_eq(judge("bob", "", OTHER_SECRET, &settings, &a), 0);
	ck_assert_int_eq(judge("bob", "", OTHER_SECRET, &alone, &a), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
}
END_TEST

START_TEST(what_is_said_of_a_bad_token_has_nothing_of_it)
{
	struct access a;
	const char *claims, *signature;

	ck_assert_int_eq(judge("bob", "", OTHER_SECRET, &alone, &a), -1);
	claims = strchr(token, '.') + 1;
	signature = strrchr(token, '.') + 1;
	ck_assert_ptr_null(strstr(e.text, signature));
	ck_assert_ptr_null(strstr(e.text, "bob"));
	ck_assert(strncmp(e.text, claims, 8) != 0);
}
END_TEST

START_TEST(a_token_takes_the_place_of_one_of_the_same_user_only)
{
	const struct access bobs = {.user_id = "bob"};
	const struct access ops = {.user_id = "bob", .all = true};

	ck_assert(access_is_for(&bobs, "bob"));
	ck_assert(!access_is_for(&bobs, "bo"));
	ck_assert(!access_is_for(&bobs, "bobb"));
	ck_assert(!access_is_for(&bobs, NULL));
	ck_assert(access_is_for(&ops, NULL));
	ck_assert(!access_is_for(&ops, "bob"));
}
END_TEST

static bool allows(const char *origins, const char *origin)
{
	const struct access_settings s = {SECRET, "", "paybell", origins};
	size_t len = strlen(origin);
	char *exact = exact_copy(origin, len);
	bool allowed = access_allows_origin(&s, (struct http_text){exact, len});

	free(exact);
	return allowed;
}

START_TEST(an_origin_is_allowed_to_the_letter)
{
	static const char list[] = "https://a.example, https://b.example:8443,null";

	ck_assert(allows(list, "https://a.example"));
	ck_assert(allows(list, "https://b.example:8443"));
	ck_assert(allows(list, "null"));
	ck_assert(!allows(list, "https://b.example"));
	ck_assert(!allows(list, "https://a.example.evil"));
	ck_assert(!allows(list, "https://a.exampl"));
	ck_assert(!allows(list, "http://a.example"));
	ck_assert(!allows(list, "https://A.example"));
	ck_assert(!allows(list, "https://a.example, https://b.example:8443"));
	ck_assert(!allows(list, ""));
	ck_assert(!allows(list, "*"));
}
END_TEST

START_TEST(a_star_is_any_origin_and_an_empty_list_is_none)
{
	ck_assert(allows("*", "https://a.example"));
	ck_assert(allows("https://b.example,*", "null"));
	ck_assert(!allows("**", "https://a.example"));
	ck_assert(!allows("https://*", "https://a.example"));
	ck_assert(!allows("", "https://a.example"));
	ck_assert(!allows("", ""));
	ck_assert(!allows(" , ", ""));
	ck_assert(!allows(", https://a.example", ""));
	ck_assert(allows(", https://a.example", "https://a.example"));
}
END_TEST

START_TEST(who_sends_no_origin_is_no_browser_and_may_come)
{
	const struct access_settings s = {SECRET, "", "paybell", ""};

	ck_assert(access_allows_origin(&s, (struct http_text){NULL, 0}));
}
END_TEST

Suite *gateway_access_suite(void)
{
	Suite *s = suite_create("gateway_access");
	TCase *t = tcase_create("gateway_access");

	tcase_add_test(t, a_token_is_for_its_user_until_it_ends);
	tcase_add_test(t, only_the_scope_of_an_operator_hears_all);
	tcase_add_test(t, the_old_secret_is_good_while_there_is_one);
	tcase_add_test(t, what_is_said_of_a_bad_token_has_nothing_of_it);
	tcase_add_test(t, a_token_takes_the_place_of_one_of_the_same_user_only);
	tcase_add_test(t, an_origin_is_allowed_to_the_letter);
	tcase_add_test(t, a_star_is_any_origin_and_an_empty_list_is_none);
	tcase_add_test(t, who_sends_no_origin_is_no_browser_and_may_come);
	suite_add_tcase(s, t);
	return s;
}
