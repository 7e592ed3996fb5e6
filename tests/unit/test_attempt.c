#include <check.h>
#include <string.h>

#include "exact.h"
#include "wire/attempt.h"

Suite *attempt_suite(void);

static const char retrying[] =
	"{\"event_id\":\"evt_01KF8E0AW000000012T9V6Q3NX\",\"sequence\":"
	"\"0000000000001042\","
	"\"user_id\":\"bob\",\"channel\":\"push\","
	"\"device_id\":\"dev_01KF8E0AW0000000017W3NM8D4\",\"attempt\":2,"
	"\"status\":\"retrying\",\"final\":true,\"reason\":\"provider_error\","
	"\"provider\":\"fcm\",\"provider_id\":\"projects/x/messages/0:1\",\"code\":503,"
	"\"started_us\":1768728600123456,\"took_us\":98000,\"next_at_us\":"
	"1768728604000000,"
	"\"late\":true,\"worker\":\"host1-push\"}";

static int decode(struct attempt *a, const char *text, struct err *e)
{
	size_t len = strlen(text);
	char *bytes = exact_copy(text, len);
	int rc = attempt_decode(a, bytes, len, e);

	free(bytes);
	return rc;
}

START_TEST(a_record_is_read_and_written_back_the_same)
{
	struct attempt a;
	struct err e = ERR_INIT;
	struct buf out;

	ck_assert_msg(decode(&a, retrying, &e) == 0, "%s", e.text);
	ck_assert_int_eq(a.sequence, 1042);
	ck_assert_int_eq(a.status, ATTEMPT_RETRYING);
	ck_assert_int_eq(a.reason, REASON_PROVIDER_ERROR);
	ck_assert(a.final && a.late);
	ck_assert_int_eq(a.code, 503);
	ck_assert_int_eq(a.next_at_us, 1768728604000000);
	buf_init(&out, ATTEMPT_ENCODED_MAX);
	attempt_encode(&a, &out);
	ck_assert_str_eq(buf_text(&out), retrying);
	buf_release(&out);
}
END_TEST

START_TEST(what_is_absent_is_empty_and_stays_absent)
{
	struct attempt a = {.event_id = "evt_01KF8E0AW000000012T9V6Q3NX",
			    .sequence = 3,
			    .user_id = "bob",
			    .channel = "sms",
			    .status = ATTEMPT_SUPPRESSED,
			    .provider_id = "has a space",
			    .worker = "w"};
	struct attempt back;
	struct err e = ERR_INIT;
	struct buf out;

	buf_init(&out, ATTEMPT_ENCODED_MAX);
	attempt_encode(&a, &out);
	ck_assert_str_eq(
		buf_text(&out),
		"{\"event_id\":\"evt_01KF8E0AW000000012T9V6Q3NX\","
		"\"sequence\":\"0000000000000003\",\"user_id\":\"bob\","
		"\"channel\":\"sms\",\"attempt\":0,\"status\":\"suppressed\","
		"\"provider\":\"\",\"started_us\":0,\"took_us\":0,\"worker\":\"w\"}");
	ck_assert_msg(attempt_decode(&back, out.data, out.len, &e) == 0, "%s", e.text);
	ck_assert_str_eq(back.provider_id, "");
	ck_assert_str_eq(back.device_id, "");
	ck_assert(!back.final && !back.late);
	ck_assert_int_eq(back.reason, REASON_NONE);
	buf_release(&out);
}
END_TEST

static const struct {
	const char *from, *to, *said; /* said NULL: is taken */
} edits[] = {
	{"evt_", "dev_", "event_id"},
	{"\"0000000000001042\"", "1042", "sequence must be text"},
	{"0000000000001042", "-000000000001042", "sequence"},
	{"\"bob\"", "\"b b\"", "user_id"},
	{"\"push\"", "\"Push\"", "channel"},
	{"dev_", "evt_", "device_id"},
	{"\"attempt\":2", "\"attempt\":-1", "attempt must be from 0"},
	{"\"attempt\":2", "\"attempt\":2.5", "attempt must be a whole number"},
	{"\"attempt\":2", "\"attempt\":99999999999", "attempt must be from 0"},
	{"\"attempt\":2,", "", "attempt is required"},
	{"\"retrying\"", "\"done\"", "status"},
	{"\"final\":true", "\"final\":1", "final must be true or false"},
	{"\"provider_error\"", "\"bad_luck\"", "reason"},
	{"\"fcm\"", "\"f m\"", "provider"},
	{"projects/x", "pro jects", "provider_id"},
	{"503", "1000", "code must be from 0"},
	{"98000", "-1", "took_us must be from 0"},
	{"1768728600123456", "99999999999999999999", "started_us must be a whole number"},
	{"\"late\":true", "\"late\":\"yes\"", "late"},
	{"host1-push", "", NULL},
	{"\"late\":true", "\"receipt\":{\"at_us\":1}", NULL},
	{"\"final\":true,", "", NULL},
};

START_TEST(wrong_fields_are_named_and_newer_ones_let_through)
{
	struct attempt a;
	struct err e = ERR_INIT;
	int rc = decode(&a, exact_edit(retrying, edits[_i].from, edits[_i].to), &e);

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
	struct attempt a;
	struct err e;

	for (size_t len = 0; len < strlen(retrying); len++) {
		char *bytes = exact_copy(retrying, len);

		ck_assert_int_eq(attempt_decode(&a, bytes, len, &e), -1);
		free(bytes);
	}
}
END_TEST

START_TEST(the_largest_record_fits_its_maximum)
{
	struct attempt a, back;
	struct err e = ERR_INIT;
	struct buf out;

	ck_assert_int_eq(decode(&a, retrying, &e), 0);
	memset(a.user_id, 'u', USER_ID_MAX);
	memset(a.channel, 'c', CHANNEL_NAME_MAX);
	memset(a.provider, '"', PROVIDER_NAME_MAX);
	memset(a.provider_id, '\\', PROVIDER_ID_MAX);
	memset(a.worker, '"', WORKER_NAME_MAX);
	a.sequence = 9999999999999999;
	a.attempt = 1000000;
	a.reason = REASON_ATTEMPTS_EXHAUSTED;
	a.started_us = a.took_us = a.next_at_us = INT64_MAX;
	buf_init(&out, ATTEMPT_ENCODED_MAX);
	attempt_encode(&a, &out);
	ck_assert(!out.overflowed);
	ck_assert_msg(attempt_decode(&back, out.data, out.len, &e) == 0, "%s", e.text);
	ck_assert_str_eq(back.provider_id, a.provider_id);
	buf_release(&out);
}
END_TEST

START_TEST(every_word_is_read_as_it_is_written)
{
	for (int s = ATTEMPT_DELIVERED; s <= ATTEMPT_FAILED; s++)
		ck_assert_int_eq(
			attempt_status_parse(attempt_status_name((enum attempt_status)s)),
			s);
	for (int r = REASON_NONE; r < REASON_COUNT; r++) {
		const char *name = attempt_reason_name((enum attempt_reason)r);

		ck_assert_ptr_nonnull(name);
		ck_assert_int_eq(attempt_reason_parse(name), r);
	}
	ck_assert_int_eq(attempt_status_parse("delivere"), -1);
	ck_assert_int_eq(attempt_reason_parse("bad"), -1);
}
END_TEST

Suite *attempt_suite(void)
{
	Suite *s = suite_create("attempt");
	TCase *c = tcase_create("attempt");

	tcase_add_test(c, a_record_is_read_and_written_back_the_same);
	tcase_add_test(c, what_is_absent_is_empty_and_stays_absent);
	tcase_add_loop_test(c, wrong_fields_are_named_and_newer_ones_let_through, 0,
			    sizeof(edits) / sizeof(edits[0]));
	tcase_add_test(c, every_prefix_is_refused);
	tcase_add_test(c, the_largest_record_fits_its_maximum);
	tcase_add_test(c, every_word_is_read_as_it_is_written);
	suite_add_tcase(s, c);
	return s;
}
