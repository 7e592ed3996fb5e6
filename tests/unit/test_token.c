#include <check.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "io/digest.h"
#include "io/token.h"

Suite *token_suite(void);

#define SECRET       "a secret of thirty-two bytes, or more"
#define OTHER_SECRET "another secret that was valid until now"
#define NOW          1768728600

static char token[TOKEN_MAX];
static struct err e;

static struct token_claims claims_of_bob(void)
{
	return (struct token_claims){.subject = "bob",
				     .audience = "paybell-gateway",
				     .issued_s = NOW,
				     .not_before_s = NOW,
				     .expires_s = NOW + 900};
}

static void sign_bob(const char *secret)
{
	struct token_claims claims = claims_of_bob();

	ck_assert_int_eq(token_sign(token, &claims, secret, &e), 0);
}

static int verify(const char *text, int64_t now_s)
{
	struct token_claims claims;

	return token_verify(&claims, text, SECRET, NULL, "paybell-gateway", now_s, &e);
}

/* A token of any header and claims, signed with HMAC-SHA256 over the key. */
static const char *forge(const char *header, const char *claims, const char *key)
{
	static struct buf b;
	uint8_t mac[32];
	unsigned mac_len = sizeof(mac);

	buf_release(&b);
	buf_init(&b, 8192);
	digest_base64url(&b, header, strlen(header));
	buf_add_char(&b, '.');
	digest_base64url(&b, claims, strlen(claims));
	if (key != NULL) {
		HMAC(EVP_sha256(), key, (int)strlen(key), (const unsigned char *)b.data,
		     b.len, mac, &mac_len);
		buf_add_char(&b, '.');
		digest_base64url(&b, mac, mac_len);
	} else {
		buf_add_char(&b, '.');
	}
	return b.data;
}

#define HS256  "{\"typ\":\"JWT\",\"alg\":\"HS256\"}"
#define CLAIMS "{\"sub\":\"bob\",\"aud\":\"paybell-gateway\",\"exp\":1768729500}"

START_TEST(what_was_signed_is_what_is_verified)
{
	struct token_claims in = claims_of_bob(), out;

	strcpy(in.scope, "ops");
	ck_assert_int_eq(token_sign(token, &in, SECRET, &e), 0);
	ck_assert_int_eq(
		token_verify(&out, token, SECRET, NULL, "paybell-gateway", NOW + 1, &e),
		0);
	ck_assert_str_eq(out.subject, "bob");
	ck_assert_str_eq(out.audience, "paybell-gateway");
	ck_assert_str_eq(out.scope, "ops");
	ck_assert_int_eq(out.issued_s, NOW);
	ck_assert_int_eq(out.not_before_s, NOW);
	ck_assert_int_eq(out.expires_s, NOW + 900);
}
END_TEST

START_TEST(a_token_made_elsewhere_is_taken)
{
	ck_assert_int_eq(verify(forge(HS256, CLAIMS, SECRET), NOW), 0);
	ck_assert_int_eq(verify(forge("{\"alg\":\"HS256\"}", CLAIMS, SECRET), NOW), 0);
}
END_TEST

START_TEST(a_token_ends_at_its_exp)
{
	sign_bob(SECRET);
	ck_assert_int_eq(verify(token, NOW + 899), 0);
	ck_assert_int_eq(verify(token, NOW + 900), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(e.text, "expired"));
}
END_TEST

START_TEST(a_token_begins_at_its_nbf)
{
	sign_bob(SECRET);
	ck_assert_int_eq(verify(token, NOW - 1), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "not valid yet"));
	ck_assert_int_eq(verify(token, NOW), 0);
}
END_TEST

START_TEST(a_token_without_exp_is_refused)
{
	const char *claims[] = {
		"{\"sub\":\"bob\",\"aud\":\"paybell-gateway\"}",
		"{\"sub\":\"bob\",\"aud\":\"paybell-gateway\",\"exp\":\"1768729500\"}",
		"{\"sub\":\"bob\",\"aud\":\"paybell-gateway\",\"exp\":1768729500.5}",
		"{\"sub\":\"bob\",\"aud\":\"paybell-gateway\",\"exp\":1768729500,\"nbf\":"
		"\"1\"}",
	};

	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
		ck_assert_int_eq(verify(forge(HS256, claims[i], SECRET), NOW), -1);
}
END_TEST

START_TEST(a_token_for_somebody_else_is_refused)
{
	struct token_claims out;

	sign_bob(SECRET);
	ck_assert_int_eq(token_verify(&out, token, SECRET, NULL, "paybell", NOW, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "audience"));
	ck_assert_int_eq(
		verify(forge(HS256, "{\"sub\":\"bob\",\"exp\":1768729500}", SECRET), NOW),
		-1);
}
END_TEST

START_TEST(either_of_two_secrets_will_do)
{
	struct token_claims out;

	sign_bob(OTHER_SECRET);
	ck_assert_int_eq(verify(token, NOW), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "signature"));
	ck_assert_int_eq(token_verify(&out, token, SECRET, OTHER_SECRET,
				      "paybell-gateway", NOW, &e),
			 0);
	sign_bob(SECRET);
	ck_assert_int_eq(token_verify(&out, token, SECRET, OTHER_SECRET,
				      "paybell-gateway", NOW, &e),
			 0);
}
END_TEST

START_TEST(a_short_secret_is_refused)
{
	struct token_claims claims = claims_of_bob();

	ck_assert_int_eq(
		token_sign(token, &claims, "0123456789012345678901234567890", &e), -1);
	sign_bob(SECRET);
	ck_assert_int_eq(
		token_verify(&claims, token, SECRET, "short", "paybell-gateway", NOW, &e),
		-1);
	ck_assert_int_eq(
		token_verify(&claims, token, NULL, NULL, "paybell-gateway", NOW, &e), -1);
}
END_TEST

START_TEST(a_token_without_a_signature_is_refused)
{
	const char *none[] = {"{\"alg\":\"none\"}", "{\"alg\":\"None\"}",
			      "{\"typ\":\"JWT\",\"alg\":\"NONE\"}", "{}", HS256};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		ck_assert_int_eq(verify(forge(none[i], CLAIMS, NULL), NOW), -1);
		ck_assert_int_eq(verify(forge(none[i], CLAIMS, ""), NOW), -1);
	}
	ck_assert_int_eq(verify(forge("{\"alg\":\"none\"}", CLAIMS, SECRET), NOW), -1);
}
END_TEST

START_TEST(another_algorithm_is_refused)
{
	const char *headers[] = {"{\"alg\":\"HS512\"}",
				 "{\"alg\":\"RS256\"}",
				 "{\"alg\":\"HS999\"}",
				 "{\"alg\":256}",
				 "[]",
				 "\"HS256\""};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		ck_assert_int_eq(verify(forge(headers[i], CLAIMS, SECRET), NOW), -1);
}
END_TEST

START_TEST(every_changed_character_is_seen)
{
	sign_bob(SECRET);
	for (size_t i = 0; token[i] != '\0'; i++) {
		char kept = token[i];

		token[i] = kept == 'A' ? 'B' : 'A';
		ck_assert_msg(verify(token, NOW) < 0, "changed at %zu", i);
		token[i] = '=';
		ck_assert_int_eq(verify(token, NOW), -1);
		token[i] = '\0';
		ck_assert_int_eq(verify(token, NOW), -1);
		token[i] = kept;
	}
	ck_assert_int_eq(verify(token, NOW), 0);
	strcat(token, "\n");
	ck_assert_int_eq(verify(token, NOW), -1);
}
END_TEST

START_TEST(what_is_not_a_token_is_refused)
{
	static char long_one[4 * TOKEN_MAX];
	const char *texts[] = {"",
			       ".",
			       "..",
			       "...",
			       "a.b",
			       "a.b.c",
			       "a.b.c.d",
			       "\xff.\xff.\xff",
			       "eyJhbGciOiJIUzI1NiJ9..",
			       long_one};

	memset(long_one, 'a', sizeof(long_one) - 1);
	long_one[20] = long_one[40] = '.';
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_int_eq(verify(texts[i], NOW), -1);
}
END_TEST

START_TEST(a_subject_that_is_no_user_id_is_refused)
{
	struct token_claims claims = claims_of_bob();

	ck_assert_int_eq(
		verify(forge(HS256,
			     "{\"sub\":\"b "
			     "b\",\"aud\":\"paybell-gateway\",\"exp\":1768729500}",
			     SECRET),
		       NOW),
		-1);
	ck_assert_int_eq(
		verify(forge(HS256,
			     "{\"sub\":7,\"aud\":\"paybell-gateway\",\"exp\":1768729500}",
			     SECRET),
		       NOW),
		-1);
	claims.subject[0] = '\0';
	ck_assert_int_eq(token_sign(token, &claims, SECRET, &e), -1);
}
END_TEST

/* ---- assertions ---- */

struct pair {
	char private_pem[4096], public_pem[2048];
};

static void make_pair(struct pair *p)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	BIO *bio = BIO_new(BIO_s_mem());
	int n;

	ck_assert_ptr_nonnull(key);
	PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	n = BIO_read(bio, p->private_pem, sizeof(p->private_pem) - 1);
	p->private_pem[n] = '\0';
	PEM_write_bio_PUBKEY(bio, key);
	n = BIO_read(bio, p->public_pem, sizeof(p->public_pem) - 1);
	p->public_pem[n] = '\0';
	BIO_free(bio);
	EVP_PKEY_free(key);
}

#define ENDPOINT "https://oauth2.googleapis.com/token"
#define ISSUER   "worker@project.iam.gserviceaccount.com"

START_TEST(an_assertion_is_signed_and_verified)
{
	static struct pair pair, other;
	char issuer[128];

	make_pair(&pair);
	make_pair(&other);
	ck_assert_int_eq(
		token_sign_assertion(token, ISSUER,
				     "https://www.googleapis.com/auth/firebase.messaging",
				     ENDPOINT, NOW, NOW + 3600, pair.private_pem, &e),
		0);
	ck_assert_ptr_null(strpbrk(token, "\r\n= "));
	ck_assert_int_eq(token_verify_assertion(token, pair.public_pem, ENDPOINT, NOW,
						issuer, sizeof(issuer), &e),
			 0);
	ck_assert_str_eq(issuer, ISSUER);
	ck_assert_int_eq(token_verify_assertion(token, other.public_pem, ENDPOINT, NOW,
						issuer, sizeof(issuer), &e),
			 -1);
	ck_assert_int_eq(token_verify_assertion(token, pair.public_pem, "https://x/", NOW,
						issuer, sizeof(issuer), &e),
			 -1);
	ck_assert_int_eq(token_verify_assertion(token, pair.public_pem, ENDPOINT,
						NOW + 3600, issuer, sizeof(issuer), &e),
			 -1);
	ck_assert_int_eq(token_verify_assertion(token, pair.public_pem, ENDPOINT, NOW,
						issuer, 8, &e),
			 -1);
}
END_TEST

START_TEST(a_public_key_is_no_secret)
{
	static struct pair pair;
	char issuer[128];

	make_pair(&pair);
	ck_assert_int_eq(token_verify_assertion(forge(HS256,
						      "{\"iss\":\"x\",\"aud\":\"" ENDPOINT
						      "\",\"exp\":1768729500}",
						      pair.public_pem),
						pair.public_pem, ENDPOINT, NOW, issuer,
						sizeof(issuer), &e),
			 -1);
	ck_assert_ptr_nonnull(strstr(e.text, "RS256"));
}
END_TEST

START_TEST(a_key_that_is_none_is_refused)
{
	char issuer[128];

	ck_assert_int_eq(token_sign_assertion(token, ISSUER, "s", ENDPOINT, NOW, NOW + 1,
					      "not a key", &e),
			 -1);
	ck_assert_int_eq(
		token_sign_assertion(token, ISSUER, "s", ENDPOINT, NOW, NOW + 1, "", &e),
		-1);
	sign_bob(SECRET);
	ck_assert_int_eq(token_verify_assertion(token, "", ENDPOINT, NOW, issuer,
						sizeof(issuer), &e),
			 -1);
}
END_TEST

Suite *token_suite(void)
{
	Suite *s = suite_create("token");
	TCase *own = tcase_create("own"), *assertions = tcase_create("assertions");

	tcase_add_test(own, what_was_signed_is_what_is_verified);
	tcase_add_test(own, a_token_made_elsewhere_is_taken);
	tcase_add_test(own, a_token_ends_at_its_exp);
	tcase_add_test(own, a_token_begins_at_its_nbf);
	tcase_add_test(own, a_token_without_exp_is_refused);
	tcase_add_test(own, a_token_for_somebody_else_is_refused);
	tcase_add_test(own, either_of_two_secrets_will_do);
	tcase_add_test(own, a_short_secret_is_refused);
	tcase_add_test(own, a_token_without_a_signature_is_refused);
	tcase_add_test(own, another_algorithm_is_refused);
	tcase_add_test(own, every_changed_character_is_seen);
	tcase_add_test(own, what_is_not_a_token_is_refused);
	tcase_add_test(own, a_subject_that_is_no_user_id_is_refused);
	suite_add_tcase(s, own);
	tcase_set_timeout(assertions, 30);
	tcase_add_test(assertions, an_assertion_is_signed_and_verified);
	tcase_add_test(assertions, a_public_key_is_no_secret);
	tcase_add_test(assertions, a_key_that_is_none_is_refused);
	suite_add_tcase(s, assertions);
	return s;
}
