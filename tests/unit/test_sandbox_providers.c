#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "io/token.h"
#include "sandbox/fcm.h"
#include "sandbox/oauth.h"
#include "sandbox/twilio.h"

Suite *sandbox_providers_suite(void);

#define SID    "AC0123456789abcdef0123456789abcdef"
#define NOW_US (INT64_C(1795507200) * US_PER_S)

/* SID:token and SID:wrong */
#define BASIC       "Basic QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjp0b2tlbg=="
#define BASIC_WRONG "Basic QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjp3cm9uZw=="

static struct exchange x;
static const struct twilio twilio = {SID, "token"};
static struct oauth oauth;
static struct fcm fcm = {"demo", &oauth};

static void setup(void)
{
	exchange_init(&x);
	memset(&oauth, 0, sizeof(oauth));
	oauth.static_token = "fixed";
	oauth.endpoint = "http://127.0.0.1:1/token";
}

static void teardown(void)
{
	exchange_release(&x);
}

static void give(const char *name, const char *authorization, const char *type,
		 const char *body)
{
	exchange_begin(&x);
	x.name = name;
	x.authorization = authorization;
	x.content_type = type;
	x.body = body;
	x.body_len = strlen(body);
	x.now_us = NOW_US;
}

static void sms(const char *body)
{
	give(SID, BASIC, "application/x-www-form-urlencoded", body);
	twilio_receive(&twilio, &x);
}

static void push(const char *body)
{
	give("demo", "Bearer fixed", "application/json; charset=utf-8", body);
	fcm_receive(&fcm, &x);
}

static void expect(int status, const char *piece)
{
	ck_assert_int_eq(x.status, status);
	if (strstr(buf_text(&x.answer), piece) == NULL)
		ck_abort_msg("no %s in %s", piece, buf_text(&x.answer));
	ck_assert(x.accepted == (status < 300));
	ck_assert(status < 300 || x.reason[0] != '\0');
}

/* ---- Twilio ---- */

START_TEST(an_sms_is_answered_like_twilio_does)
{
	sms("To=%2B4366012345678&From=%2B15005550006&Body=Hi+%E2%82%AC%0A%22there%22");
	expect(201, "\"status\":\"queued\"");
	expect(201, "\"num_segments\":\"1\"");
	expect(201, "\"date_created\":\"Tue, 24 Nov 2026 08:00:00 +0000\"");
	ck_assert_str_eq(x.record.to, "+4366012345678");
	ck_assert_str_eq(x.record.from, "+15005550006");
	ck_assert_str_eq(x.record.body, "Hi \xe2\x82\xac\n\"there\"");
	ck_assert_ptr_null(x.record.key);
	ck_assert_uint_eq(strlen(x.record.id), 34);
	ck_assert(strncmp(x.record.id, "SM", 2) == 0);
}
END_TEST

START_TEST(a_messaging_service_can_send)
{
	sms("To=%2B4366012345678&Body=x&MessagingServiceSid="
	    "MG0123456789abcdef0123456789abcdef");
	expect(201, "\"status\":\"accepted\"");
	expect(201, "\"from\":null");
	sms("To=%2B4366012345678&Body=x&MessagingServiceSid=MG1");
	expect(404, "\"code\":20404");
}
END_TEST

START_TEST(each_wrong_sms_has_twilios_code)
{
	static const struct {
		const char *body;
		int status;
		const char *code;
	} rows[] = {
		{"From=%2B15005550006&Body=x", 400, "\"code\":21604,"},
		{"To=0660&From=%2B15005550006&Body=x", 400, "\"code\":21211,"},
		{"To=%2B0660123456&From=%2B15005550006&Body=x", 400, "\"code\":21211,"},
		{"To=%2B15005550001&From=%2B15005550006&Body=x", 400, "\"code\":21211,"},
		{"To=%2B15005550004&From=%2B15005550006&Body=x", 400, "\"code\":21610,"},
		{"To=%2B15005550009&From=%2B15005550006&Body=x", 400, "\"code\":21614,"},
		{"To=%2B4366012345678&Body=x", 400, "\"code\":21603,"},
		{"To=%2B4366012345678&From=%2B0&Body=x", 400, "\"code\":21212,"},
		{"To=%2B4366012345678&From=%2B15005550007&Body=x", 400,
		 "\"code\":21606,"},
		{"To=%2B4366012345678&From=%2B15005550006", 400, "\"code\":21602,"},
		{"To=%2B4366012345678&From=%2B15005550006&Body=", 400, "\"code\":21602,"},
		{"To=%2B4366012345678&From=%2B15005550006&Body=x&StatusCallback=ftp:x",
		 400, "\"code\":21609,"},
		{"To=%2B4366012345678&From=%2B15005550006&Bdy=x", 400, "\"code\":20001,"},
		{"To=%2B4366012345678&To=%2B4366012345678&Body=x", 400,
		 "\"code\":20001,"},
		{"To=%2B4366012345678&From=%2B15005550006&Body=%ff", 400,
		 "\"code\":20001,"},
		{"To=%2", 400, "\"code\":20001,"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		sms(rows[i].body);
		expect(rows[i].status, rows[i].code);
		expect(rows[i].status,
		       "\"more_info\":\"https://www.twilio.com/docs/errors/2");
	}
}
END_TEST

START_TEST(a_text_has_at_most_1600_characters)
{
	char body[8000] = "To=%2B4366012345678&From=%2B15005550006&Body=";
	size_t len = strlen(body);

	for (int i = 0; i < 1600; i++)
		memcpy(body + len + (size_t)i * 2, "\xc3\xa4", 3);
	sms(body);
	expect(201, "\"num_segments\":\"11\"");
	strcat(body, "x");
	sms(body);
	expect(400, "\"code\":21617,");
}
END_TEST

START_TEST(who_does_not_authenticate_gets_20003)
{
	const char *form = "application/x-www-form-urlencoded";

	give(SID, NULL, form, "");
	twilio_receive(&twilio, &x);
	expect(401, "\"code\":20003,");
	give(SID, BASIC_WRONG, form, "");
	twilio_receive(&twilio, &x);
	expect(401, "\"code\":20003,");
	give(SID, "Basic !!", form, "");
	twilio_receive(&twilio, &x);
	expect(401, "\"code\":20003,");
	give("AC1", BASIC, form, "");
	twilio_receive(&twilio, &x);
	expect(404, "\"code\":20404,");
	give(SID, BASIC, "application/json", "{}");
	twilio_receive(&twilio, &x);
	expect(400, "\"code\":20001,");
}
END_TEST

START_TEST(segments_are_counted_by_alphabet)
{
	char text[400];

	memset(text, 'a', sizeof(text));
	ck_assert_int_eq(twilio_segments(text, 160), 1);
	ck_assert_int_eq(twilio_segments(text, 161), 2);
	ck_assert_int_eq(twilio_segments(text, 306), 2);
	ck_assert_int_eq(twilio_segments(text, 307), 3);
	memset(text, '[', sizeof(text)); /* two septets each */
	ck_assert_int_eq(twilio_segments(text, 80), 1);
	ck_assert_int_eq(twilio_segments(text, 81), 2);
	memset(text, '`', sizeof(text)); /* not in the alphabet */
	ck_assert_int_eq(twilio_segments(text, 70), 1);
	ck_assert_int_eq(twilio_segments(text, 71), 2);
	ck_assert_int_eq(twilio_segments("\xf0\x9f\x8e\x89", 4), 1);
}
END_TEST

/* ---- FCM ---- */

START_TEST(a_push_is_answered_with_its_name)
{
	push("{\"message\":{\"token\":\"t1\",\"notification\":{\"title\":\"a\"},"
	     "\"data\":{\"k\":\"v\"},\"android\":{\"collapse_key\":\"ck\","
	     "\"ttl\":\"3.5s\",\"priority\":\"HIGH\",\"notification\":{\"tag\":\"t\"}},"
	     "\"apns\":{\"headers\":{\"apns-priority\":\"10\"},"
	     "\"payload\":{\"aps\":{\"badge\":1}}},"
	     "\"webpush\":{\"headers\":{\"TTL\":\"1\"}},"
	     "\"fcm_options\":{\"analytics_label\":\"l\"}}}");
	expect(200, "{\"name\":\"projects/demo/messages/");
	ck_assert_str_eq(x.record.to, "t1");
	ck_assert_str_eq(x.record.key, "ck");
	ck_assert(x.record.body_is_json);
	ck_assert(strncmp(x.record.body, "{\"token\":\"t1\",", 14) == 0);
}
END_TEST

START_TEST(each_wrong_push_is_an_invalid_argument_with_its_field)
{
	static const char *const rows[][2] = {
		{"{\"message\":{}}", "\"field\":\"message.token\""},
		{"{\"message\":{\"token\":\"\"}}", "\"field\":\"message.token\""},
		{"{\"message\":{\"token\":1}}", "\"field\":\"message.token\""},
		{"{}", "\"field\":\"message\""},
		{"{\"message\":[]}", "INVALID_ARGUMENT"},
		{"[]", "INVALID_ARGUMENT"},
		{"nonsense", "INVALID_ARGUMENT"},
		{"{\"message\":{\"token\":\"t\",\"data\":{\"a\":1}}}",
		 "\"field\":\"message.data.a\""},
		{"{\"message\":{\"token\":\"t\",\"data\":{\"google.x\":\"1\"}}}",
		 "reserved key google.x"},
		{"{\"message\":{\"token\":\"t\",\"data\":{\"from\":\"1\"}}}",
		 "reserved key from"},
		{"{\"message\":{\"token\":\"t\",\"colour\":\"1\"}}", "INVALID_ARGUMENT"},
		{"{\"message\":{\"token\":\"t\"},\"x\":1}", "INVALID_ARGUMENT"},
		{"{\"message\":{\"token\":\"t\",\"notification\":{\"titel\":\"1\"}}}",
		 "INVALID_ARGUMENT"},
		{"{\"message\":{\"token\":\"t\",\"android\":{\"ttl\":3600}}}",
		 "\"field\":\"message.android.ttl\""},
		{"{\"message\":{\"token\":\"t\",\"android\":{\"ttl\":\"3600\"}}}",
		 "\"field\":\"message.android.ttl\""},
		{"{\"message\":{\"token\":\"t\",\"android\":{\"priority\":\"LOW\"}}}",
		 "\"field\":\"message.android.priority\""},
		{"{\"message\":{\"token\":\"t\",\"apns\":{\"headers\":{\"a\":1}}}}",
		 "\"field\":\"message.apns.headers.a\""},
		{"{\"message\":{\"token\":\"t\",\"apns\":{\"payload\":\"x\"}}}",
		 "\"field\":\"message.apns.payload\""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		push(rows[i][0]);
		expect(400, rows[i][1]);
		expect(400, "\"errorCode\":\"INVALID_ARGUMENT\"");
	}
}
END_TEST

START_TEST(a_payload_has_at_most_4096_bytes)
{
	char body[6000], value[4200];

	memset(value, 'x', sizeof(value));
	value[4096 - 8] = '\0'; /* {"k":""} are 8 bytes */
	snprintf(body, sizeof(body),
		 "{\"message\":{\"token\":\"t\",\"data\":{\"k\":\"%s\"}}}", value);
	push(body);
	expect(200, "name");
	snprintf(body, sizeof(body),
		 "{\"message\":{\"token\":\"t\",\"data\":{\"k\":\"x%s\"}}}", value);
	push(body);
	expect(400, "message is too big");
}
END_TEST

START_TEST(an_unregistered_token_is_not_found)
{
	push("{\"message\":{\"token\":\"unregistered-1\"}}");
	expect(404, "\"status\":\"NOT_FOUND\"");
	expect(404, "\"errorCode\":\"UNREGISTERED\"");
	expect(404, "\"@type\":\"type.googleapis.com/google.firebase.fcm.v1.FcmError\"");
}
END_TEST

START_TEST(a_push_needs_a_bearer_and_its_project)
{
	const char *body = "{\"message\":{\"token\":\"t\"}}";

	give("demo", NULL, "application/json", body);
	fcm_receive(&fcm, &x);
	expect(401, "\"status\":\"UNAUTHENTICATED\"");
	give("demo", "Bearer other", "application/json", body);
	fcm_receive(&fcm, &x);
	expect(401, "\"status\":\"UNAUTHENTICATED\"");
	give("demo", "Bearer ", "application/json", body);
	fcm_receive(&fcm, &x);
	expect(401, "\"status\":\"UNAUTHENTICATED\"");
	give("other", "Bearer fixed", "application/json", body);
	fcm_receive(&fcm, &x);
	expect(403, "\"status\":\"PERMISSION_DENIED\"");
	give("demo", "Bearer fixed", "text/plain", body);
	fcm_receive(&fcm, &x);
	expect(400, "INVALID_ARGUMENT");
}
END_TEST

START_TEST(a_refusal_on_request_has_the_providers_shape)
{
	exchange_begin(&x);
	fcm_refuse(&x, 429);
	expect(429, "\"errorCode\":\"QUOTA_EXCEEDED\"");
	exchange_begin(&x);
	fcm_refuse(&x, 503);
	expect(503, "\"status\":\"UNAVAILABLE\"");
	exchange_begin(&x);
	twilio_refuse(&x, 429);
	expect(429, "\"code\":20429,");
	exchange_begin(&x);
	twilio_refuse(&x, 418);
	expect(418, "\"status\":418");
}
END_TEST

/* ---- the token endpoint ---- */

#define GRANT "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
#define FORM  "application/x-www-form-urlencoded"

static void ask_token(const char *body)
{
	give("", NULL, FORM, body);
	oauth_receive(&oauth, &x);
}

/* The access token that was answered. */
static const char *issued(void)
{
	static char token[OAUTH_TOKEN_SIZE];

	ck_assert_int_eq(x.status, 200);
	ck_assert_int_eq(
		sscanf(buf_text(&x.answer), "{\"access_token\":\"%63[^\"]", token), 1);
	return token;
}

START_TEST(only_issued_tokens_are_accepted_and_they_end)
{
	char token[OAUTH_TOKEN_SIZE];

	ask_token(GRANT "&assertion=aa.bb.cc");
	ck_assert_ptr_nonnull(strstr(buf_text(&x.answer),
				     "\"expires_in\":3599,\"token_type\":\"Bearer\""));
	strcpy(token, issued());
	ck_assert(oauth_accepts(&oauth, token, NOW_US));
	ck_assert(oauth_accepts(&oauth, token, NOW_US + 3598 * US_PER_S));
	ck_assert(!oauth_accepts(&oauth, token, NOW_US + 3599 * US_PER_S));
	ck_assert(!oauth_accepts(&oauth, "ya29.sandbox-other", NOW_US));
	ck_assert(!oauth_accepts(&oauth, "", NOW_US));
}
END_TEST

START_TEST(the_oldest_token_makes_room)
{
	char first[OAUTH_TOKEN_SIZE];

	ask_token(GRANT "&assertion=aa.bb.cc");
	strcpy(first, issued());
	for (int i = 1; i < OAUTH_TOKENS_MAX; i++)
		ask_token(GRANT "&assertion=aa.bb.cc");
	ck_assert(oauth_accepts(&oauth, first, NOW_US));
	ask_token(GRANT "&assertion=aa.bb.cc");
	ck_assert(!oauth_accepts(&oauth, first, NOW_US));
}
END_TEST

START_TEST(a_bad_grant_is_refused_as_rfc_6749_says)
{
	ask_token("grant_type=password&assertion=aa.bb.cc");
	ck_assert_int_eq(x.status, 400);
	ck_assert_ptr_nonnull(
		strstr(buf_text(&x.answer), "\"error\":\"unsupported_grant_type\""));
	ask_token(GRANT "&assertion=aa.bb");
	ck_assert_ptr_nonnull(strstr(buf_text(&x.answer), "\"error\":\"invalid_grant\""));
	ask_token(GRANT);
	ck_assert_ptr_nonnull(
		strstr(buf_text(&x.answer), "\"error\":\"invalid_request\""));
	ask_token(GRANT "&assertion=aa.bb.cc&x=y");
	ck_assert_int_eq(x.status, 400);
	oauth.public_key_pem =
		"-----BEGIN PUBLIC KEY-----\nno\n-----END PUBLIC KEY-----\n";
	ask_token(GRANT "&assertion=aa.bb.cc");
	ck_assert_int_eq(x.status, 400);
	ck_assert_ptr_nonnull(strstr(buf_text(&x.answer), "\"error\":\"invalid_grant\""));
}
END_TEST

Suite *sandbox_providers_suite(void)
{
	Suite *suite = suite_create("sandbox_providers");
	TCase *tc = tcase_create("providers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_sms_is_answered_like_twilio_does);
	tcase_add_test(tc, a_messaging_service_can_send);
	tcase_add_test(tc, each_wrong_sms_has_twilios_code);
	tcase_add_test(tc, a_text_has_at_most_1600_characters);
	tcase_add_test(tc, who_does_not_authenticate_gets_20003);
	tcase_add_test(tc, segments_are_counted_by_alphabet);
	tcase_add_test(tc, a_push_is_answered_with_its_name);
	tcase_add_test(tc, each_wrong_push_is_an_invalid_argument_with_its_field);
	tcase_add_test(tc, a_payload_has_at_most_4096_bytes);
	tcase_add_test(tc, an_unregistered_token_is_not_found);
	tcase_add_test(tc, a_push_needs_a_bearer_and_its_project);
	tcase_add_test(tc, a_refusal_on_request_has_the_providers_shape);
	tcase_add_test(tc, only_issued_tokens_are_accepted_and_they_end);
	tcase_add_test(tc, the_oldest_token_makes_room);
	tcase_add_test(tc, a_bad_grant_is_refused_as_rfc_6749_says);
	suite_add_tcase(suite, tc);
	return suite;
}
