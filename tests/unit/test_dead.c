/* What the commands about dead letters make of their arguments and of the API's answers;
 * the commands themselves are tested in tests/integration. */
#include <check.h>
#include <string.h>

#include "base/clock.h"
#include "cli/dead_page.h"
#include "cli/since.h"
#include "cli/timeline.h"

Suite *dead_suite(void);

#define NOW_US INT64_C(1768728600000000) /* 2026-01-18T09:30:00Z */

static struct err e;

/* ---- since ---- */

static const struct {
	const char *text;
	int64_t at_us;
} times[] = {
	{"2h", NOW_US - 2 * 3600 * US_PER_S},
	{"3d", NOW_US - 3 * 86400 * US_PER_S},
	{"90s", NOW_US - 90 * US_PER_S},
	{"500ms", NOW_US - 500 * US_PER_MS},
	{"15m", NOW_US - 15 * 60 * US_PER_S},
	{"0", NOW_US},
	{"3650d", NOW_US - INT64_C(3650) * 86400 * US_PER_S},
	{"2026-01-18T09:30:00Z", NOW_US},
	{"2026-01-18T10:30:00.25+01:00", NOW_US + 250 * US_PER_MS},
};

START_TEST(a_time_is_said_as_how_long_ago_or_as_when)
{
	int64_t at_us;

	ck_assert_msg(since_parse(times[_i].text, NOW_US, &at_us, &e) == 0, "%s", e.text);
	ck_assert_int_eq(at_us, times[_i].at_us);
}
END_TEST

static const char *const no_times[] = {
	"",
	"2",
	"h",
	"2 h",
	"-2h",
	"2h ",
	"2w",
	"now",
	"2.5h",
	"3651d",
	"2026-01-18",
	"09:30",
	"99999999999999d",
	"2h\n",
};

START_TEST(what_is_no_time_is_refused_with_what_would_be_one)
{
	int64_t at_us;

	e = (struct err)ERR_INIT;
	ck_assert_int_eq(since_parse(no_times[_i], NOW_US, &at_us, &e), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(e.text, "like 2h or 3d"));
}
END_TEST

/* ---- pages ---- */

#define DELIVERY(sequence, channel, reason)                                              \
	"{\"event_id\":\"evt_01KF8Q7H5R0000000G00000000\",\"sequence\":\"" sequence      \
	"\",\"user_id\":\"bob\",\"channel\":\"" channel                                  \
	"\",\"status\":\"failed\"," reason                                               \
	"\"attempts\":3,\"ended_us\":1768728600123456,\"transaction_id\":"               \
	"\"txn_01KF8Q7H5R0000000G00000001\",\"amount\":\"15.00\",\"currency\":\"USD\","  \
	"\"new\":[1]}"
#define REJECTED "\"reason\":\"rejected\","

static int read_page(struct dead_page *p, const char *json)
{
	struct buf text;
	int rc;

	buf_init(&text, 1 << 16);
	buf_add_text(&text, json);
	e = (struct err)ERR_INIT;
	rc = dead_page_read(p, &text, &e);
	buf_release(&text);
	return rc;
}

START_TEST(a_page_is_its_deliveries_and_where_the_next_one_begins)
{
	struct dead_page p;

	ck_assert_msg(
		read_page(
			&p,
			"{\"deliveries\":[" DELIVERY(
				"0000000000000007", "sms",
				REJECTED) "," DELIVERY("6", "email",
						       "") "],\"next_cursor\":\"6\"}") ==
			0,
		"%s", e.text);
	ck_assert_uint_eq(p.count, 2);
	ck_assert_int_eq(p.deliveries[0].sequence, 7);
	ck_assert_str_eq(p.deliveries[0].user_id, "bob");
	ck_assert_str_eq(p.deliveries[0].channel, "sms");
	ck_assert_str_eq(p.deliveries[0].reason, "rejected");
	ck_assert_int_eq(p.deliveries[0].attempts, 3);
	ck_assert_int_eq(p.deliveries[0].ended_us, NOW_US + 123456);
	ck_assert_str_eq(p.deliveries[1].reason, "");
	ck_assert_str_eq(p.next, "6");
	dead_page_free(&p);
	ck_assert_msg(read_page(&p, "{\"deliveries\":[]}") == 0, "%s", e.text);
	ck_assert_uint_eq(p.count, 0);
	ck_assert_str_eq(p.next, "");
	dead_page_free(&p);
}
END_TEST

static const char *const no_pages[] = {
	"",
	"[]",
	"{}",
	"{\"deliveries\":[7]}",
	"{\"deliveries\":[{}]}",
	"{\"deliveries\":[" DELIVERY("x", "sms", "") "]}",
	"{\"deliveries\":[" DELIVERY("1", "sms", "\"reason\":7,") "]}",
	"{\"deliveries\":[],\"next_cursor\":7}",
};

START_TEST(what_is_no_page_is_refused)
{
	struct dead_page p;

	ck_assert_int_eq(read_page(&p, no_pages[_i]), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	dead_page_free(&p);
}
END_TEST

START_TEST(a_filter_wants_what_all_its_conditions_hold_for)
{
	const struct dead_delivery d = {
		.channel = "sms", .reason = "rejected", .ended_us = 1000};
	static const struct {
		struct dead_filter filter;
		bool wants;
	} rows[] = {
		{{NULL, NULL, 0}, true},
		{{"sms", "rejected", 1000}, true},
		{{"email", NULL, 0}, false},
		{{NULL, "expired", 0}, false},
		{{"sms", "rejected", 1001}, false},
		{{"email", "rejected", 0}, false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		ck_assert_int_eq(dead_filter_wants(&rows[i].filter, &d), rows[i].wants);
}
END_TEST

START_TEST(the_table_is_lined_up_and_escaped)
{
	struct dead_delivery d = {.event_id = "evt_01KF8Q7H5R0000000G00000000",
				  .user_id = "bob\x1b",
				  .channel = "sms",
				  .reason = "rejected",
				  .attempts = 12,
				  .ended_us = NOW_US};
	struct buf out;
	struct ink k = {&out, false};
	const char *line;

	buf_init(&out, 4096);
	dead_print_head(&k);
	dead_print(&k, &d);
	line = strchr(buf_text(&out), '\n') + 1;
	ck_assert_str_eq(line, "2026-01-18 09:30:00.000  evt_01KF8Q7H5R0000000G00000000  "
			       "bob\\x1b          sms      rejected            12\n");
	ck_assert_int_eq(strstr(buf_text(&out), "CHANNEL") - buf_text(&out),
			 strstr(line, "sms") - line - 3);
	ck_assert_int_eq(strstr(buf_text(&out), "ATTEMPTS") - buf_text(&out),
			 strstr(line, "12\n") - line - 3);
	buf_release(&out);
}
END_TEST

START_TEST(json_is_the_apis_object_as_it_is)
{
	struct dead_page p;
	struct buf out;

	ck_assert_int_eq(
		read_page(&p, "{\"deliveries\":[" DELIVERY("2", "sms", "") "," DELIVERY(
				      "1", "email", REJECTED) "]}"),
		0);
	buf_init(&out, 4096);
	dead_print_json(&out, &p, 1);
	ck_assert_str_eq(buf_text(&out), DELIVERY("1", "email", REJECTED) "\n");
	buf_release(&out);
	dead_page_free(&p);
}
END_TEST

/* ---- one channel of a timeline ---- */

#define RECORD(event, channel)                                                           \
	"{\"event_id\":\"" event                                                         \
	"\",\"sequence\":\"1\",\"user_id\":\"bob\",\"channel\":"                         \
	"\"" channel                                                                     \
	"\",\"attempt\":1,\"status\":\"failed\",\"final\":true,\"provider\":"            \
	"\"x\",\"started_us\":1,\"took_us\":1,\"worker\":\"w\"}"
#define EVENT(event, user)                                                               \
	"{\"event_id\":\"" event                                                         \
	"\",\"sequence\":\"0000000000000001\",\"user_id\":\"" user                       \
	"\",\"direction\":\"debit\",\"channels\":{\"push\":{\"status\":\"open\","        \
	"\"attempts\":[]},\"sms\":{\"status\":\"failed\",\"attempts\":[" RECORD(         \
		event, "sms") "]}}}"
#define ONE   "evt_01KF8Q7H5R0000000G00000000"
#define OTHER "evt_01KF8Q7H5R0000000H00000000"

static struct timeline *two_events(void)
{
	static const char json[] =
		"{\"id\":\"txn_01KF8Q7H5R0000000G00000001\",\"amount\":\"1.00\","
		"\"currency\":\"USD\",\"timeline\":{\"accepted_us\":1},\"events\":"
		"[" EVENT(ONE, "alice") "," EVENT(OTHER, "bob") "]}";
	struct timeline *t = timeline_read(json, sizeof json - 1, &e);

	ck_assert_msg(t != NULL, "%s", e.text);
	return t;
}

START_TEST(one_channel_of_one_event_is_kept_alone)
{
	struct timeline *t = two_events();

	ck_assert(timeline_keep(t, OTHER, "sms"));
	ck_assert_uint_eq(t->count, 1);
	ck_assert_str_eq(t->events[0].id, OTHER);
	ck_assert_uint_eq(t->events[0].count, 1);
	ck_assert_str_eq(t->events[0].channels[0].name, "sms");
	ck_assert_uint_eq(t->events[0].channels[0].count, 1);
	ck_assert_str_eq(t->events[0].channels[0].attempts[0].event_id, OTHER);
	timeline_free(t);
	t = two_events();
	ck_assert(timeline_keep(t, ONE, "push"));
	ck_assert_str_eq(t->events[0].id, ONE);
	ck_assert_str_eq(t->events[0].channels[0].name, "push");
	timeline_free(t);
}
END_TEST

START_TEST(what_a_timeline_has_not_leaves_it_as_it_is)
{
	struct timeline *t = two_events();

	ck_assert(!timeline_keep(t, OTHER, "email"));
	ck_assert(!timeline_keep(t, "evt_0", "sms"));
	ck_assert_uint_eq(t->count, 2);
	ck_assert_uint_eq(t->events[1].count, 2);
	timeline_free(t);
}
END_TEST

Suite *dead_suite(void)
{
	Suite *s = suite_create("dead");
	TCase *t = tcase_create("dead");

	tcase_add_loop_test(t, a_time_is_said_as_how_long_ago_or_as_when, 0,
			    sizeof times / sizeof times[0]);
	tcase_add_loop_test(t, what_is_no_time_is_refused_with_what_would_be_one, 0,
			    sizeof no_times / sizeof no_times[0]);
	tcase_add_test(t, a_page_is_its_deliveries_and_where_the_next_one_begins);
	tcase_add_loop_test(t, what_is_no_page_is_refused, 0,
			    sizeof no_pages / sizeof no_pages[0]);
	tcase_add_test(t, a_filter_wants_what_all_its_conditions_hold_for);
	tcase_add_test(t, the_table_is_lined_up_and_escaped);
	tcase_add_test(t, json_is_the_apis_object_as_it_is);
	tcase_add_test(t, one_channel_of_one_event_is_kept_alone);
	tcase_add_test(t, what_a_timeline_has_not_leaves_it_as_it_is);
	suite_add_tcase(s, t);
	return s;
}
