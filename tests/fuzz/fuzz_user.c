/* A user that was taken is taken again when written anew; preferences survive the
 * database. */
#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "wire/user.h"

static void put_optional(struct json_writer *w, const char *key, const char *text)
{
	if (text[0])
		json_put_text(w, key, text);
}

static void write_user(const struct user *u, struct buf *out)
{
	struct json_writer w;
	struct buf preferences;

	buf_init(&preferences, USER_BODY_MAX);
	preferences_encode(u, &preferences);
	json_writer_init(&w, out);
	json_open(&w, NULL, '{');
	json_put_text(&w, "name", u->name);
	put_optional(&w, "email", u->email);
	put_optional(&w, "phone", u->phone);
	put_optional(&w, "locale", u->locale);
	put_optional(&w, "timezone", u->timezone);
	json_put_raw(&w, "preferences", preferences.data, preferences.len);
	json_close(&w, '}');
	buf_release(&preferences);
}

static void check_same_preferences(const struct user *a, const struct user *b)
{
	fuzz_require(a->preference_count == b->preference_count, "as many preferences");
	for (int i = 0; i < a->preference_count; i++) {
		const struct preference *p = &a->preferences[i];
		const struct preference *q = user_preference(b, p->channel);

		fuzz_require(q && p->enabled == q->enabled &&
				     p->min_minor == q->min_minor &&
				     strcmp(p->min_currency, q->min_currency) == 0,
			     "preferences are the same");
	}
}

static void check_same(const struct user *a, const struct user *b)
{
	fuzz_require(strcmp(a->name, b->name) == 0 && strcmp(a->email, b->email) == 0 &&
			     strcmp(a->phone, b->phone) == 0 &&
			     strcmp(a->locale, b->locale) == 0 &&
			     strcmp(a->timezone, b->timezone) == 0,
		     "contact data is the same");
	check_same_preferences(a, b);
}

static void fuzz_whole_user(const char *bytes, size_t size)
{
	struct user u = {0}, back = {0};
	struct problem p = {.kind = PROBLEM_NONE};
	struct buf out;

	if (user_decode(&u, bytes, size, &p) < 0) {
		fuzz_require(p.detail[0] && utf8_valid(p.detail, strlen(p.detail)),
			     "a refusal says why, in UTF-8");
		fuzz_require(p.kind != PROBLEM_VALIDATION || p.field[0], "which field");
		fuzz_require(u.name[0] == '\0', "a refused user is untouched");
		return;
	}
	fuzz_require(utf8_is_line(u.name, strlen(u.name)), "a name is one line");
	buf_init(&out, USER_BODY_MAX);
	write_user(&u, &out);
	fuzz_require(user_decode(&back, out.data, out.len, &p) == 0, "it is taken again");
	check_same(&u, &back);
	buf_release(&out);
}

static void fuzz_preferences(const char *bytes, size_t size)
{
	struct user u = {0}, back = {0};
	struct problem p;
	struct buf out;

	if (preferences_decode(&u, bytes, size, &p) < 0)
		return;
	buf_init(&out, USER_BODY_MAX);
	preferences_encode(&u, &out);
	fuzz_require(preferences_decode(&back, out.data, out.len, &p) == 0,
		     "taken again");
	check_same_preferences(&u, &back);
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_whole_user((const char *)data, size);
	fuzz_preferences((const char *)data, size);
	return 0;
}
