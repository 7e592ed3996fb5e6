#include <check.h>
#include <string.h>

#include "sms/twilio.h"
#include "transport_fixture.h"

Suite *twilio_suite(void);

#define SID "AC0123456789abcdef0123456789abcdef"

static const char *const good[] = {"PAYBELL_TWILIO_URL=http://127.0.0.1:9/",
				   "PAYBELL_TWILIO_SID=" SID, "PAYBELL_TWILIO_TOKEN=t",
				   "PAYBELL_TWILIO_FROM=+15550000000", NULL};

static void *state_of(const char *const *environment)
{
	struct err e = ERR_INIT;
	void *state = transport_state(&twilio_transport, environment, &e);

	ck_assert_msg(state != NULL, "%s", e.text);
	return state;
}

START_TEST(a_message_is_one_form)
{
	void *state = state_of(good);
	struct message m = transport_message(transport_recipient());
	struct transfer_request r = {0};
	struct err e = ERR_INIT;
	struct buf scratch;

	buf_init(&scratch, TRANSPORT_SCRATCH_MAX);
	m.parts[0] = "5 & 6 = \xe2\x82\xac";
	ck_assert_int_eq(twilio_transport.build(state, &m, &r, &scratch, &e), 0);
	ck_assert_str_eq(r.url,
			 "http://127.0.0.1:9/2010-04-01/Accounts/" SID "/Messages.json");
	ck_assert_str_eq(r.method, "POST");
	ck_assert_str_eq(r.body, "To=%2B15550000001&From=%2B15550000000&Body=5+%26+6+%3D+"
				 "%E2%82%AC");
	ck_assert_str_eq(r.username, SID);
	ck_assert_str_eq(r.password, "t");
	buf_release(&scratch);
	transport_state_free(&twilio_transport, state);
}
END_TEST

START_TEST(a_messaging_service_is_named_as_such)
{
	static const char *const environment[] = {
		"PAYBELL_TWILIO_SID=" SID, "PAYBELL_TWILIO_TOKEN=t",
		"PAYBELL_TWILIO_FROM=MG0123456789abcdef0123456789abcdef", NULL};
	void *state = state_of(environment);
	struct message m = transport_message(transport_recipient());
	struct transfer_request r = {0};
	struct err e = ERR_INIT;
	struct buf scratch;

	buf_init(&scratch, TRANSPORT_SCRATCH_MAX);
	ck_assert_int_eq(twilio_transport.build(state, &m, &r, &scratch, &e), 0);
	ck_assert_ptr_nonnull(strstr(
		r.body, "&MessagingServiceSid=MG0123456789abcdef0123456789abcdef&"));
	ck_assert_ptr_null(strstr(r.body, "From="));
	buf_release(&scratch);
	transport_state_free(&twilio_transport, state);
}
END_TEST

START_TEST(an_answer_with_a_sid_is_delivered)
{
	void *state = state_of(good);
	struct verdict v = transport_judge(&twilio_transport, state, 201,
					   "{\"sid\":\"SM1\",\"status\":\"queued\"}");

	ck_assert_int_eq(v.status, ATTEMPT_DELIVERED);
	ck_assert_str_eq(v.provider_id, "SM1");
	v = transport_judge(&twilio_transport, state, 201, "oops");
	ck_assert_int_eq(v.status, ATTEMPT_DELIVERED);
	ck_assert_str_eq(v.provider_id, "");
	transport_state_free(&twilio_transport, state);
}
END_TEST

START_TEST(refusals_are_told_apart)
{
	static const struct {
		int status;
		const char *body;
		enum attempt_status is;
		enum attempt_reason why;
	} cases[] = {
		{400, "{\"code\":21211}", ATTEMPT_FAILED, REASON_BAD_ADDRESS},
		{400, "{\"code\":21614,\"message\":\"x\"}", ATTEMPT_FAILED,
		 REASON_BAD_ADDRESS},
		{400, "{\"code\":21610}", ATTEMPT_FAILED, REASON_REJECTED},
		{400, "<html>", ATTEMPT_FAILED, REASON_REJECTED},
		{401, "{\"code\":20003}", ATTEMPT_RETRYING, REASON_UNAUTHORIZED},
		{404, "", ATTEMPT_RETRYING, REASON_UNAUTHORIZED},
		{429, "{\"code\":20429}", ATTEMPT_RETRYING, REASON_RATE_LIMITED},
		{408, "", ATTEMPT_RETRYING, REASON_PROVIDER_ERROR},
		{500, "", ATTEMPT_RETRYING, REASON_PROVIDER_ERROR},
		{503, "", ATTEMPT_RETRYING, REASON_PROVIDER_ERROR},
		{302, "", ATTEMPT_RETRYING, REASON_PROVIDER_ERROR},
	};
	void *state = state_of(good);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct verdict v = transport_judge(&twilio_transport, state,
						   cases[i].status, cases[i].body);

		ck_assert_msg(v.status == cases[i].is && v.reason == cases[i].why,
			      "%d %s", cases[i].status, cases[i].body);
	}
	transport_state_free(&twilio_transport, state);
}
END_TEST

START_TEST(what_is_ambiguous_is_retried_unless_told_otherwise)
{
	static const char *const fail[] = {
		"PAYBELL_TWILIO_SID=" SID, "PAYBELL_TWILIO_TOKEN=t",
		"PAYBELL_TWILIO_FROM=+15550000000", "PAYBELL_SMS_AMBIGUOUS=fail", NULL};
	void *state = state_of(good);

	ck_assert(twilio_transport.retry_ambiguous(state));
	transport_state_free(&twilio_transport, state);
	state = state_of(fail);
	ck_assert(!twilio_transport.retry_ambiguous(state));
	transport_state_free(&twilio_transport, state);
}
END_TEST

START_TEST(settings_that_are_wrong_are_refused)
{
	static const char *const wrong[][5] = {
		{"PAYBELL_TWILIO_SID=AC1", "PAYBELL_TWILIO_TOKEN=t",
		 "PAYBELL_TWILIO_FROM=+15550000000"},
		{"PAYBELL_TWILIO_SID=SK0123456789abcdef0123456789abcdef",
		 "PAYBELL_TWILIO_TOKEN=t", "PAYBELL_TWILIO_FROM=+15550000000"},
		{"PAYBELL_TWILIO_SID=" SID, "PAYBELL_TWILIO_TOKEN=t",
		 "PAYBELL_TWILIO_FROM=5550000000"},
		{"PAYBELL_TWILIO_SID=" SID, "PAYBELL_TWILIO_TOKEN=t",
		 "PAYBELL_TWILIO_FROM=+15550000000", "PAYBELL_TWILIO_URL=ftp://x"},
		{"PAYBELL_TWILIO_SID=" SID, "PAYBELL_TWILIO_FROM=+15550000000"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err e = ERR_INIT;

		ck_assert_msg(transport_state(&twilio_transport, wrong[i], &e) == NULL,
			      "%zu", i);
	}
}
END_TEST

Suite *twilio_suite(void)
{
	Suite *s = suite_create("twilio");
	TCase *t = tcase_create("twilio");

	tcase_add_test(t, a_message_is_one_form);
	tcase_add_test(t, a_messaging_service_is_named_as_such);
	tcase_add_test(t, an_answer_with_a_sid_is_delivered);
	tcase_add_test(t, refusals_are_told_apart);
	tcase_add_test(t, what_is_ambiguous_is_retried_unless_told_otherwise);
	tcase_add_test(t, settings_that_are_wrong_are_refused);
	suite_add_tcase(s, t);
	return s;
}
