#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/batch.h"
#include "wire/ws.h"

Suite *gateway_batch_suite(void);

#define EVENT "{\"id\":\"evt_1\",\"data\":{\"amount\":\"15.00\"}}"

static const bool both[DIALECT_COUNT] = {true, true};
static const bool plain_only[DIALECT_COUNT] = {[DIALECT_PLAIN] = true};
static const bool nobody[DIALECT_COUNT] = {false, false};

/* The frame is one unfragmented text frame, unmasked, with this payload. */
static void says(const struct message *m, const char *payload, size_t len)
{
	uint8_t head[WS_HEADER_MAX];
	size_t head_len = ws_put_header(head, WS_TEXT, true, len);

	ck_assert_ptr_nonnull(m->frame);
	ck_assert_uint_eq(m->payload_at, head_len);
	ck_assert_uint_eq(m->frame->len, head_len + len);
	ck_assert_mem_eq(m->frame->bytes, head, head_len);
	ck_assert_mem_eq(m->frame->bytes + head_len, payload, len);
}

static void says_text(const struct message *m, const char *payload)
{
	says(m, payload, strlen(payload));
}

START_TEST(an_event_is_told_in_every_dialect_that_is_spoken)
{
	struct batch *b = batch_new();

	ck_assert(batch_add_event(b, both, "bob", 1042, EVENT, strlen(EVENT)));
	ck_assert_int_eq(b->count, 1);
	ck_assert_str_eq(b->items[0].user_id, "bob");
	ck_assert_int_eq(b->items[0].sequence, 1042);
	says_text(&b->items[0].messages[DIALECT_PLAIN],
		  "{\"type\":\"event\",\"event\":" EVENT "}");
	says_text(&b->items[0].messages[DIALECT_SOCKETIO],
		  "42[\"transaction\"," EVENT ",\"0000000000001042\"]");
	batch_unref(b);
}
END_TEST

START_TEST(a_delivery_status_has_no_place_in_the_order_and_ends_in_an_object)
{
	struct batch *b = batch_new();

	ck_assert(batch_add_delivery(b, both, "bob", "{\"a\":1}", 7));
	ck_assert_int_eq(b->items[0].sequence, 0);
	says_text(&b->items[0].messages[DIALECT_PLAIN],
		  "{\"type\":\"delivery\",\"delivery\":{\"a\":1}}");
	says_text(&b->items[0].messages[DIALECT_SOCKETIO], "42[\"delivery\",{\"a\":1}]");
	batch_unref(b);
}
END_TEST

START_TEST(what_nobody_speaks_is_not_made)
{
	struct batch *b = batch_new();

	ck_assert(batch_add_event(b, plain_only, "bob", 1, EVENT, strlen(EVENT)));
	ck_assert(batch_add_delivery(b, nobody, "bob", EVENT, strlen(EVENT)));
	ck_assert_ptr_nonnull(b->items[0].messages[DIALECT_PLAIN].frame);
	ck_assert_ptr_null(b->items[0].messages[DIALECT_SOCKETIO].frame);
	ck_assert_ptr_null(b->items[1].messages[DIALECT_PLAIN].frame);
	batch_unref(b);
}
END_TEST

START_TEST(it_takes_as_many_as_it_says_and_then_refuses)
{
	struct batch *b = batch_new();

	for (int i = 0; i < BATCH_MAX; i++)
		ck_assert(batch_add_event(b, both, "bob", i + 1, "{}", 2));
	ck_assert(!batch_add_event(b, both, "bob", BATCH_MAX + 1, "{}", 2));
	ck_assert(!batch_add_delivery(b, both, "bob", "{}", 2));
	ck_assert_int_eq(b->count, BATCH_MAX);
	ck_assert_int_eq(b->items[BATCH_MAX - 1].sequence, BATCH_MAX);
	batch_unref(b);
}
END_TEST

START_TEST(a_text_of_any_length_has_the_header_that_it_needs)
{
	static const size_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, 100000};
	char *text = malloc(100000);
	struct message m;

	memset(text, 'x', 100000);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		message_of_text(&m, text, lengths[i]);
		says(&m, text, lengths[i]);
		message_release(&m);
		ck_assert_ptr_null(m.frame);
		message_release(&m);
	}
	free(text);
}
END_TEST

START_TEST(its_frames_go_with_the_last_reference)
{
	struct batch *b = batch_new();
	struct frame *f;

	ck_assert(batch_add_event(b, both, "bob", 1, EVENT, strlen(EVENT)));
	f = frame_ref(b->items[0].messages[DIALECT_PLAIN].frame);
	batch_unref(batch_ref(b));
	ck_assert_int_eq(atomic_load(&f->references), 2);
	batch_unref(b);
	ck_assert_int_eq(atomic_load(&f->references), 1);
	frame_unref(f);
	batch_unref(NULL);
}
END_TEST

START_TEST(the_longest_user_id_fits)
{
	char user[USER_ID_MAX + 1];
	struct batch *b = batch_new();

	memset(user, 'u', USER_ID_MAX);
	user[USER_ID_MAX] = '\0';
	ck_assert(batch_add_event(b, both, user, 1, EVENT, strlen(EVENT)));
	ck_assert_str_eq(b->items[0].user_id, user);
	batch_unref(b);
}
END_TEST

Suite *gateway_batch_suite(void)
{
	Suite *s = suite_create("gateway_batch");
	TCase *t = tcase_create("gateway_batch");

	tcase_add_test(t, an_event_is_told_in_every_dialect_that_is_spoken);
	tcase_add_test(t,
		       a_delivery_status_has_no_place_in_the_order_and_ends_in_an_object);
	tcase_add_test(t, what_nobody_speaks_is_not_made);
	tcase_add_test(t, it_takes_as_many_as_it_says_and_then_refuses);
	tcase_add_test(t, a_text_of_any_length_has_the_header_that_it_needs);
	tcase_add_test(t, its_frames_go_with_the_last_reference);
	tcase_add_test(t, the_longest_user_id_fits);
	suite_add_tcase(s, t);
	return s;
}
