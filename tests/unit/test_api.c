/* What the command line makes of the API's error answers; the calls themselves are tested
 * against a server in tests/integration. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/api.h"
#include "exact.h"

Suite *api_suite(void);

static const struct {
	int status;
	const char *body;
	enum err_code code;
	const char *said;
} answers[] = {
	{422,
	 "{\"type\":\"urn:paybell:problem:validation\",\"title\":\"A field is wrong\","
	 "\"status\":422,\"detail\":\"amount is required\",\"field\":\"amount\"}",
	 ERR_INVALID, "amount is required (field amount, 422 validation)"},
	{404,
	 "{\"type\":\"urn:paybell:problem:not-found\",\"title\":\"Not found\","
	 "\"status\":404}",
	 ERR_NOT_FOUND, "Not found (404 not-found)"},
	{503,
	 "{\"type\":\"urn:paybell:problem:overloaded\",\"title\":\"Too busy\","
	 "\"detail\":\"nothing was done\"}",
	 ERR_IO, "nothing was done (503 overloaded)"},
	{503,
	 "{\"type\":\"urn:paybell:problem:outcome-unknown\",\"title\":\"Who knows\"}",
	 ERR_TIMEOUT, "Who knows (503 outcome-unknown)"},
	{409, "{\"type\":\"urn:paybell:problem:in-progress\",\"title\":\"Wait\"}",
	 ERR_TIMEOUT, "Wait (409 in-progress)"},
	{409, "{\"type\":\"urn:paybell:problem:conflict\",\"title\":\"No\"}",
	 ERR_CONFLICT, "No (409 conflict)"},
	{400, "{\"type\":\"about:blank\",\"title\":\"No\"}", ERR_INVALID,
	 "No (400 blank)"},
	{502, "<html>Bad Gateway</html>", ERR_IO,
	 "the API answered 502 without a reason"},
	{500, "", ERR_IO, "the API answered 500 without a reason"},
	{401, "[]", ERR_INVALID, "the API answered 401 without a reason"},
	{422, "{\"title\":\"No type\"}", ERR_INVALID,
	 "the API answered 422 without a reason"},
	{422, "{\"type\":7}", ERR_INVALID, "the API answered 422 without a reason"},
};

START_TEST(an_error_answer_is_one_sentence_with_its_field)
{
	size_t len = strlen(answers[_i].body);
	char *body = exact_copy(answers[_i].body, len);
	struct err e = ERR_INIT;

	api_problem(answers[_i].status, body, len, &e);
	ck_assert_str_eq(e.text, answers[_i].said);
	ck_assert_int_eq(e.code, answers[_i].code);
	free(body);
}
END_TEST

START_TEST(a_segment_of_a_path_stays_one)
{
	struct buf path;

	buf_init(&path, 256);
	buf_add_text(&path, "/users/");
	api_segment(&path, "a/b?c=d&e#f g%\xc3\xbc.-_~9Z");
	ck_assert_str_eq(buf_text(&path),
			 "/users/a%2Fb%3Fc%3Dd%26e%23f%20g%25%C3%BC.-_~9Z");
	buf_release(&path);
}
END_TEST

Suite *api_suite(void)
{
	Suite *s = suite_create("api");
	TCase *c = tcase_create("api");

	tcase_add_loop_test(c, an_error_answer_is_one_sentence_with_its_field, 0,
			    sizeof(answers) / sizeof(answers[0]));
	tcase_add_test(c, a_segment_of_a_path_stays_one);
	suite_add_tcase(s, c);
	return s;
}
