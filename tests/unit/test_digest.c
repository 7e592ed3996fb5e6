#include <check.h>
#include <string.h>

#include "io/digest.h"

Suite *digest_suite(void);

static void expect_sha256(const struct digest_part *parts, const char *hex)
{
	uint8_t got[SHA256_BYTES], wanted[SHA256_BYTES];

	digest_sha256(got, parts);
	ck_assert_int_eq(digest_parse_hex(wanted, hex), 0);
	ck_assert_mem_eq(got, wanted, SHA256_BYTES);
}

START_TEST(the_vectors_of_fips_180_come_out)
{
	expect_sha256((struct digest_part[]){{NULL, 0}},
		      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	expect_sha256((struct digest_part[]){{"abc", 3}, {NULL, 0}},
		      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	expect_sha256(
		(struct digest_part[]){
			{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56},
			{NULL, 0}},
		"248D6A61D20638B8E5C026930C3E6039A33CE45964FF2167F6ECEDD419DB06C1");
}
END_TEST

START_TEST(parts_are_digested_as_one)
{
	expect_sha256((struct digest_part[]){{"a", 1}, {"", 0}, {"bc", 2}, {NULL, 0}},
		      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

/* Its test case 2. */
START_TEST(the_hmac_of_rfc_4231_comes_out)
{
	static const char text[] = "what do ya want for nothing?";
	uint8_t got[SHA256_BYTES], wanted[SHA256_BYTES];

	digest_hmac_sha256(got, "Jefe", 4, text, sizeof(text) - 1);
	ck_assert_int_eq(digest_parse_hex(wanted, "5bdcc146bf60754e6a042426089575c75a003f"
						  "089d2739839dec58b964ec3843"),
			 0);
	ck_assert_mem_eq(got, wanted, SHA256_BYTES);
}
END_TEST

START_TEST(equal_is_every_byte)
{
	ck_assert(digest_equal("abc", "abc", 3));
	ck_assert(!digest_equal("abc", "abd", 3));
	ck_assert(!digest_equal("xbc", "abc", 3));
	ck_assert(digest_equal("abc", "abd", 2));
	ck_assert(digest_equal("", "x", 0));
}
END_TEST

START_TEST(hex_that_is_not_a_digest_is_refused)
{
	uint8_t out[SHA256_BYTES] = {7};
	char text[80];

	memset(text, 'a', sizeof(text));
	text[63] = '\0';
	ck_assert_int_eq(digest_parse_hex(out, text), -1);
	text[63] = 'a';
	text[64] = '\0';
	ck_assert_int_eq(digest_parse_hex(out, text), 0);
	ck_assert_uint_eq(out[31], 0xaa);
	text[64] = 'a';
	text[65] = '\0';
	ck_assert_int_eq(digest_parse_hex(out, text), -1);
	text[64] = '\0';
	for (const char *c = "g/:@G` "; *c != '\0'; c++) {
		text[63] = *c;
		ck_assert_int_eq(digest_parse_hex(out, text), -1);
	}
	ck_assert_uint_eq(out[0], 0xaa);
}
END_TEST

/* RFC 4648 section 10 without the padding, and what its section 5 spells otherwise. */
static const struct {
	const char *bytes, *url;
} base64url[] = {
	{"", ""},
	{"f", "Zg"},
	{"fo", "Zm8"},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg"},
	{"fooba", "Zm9vYmE"},
	{"foobar", "Zm9vYmFy"},
	{"\xfb\xff\xfe", "-__-"},
};

START_TEST(base64url_is_what_rfc_4648_says)
{
	for (size_t i = 0; i < sizeof(base64url) / sizeof(base64url[0]); i++) {
		size_t len = strlen(base64url[i].bytes);
		struct buf b;

		buf_init(&b, 64);
		digest_base64url(&b, base64url[i].bytes, len);
		ck_assert_str_eq(buf_text(&b), base64url[i].url);
		buf_release(&b);
	}
}
END_TEST

Suite *digest_suite(void)
{
	Suite *s = suite_create("digest");
	TCase *sha = tcase_create("sha256"), *texts = tcase_create("texts");

	tcase_add_test(sha, the_vectors_of_fips_180_come_out);
	tcase_add_test(sha, parts_are_digested_as_one);
	tcase_add_test(sha, the_hmac_of_rfc_4231_comes_out);
	tcase_add_test(sha, equal_is_every_byte);
	suite_add_tcase(s, sha);
	tcase_add_test(texts, hex_that_is_not_a_digest_is_refused);
	tcase_add_test(texts, base64url_is_what_rfc_4648_says);
	suite_add_tcase(s, texts);
	return s;
}
