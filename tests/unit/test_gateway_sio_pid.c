#include <check.h>
#include <stdio.h>
#include <string.h>

#include "gateway/sio_pid.h"
#include "io/digest.h"

Suite *gateway_sio_pid_suite(void);

#define SECRET       "a secret of thirty-two bytes, or more"
#define OTHER_SECRET "another secret that was valid until now"
#define LEDGER       "0123456789abcdef"

static const struct access_settings now = {SECRET, "", "paybell", ""};
static const struct access_settings rotated = {OTHER_SECRET, SECRET, "paybell", ""};
static const struct access_settings foreign = {OTHER_SECRET, "", "paybell", ""};

static const struct sio_pid bobs = {.user_id = "bob", .ledger = LEDGER, .first = 1042};

/* The text with its signature, as only the owner of the secret can make it. */
static const char *sign(const char *purpose, const char *text, const char *secret)
{
	static char out[1024];
	uint8_t mac[SHA256_BYTES];
	struct buf input, signature;

	buf_init(&input, 1024);
	buf_addf(&input, "%s%s", purpose, text);
	digest_hmac_sha256(mac, secret, strlen(secret), input.data, input.len);
	buf_init(&signature, 64);
	digest_base64url(&signature, mac, sizeof(mac));
	snprintf(out, sizeof(out), "%s~%s", text, buf_text(&signature));
	buf_release(&input);
	buf_release(&signature);
	return out;
}

static const char *signed_text(const char *text)
{
	return sign("paybell pid 1\n", text, SECRET);
}

static void comes_back(const struct sio_pid *in)
{
	char text[SIO_PID_SIZE];
	struct sio_pid out;

	sio_pid_format(text, in, &now);
	ck_assert(sio_pid_parse(&out, text, &now));
	ck_assert_str_eq(out.user_id, in->all ? "*" : in->user_id);
	ck_assert_str_eq(out.ledger, in->ledger);
	ck_assert_int_eq(out.all, in->all);
	ck_assert_int_eq(out.first, in->first);
}

START_TEST(what_was_formatted_is_what_is_parsed)
{
	struct sio_pid longest = {.first = 9999999999999999};

	memset(longest.user_id, 'u', USER_ID_MAX);
	memset(longest.ledger, 'l', LIVE_LEDGER_SIZE - 1);
	comes_back(&bobs);
	comes_back(&(struct sio_pid){.all = true, .ledger = LEDGER, .first = 0});
	comes_back(&longest);
}
END_TEST

START_TEST(it_says_whose_it_is_and_is_signed)
{
	char text[SIO_PID_SIZE];

	sio_pid_format(text, &bobs, &now);
	ck_assert_str_eq(text, signed_text("bob~" LEDGER "~0000000000001042"));
}
END_TEST

START_TEST(no_character_of_it_can_be_another)
{
	char text[SIO_PID_SIZE];
	struct sio_pid out;

	sio_pid_format(text, &bobs, &now);
	for (size_t i = 0; text[i] != '\0'; i++) {
		char was = text[i];

		text[i] = was == 'A' ? 'B' : 'A';
		ck_assert_msg(!sio_pid_parse(&out, text, &now), "at %zu", i);
		text[i] = '\0';
		ck_assert_msg(!sio_pid_parse(&out, text, &now), "cut at %zu", i);
		text[i] = was;
	}
	strcat(text, "A");
	ck_assert(!sio_pid_parse(&out, text, &now));
}
END_TEST

START_TEST(the_old_secret_is_good_and_no_secret_is_none)
{
	char text[SIO_PID_SIZE];
	struct sio_pid out;

	sio_pid_format(text, &bobs, &now);
	ck_assert(sio_pid_parse(&out, text, &rotated));
	ck_assert(!sio_pid_parse(&out, text, &foreign));
	ck_assert(!sio_pid_parse(
		&out, sign("paybell pid 1\n", "bob~" LEDGER "~0000000000001042", ""),
		&now));
}
END_TEST

START_TEST(what_was_signed_for_something_else_is_no_pid)
{
	struct sio_pid out;

	ck_assert(!sio_pid_parse(
		&out, sign("", "bob~" LEDGER "~0000000000001042", SECRET), &now));
	ck_assert(!sio_pid_parse(
		&out, sign("paybell pid 2\n", "bob~" LEDGER "~0000000000001042", SECRET),
		&now));
}
END_TEST

START_TEST(a_part_that_is_missing_wrong_or_too_long_is_refused_although_signed)
{
	static const char *const texts[] = {
		"",
		"bob",
		"bob~" LEDGER,
		"bob~" LEDGER "~",
		"bob~" LEDGER "~x",
		"~~",
		"~",
		"bob~~-1",
		"bob~~+1",
		"bob~" LEDGER "~1 ",
		"bob~~" LEDGER "~1042",
		"bob~" LEDGER "~00000000000001042",
		"uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu~l~1",
		"u~llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll~1",
	};
	struct sio_pid out;
	char longest[2 * SIO_PID_SIZE];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(!sio_pid_parse(&out, signed_text(texts[i]), &now), "%s",
			      texts[i]);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert(!sio_pid_parse(&out, signed_text(longest), &now));
	ck_assert(!sio_pid_parse(&out, longest, &now));
	ck_assert(!sio_pid_parse(&out, "", &now));
}
END_TEST

Suite *gateway_sio_pid_suite(void)
{
	Suite *s = suite_create("gateway_sio_pid");
	TCase *t = tcase_create("gateway_sio_pid");

	tcase_add_test(t, what_was_formatted_is_what_is_parsed);
	tcase_add_test(t, it_says_whose_it_is_and_is_signed);
	tcase_add_test(t, no_character_of_it_can_be_another);
	tcase_add_test(t, the_old_secret_is_good_and_no_secret_is_none);
	tcase_add_test(t, what_was_signed_for_something_else_is_no_pid);
	tcase_add_test(
		t, a_part_that_is_missing_wrong_or_too_long_is_refused_although_signed);
	suite_add_tcase(s, t);
	return s;
}
