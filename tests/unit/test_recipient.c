#include <check.h>
#include <string.h>

#include "transport_fixture.h"
#include "worker/core.h"

Suite *recipient_suite(void);

static const struct transport email = {.channel = "email", .target = TARGET_EMAIL};
static const struct transport sms = {.channel = "sms", .target = TARGET_PHONE};
static const struct transport push = {.channel = "push", .target = TARGET_DEVICES};

static void prefer(struct recipient *r, const char *channel, bool enabled,
		   int64_t min_minor, const char *currency)
{
	struct preference *p = &r->user.preferences[r->user.preference_count++];

	strcpy(p->channel, channel);
	p->enabled = enabled;
	p->min_minor = min_minor;
	strcpy(p->min_currency, currency);
}

START_TEST(who_has_an_address_is_told)
{
	struct recipient *r = transport_recipient();

	ck_assert_int_eq(recipient_suppressed(&email, r), REASON_NONE);
	ck_assert_int_eq(recipient_suppressed(&sms, r), REASON_NONE);
	ck_assert_int_eq(recipient_suppressed(&push, r), REASON_NONE);
}
END_TEST

START_TEST(who_has_none_is_not)
{
	struct recipient *r = transport_recipient();

	r->user.email[0] = r->user.phone[0] = '\0';
	r->device_count = 0;
	ck_assert_int_eq(recipient_suppressed(&email, r), REASON_NO_ADDRESS);
	ck_assert_int_eq(recipient_suppressed(&sms, r), REASON_NO_ADDRESS);
	ck_assert_int_eq(recipient_suppressed(&push, r), REASON_NO_ADDRESS);
}
END_TEST

START_TEST(a_channel_that_is_off_is_off_alone)
{
	struct recipient *r = transport_recipient();

	prefer(r, "sms", false, 0, "");
	ck_assert_int_eq(recipient_suppressed(&sms, r), REASON_CHANNEL_DISABLED);
	ck_assert_int_eq(recipient_suppressed(&email, r), REASON_NONE);
}
END_TEST

START_TEST(small_amounts_are_left_out_in_their_currency)
{
	struct recipient *r = transport_recipient();

	prefer(r, "sms", true, 1501, "USD");
	ck_assert_int_eq(recipient_suppressed(&sms, r), REASON_BELOW_MIN_AMOUNT);
	r->user.preferences[0].min_minor = 1500;
	ck_assert_int_eq(recipient_suppressed(&sms, r), REASON_NONE);
	r->user.preferences[0].min_minor = 9999;
	strcpy(r->user.preferences[0].min_currency, "EUR");
	ck_assert_int_eq(recipient_suppressed(&sms, r), REASON_NONE);
}
END_TEST

START_TEST(who_was_deleted_is_told_nothing)
{
	struct recipient *r = transport_recipient();

	r->deleted = true;
	prefer(r, "sms", false, 0, "");
	ck_assert_int_eq(recipient_suppressed(&sms, r), REASON_USER_DELETED);
}
END_TEST

Suite *recipient_suite(void)
{
	Suite *s = suite_create("recipient");
	TCase *t = tcase_create("recipient");

	tcase_add_test(t, who_has_an_address_is_told);
	tcase_add_test(t, who_has_none_is_not);
	tcase_add_test(t, a_channel_that_is_off_is_off_alone);
	tcase_add_test(t, small_amounts_are_left_out_in_their_currency);
	tcase_add_test(t, who_was_deleted_is_told_nothing);
	suite_add_tcase(s, t);
	return s;
}
