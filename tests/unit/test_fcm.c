#include <check.h>
#include <string.h>

#include "push/access_token.h"
#include "push/fcm.h"
#include "transport_fixture.h"

Suite *fcm_suite(void);

static const char *const good[] = {"PAYBELL_FCM_TOKEN=tok", "PAYBELL_FCM_PROJECT=demo-1",
				   "PAYBELL_FCM_URL=http://127.0.0.1:9", NULL};

static void *state_of(const char *const *environment)
{
	struct err e = ERR_INIT;
	void *state = transport_state(&fcm_transport, environment, &e);

	ck_assert_msg(state != NULL, "%s", e.text);
	return state;
}

START_TEST(a_message_goes_to_its_device_with_its_key_everywhere)
{
	void *state = state_of(good);
	struct message m = transport_message(transport_recipient());
	struct transfer_request r = {0};
	struct err e = ERR_INIT;
	struct buf scratch;

	buf_init(&scratch, TRANSPORT_SCRATCH_MAX);
	strcpy(m.key, "KEY");
	ck_assert_int_eq(fcm_transport.build(state, &m, &r, &scratch, &e), 0);
	ck_assert_str_eq(r.url, "http://127.0.0.1:9/v1/projects/demo-1/messages:send");
	ck_assert_str_eq(r.headers[1], "Authorization: Bearer tok");
	ck_assert_str_eq(
		r.body,
		"{\"message\":{\"token\":\"device-token\","
		"\"notification\":{\"title\":\"one\",\"body\":\"two\"},"
		"\"data\":{\"event_id\":\"evt_01M8697R0500000003BDDDHX0G\","
		"\"transaction_id\":\"txn_01M8697R0500000003ZG6YYWMF\","
		"\"sequence\":\"0000000000000042\",\"direction\":\"debit\","
		"\"amount\":\"15.00\",\"currency\":\"USD\",\"counterparty\":\"bob\","
		"\"key\":\"KEY\"},"
		"\"android\":{\"priority\":\"HIGH\",\"collapse_key\":\"KEY\","
		"\"notification\":{\"tag\":\"KEY\"}},"
		"\"apns\":{\"headers\":{\"apns-priority\":\"10\","
		"\"apns-collapse-id\":\"KEY\"}}}}");
	buf_release(&scratch);
	transport_state_free(&fcm_transport, state);
}
END_TEST

START_TEST(the_longest_message_is_within_4096_bytes)
{
	char title[201], body[1001];
	void *state = state_of(good);
	struct recipient *to = transport_recipient();
	struct message m = transport_message(to);
	struct transfer_request r = {0};
	struct err e = ERR_INIT;
	struct buf scratch;

	memset(title, 't', 200);
	title[200] = '\0';
	memset(body, '"', 1000);
	body[1000] = '\0';
	memset(to->event.counterparty, 'c', USER_ID_MAX);
	m.parts[0] = title;
	m.parts[1] = body;
	buf_init(&scratch, TRANSPORT_SCRATCH_MAX);
	ck_assert_int_eq(fcm_transport.build(state, &m, &r, &scratch, &e), 0);
	ck_assert_uint_lt(r.body_len, 4096);
	buf_release(&scratch);
	transport_state_free(&fcm_transport, state);
}
END_TEST

START_TEST(answers_are_judged_by_fcms_own_word)
{
	static const struct {
		int status;
		const char *body;
		enum attempt_status is;
		enum attempt_reason why;
	} cases[] = {
		{200, "{\"name\":\"projects/p/messages/1\"}", ATTEMPT_DELIVERED,
		 REASON_NONE},
		{404,
		 "{\"error\":{\"code\":404,\"status\":\"NOT_FOUND\",\"details\":[{"
		 "\"@type\":\"x\"},{\"@type\":\"y\",\"errorCode\":\"UNREGISTERED\"}]}}",
		 ATTEMPT_FAILED, REASON_BAD_ADDRESS},
		{403,
		 "{\"error\":{\"status\":\"PERMISSION_DENIED\",\"details\":[{"
		 "\"errorCode\":\"SENDER_ID_MISMATCH\"}]}}",
		 ATTEMPT_FAILED, REASON_BAD_ADDRESS},
		{404, "{\"error\":{\"status\":\"NOT_FOUND\"}}", ATTEMPT_RETRYING,
		 REASON_UNAUTHORIZED},
		{400,
		 "{\"error\":{\"status\":\"INVALID_ARGUMENT\",\"details\":[{"
		 "\"errorCode\":\"INVALID_ARGUMENT\"}]}}",
		 ATTEMPT_FAILED, REASON_REJECTED},
		{401, "{\"error\":{\"status\":\"UNAUTHENTICATED\"}}", ATTEMPT_RETRYING,
		 REASON_UNAUTHORIZED},
		{429, "", ATTEMPT_RETRYING, REASON_RATE_LIMITED},
		{500, "not json", ATTEMPT_RETRYING, REASON_PROVIDER_ERROR},
		{503, "[]", ATTEMPT_RETRYING, REASON_PROVIDER_ERROR},
		{503, "{\"error\":7}", ATTEMPT_RETRYING, REASON_PROVIDER_ERROR},
	};
	void *state = state_of(good);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct verdict v = transport_judge(&fcm_transport, state, cases[i].status,
						   cases[i].body);

		ck_assert_msg(v.status == cases[i].is && v.reason == cases[i].why,
			      "%d %s", cases[i].status, cases[i].body);
	}
	transport_state_free(&fcm_transport, state);
}
END_TEST

START_TEST(exactly_one_way_to_log_in_is_set)
{
	static const char *const wrong[][4] = {
		{"PAYBELL_FCM_PROJECT=demo"},
		{"PAYBELL_FCM_PROJECT=demo", "PAYBELL_FCM_TOKEN=t",
		 "PAYBELL_FCM_CREDENTIALS=/x"},
		{"PAYBELL_FCM_TOKEN=t"},
		{"PAYBELL_FCM_TOKEN=t", "PAYBELL_FCM_PROJECT=a/b"},
		{"PAYBELL_FCM_PROJECT=demo", "PAYBELL_FCM_CREDENTIALS=/nowhere"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err e = ERR_INIT;

		ck_assert_msg(transport_state(&fcm_transport, wrong[i], &e) == NULL,
			      "%zu", i);
	}
}
END_TEST

START_TEST(a_key_file_is_read)
{
	static const char json[] =
		"{\"type\":\"service_account\",\"project_id\":\"p\",\"private_key_id\":"
		"\"k\",\"private_key\":\"-----BEGIN\\nX\",\"client_email\":\"a@p\","
		"\"token_uri\":\"https://oauth2.example/token\",\"auth_uri\":\"x\"}";
	struct service_account a;
	struct err e = ERR_INIT;

	ck_assert_int_eq(service_account_parse(&a, json, sizeof(json) - 1, &e), 0);
	ck_assert_str_eq(a.project, "p");
	ck_assert_str_eq(a.private_key, "-----BEGIN\nX");
	ck_assert_str_eq(a.token_uri, "https://oauth2.example/token");
	ck_assert_int_lt(service_account_parse(&a, "{}", 2, &e), 0);
	ck_assert_int_lt(service_account_parse(&a, "[]", 2, &e), 0);
}
END_TEST

START_TEST(a_token_that_could_break_the_header_is_refused)
{
	static const char *const wrong[] = {
		"{\"access_token\":\"a\\r\\nX: y\",\"expires_in\":3599}",
		"{\"access_token\":\"a\"}",
		"{\"expires_in\":3599}",
		"{\"access_token\":\"a\",\"expires_in\":0}",
		"",
	};
	static const char right[] =
		"{\"access_token\":\"ya29.a_b-c\",\"expires_in\":3599,\"token_type\":"
		"\"Bearer\"}";
	char token[64];
	int64_t expires_s;
	struct err e = ERR_INIT;

	ck_assert_int_eq(access_token_parse(token, sizeof(token), &expires_s, right,
					    sizeof(right) - 1, &e),
			 0);
	ck_assert_str_eq(token, "ya29.a_b-c");
	ck_assert_int_eq(expires_s, 3599);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_int_lt(access_token_parse(token, sizeof(token), &expires_s,
						    wrong[i], strlen(wrong[i]), &e),
				 0);
}
END_TEST

Suite *fcm_suite(void)
{
	Suite *s = suite_create("fcm");
	TCase *t = tcase_create("fcm");

	tcase_add_test(t, a_message_goes_to_its_device_with_its_key_everywhere);
	tcase_add_test(t, the_longest_message_is_within_4096_bytes);
	tcase_add_test(t, answers_are_judged_by_fcms_own_word);
	tcase_add_test(t, exactly_one_way_to_log_in_is_set);
	tcase_add_test(t, a_key_file_is_read);
	tcase_add_test(t, a_token_that_could_break_the_header_is_refused);
	suite_add_tcase(s, t);
	return s;
}
