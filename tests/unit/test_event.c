#include <check.h>
#include <stdio.h>
#include <string.h>

#include "exact.h"
#include "wire/event.h"

Suite *event_suite(void);

static const struct event_naming naming = {"paybell/backend", "transaction"};

static const char credit[] =
	"{\"specversion\":\"1.0\",\"id\":\"evt_01KF8E0AW000000012T9V6Q3NX\","
	"\"source\":\"paybell/backend\",\"type\":\"transaction.completed\","
	"\"time\":\"2026-01-18T09:30:00.123456Z\",\"subject\":\"bob\","
	"\"sequence\":\"0000000000001042\",\"datacontenttype\":\"application/json\","
	"\"data\":{\"transaction_id\":\"txn_01KF8E0AW0000000117W3NM8D4\",\"user_id\":"
	"\"bob\","
	"\"direction\":\"credit\",\"amount\":\"15.00\",\"currency\":\"USD\","
	"\"counterparty\":\"alice\",\"description\":\"Lunch\",\"balance\":\"158.00\"}}";

static int decode(struct event *ev, const char *text, struct err *e)
{
	size_t len = strlen(text);
	char *bytes = exact_copy(text, len);
	int rc = event_decode(ev, bytes, len, e);

	free(bytes);
	return rc;
}

START_TEST(an_event_is_read_and_written_back_the_same)
{
	struct event ev;
	struct err e = ERR_INIT;
	struct buf out;

	ck_assert_msg(decode(&ev, credit, &e) == 0, "%s", e.text);
	ck_assert_int_eq(ev.sequence, 1042);
	ck_assert_str_eq(ev.user_id, "bob");
	ck_assert_str_eq(ev.counterparty, "alice");
	ck_assert_int_eq(ev.direction, DIRECTION_CREDIT);
	ck_assert_int_eq(ev.amount_minor, 1500);
	ck_assert_int_eq(ev.balance_minor, 15800);
	ck_assert_int_eq(ev.time_us, 1768728600123456);
	buf_init(&out, EVENT_ENCODED_MAX);
	event_encode(&ev, &naming, &out);
	ck_assert_str_eq(buf_text(&out), credit);
	buf_release(&out);
}
END_TEST

static const struct {
	const char *from, *to, *said; /* said NULL: is taken */
} edits[] = {
	{"\"specversion\":\"1.0\"", "\"specversion\":\"0.3\"", "specversion"},
	{"evt_", "txn_", "id is not an id that begins with evt_"},
	{"12T9V6Q3NX", "12T9V6Q3N", "id "},
	{"paybell/backend", "", "source"},
	{"transaction.completed", "transaction.undone", "type"},
	{"transaction.completed", ".completed", "type"},
	{"\"time\":\"2026-01-18T", "\"time\":\"2026-13-18T", "time"},
	{"\"subject\":\"bob\"", "\"subject\":\"eve\"", "subject must be data.user_id"},
	{"0000000000001042", "000000000000104x", "sequence"},
	{"0000000000001042", "00000000000010422", "sequence"},
	{"\"data\":{", "\"data\":[],\"x\":{", "data must be an object"},
	{"\"data\":{", "\"x\":{", "data is required"},
	{"\"user_id\":\"bob\"", "\"user_id\":\"b@b\"", "data.user_id"},
	{"\"credit\"", "\"gift\"", "data.direction"},
	{"\"credit\"", "\"debts\"", "data.direction"},
	{"\"15.00\"", "15.00", "data.amount must be text"},
	{"\"15.00\"", "\"15.001\"", "data.amount"},
	{"\"15.00\"", "\"0.00\"", "data.amount"},
	{"\"15.00\"", "\"-15.00\"", "data.amount"},
	{"\"USD\"", "\"usd\"", "data.currency"},
	{"\"158.00\"", "\"--1.00\"", "data.balance"},
	{"\"158.00\"", "\"1e3\"", "data.balance"},
	{"Lunch", "Lu\\nnch", "data.description"},
	{"\"158.00\"", "\"0.00\"", NULL},
	{"\"158.00\"", "\"-0.01\"", NULL},
	{"\"counterparty\":\"alice\",", "", NULL},
	{"\"description\":\"Lunch\",", "\"description\":null,", NULL},
	{"\"datacontenttype\":\"application/json\"", "\"unknown\":{\"a\":[1]}", NULL},
	{"\"balance\"", "\"later\":1,\"balance\"", NULL},
	{"0000000000001042", "1042", NULL},
};

START_TEST(wrong_fields_are_named_and_foreign_ones_let_through)
{
	struct event ev;
	struct err e = ERR_INIT;
	int rc = decode(&ev, exact_edit(credit, edits[_i].from, edits[_i].to), &e);

	if (edits[_i].said) {
		ck_assert_int_eq(rc, -1);
		ck_assert_msg(strncmp(e.text, edits[_i].said, strlen(edits[_i].said)) ==
				      0,
			      "%s", e.text);
	} else {
		ck_assert_msg(rc == 0, "%s", e.text);
	}
}
END_TEST

START_TEST(every_prefix_is_refused)
{
	struct event ev;
	struct err e;

	for (size_t len = 0; len < strlen(credit); len++) {
		char *bytes = exact_copy(credit, len);

		ck_assert_int_eq(event_decode(&ev, bytes, len, &e), -1);
		free(bytes);
	}
}
END_TEST

START_TEST(the_largest_event_fits_its_maximum)
{
	struct event ev, back;
	struct err e = ERR_INIT;
	struct buf out;
	char source[EVENT_SOURCE_MAX + 1], prefix[EVENT_TYPE_PREFIX_MAX + 1];
	struct event_naming longest = {source, prefix};

	ck_assert_int_eq(decode(&ev, credit, &e), 0);
	memset(source, '"', sizeof(source) - 1);
	memset(prefix, '\\', sizeof(prefix) - 1);
	source[EVENT_SOURCE_MAX] = prefix[EVENT_TYPE_PREFIX_MAX] = '\0';
	memset(ev.user_id, 'u', USER_ID_MAX);
	memset(ev.counterparty, 'c', USER_ID_MAX);
	ev.user_id[USER_ID_MAX] = ev.counterparty[USER_ID_MAX] = '\0';
	for (int i = 0; i < DESCRIPTION_MAX_CHARS; i++)
		strcpy(ev.description + 4 * i, "\xf0\x9f\x98\x80");
	ev.amount_minor = MONEY_MAX_MINOR;
	ev.balance_minor = -MONEY_MAX_MINOR;
	ev.sequence = 9999999999999999;
	buf_init(&out, EVENT_ENCODED_MAX);
	event_encode(&ev, &longest, &out);
	ck_assert(!out.overflowed);
	ck_assert_msg(event_decode(&back, out.data, out.len, &e) == 0, "%s", e.text);
	ck_assert_str_eq(back.description, ev.description);
	ck_assert_int_eq(back.sequence, ev.sequence);
	ck_assert_int_eq(back.balance_minor, ev.balance_minor);
	buf_clear(&out);
	memset(ev.description, 1, DESCRIPTION_MAX);
	event_encode(&ev, &longest, &out);
	ck_assert(!out.overflowed);
	buf_release(&out);
}
END_TEST

START_TEST(a_description_of_256_characters_is_too_long)
{
	char text[600] = "Lunch";
	struct event ev;
	struct err e;

	memset(text, 'x', 255);
	ck_assert_int_eq(decode(&ev, exact_edit(credit, "Lunch", text), &e), 0);
	memset(text, 'x', 256);
	ck_assert_int_eq(decode(&ev, exact_edit(credit, "Lunch", text), &e), -1);
}
END_TEST

START_TEST(sequences_are_read_in_both_forms_and_no_third)
{
	char text[EVENT_SEQUENCE_SIZE];

	sequence_format(text, 1042);
	ck_assert_str_eq(text, "0000000000001042");
	ck_assert_int_eq(sequence_parse(text), 1042);
	ck_assert_int_eq(sequence_parse("1042"), 1042);
	ck_assert_int_eq(sequence_parse("0"), 0);
	ck_assert_int_eq(sequence_parse("9999999999999999"), 9999999999999999);
	ck_assert_int_eq(sequence_parse(""), -1);
	ck_assert_int_eq(sequence_parse("01042"), -1);
	ck_assert_int_eq(sequence_parse("-1"), -1);
	ck_assert_int_eq(sequence_parse("+1"), -1);
	ck_assert_int_eq(sequence_parse(" 1"), -1);
	ck_assert_int_eq(sequence_parse("10000000000000000"), -1);
	ck_assert_int_eq(sequence_parse("000000000000104x"), -1);
}
END_TEST

Suite *event_suite(void)
{
	Suite *s = suite_create("event");
	TCase *c = tcase_create("event");

	tcase_add_test(c, an_event_is_read_and_written_back_the_same);
	tcase_add_loop_test(c, wrong_fields_are_named_and_foreign_ones_let_through, 0,
			    sizeof(edits) / sizeof(edits[0]));
	tcase_add_test(c, every_prefix_is_refused);
	tcase_add_test(c, the_largest_event_fits_its_maximum);
	tcase_add_test(c, a_description_of_256_characters_is_too_long);
	tcase_add_test(c, sequences_are_read_in_both_forms_and_no_third);
	suite_add_tcase(s, c);
	return s;
}
