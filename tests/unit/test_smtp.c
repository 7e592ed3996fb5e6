#include <check.h>
#include <string.h>

#include "email/smtp.h"
#include "transport_fixture.h"

Suite *smtp_suite(void);

static const char *const good[] = {
	"PAYBELL_MAIL_FROM=Pay \"Bell\" <no-reply@example.com>", NULL};

static void *state_of(const char *const *environment)
{
	struct err e = ERR_INIT;
	void *state = transport_state(&smtp_transport, environment, &e);

	ck_assert_msg(state != NULL, "%s", e.text);
	return state;
}

START_TEST(a_message_is_a_mail_with_a_stable_id)
{
	void *state = state_of(good);
	struct message m = transport_message(transport_recipient());
	struct transfer_request r = {0};
	struct err e = ERR_INIT;
	struct buf scratch;

	buf_init(&scratch, TRANSPORT_SCRATCH_MAX);
	ck_assert_int_eq(smtp_transport.build(state, &m, &r, &scratch, &e), 0);
	ck_assert_str_eq(r.mail_from, "no-reply@example.com");
	ck_assert_str_eq(r.mail_to, "alice@example.org");
	ck_assert_ptr_nonnull(strstr(
		r.body, "Message-ID: <evt_01M8697R0500000003BDDDHX0G.test@example.com>"));
	ck_assert_ptr_nonnull(strstr(r.body, "Date: Sun, 18 Jan 2026 09:30:00 +0000"));
	ck_assert_ptr_nonnull(strstr(r.body, "Subject: one"));
	ck_assert_ptr_nonnull(strstr(r.body, "Content-Language: en"));
	ck_assert_ptr_null(r.username);
	ck_assert(!r.starttls_required);
	buf_release(&scratch);
	transport_state_free(&smtp_transport, state);
}
END_TEST

START_TEST(the_login_goes_along)
{
	static const char *const environment[] = {"PAYBELL_SMTP_USER=u",
						  "PAYBELL_SMTP_PASSWORD=p",
						  "PAYBELL_SMTP_STARTTLS=on",
						  "PAYBELL_MAIL_FROM=a@example.com",
						  "PAYBELL_SMTP_HELLO=mx.example.com",
						  NULL};
	void *state = state_of(environment);
	struct message m = transport_message(transport_recipient());
	struct transfer_request r = {0};
	struct err e = ERR_INIT;
	struct buf scratch;

	buf_init(&scratch, TRANSPORT_SCRATCH_MAX);
	ck_assert_int_eq(smtp_transport.build(state, &m, &r, &scratch, &e), 0);
	ck_assert_str_eq(r.username, "u");
	ck_assert_str_eq(r.password, "p");
	ck_assert_str_eq(r.hello, "mx.example.com");
	ck_assert(r.starttls_required);
	buf_release(&scratch);
	transport_state_free(&smtp_transport, state);
}
END_TEST

START_TEST(an_address_that_is_none_ends_as_a_bad_address)
{
	void *state = state_of(good);
	struct recipient *to = transport_recipient();
	struct message m = transport_message(to);
	struct transfer_request r = {0};
	struct err e = ERR_INIT;
	struct buf scratch;

	strcpy(to->user.email, "alice example.org");
	buf_init(&scratch, TRANSPORT_SCRATCH_MAX);
	ck_assert_int_lt(smtp_transport.build(state, &m, &r, &scratch, &e), 0);
	ck_assert_int_eq(e.code, ERR_INVALID);
	buf_release(&scratch);
	transport_state_free(&smtp_transport, state);
}
END_TEST

START_TEST(replies_are_judged_by_their_class)
{
	static const struct {
		int status;
		enum attempt_status is;
		enum attempt_reason why;
	} cases[] = {
		{250, ATTEMPT_DELIVERED, REASON_NONE},
		{421, ATTEMPT_RETRYING, REASON_PROVIDER_ERROR},
		{451, ATTEMPT_RETRYING, REASON_PROVIDER_ERROR},
		{550, ATTEMPT_FAILED, REASON_BAD_ADDRESS},
		{553, ATTEMPT_FAILED, REASON_BAD_ADDRESS},
		{552, ATTEMPT_FAILED, REASON_REJECTED},
		{554, ATTEMPT_FAILED, REASON_REJECTED},
		{530, ATTEMPT_RETRYING, REASON_UNAUTHORIZED},
	};
	void *state = state_of(good);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct verdict v =
			transport_judge(&smtp_transport, state, cases[i].status, "");

		ck_assert_int_eq(v.status, cases[i].is);
		ck_assert_int_eq(v.reason, cases[i].why);
	}
	transport_state_free(&smtp_transport, state);
}
END_TEST

START_TEST(a_server_that_refuses_the_session_ends_no_message)
{
	void *state = state_of(good);
	struct transfer_result result = {.outcome = TRANSFER_NO_CONNECT, .status = 554};
	struct verdict v = {0};

	smtp_transport.judge(state, &result, &v);
	ck_assert_int_eq(v.status, ATTEMPT_RETRYING);
	ck_assert_int_eq(v.reason, REASON_PROVIDER_ERROR);
	result.status = 535;
	smtp_transport.judge(state, &result, &v);
	ck_assert_int_eq(v.status, ATTEMPT_RETRYING);
	ck_assert_int_eq(v.reason, REASON_UNAUTHORIZED);
	transport_state_free(&smtp_transport, state);
}
END_TEST

START_TEST(settings_that_contradict_are_refused)
{
	static const char *const wrong[][2] = {
		{"PAYBELL_MAIL_FROM=nobody"},
		{"PAYBELL_MAIL_FROM=A <a@example.com> x"},
		{"PAYBELL_MAIL_FROM=A <a@example.com"},
		{"PAYBELL_SMTP_URL=http://127.0.0.1"},
		{"PAYBELL_SMTP_URL=smtp://u:p@127.0.0.1"},
		{"PAYBELL_SMTP_USER=u"},
		{"PAYBELL_SMTP_PASSWORD=p"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err e = ERR_INIT;

		ck_assert_msg(transport_state(&smtp_transport, wrong[i], &e) == NULL,
			      "%s", wrong[i][0]);
		ck_assert_int_eq(e.code, ERR_INVALID);
	}
}
END_TEST

Suite *smtp_suite(void)
{
	Suite *s = suite_create("smtp");
	TCase *t = tcase_create("smtp");

	tcase_add_test(t, a_message_is_a_mail_with_a_stable_id);
	tcase_add_test(t, the_login_goes_along);
	tcase_add_test(t, an_address_that_is_none_ends_as_a_bad_address);
	tcase_add_test(t, replies_are_judged_by_their_class);
	tcase_add_test(t, a_server_that_refuses_the_session_ends_no_message);
	tcase_add_test(t, settings_that_contradict_are_refused);
	suite_add_tcase(s, t);
	return s;
}
