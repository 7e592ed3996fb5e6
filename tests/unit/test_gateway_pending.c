#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/pending.h"

Suite *gateway_pending_suite(void);

static struct pending *p;
static int ends[2];    /* we write into the first */
static uint8_t *heard; /* what came out at the second */
static size_t heard_len;

#define HEARD_MAX (8 << 20)

static void set_up(void)
{
	int bytes = 4096;

	p = pending_new();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	heard = malloc(HEARD_MAX);
	heard_len = 0;
}

static void tear_down(void)
{
	pending_free(p);
	free(heard);
	close(ends[0]);
	close(ends[1]);
}

/* A frame of these bytes, counted up from `first`. */
static void put(size_t len, uint8_t first, size_t sent)
{
	struct frame *f = frame_new(len);

	for (size_t i = 0; i < len; i++)
		f->bytes[i] = (uint8_t)(first + i);
	pending_put(p, f, sent);
	frame_unref(f);
}

static void hear(void)
{
	ssize_t n;

	while ((n = read(ends[1], heard + heard_len, HEARD_MAX - heard_len)) > 0)
		heard_len += (size_t)n;
}

/* Until all is out; how often the kernel took no more. */
static int flush_all(void)
{
	int stops = 0, rc;

	while ((rc = pending_flush(p, ends[0])) == 0) {
		stops++;
		hear();
	}
	ck_assert_int_eq(rc, 1);
	hear();
	return stops;
}

START_TEST(what_was_put_goes_out_in_order_and_byte_for_byte)
{
	size_t all = 0, at = 0;
	int stops;

	for (size_t i = 0; i < 500; i++) {
		put(i * 7 % 997, (uint8_t)i, 0);
		all += i * 7 % 997;
	}
	ck_assert_uint_eq(pending_bytes(p), all);
	stops = flush_all();
	ck_assert_int_gt(stops, 3);
	ck_assert_uint_eq(heard_len, all);
	ck_assert_uint_eq(pending_bytes(p), 0);
	ck_assert(pending_is_empty(p));
	for (size_t i = 0; i < 500; i++) {
		bool equal = true;

		for (size_t k = 0; k < i * 7 % 997; k++)
			equal &= heard[at++] == (uint8_t)(i + k);
		ck_assert_msg(equal, "frame %zu", i);
	}
}
END_TEST

START_TEST(of_a_frame_that_has_begun_the_rest_goes_out)
{
	put(100, 0, 60);
	put(10, 200, 0);
	ck_assert_uint_eq(pending_bytes(p), 50);
	flush_all();
	ck_assert_uint_eq(heard_len, 50);
	ck_assert_uint_eq(heard[0], 60);
	ck_assert_uint_eq(heard[40], 200);
}
END_TEST

START_TEST(frames_that_come_while_others_wait_stand_behind_them)
{
	uint8_t next = 0;

	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 5; i++, next++)
			put(1000, next, 0);
		pending_flush(p, ends[0]);
		if (round % 3 == 0)
			hear();
	}
	flush_all();
	ck_assert_uint_eq(heard_len, 1000 * 1000);
	for (size_t i = 0; i < 1000; i++)
		ck_assert_uint_eq(heard[i * 1000], (uint8_t)i);
}
END_TEST

START_TEST(dropping_leaves_the_rest_of_a_frame_that_has_begun)
{
	put(100, 0, 1);
	put(100, 1, 0);
	put(100, 2, 0);
	pending_drop(p);
	ck_assert_uint_eq(pending_bytes(p), 99);
	put(5, 7, 0);
	flush_all();
	ck_assert_uint_eq(heard_len, 104);
	ck_assert_uint_eq(heard[99], 7);
}
END_TEST

START_TEST(dropping_what_has_not_begun_leaves_nothing)
{
	put(100, 0, 0);
	put(100, 1, 0);
	pending_drop(p);
	ck_assert_uint_eq(pending_bytes(p), 0);
	ck_assert(pending_is_empty(p));
	ck_assert_int_eq(pending_flush(p, ends[0]), 1);
}
END_TEST

START_TEST(dropping_after_a_flush_that_stopped_keeps_the_stream_whole)
{
	size_t begun;

	for (int i = 0; i < 300; i++)
		put(1000, 0, 0);
	ck_assert_int_eq(pending_flush(p, ends[0]), 0);
	pending_drop(p);
	begun = pending_bytes(p);
	ck_assert_uint_lt(begun, 1000);
	put(1, 77, 0);
	flush_all();
	ck_assert_uint_eq(heard_len % 1000, 1);
	ck_assert_uint_eq(heard[heard_len - 1], 77);
}
END_TEST

START_TEST(a_dead_connection_says_so)
{
	put(100, 0, 0);
	close(ends[1]);
	ck_assert_int_eq(pending_flush(p, ends[0]), -1);
	ends[1] = dup(ends[0]);
}
END_TEST

START_TEST(input_is_kept_in_place_of_what_was_kept_before_and_given_once)
{
	uint8_t out[8];

	pending_keep(p, (const uint8_t *)"first", 5);
	pending_keep(p, (const uint8_t *)"abc", 3);
	ck_assert(!pending_is_empty(p));
	ck_assert_uint_eq(pending_bytes(p), 0);
	ck_assert_uint_eq(pending_take(p, out), 3);
	ck_assert_mem_eq(out, "abc", 3);
	ck_assert_uint_eq(pending_take(p, out), 0);
	ck_assert(pending_is_empty(p));
}
END_TEST

START_TEST(a_frame_lives_as_long_as_somebody_has_it)
{
	struct frame *f = frame_copy("shared", 6);

	pending_put(p, f, 0);
	pending_put(p, frame_ref(f), 0);
	frame_unref(f);
	ck_assert_int_eq(atomic_load(&f->references), 3);
	frame_unref(f);
	flush_all();
	ck_assert_mem_eq(heard, "sharedshared", 12);
	frame_unref(frame_copy("", 0));
	frame_unref(NULL);
}
END_TEST

Suite *gateway_pending_suite(void)
{
	Suite *s = suite_create("gateway_pending");
	TCase *t = tcase_create("gateway_pending");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, what_was_put_goes_out_in_order_and_byte_for_byte);
	tcase_add_test(t, of_a_frame_that_has_begun_the_rest_goes_out);
	tcase_add_test(t, frames_that_come_while_others_wait_stand_behind_them);
	tcase_add_test(t, dropping_leaves_the_rest_of_a_frame_that_has_begun);
	tcase_add_test(t, dropping_what_has_not_begun_leaves_nothing);
	tcase_add_test(t, dropping_after_a_flush_that_stopped_keeps_the_stream_whole);
	tcase_add_test(t, a_dead_connection_says_so);
	tcase_add_test(t, input_is_kept_in_place_of_what_was_kept_before_and_given_once);
	tcase_add_test(t, a_frame_lives_as_long_as_somebody_has_it);
	suite_add_tcase(s, t);
	return s;
}
