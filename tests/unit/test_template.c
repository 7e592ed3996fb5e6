#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "exact.h"
#include "worker/template.h"

Suite *template_suite(void);

static const char *const names[] = {"name", "x", "y", NULL};

static const char *render(const char *text, bool html, const char *name, const char *x,
			  const char *y)
{
	static char out[4096];
	const char *const values[] = {name, x, y};
	size_t len = strlen(text);
	char *exact = exact_copy(text, len);
	struct template *t = NULL;
	struct err e = ERR_INIT;
	struct buf b;

	ck_assert_msg(template_compile(&t, exact, len, names, html, &e) == 0, "%s",
		      e.text);
	free(exact);
	buf_init(&b, sizeof(out) - 1);
	template_render(t, values, &b);
	memcpy(out, buf_text(&b), b.len + 1);
	buf_release(&b);
	template_free(t);
	return out;
}

static const char *refusal(const char *text)
{
	static struct err e;
	struct template *t = NULL;

	e = (struct err)ERR_INIT;
	ck_assert_msg(template_compile(&t, text, strlen(text), names, false, &e) < 0,
		      "\"%s\"", text);
	ck_assert_int_eq(e.code, ERR_INVALID);
	return e.text;
}

START_TEST(names_become_values)
{
	ck_assert_str_eq(render("Hello {{name}}, {{ x }}!", false, "Ann", "1", ""),
			 "Hello Ann, 1!");
	ck_assert_str_eq(render("", false, "", "", ""), "");
	ck_assert_str_eq(render("{ {name} }", false, "Ann", "", ""), "{ {name} }");
}
END_TEST

START_TEST(a_value_is_not_a_template)
{
	ck_assert_str_eq(render("{{name}}", false, "{{x}}", "1", ""), "{{x}}");
}
END_TEST

START_TEST(html_is_escaped_and_plain_text_is_not)
{
	ck_assert_str_eq(render("{{name}}", true, "<a href=\"x\">&'</a>", "", ""),
			 "&lt;a href=&quot;x&quot;&gt;&amp;&#39;&lt;/a&gt;");
	ck_assert_str_eq(render("{{name}}", false, "<&\"'>", "", ""), "<&\"'>");
	ck_assert_str_eq(render("<b>{{name}}</b>", true, "\xd7\xa9", "", ""),
			 "<b>\xd7\xa9</b>");
}
END_TEST

START_TEST(sections_show_by_whether_there_is_a_value)
{
	const char *text = "a{{#x}}b{{y}}c{{/x}}{{^x}}d{{/x}}e";

	ck_assert_str_eq(render(text, false, "", "1", "!"), "ab!ce");
	ck_assert_str_eq(render(text, false, "", "", "!"), "ade");
}
END_TEST

START_TEST(sections_nest)
{
	const char *text = "{{#x}}1{{#y}}2{{^x}}3{{/x}}{{/y}}4{{/x}}";

	ck_assert_str_eq(render(text, false, "", "x", "y"), "124");
	ck_assert_str_eq(render(text, false, "", "x", ""), "14");
	ck_assert_str_eq(render(text, false, "", "", "y"), "");
}
END_TEST

START_TEST(a_tag_alone_on_its_line_takes_the_line_with_it)
{
	ck_assert_str_eq(render("a\n{{#x}}\nb\n{{/x}}\nc\n", false, "", "1", ""),
			 "a\nb\nc\n");
	ck_assert_str_eq(render("a\n  {{#x}}  \nb\n\t{{/x}}", false, "", "1", ""),
			 "a\nb\n");
	ck_assert_str_eq(render("{{! said }}\r\na", false, "", "", ""), "a");
	ck_assert_str_eq(render("{{#x}} {{/x}}\nb", false, "", "1", ""), " \nb");
	ck_assert_str_eq(render("a\n{{name}}\nb", false, "N", "", ""), "a\nN\nb");
}
END_TEST

START_TEST(an_unknown_name_is_refused_with_its_line)
{
	ck_assert_str_eq(refusal("a\nb\n{{nmae}}"), "line 3: \"nmae\" is not a name");
	ck_assert_str_eq(refusal("{{}}"), "line 1: \"\" is not a name");
	refusal("{{#nam}}{{/nam}}");
	refusal("{{{name}}}");
	refusal("{{&name}}");
	refusal("{{>name}}");
}
END_TEST

START_TEST(sections_that_do_not_match_are_refused)
{
	ck_assert_str_eq(refusal("{{#x}}"), "section \"x\" has no end");
	ck_assert_str_eq(refusal("\n{{/x}}"), "line 2: {{/x}} opens nowhere");
	ck_assert_str_eq(refusal("{{#x}}{{#y}}{{/x}}{{/y}}"),
			 "line 1: {{/x}} ends section \"y\"");
	ck_assert_str_eq(refusal("{{#x}"), "line 1: {{ without }}");
	refusal("{{#x}}{{#x}}{{#x}}{{#x}}{{#x}}{{#x}}{{#x}}{{#x}}{{#x}}");
}
END_TEST

START_TEST(what_is_no_text_is_refused)
{
	struct template *t = NULL;
	struct err e = ERR_INIT;
	char *big = malloc(TEMPLATE_MAX_BYTES + 1);

	memset(big, 'a', TEMPLATE_MAX_BYTES + 1);
	ck_assert_int_lt(
		template_compile(&t, big, TEMPLATE_MAX_BYTES + 1, names, false, &e), 0);
	ck_assert_int_lt(template_compile(&t, "a\0b", 3, names, false, &e), 0);
	ck_assert_int_lt(template_compile(&t, "\xff", 1, names, false, &e), 0);
	free(big);
}
END_TEST

Suite *template_suite(void)
{
	Suite *s = suite_create("template");
	TCase *t = tcase_create("template");

	tcase_add_test(t, names_become_values);
	tcase_add_test(t, a_value_is_not_a_template);
	tcase_add_test(t, html_is_escaped_and_plain_text_is_not);
	tcase_add_test(t, sections_show_by_whether_there_is_a_value);
	tcase_add_test(t, sections_nest);
	tcase_add_test(t, a_tag_alone_on_its_line_takes_the_line_with_it);
	tcase_add_test(t, an_unknown_name_is_refused_with_its_line);
	tcase_add_test(t, sections_that_do_not_match_are_refused);
	tcase_add_test(t, what_is_no_text_is_refused);
	suite_add_tcase(s, t);
	return s;
}
