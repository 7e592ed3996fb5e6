#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport_fixture.h"
#include "worker/texts.h"

Suite *texts_suite(void);

static const struct transport_part parts[TRANSPORT_PARTS_MAX] = {
	{"subject.txt", 40, true}, {"body.html", 60, false}};
static char folder[64];

static void put(const char *locale, const char *part, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, locale);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/test", folder, locale);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/test/transaction.completed.%s", folder,
		 locale, part);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void begin(void)
{
	strcpy(folder, "/tmp/paybell-texts-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	put("en", "subject.txt", "You paid\n  {{amount}}\n");
	put("en", "body.html", "<p>{{description}}</p>\n");
	put("de", "subject.txt", "Bezahlt: {{amount}}\n");
	put("de", "body.html", "<p>{{description}}</p>\n");
}

static void end(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static struct texts *load(void)
{
	struct texts *t = NULL;
	struct err e = ERR_INIT;

	ck_assert_msg(texts_load(&t, folder, "test", parts, "en", &e) == 0, "%s", e.text);
	return t;
}

static const char *refusal(const char *fallback)
{
	static struct err e;
	struct texts *t = NULL;

	e = (struct err)ERR_INIT;
	ck_assert_int_lt(texts_load(&t, folder, "test", parts, fallback, &e), 0);
	return e.text;
}

START_TEST(a_locale_falls_back_to_its_language_and_then_to_the_default)
{
	static const char *const cases[][2] = {
		{"de", "de"},    {"de-AT", "de"}, {"DE-at-x-wien", "de"}, {"", "en"},
		{"fr-FR", "en"}, {"d", "en"},     {"dex", "en"},
	};
	struct texts *t = load();
	struct recipient *r = transport_recipient();
	struct message m = transport_message(r);
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strcpy(r->user.locale, cases[i][0]);
		ck_assert_int_eq(texts_render(t, &m, &e), 0);
		ck_assert_str_eq(m.locale, cases[i][1]);
	}
	texts_free(t);
}
END_TEST

START_TEST(a_subject_is_one_line)
{
	struct texts *t = load();
	struct message m = transport_message(transport_recipient());
	struct err e = ERR_INIT;

	ck_assert_int_eq(texts_render(t, &m, &e), 0);
	ck_assert_str_eq(m.parts[0], "You paid 15.00");
	ck_assert_str_eq(m.parts[1], "<p>Lunch</p>\n");
	texts_free(t);
}
END_TEST

START_TEST(plain_text_is_cut_between_characters)
{
	struct texts *t;
	struct recipient *r = transport_recipient();
	struct message m = transport_message(r);
	struct err e = ERR_INIT;

	put("en", "subject.txt", "{{user_name}}");
	put("en", "body.html", "<p></p>");
	t = load();
	for (int i = 0; i < 30; i++)
		memcpy(r->user.name + 2 * i, "\xc3\xa4", 3);
	ck_assert_int_eq(texts_render(t, &m, &e), 0);
	ck_assert_uint_eq(strlen(m.parts[0]), 39); /* 18 of two bytes, and the ellipsis */
	ck_assert_str_eq(m.parts[0] + 34, "\xc3\xa4\xe2\x80\xa6");
	texts_free(t);
}
END_TEST

START_TEST(html_is_never_cut)
{
	struct texts *t = load();
	struct recipient *r = transport_recipient();
	struct message m = transport_message(r);
	struct err e = ERR_INIT;

	memset(r->event.description, '<', 20);
	ck_assert_int_lt(texts_render(t, &m, &e), 0);
	ck_assert_int_eq(e.code, ERR_FULL);
	texts_free(t);
}
END_TEST

START_TEST(a_locale_with_a_part_missing_is_refused)
{
	put("fr", "subject.txt", "Oui");
	ck_assert_ptr_nonnull(
		strstr(refusal("en"), "fr/test/transaction.completed.body"));
}
END_TEST

START_TEST(a_misspelt_name_is_refused_with_file_and_line)
{
	put("de", "body.html", "<p>\n{{amuont}}");
	ck_assert_ptr_nonnull(
		strstr(refusal("en"),
		       "de/test/transaction.completed.body.html: line 2: \"amuont\""));
}
END_TEST

START_TEST(a_default_that_is_not_there_is_refused)
{
	ck_assert_ptr_nonnull(strstr(refusal("pt"), "PAYBELL_LOCALE"));
}
END_TEST

Suite *texts_suite(void)
{
	Suite *s = suite_create("texts");
	TCase *t = tcase_create("texts");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, a_locale_falls_back_to_its_language_and_then_to_the_default);
	tcase_add_test(t, a_subject_is_one_line);
	tcase_add_test(t, plain_text_is_cut_between_characters);
	tcase_add_test(t, html_is_never_cut);
	tcase_add_test(t, a_locale_with_a_part_missing_is_refused);
	tcase_add_test(t, a_misspelt_name_is_refused_with_file_and_line);
	tcase_add_test(t, a_default_that_is_not_there_is_refused);
	suite_add_tcase(s, t);
	return s;
}
