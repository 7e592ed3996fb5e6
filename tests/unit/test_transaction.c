#include <check.h>
#include <stdio.h>
#include <string.h>

#include "exact.h"
#include "wire/transaction.h"

Suite *transaction_suite(void);

static const char lunch[] =
	"{\"from\":\"alice\",\"to\":\"bob\",\"amount\":\"15.00\",\"currency\":\"USD\","
	"\"description\":\"Lunch\",\"metadata\":{\"order\":\"A-\\\"1\\\"\",\"till\":"
	"\"3\"}}";

static int decode(struct transaction_request *t, const char *text, struct problem *p)
{
	size_t len = strlen(text);
	char *bytes = exact_copy(text, len);
	int rc = transaction_request_decode(t, bytes, len, p);

	free(bytes);
	return rc;
}

START_TEST(a_request_is_read)
{
	struct transaction_request t;
	struct problem p;

	ck_assert_int_eq(decode(&t, lunch, &p), 0);
	ck_assert_str_eq(t.from, "alice");
	ck_assert_str_eq(t.to, "bob");
	ck_assert_int_eq(t.amount_minor, 1500);
	ck_assert_str_eq(t.currency, "USD");
	ck_assert_str_eq(t.description, "Lunch");
	ck_assert_str_eq(t.metadata, "{\"order\":\"A-\\\"1\\\"\",\"till\":\"3\"}");
	transaction_request_release(&t);
	ck_assert_ptr_null(t.metadata);
}
END_TEST

#define META_KEY_40 "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"

static const struct {
	const char *from, *to;
	enum problem_kind kind;
	const char *field, *said;
} edits[] = {
	{"\"from\":\"alice\",", "", PROBLEM_NONE, "", ""},
	{"\"to\":\"bob\"", "\"to\":null", PROBLEM_NONE, "", ""},
	{"\"description\":\"Lunch\",", "", PROBLEM_NONE, "", ""},
	{"Lunch", "", PROBLEM_NONE, "", ""},
	{"Lunch", "\xe6\x98\xbc \xf0\x9f\x8d\x9c \xd7\x90 <b>\\\"&\\\"</b>", PROBLEM_NONE,
	 "", ""},
	{"\"15.00\"", "\"1500\"", PROBLEM_NONE, "", ""},
	{"\"till\"", "\"" META_KEY_40 "\"", PROBLEM_NONE, "", ""},
	{"{\"from\"", "{\"from\",", PROBLEM_MALFORMED, "", "line 1, column"},
	{"Lunch", "\\u0000", PROBLEM_MALFORMED, "", "U+0000"},
	{"\"3\"", "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", PROBLEM_MALFORMED, "", "nested"},
	{"\"alice\"", "7", PROBLEM_VALIDATION, "from", "must be text, not a number"},
	{"\"alice\"", "\"\"", PROBLEM_VALIDATION, "from", "user's id"},
	{"\"alice\"", "\"a@b.c\"", PROBLEM_VALIDATION, "from", "user's id"},
	{"\"alice\"", "\"bob\"", PROBLEM_VALIDATION, "to", "somebody else"},
	{"\"from\":\"alice\",\"to\":\"bob\",", "", PROBLEM_VALIDATION, "from",
	 "required"},
	{"\"15.00\"", "15.00", PROBLEM_VALIDATION, "amount",
	 "amount must be text such as \"15.00\", not a number"},
	{"\"15.00\"", "99999999999999999999", PROBLEM_VALIDATION, "amount",
	 "not a number"},
	{"\"15.00\"", "true", PROBLEM_VALIDATION, "amount", "must be text"},
	{"\"15.00\"", "null", PROBLEM_VALIDATION, "amount", "required"},
	{"\"15.00\"", "\"\"", PROBLEM_VALIDATION, "amount", ""},
	{"\"15.00\"", "\"-15.00\"", PROBLEM_VALIDATION, "amount", ""},
	{"\"15.00\"", "\"0.00\"", PROBLEM_VALIDATION, "amount", "zero"},
	{"\"15.00\"", "\"15.001\"", PROBLEM_VALIDATION, "amount", "decimals"},
	{"\"15.00\"", "\"1e3\"", PROBLEM_VALIDATION, "amount", ""},
	{"\"15.00\"", "\" 15\"", PROBLEM_VALIDATION, "amount", ""},
	{"\"15.00\"", "\"99999999999999999999\"", PROBLEM_VALIDATION, "amount", ""},
	{"\"15.00\"", "\"99999999999999999999999999999999\"", PROBLEM_VALIDATION,
	 "amount", ""},
	{"\"amount\":\"15.00\",", "", PROBLEM_VALIDATION, "amount", "required"},
	{"\"USD\"", "\"usd\"", PROBLEM_VALIDATION, "currency", "ISO 4217"},
	{"\"USD\"", "\"XXX\"", PROBLEM_VALIDATION, "currency", "ISO 4217"},
	{"\"USD\"", "\"USDX\"", PROBLEM_VALIDATION, "currency", "3 bytes"},
	{"\"USD\"", "840", PROBLEM_VALIDATION, "currency", "must be text"},
	{"\"currency\":\"USD\",", "", PROBLEM_VALIDATION, "currency", "required"},
	{"Lunch", "a\\r\\nBcc: x", PROBLEM_VALIDATION, "description", "one line"},
	{"Lunch", "\\u2028", PROBLEM_VALIDATION, "description", "one line"},
	{"\"metadata\":{", "\"metadata\":[],\"x\":{", PROBLEM_VALIDATION, "metadata",
	 "object"},
	{"\"3\"", "3", PROBLEM_VALIDATION, "metadata.till", "must be text"},
	{"\"3\"", "null", PROBLEM_VALIDATION, "metadata.till", "null"},
	{"\"till\"", "\"t l\"", PROBLEM_VALIDATION, "metadata.t l", "named by"},
	{"\"till\"", "\"\"", PROBLEM_VALIDATION, "metadata.\"\"", "named by"},
	{"\"till\"", "\"k" META_KEY_40 "\"", PROBLEM_VALIDATION, "metadata.k" META_KEY_40,
	 ""},
	{"\"from\"", "\"\"", PROBLEM_VALIDATION, "\"\"", "not known"},
	{"\"from\"", "\"form\"", PROBLEM_VALIDATION, "form", "from, to, amount"},
	{"\"from\"", "\"metadata.x\":1,\"from\"", PROBLEM_VALIDATION, "metadata.x",
	 "not known"},
};

START_TEST(each_wrong_field_is_named_with_its_remedy)
{
	struct transaction_request t;
	struct problem p = {.kind = PROBLEM_NONE};
	int rc = decode(&t, exact_edit(lunch, edits[_i].from, edits[_i].to), &p);

	ck_assert_msg(p.kind == edits[_i].kind, "%d %s", p.kind, p.detail);
	ck_assert_int_eq(rc, edits[_i].kind == PROBLEM_NONE ? 0 : -1);
	if (rc == 0) {
		transaction_request_release(&t);
		return;
	}
	ck_assert_str_eq(p.field, edits[_i].field);
	ck_assert_msg(strstr(p.detail, edits[_i].said) != NULL, "%s", p.detail);
}
END_TEST

START_TEST(a_body_that_is_no_object_is_refused)
{
	static const char *const bodies[] = {"[]", "7", "\"x\"", "null", "true"};
	struct transaction_request t;
	struct problem p;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		ck_assert_int_eq(decode(&t, bodies[i], &p), -1);
		ck_assert_int_eq(p.kind, PROBLEM_VALIDATION);
		ck_assert_str_eq(p.field, "body");
	}
}
END_TEST

START_TEST(every_prefix_is_malformed)
{
	struct transaction_request t;
	struct problem p;

	for (size_t len = 0; len < strlen(lunch); len++) {
		char *bytes = exact_copy(lunch, len);

		ck_assert_int_eq(transaction_request_decode(&t, bytes, len, &p), -1);
		ck_assert_int_eq(p.kind, PROBLEM_MALFORMED);
		free(bytes);
	}
}
END_TEST

START_TEST(a_body_over_the_limit_is_too_large)
{
	char *body = exact_copy(lunch, strlen(lunch));
	struct transaction_request t;
	struct problem p;

	/* The size is judged before a byte is read. */
	ck_assert_int_eq(
		transaction_request_decode(&t, body, TRANSACTION_BODY_MAX + 1, &p), -1);
	ck_assert_int_eq(p.kind, PROBLEM_TOO_LARGE);
	free(body);
}
END_TEST

static size_t put_metadata(char *out, int count, int value_len, char c)
{
	size_t len = (size_t)sprintf(out, "{\"to\":\"bob\",\"amount\":\"1\",\"currency\":"
					  "\"JPY\",\"metadata\":{");

	for (int i = 0; i < count; i++) {
		len += (size_t)sprintf(out + len, "%s\"k%d\":\"", i ? "," : "", i);
		for (int j = 0; j < value_len; j++)
			len += (size_t)sprintf(out + len, c == 1 ? "\\u0001" : "%c", c);
		out[len++] = '"';
	}
	return len + (size_t)sprintf(out + len, "}}");
}

START_TEST(metadata_has_limits_of_number_length_and_size)
{
	static char body[32768];
	struct transaction_request t;
	struct problem p;

	put_metadata(body, 16, 200, 'x');
	ck_assert_int_eq(decode(&t, body, &p), 0);
	transaction_request_release(&t);
	put_metadata(body, 17, 1, 'x');
	ck_assert_int_eq(decode(&t, body, &p), -1);
	ck_assert_str_eq(p.field, "metadata");
	put_metadata(body, 1, 201, 'x');
	ck_assert_int_eq(decode(&t, body, &p), -1);
	ck_assert_str_eq(p.field, "metadata.k0");
	put_metadata(body, 8, 200, 1); /* control characters grow six times */
	ck_assert_int_eq(decode(&t, body, &p), -1);
	ck_assert_str_eq(p.field, "metadata");
	ck_assert_ptr_nonnull(strstr(p.detail, "4096"));
}
END_TEST

START_TEST(a_description_may_have_255_characters_of_any_script)
{
	char text[1100] = "";
	struct transaction_request t;
	struct problem p;

	for (int i = 0; i < 255; i++)
		strcat(text, "\xf0\x9f\x8d\x9c");
	ck_assert_int_eq(decode(&t, exact_edit(lunch, "Lunch", text), &p), 0);
	transaction_request_release(&t);
	memset(text, 'x', 256);
	text[256] = '\0';
	ck_assert_int_eq(decode(&t, exact_edit(lunch, "Lunch", text), &p), -1);
	ck_assert_str_eq(p.field, "description");
}
END_TEST

START_TEST(a_transaction_is_answered_whole)
{
	struct transaction t = {.id = "txn_01KF8E0AW0000000117W3NM8D4",
				.to = "bob",
				.amount_minor = 1234,
				.currency = "KWD",
				.description = "<\"x\">",
				.metadata = "{\"a\":\"b\"}",
				.created_us = 1768728600123456};
	struct buf out;

	buf_init(&out, 8192);
	transaction_encode(&t, &out);
	ck_assert_str_eq(buf_text(&out),
			 "{\"id\":\"txn_01KF8E0AW0000000117W3NM8D4\",\"to\":\"bob\","
			 "\"amount\":\"1.234\",\"currency\":\"KWD\","
			 "\"description\":\"<\\\"x\\\">\",\"metadata\":{\"a\":\"b\"},"
			 "\"status\":\"completed\","
			 "\"created_at\":\"2026-01-18T09:30:00.123456Z\","
			 "\"created_us\":1768728600123456}");
	buf_release(&out);
}
END_TEST

Suite *transaction_suite(void)
{
	Suite *s = suite_create("transaction");
	TCase *c = tcase_create("transaction");

	tcase_add_test(c, a_request_is_read);
	tcase_add_loop_test(c, each_wrong_field_is_named_with_its_remedy, 0,
			    sizeof(edits) / sizeof(edits[0]));
	tcase_add_test(c, a_body_that_is_no_object_is_refused);
	tcase_add_test(c, every_prefix_is_malformed);
	tcase_add_test(c, a_body_over_the_limit_is_too_large);
	tcase_add_test(c, metadata_has_limits_of_number_length_and_size);
	tcase_add_test(c, a_description_may_have_255_characters_of_any_script);
	tcase_add_test(c, a_transaction_is_answered_whole);
	suite_add_tcase(s, c);
	return s;
}
