#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/faults.h"

Suite *sandbox_faults_suite(void);

static struct faults f;

static int put(const char *json)
{
	struct problem p;

	return faults_put(&f, CHANNEL_SMS, json, strlen(json), &p);
}

static int hits(int messages)
{
	struct verdict v;
	int n = 0;

	for (int i = 0; i < messages; i++) {
		faults_judge(&f, CHANNEL_SMS, &v);
		n += v.status != 0;
	}
	return n;
}

START_TEST(without_a_fault_nothing_happens)
{
	struct verdict v;

	faults_init(&f, 0);
	faults_judge(&f, CHANNEL_PUSH, &v);
	ck_assert_int_eq(v.status, 0);
	ck_assert(!v.hang && !v.reset && !v.outage && v.latency_ms == 0);
}
END_TEST

START_TEST(an_error_rate_hits_its_share_at_every_count_and_for_every_seed)
{
	static const struct {
		const char *json;
		double rate;
	} rows[] = {
		{"{\"error_rate\":0.1}", 0.1},
		{"{\"error_rate\":0.5}", 0.5},
		{"{\"error_rate\":0.03,\"status\":429}", 0.03},
	};

	for (uint64_t seed = 0; seed < 50; seed++) {
		faults_init(&f, seed * 0x123456789abcdefu);
		for (size_t i = 0; i < 3; i++) {
			int total = 0;

			ck_assert_int_eq(put(rows[i].json), 0);
			for (int n = 1; n <= 2000; n++) {
				total += hits(1);
				if (abs(total - (int)(n * rows[i].rate)) > 3)
					ck_abort_msg("%d of %d", total, n);
			}
		}
	}
}
END_TEST

START_TEST(the_same_seed_hits_the_same_messages)
{
	char first[101] = "", second[101] = "";

	for (int round = 0; round < 2; round++) {
		faults_init(&f, 42);
		put("{\"error_rate\":0.3}");
		for (int i = 0; i < 100; i++)
			(round ? second : first)[i] = hits(1) ? 'x' : '.';
	}
	ck_assert_str_eq(first, second);
}
END_TEST

START_TEST(rates_of_zero_and_one_are_exact)
{
	faults_init(&f, 7);
	put("{\"error_rate\":0}");
	ck_assert_int_eq(hits(1000), 0);
	put("{\"error_rate\":1}");
	ck_assert_int_eq(hits(1000), 1000);
	put("{\"error_rate\":0,\"status\":503}");
	ck_assert_int_eq(hits(1000), 0);
}
END_TEST

START_TEST(a_status_alone_hits_everything)
{
	struct verdict v;

	faults_init(&f, 0);
	put("{\"status\":429,\"retry_after_s\":7}");
	faults_judge(&f, CHANNEL_SMS, &v);
	ck_assert_int_eq(v.status, 429);
	ck_assert_int_eq(v.retry_after_s, 7);
	faults_judge(&f, CHANNEL_PUSH, &v);
	ck_assert_int_eq(v.status, 0);
	faults_end(&f, CHANNEL_SMS);
	ck_assert_int_eq(hits(10), 0);
}
END_TEST

START_TEST(an_error_without_a_status_has_its_channels_own)
{
	struct verdict v;
	struct problem p;

	faults_init(&f, 0);
	put("{\"error_rate\":1}");
	faults_judge(&f, CHANNEL_SMS, &v);
	ck_assert_int_eq(v.status, 503);
	faults_put(&f, CHANNEL_EMAIL, "{\"error_rate\":1}", 16, &p);
	faults_judge(&f, CHANNEL_EMAIL, &v);
	ck_assert_int_eq(v.status, 451);
}
END_TEST

START_TEST(a_bad_fault_names_its_field_and_changes_nothing)
{
	static const char *const rows[][2] = {
		{"{\"error_rate\":1.1}", "error_rate"},
		{"{\"error_rate\":\"1\"}", "error_rate"},
		{"{\"status\":200}", "status"},
		{"{\"latency_ms\":-1}", "latency_ms"},
		{"{\"hang\":1}", "hang"},
		{"{\"latency\":1}", ""},
		{"[]", "body"},
	};
	struct problem p;

	faults_init(&f, 0);
	put("{\"hang\":true}");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(
			faults_put(&f, CHANNEL_SMS, rows[i][0], strlen(rows[i][0]), &p),
			-1);
		if (rows[i][1][0])
			ck_assert_str_eq(p.field, rows[i][1]);
	}
	ck_assert(f.of[CHANNEL_SMS].hang);
}
END_TEST

START_TEST(a_fault_is_shown_as_it_was_given)
{
	struct buf out;

	faults_init(&f, 0);
	put("{\"error_rate\":0.25,\"status\":500,\"latency_ms\":20,\"reset\":true}");
	hits(4);
	buf_init(&out, 1000);
	faults_encode(&f, CHANNEL_SMS, &out);
	ck_assert_str_eq(buf_text(&out),
			 "{\"active\":true,\"latency_ms\":20,\"error_rate\":0.25,"
			 "\"status\":500,\"reset\":true,\"judged\":4,\"refused\":1}");
	put("{\"status\":429,\"retry_after_s\":2,\"retry_after_date\":true}");
	buf_clear(&out);
	faults_encode(&f, CHANNEL_SMS, &out);
	ck_assert_str_eq(buf_text(&out),
			 "{\"active\":true,\"status\":429,\"retry_after_s\":2,"
			 "\"retry_after_date\":true,\"judged\":0,\"refused\":0}");
	buf_release(&out);
}
END_TEST

Suite *sandbox_faults_suite(void)
{
	Suite *suite = suite_create("sandbox_faults");
	TCase *tc = tcase_create("faults");

	tcase_add_test(tc, without_a_fault_nothing_happens);
	tcase_add_test(tc,
		       an_error_rate_hits_its_share_at_every_count_and_for_every_seed);
	tcase_add_test(tc, the_same_seed_hits_the_same_messages);
	tcase_add_test(tc, rates_of_zero_and_one_are_exact);
	tcase_add_test(tc, a_status_alone_hits_everything);
	tcase_add_test(tc, an_error_without_a_status_has_its_channels_own);
	tcase_add_test(tc, a_bad_fault_names_its_field_and_changes_nothing);
	tcase_add_test(tc, a_fault_is_shown_as_it_was_given);
	suite_add_tcase(suite, tc);
	return suite;
}
