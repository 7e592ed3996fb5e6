#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"

Suite *metrics_suite(void);

static struct metric first, second, third, took;
static struct buf text;

static void setup(void)
{
	buf_init(&text, 65536);
}

static void teardown(void)
{
	buf_release(&text);
}

static const char *render(void)
{
	buf_clear(&text);
	metrics_render(&text);
	ck_assert(!text.overflowed);
	return buf_text(&text);
}

/* The part in front of the process's own metrics. */
static const char *render_ours(void)
{
	char *end;

	render();
	end = strstr(text.data, "# HELP process_");
	ck_assert_ptr_nonnull(end);
	*end = '\0';
	return text.data;
}

START_TEST(metrics_of_one_name_stand_together_under_one_head)
{
	metrics_register(&first, METRIC_COUNTER, "sent_total", "channel=\"push\"",
			 "Sent.");
	metrics_register(&second, METRIC_GAUGE, "queue_length", NULL, "Waiting.");
	metrics_register(&third, METRIC_COUNTER, "sent_total", "channel=\"sms\"",
			 "Sent.");
	metric_add(&first, 2);
	metric_add(&first, 3);
	metric_set(&second, -7);
	ck_assert_str_eq(render_ours(), "# HELP sent_total Sent.\n"
					"# TYPE sent_total counter\n"
					"sent_total{channel=\"push\"} 5\n"
					"sent_total{channel=\"sms\"} 0\n"
					"# HELP queue_length Waiting.\n"
					"# TYPE queue_length gauge\n"
					"queue_length -7\n");
}
END_TEST

START_TEST(registering_twice_changes_nothing)
{
	metrics_register(&first, METRIC_COUNTER, "a_total", NULL, "A.");
	metric_add(&first, 1);
	metrics_register(&second, METRIC_COUNTER, "b_total", NULL, "B.");
	metrics_register(&first, METRIC_COUNTER, "a_total", NULL, "A.");
	ck_assert_str_eq(render_ours(), "# HELP a_total A.\n# TYPE a_total counter\n"
					"a_total 1\n"
					"# HELP b_total B.\n# TYPE b_total counter\n"
					"b_total 0\n");
}
END_TEST

START_TEST(help_text_is_escaped)
{
	metrics_register(&first, METRIC_COUNTER, "a_total", NULL,
			 "one\\two\nthree \"x\"");
	ck_assert_ptr_nonnull(
		strstr(render(), "# HELP a_total one\\\\two\\nthree \"x\"\n"));
}
END_TEST

START_TEST(a_histogram_counts_up_to_each_bound)
{
	static const char *const expected[] = {
		"took_seconds_bucket{channel=\"push\",le=\"0.0001\"} 3\n",
		"took_seconds_bucket{channel=\"push\",le=\"0.0002\"} 4\n",
		"took_seconds_bucket{channel=\"push\",le=\"0.001\"} 4\n",
		"took_seconds_bucket{channel=\"push\",le=\"1\"} 4\n",
		"took_seconds_bucket{channel=\"push\",le=\"2\"} 5\n",
		"took_seconds_bucket{channel=\"push\",le=\"500\"} 5\n",
		"took_seconds_bucket{channel=\"push\",le=\"1000\"} 6\n",
		"took_seconds_bucket{channel=\"push\",le=\"+Inf\"} 7\n",
		"took_seconds_sum{channel=\"push\"} 2001.500203\n",
		"took_seconds_count{channel=\"push\"} 7\n",
		"# TYPE took_seconds histogram\n",
	};
	const char *page;

	metrics_register(&took, METRIC_HISTOGRAM, "took_seconds", "channel=\"push\"",
			 "T.");
	metric_observe_us(&took, -5); /* a clock that went back */
	metric_observe_us(&took, 1);
	metric_observe_us(&took, 100);
	metric_observe_us(&took, 101);
	metric_observe_us(&took, 1500000);
	metric_observe_us(&took, 1000000000);
	metric_observe_us(&took, 1000000001);
	page = render();
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		ck_assert_msg(strstr(page, expected[i]) != NULL, "%s in\n%s", expected[i],
			      page);
}
END_TEST

START_TEST(bounds_rise_in_number_and_in_text)
{
	double last = 0;
	int bounds = 0;

	metrics_register(&took, METRIC_HISTOGRAM, "took_seconds", NULL, "T.");
	for (const char *p = render(); (p = strstr(p, "_bucket{le=\"")) != NULL;
	     bounds++) {
		double bound;
		long long count;

		p += strlen("_bucket{le=\"");
		bound = strtod(p, NULL);
		ck_assert_double_gt(bound, last);
		last = bound;
		if (*p == '+')
			continue;
		/* What lies exactly on a bound belongs to it. */
		took.buckets[bounds] = 0;
		metric_observe_us(&took, (int64_t)(bound * 1e6 + 0.5));
		count = took.buckets[bounds];
		ck_assert_int_eq(count, 1);
	}
	ck_assert_int_eq(bounds, METRIC_BUCKETS + 1);
}
END_TEST

static void *count(void *unused)
{
	for (int i = 0; i < 10000; i++) {
		metric_add(&first, 1);
		metric_observe_us(&took, 1000);
	}
	return NULL;
}

START_TEST(threads_count_without_losing_one)
{
	pthread_t threads[4];
	const char *page;

	metrics_register(&first, METRIC_COUNTER, "a_total", NULL, "A.");
	metrics_register(&took, METRIC_HISTOGRAM, "took_seconds", NULL, "T.");
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, count, NULL), 0);
	render(); /* while they count */
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	page = render();
	ck_assert_ptr_nonnull(strstr(page, "\na_total 40000\n"));
	ck_assert_ptr_nonnull(strstr(page, "\ntook_seconds_count 40000\n"));
	ck_assert_ptr_nonnull(strstr(page, "\ntook_seconds_sum 40.000000\n"));
}
END_TEST

static long long number_behind(const char *name)
{
	const char *at = strstr(render(), name);

	ck_assert_ptr_nonnull(at);
	return strtoll(at + strlen(name), NULL, 10);
}

START_TEST(the_process_shows_its_memory_time_descriptors_and_version)
{
	int open_fds = 0;

	for (int fd = 0; fd < 1024; fd++)
		open_fds += fcntl(fd, F_GETFD) >= 0;
	ck_assert_int_eq(number_behind("\nprocess_open_fds "), open_fds);
	ck_assert_int_gt(number_behind("\nprocess_resident_memory_bytes "), 100000);
	ck_assert_int_ge(number_behind("\nprocess_cpu_seconds_total "), 0);
	ck_assert_int_eq(
		number_behind("\npaybell_build_info{version=\"" PAYBELL_VERSION "\"} "),
		1);
}
END_TEST

Suite *metrics_suite(void)
{
	Suite *s = suite_create("metrics");
	TCase *t = tcase_create("metrics");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, metrics_of_one_name_stand_together_under_one_head);
	tcase_add_test(t, registering_twice_changes_nothing);
	tcase_add_test(t, help_text_is_escaped);
	tcase_add_test(t, a_histogram_counts_up_to_each_bound);
	tcase_add_test(t, bounds_rise_in_number_and_in_text);
	tcase_add_test(t, threads_count_without_losing_one);
	tcase_add_test(t, the_process_shows_its_memory_time_descriptors_and_version);
	suite_add_tcase(s, t);
	return s;
}
