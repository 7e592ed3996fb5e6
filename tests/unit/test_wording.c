#include <check.h>
#include <string.h>

#include "transport_fixture.h"
#include "worker/wording.h"

Suite *wording_suite(void);

static struct wording w;

static void begin(void)
{
	wording_init(&w);
}

static void end(void)
{
	wording_release(&w);
}

static const char *value(const char *name)
{
	for (int i = 0; wording_names[i]; i++) {
		if (strcmp(wording_names[i], name) == 0)
			return w.values[i];
	}
	ck_abort_msg("no name %s", name);
	return NULL;
}

START_TEST(an_event_is_put_into_words)
{
	wording_fill(&w, transport_recipient(), false);
	ck_assert_str_eq(value("user_name"), "Alice");
	ck_assert_str_eq(value("amount"), "15.00");
	ck_assert_str_eq(value("currency"), "USD");
	ck_assert_str_eq(value("counterparty"), "bob");
	ck_assert_str_eq(value("description"), "Lunch");
	ck_assert_str_eq(value("balance"), "85.00");
	ck_assert_str_eq(value("time"), "2026-01-18 09:30 UTC");
	ck_assert_str_eq(value("sequence"), "0000000000000042");
	ck_assert_str_eq(value("debit"), "1");
	ck_assert_str_eq(value("credit"), "");
	ck_assert_str_eq(value("has_counterparty"), "1");
}
END_TEST

START_TEST(money_has_the_currencys_own_decimals)
{
	struct recipient *r = transport_recipient();

	r->event.amount_minor = 1500;
	memcpy(r->event.currency, "JPY", 4);
	wording_fill(&w, r, false);
	ck_assert_str_eq(value("amount"), "1500");
	memcpy(r->event.currency, "KWD", 4);
	wording_fill(&w, r, false);
	ck_assert_str_eq(value("amount"), "1.500");
}
END_TEST

START_TEST(right_to_left_text_is_isolated_in_plain_text_only)
{
	struct recipient *r = transport_recipient();

	strcpy(r->event.description, "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d");
	wording_fill(&w, r, false);
	ck_assert_str_eq(value("description"),
			 "\xe2\x81\xa8\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d\xe2\x81\xa9");
	wording_fill(&w, r, true);
	ck_assert_str_eq(value("description"), "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d");
}
END_TEST

START_TEST(characters_that_reorder_others_are_dropped)
{
	struct recipient *r = transport_recipient();

	/* RIGHT-TO-LEFT OVERRIDE, and a PDI that would end our isolate. */
	strcpy(r->user.name, "a\xe2\x80\xae"
			     "b\xe2\x81\xa9"
			     "c");
	wording_fill(&w, r, false);
	ck_assert_str_eq(value("user_name"), "abc");
}
END_TEST

START_TEST(the_longest_texts_fit)
{
	struct recipient *r = transport_recipient();

	memset(r->user.name, 'n', USER_NAME_MAX);
	memset(r->event.description, 'd', DESCRIPTION_MAX);
	memset(r->event.counterparty, 'c', USER_ID_MAX);
	wording_fill(&w, r, false);
	ck_assert(!w.text.overflowed);
	ck_assert_uint_eq(strlen(value("description")), DESCRIPTION_MAX);
}
END_TEST

Suite *wording_suite(void)
{
	Suite *s = suite_create("wording");
	TCase *t = tcase_create("wording");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, an_event_is_put_into_words);
	tcase_add_test(t, money_has_the_currencys_own_decimals);
	tcase_add_test(t, right_to_left_text_is_isolated_in_plain_text_only);
	tcase_add_test(t, characters_that_reorder_others_are_dropped);
	tcase_add_test(t, the_longest_texts_fit);
	suite_add_tcase(s, t);
	return s;
}
