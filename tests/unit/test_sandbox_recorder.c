#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/channel_log.h"
#include "sandbox/recorder.h"

Suite *sandbox_recorder_suite(void);

static struct recorder *r;
static struct err e;

static void setup(void)
{
	ck_assert_int_eq(recorder_open(&r, "", 1 << 30, &e), 0);
}

static void teardown(void)
{
	char directory[4096];

	snprintf(directory, sizeof(directory), "%s", recorder_directory(r));
	recorder_close(r);
	ck_assert_int_eq(access(directory, F_OK), -1);
}

static void add(enum channel c, const char *to, const char *body)
{
	const struct record record = {
		.received_us = 1, .id = "i", .to = to, .body = body};

	ck_assert_int_eq(recorder_add(r, c, &record, &e), 0);
}

static struct recorder_page page;

static const char *read_page_of(struct recorder *from, const char *channel, int64_t after,
				int limit, const char *to)
{
	int rc = 0;

	memset(&page, 0, sizeof(page));
	for (int c = 0; c < CHANNEL_COUNT; c++)
		page.wanted[c] = channel == NULL || channel_parse(channel) == c;
	page.after = after;
	page.limit = limit;
	page.page_bytes = 1 << 20;
	snprintf(page.to, sizeof(page.to), "%s", to);
	recorder_page_begin(from, &page);
	while (rc == 0)
		rc = recorder_page_step(from, &page, &e);
	ck_assert_int_eq(rc, 1);
	return buf_text(&page.lines);
}

static const char *read_page(const char *channel, int64_t after, int limit,
			     const char *to)
{
	return read_page_of(r, channel, after, limit, to);
}

START_TEST(a_message_comes_back_as_it_was)
{
	const struct record record = {.received_us = 7,
				      .id = "id",
				      .to = "a\"b",
				      .from = "f",
				      .key = "k",
				      .subject = "s\xf0\x9f\x8e\x89",
				      .raw = "x\r\ny"};

	ck_assert_int_eq(recorder_add(r, CHANNEL_EMAIL, &record, &e), 0);
	ck_assert_str_eq(read_page(NULL, 0, 10, ""),
			 "{\"n\":1,\"channel\":\"email\",\"received_us\":7,\"id\":\"id\","
			 "\"to\":\"a\\\"b\",\"from\":\"f\",\"key\":\"k\","
			 "\"subject\":\"s\xf0\x9f\x8e\x89\",\"raw\":\"x\\r\\ny\"}");
	recorder_page_release(&page);
	add(CHANNEL_PUSH, "t", "b");
	ck_assert_str_eq(read_page("push", 0, 10, ""),
			 "{\"n\":2,\"channel\":\"push\",\"received_us\":1,\"id\":\"i\","
			 "\"to\":\"t\",\"key\":null,\"body\":\"b\"}");
	recorder_page_release(&page);
}
END_TEST

START_TEST(pages_of_all_channels_are_in_order_and_miss_nothing)
{
	int64_t after = 0, expected = 1;

	for (int i = 0; i < 1000; i++)
		add((enum channel)(i * 7 % 3), "t", "b");
	for (;;) {
		const char *at = read_page(NULL, after, 37, "");

		if (page.count == 0)
			break;
		while ((at = strstr(at, "{\"n\":")) != NULL)
			ck_assert_int_eq(strtoll((at += 5), NULL, 10), expected++);
		after = page.next;
		recorder_page_release(&page);
	}
	ck_assert_int_eq(expected, 1001);
	ck_assert_int_eq(page.next, 1000);
	recorder_page_release(&page);
}
END_TEST

START_TEST(a_message_is_found_in_a_thinned_out_index)
{
	char needle[32];

	for (int i = 0; i < 5000; i++)
		add(CHANNEL_SMS, "t", "b");
	for (int64_t n = 1; n <= 5000; n += 13) {
		snprintf(needle, sizeof(needle), "{\"n\":%lld,", (long long)n);
		ck_assert(strncmp(read_page("sms", n - 1, 1, ""), needle,
				  strlen(needle)) == 0);
		recorder_page_release(&page);
	}
}
END_TEST

START_TEST(the_newest_of_each_channel_can_be_had)
{
	int rc = 0;

	for (int i = 0; i < 700; i++)
		add(CHANNEL_PUSH, "t", "b");
	for (int i = 0; i < 3; i++)
		add(CHANNEL_SMS, "t", "b");
	memset(&page, 0, sizeof(page));
	page.wanted[CHANNEL_PUSH] = page.wanted[CHANNEL_SMS] = true;
	page.newest = 5;
	page.limit = 100;
	page.page_bytes = 1 << 20;
	recorder_page_begin(r, &page);
	while (rc == 0)
		rc = recorder_page_step(r, &page, &e);
	ck_assert_int_eq(page.count, 8);
	ck_assert(strncmp(buf_text(&page.lines), "{\"n\":696,", 9) == 0);
	ck_assert_int_eq(page.next, 703);
	recorder_page_release(&page);
}
END_TEST

START_TEST(a_filter_finds_one_of_several_recipients_and_no_part_of_one)
{
	add(CHANNEL_EMAIL, "a@b.example,c@d.example", "x");
	add(CHANNEL_EMAIL, "c@d.example2", "\"to\":\"c@d.example\"");
	add(CHANNEL_EMAIL, "a@b.example", ",\"to\":\"c@d.example\"");
	read_page(NULL, 0, 10, "c@d.example");
	ck_assert_int_eq(page.count, 1);
	recorder_page_release(&page);
	read_page(NULL, 0, 10, "a@b.example");
	ck_assert_int_eq(page.count, 2);
	recorder_page_release(&page);
	read_page(NULL, 0, 10, "b.example");
	ck_assert_int_eq(page.count, 0);
	ck_assert_int_eq(page.next, 3);
	recorder_page_release(&page);
}
END_TEST

START_TEST(a_page_ends_where_its_bytes_end)
{
	char body[3000];

	memset(body, 'x', sizeof(body) - 1);
	body[sizeof(body) - 1] = '\0';
	for (int i = 0; i < 1000; i++)
		add(CHANNEL_SMS, "t", body);
	read_page(NULL, 0, 1000, "");
	ck_assert_int_lt(page.count, 400);
	ck_assert_int_gt(page.count, 300);
	ck_assert_int_eq(page.next, page.count);
	recorder_page_release(&page);
}
END_TEST

START_TEST(emptied_it_counts_on_where_it_was)
{
	add(CHANNEL_SMS, "t", "b");
	add(CHANNEL_PUSH, "t", "b");
	ck_assert_int_eq(recorder_empty(r, &e), 0);
	ck_assert_int_eq(recorder_count(r, CHANNEL_SMS), 0);
	ck_assert_str_eq(read_page(NULL, 0, 10, ""), "");
	recorder_page_release(&page);
	add(CHANNEL_SMS, "t", "b");
	ck_assert_int_eq(recorder_newest(r), 3);
	ck_assert(strncmp(read_page(NULL, 0, 10, ""), "{\"n\":3,", 7) == 0);
	recorder_page_release(&page);
}
END_TEST

START_TEST(a_full_inbox_refuses_and_keeps_what_it_has)
{
	struct recorder *small;
	const struct record record = {.to = "t", .body = "0123456789"};
	int kept = 0;

	ck_assert_int_eq(recorder_open(&small, "", 1000, &e), 0);
	while (recorder_add(small, CHANNEL_SMS, &record, &e) == 0)
		kept++;
	ck_assert_int_eq(e.code, ERR_FULL);
	ck_assert_int_eq(recorder_count(small, CHANNEL_SMS), kept);
	ck_assert_int_eq(recorder_newest(small), kept);
	ck_assert_int_gt(kept, 5);
	recorder_close(small);
}
END_TEST

START_TEST(files_that_are_there_are_taken_up_but_for_a_torn_line)
{
	char directory[] = "/tmp/paybell-test-XXXXXX", path[64];
	struct recorder *again;
	const struct record record = {.to = "t", .body = "b"};
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(recorder_open(&again, directory, 1 << 20, &e), 0);
	for (int i = 0; i < 3000; i++)
		recorder_add(again, i % 2 ? CHANNEL_SMS : CHANNEL_PUSH, &record, &e);
	recorder_close(again);
	snprintf(path, sizeof(path), "%s/sms.jsonl", directory);
	fd = open(path, O_WRONLY | O_APPEND);
	ck_assert_int_eq(write(fd, "{\"n\":3001,\"cha", 14), 14);
	close(fd);
	ck_assert_int_eq(recorder_open(&again, directory, 1 << 20, &e), 0);
	ck_assert_int_eq(recorder_count(again, CHANNEL_SMS), 1500);
	ck_assert_int_eq(recorder_newest(again), 3000);
	ck_assert_int_eq(recorder_add(again, CHANNEL_SMS, &record, &e), 0);
	recorder_close(again);
	ck_assert_int_eq(recorder_open(&again, directory, 1 << 20, &e), 0);
	ck_assert_int_eq(recorder_count(again, CHANNEL_SMS), 1501);
	ck_assert_str_eq(read_page_of(again, NULL, 3000, 10, ""),
			 "{\"n\":3001,\"channel\":\"sms\",\"received_us\":0,"
			 "\"to\":\"t\",\"key\":null,\"body\":\"b\"}");
	recorder_page_release(&page);
	recorder_close(again);
	for (int c = 0; c < CHANNEL_COUNT; c++) {
		snprintf(path, sizeof(path), "%s/%s.jsonl", directory,
			 channel_name((enum channel)c));
		unlink(path);
	}
	rmdir(directory);
}
END_TEST

START_TEST(the_index_stays_bounded_and_right)
{
	struct channel_log log;
	char path[] = "/tmp/paybell-test-XXXXXX", line[64];
	int64_t newest = 0, skip;
	int fd = mkstemp(path);

	close(fd);
	ck_assert_int_eq(channel_log_open(&log, path, &newest, &e), 0);
	for (int64_t n = 1; n <= 600000; n++) {
		int len =
			snprintf(line, sizeof(line), "{\"n\":%lld,}\n", (long long)n * 3);

		if (channel_log_append(&log, n * 3, line, (size_t)len, &e) < 0)
			ck_abort_msg("%s", e.text);
	}
	ck_assert_uint_le(log.mark_count, CHANNEL_LOG_MARKS_MAX);
	ck_assert_int_eq(log.stride, 256);
	for (size_t i = 0; i < log.mark_count; i++) {
		const struct channel_log_mark *mark = &log.marks[i];

		if (mark->ordinal != (int64_t)i * log.stride ||
		    mark->n != (mark->ordinal + 1) * 3)
			ck_abort_msg("mark %zu", i);
	}
	ck_assert_int_le(channel_log_seek(&log, 900000), 900000 / 3 * 14);
	channel_log_seek_newest(&log, 10, &skip);
	ck_assert_int_le(skip, log.stride);
	channel_log_close(&log);
	ck_assert_int_eq(channel_log_open(&log, path, &newest, &e), 0);
	ck_assert_int_eq(log.count, 600000);
	ck_assert_int_eq(newest, 1800000);
	channel_log_close(&log);
	unlink(path);
}
END_TEST

Suite *sandbox_recorder_suite(void)
{
	Suite *suite = suite_create("sandbox_recorder");
	TCase *tc = tcase_create("recorder");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_message_comes_back_as_it_was);
	tcase_add_test(tc, pages_of_all_channels_are_in_order_and_miss_nothing);
	tcase_add_test(tc, a_message_is_found_in_a_thinned_out_index);
	tcase_add_test(tc, the_newest_of_each_channel_can_be_had);
	tcase_add_test(tc, a_filter_finds_one_of_several_recipients_and_no_part_of_one);
	tcase_add_test(tc, a_page_ends_where_its_bytes_end);
	tcase_add_test(tc, emptied_it_counts_on_where_it_was);
	tcase_add_test(tc, a_full_inbox_refuses_and_keeps_what_it_has);
	tcase_add_test(tc, files_that_are_there_are_taken_up_but_for_a_torn_line);
	tcase_add_test(tc, the_index_stays_bounded_and_right);
	suite_add_tcase(suite, tc);
	return suite;
}
