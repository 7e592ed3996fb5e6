/* The timeline of a transaction: from the API's JSON to lines on a terminal. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/timeline.h"
#include "cli/tree.h"
#include "exact.h"

Suite *tree_suite(void);

#define EVENT(n) "evt_01M869M4550000000" #n "PBN4SA29"
#define DEVICE   "dev_01M869M3C500000001VG7RT2SH"
#define ATTEMPT(event, user, channel, rest)                                              \
	"{\"event_id\":\"" event                                                         \
	"\",\"sequence\":\"0000000000000002\",\"user_id\":\"" user                       \
	"\",\"channel\":\"" channel "\"," rest ",\"worker\":\"w\"}"

/* Accepted at ….000000; what follows is in microseconds behind that. */
static const char
	whole
		[] = "{\"id\":\"txn_01M869M45500000002XXXGS903\",\"from\":\"alice\","
		     "\"to\":\"bob\","
		     "\"amount\":\"15.00\",\"currency\":\"USD\",\"description\":"
		     "\"Lunch\","
		     "\"status\":\"completed\",\"created_us\":1768728600000000,"
		     "\"timeline\":{"
		     "\"accepted_us\":1768728600000000,\"committed_us\":1768728600002900,"
		     "\"published_us\":1768728600004900},\"events\":[{\"event_id\":"
		     "\"" EVENT(2) "\","
				   "\"sequence\":\"0000000000000002\",\"user_id\":"
				   "\"alice\",\"direction\":\"debit\","
				   "\"channels\":{\"push\":{\"status\":\"delivered\","
				   "\"attempts\":[" ATTEMPT(EVENT(2), "alice", "push",
							    "\"attempt\":2,\"status\":"
							    "\"delivered\",\"final\":"
							    "true,\"provider\":\"fcm\","
							    "\"started_us\":"
							    "1768728600300000,\"took_"
							    "us\":15000") "," ATTEMPT(EVENT(2),
										      "al"
										      "ic"
										      "e",
										      "pu"
										      "s"
										      "h",
										      "\""
										      "de"
										      "vi"
										      "ce"
										      "_i"
										      "d"
										      "\""
										      ":"
										      "\"" DEVICE
										      "\""
										      ","
										      "\""
										      "at"
										      "te"
										      "mp"
										      "t"
										      "\""
										      ":1"
										      ","
										      "\""
										      "st"
										      "at"
										      "us"
										      "\""
										      ":"
										      "\""
										      "re"
										      "tr"
										      "yi"
										      "ng"
										      "\""
										      ","
										      "\""
										      "re"
										      "as"
										      "on"
										      "\""
										      ":"
										      "\""
										      "pr"
										      "ov"
										      "id"
										      "er"
										      "_e"
										      "rr"
										      "or"
										      "\""
										      ","
										      "\""
										      "pr"
										      "ov"
										      "id"
										      "er"
										      "\""
										      ":"
										      "\""
										      "fc"
										      "m"
										      "\""
										      ","
										      "\""
										      "co"
										      "de"
										      "\""
										      ":5"
										      "03"
										      ","
										      "\""
										      "st"
										      "ar"
										      "te"
										      "d_"
										      "us"
										      "\""
										      ":1"
										      "76"
										      "87"
										      "28"
										      "60"
										      "00"
										      "06"
										      "00"
										      "0,"
										      "\""
										      "to"
										      "ok"
										      "_u"
										      "s"
										      "\""
										      ":4"
										      "00"
										      "0") "," ATTEMPT(EVENT(2),
												       "alice",
												       "push",
												       "\"device_id\":\"" DEVICE
												       "\",\"attempt\":2,\"status\":\"delivered\","
												       "\"final\":true,\"provider\":\"fcm\",\"code\":200,\"late\":true,"
												       "\"started_us\":1768728600300000,\"took_us\":14000") "]},\"email\":{\"status\":\"failed\",\"attempts\":[" ATTEMPT(EVENT(2),
																											 "alice",
																											 "email",
																											 "\"attempt\":1,\"status\":\"failed\",\"final\":true,"
																											 "\"reason\":\"bad_address\",\"provider\":\"smtp\",\"code\":550,"
																											 "\"started_us\":1768728600006000,\"took_us\":1900") "]},\"sms\":{\"status\":\"suppressed\",\"attempts\":[" ATTEMPT(EVENT(2),
																																									    "alice",
																																									    "sms",
																																									    "\"attempt\":0,\"status\":\"suppressed\",\"final\":true,"
																																									    "\"reason\":\"channel_disabled\",\"provider\":\"twilio\","
																																									    "\"started_us\":1768728600006000,\"took_us\":0") "]}}},{\"event_id\":\"" EVENT(3) "\",\"sequence\":\"0000000000000003\","
																																																			      "\"user_id\":\"bob\",\"direction\":\"credit\",\"channels\":{"
																																																			      "\"push\":{\"status\":\"open\",\"attempts\":[]},\"sms\":{\"status\":"
																																																			      "\"retrying\",\"attempts\":[" ATTEMPT(EVENT(3),
																																																								    "bob",
																																																								    "sms",
																																																								    "\"attempt\":1,\"status\":\"ambiguous\",\"reason\":\"timeout\","
																																																								    "\"provider\":\"twilio\",\"started_us\":1768728600006000,"
																																																								    "\"took_us\":15000000") "," ATTEMPT(EVENT(3),
																																																													"bob",
																																																													"sms",
																																																													"\"attempt\":2,\"status\":\"retrying\",\"reason\":\"rate_limited\","
																																																													"\"provider\":\"twilio\",\"code\":429,\"started_us\":1768728675000000,"
																																																													"\"took_us\":1000,\"next_at_us\":1768728800000000") "]}}}]}";

static const char whole_tree[] =
	"txn_01M869M45500000002XXXGS903  alice → bob  15.00 USD  \"Lunch\"\n"
	"├─ accepted 2026-01-18 09:30:00.000 UTC → committed +2.9 ms → published +4.9 "
	"ms\n"
	"├─ alice  debit  " EVENT(
		2) "\n"
		   "│  ├─ push    ✓ delivered   +315.0 ms    2 attempts   fcm\n"
		   "│  │  └─ " DEVICE
		   "  ✓ delivered   +314.0 ms    2 attempts   fcm 200, late\n"
		   "│  │     ├─ 1  ↻ retrying    +10.0 ms     fcm 503 provider_error\n"
		   "│  │     └─ 2  ✓ delivered   +314.0 ms    fcm 200, late\n"
		   "│  ├─ email   ✗ failed      +7.9 ms      1 attempt    smtp 550 "
		   "bad_address\n"
		   "│  └─ sms     ○ suppressed  +6.0 ms                   twilio "
		   "channel_disabled\n"
		   "└─ bob  credit  " EVENT(
			   3) "\n"
			      "   ├─ push    … open\n"
			      "   └─ sms     ↻ retrying    +1 min 15 s  2 attempts   "
			      "twilio 429 rate_limited, next at "
			      "09:33:20.000 UTC\n"
			      "      ├─ 1  ? ambiguous   +15.006 s    twilio timeout\n"
			      "      └─ 2  ↻ retrying    +1 min 15 s  twilio 429 "
			      "rate_limited, next at "
			      "09:33:20.000 UTC\n";

static struct buf out;
static struct err e;

static void set_up(void)
{
	buf_init(&out, TREE_MAX_BYTES);
	e = (struct err)ERR_INIT;
}

static void tear_down(void)
{
	buf_release(&out);
}

static struct timeline *read_text(const char *json)
{
	size_t len = strlen(json);
	char *bytes = exact_copy(json, len);
	struct timeline *t = timeline_read(bytes, len, &e);

	free(bytes);
	return t;
}

static const char *render(const char *json, bool colour)
{
	struct ink k = {&out, colour};
	struct timeline *t = read_text(json);

	ck_assert_msg(t != NULL, "%s", e.text);
	buf_clear(&out);
	tree_render(&k, t);
	timeline_free(t);
	return buf_text(&out);
}

START_TEST(a_timeline_is_a_tree_of_people_channels_devices_and_attempts)
{
	ck_assert_str_eq(render(whole, false), whole_tree);
}
END_TEST

/* Takes the colours out. */
static void strip(char *text)
{
	char *to = text;

	for (; *text != '\0'; text++) {
		if (*text == '\x1b')
			text += strcspn(text, "m");
		else
			*to++ = *text;
	}
	*to = '\0';
}

START_TEST(colours_change_nothing_but_the_colour)
{
	char *coloured = strdup(render(whole, true));

	ck_assert_ptr_nonnull(strstr(coloured, "\x1b[32mdelivered\x1b[0m"));
	ck_assert_ptr_nonnull(strstr(coloured, "\x1b[31mfailed\x1b[0m"));
	strip(coloured);
	ck_assert_str_eq(coloured, whole_tree);
	free(coloured);
}
END_TEST

START_TEST(what_is_not_committed_or_published_yet_says_so)
{
	const char *json = exact_edit(
		whole,
		",\"committed_us\":1768728600002900,\"published_us\":1768728600004900",
		"");

	ck_assert_ptr_nonnull(strstr(render(json, false),
				     "UTC → not committed yet → not published yet\n"));
}
END_TEST

START_TEST(one_side_alone_is_paid_from_outside)
{
	ck_assert_ptr_nonnull(
		strstr(render(exact_edit(whole, "\"from\":\"alice\",", ""), false),
		       "(outside) → bob  15.00 USD"));
}
END_TEST

START_TEST(a_description_cannot_draw_on_the_terminal)
{
	const char *json = exact_edit(whole, "\"Lunch\"",
				      "\"\\u001b[2J\\u009b31m\\u202e\\nL\xc3\xbcnch\"");

	ck_assert_ptr_nonnull(
		strstr(render(json, false),
		       "15.00 USD  \"\\x1b[2J\\x9b31m\\u{202e}\\x0aL\xc3\xbcnch\"\n├─"));
}
END_TEST

START_TEST(open_channels_are_counted)
{
	struct timeline *t = read_text(whole);

	ck_assert_ptr_nonnull(t);
	ck_assert_uint_eq(timeline_open(t), 2);
	ck_assert_uint_eq(timeline_count(t, "delivered"), 1);
	ck_assert_uint_eq(timeline_count(t, "failed"), 1);
	ck_assert_int_eq(timeline_channel_end_us(&t->events[0].channels[0]),
			 1768728600315000);
	ck_assert_int_eq(timeline_channel_end_us(&t->events[1].channels[1]), 0);
	timeline_free(t);
}
END_TEST

START_TEST(the_answer_to_a_payment_is_a_timeline_without_events)
{
	struct timeline *t =
		read_text("{\"id\":\"txn_01M869M45500000002XXXGS903\",\"to\":\"bob\","
			  "\"amount\":\"15\",\"currency\":\"JPY\",\"new\":[{}]}");

	ck_assert_ptr_nonnull(t);
	ck_assert_uint_eq(t->count, 0);
	ck_assert_uint_eq(timeline_open(t), 0);
	ck_assert_str_eq(t->amount, "15");
	timeline_free(t);
}
END_TEST

static const struct {
	const char *from, *to, *said;
} faults[] = {
	{"{\"id\"", "[{\"id\"", "the timeline: line 1"},
	{"\"amount\":\"15.00\"", "\"amount\":15.00", "the timeline: amount"},
	{"\"timeline\":{", "\"timeline\":[],\"t\":{", "the timeline: timeline"},
	{"\"accepted_us\":1768728600000000", "\"accepted_us\":-1",
	 "the timeline: timeline.accepted_us"},
	{"\"events\":[", "\"happened\":[", "the timeline: events"},
	{"\"direction\":\"debit\"", "\"direction\":null", "the timeline: events"},
	{"\"channels\":{\"push\":{", "\"channels\":{\"push\":[{", "the timeline: "},
	{"\"status\":\"open\"", "\"status\":\"open for a long time\"",
	 "the timeline: channels.status"},
	{"\"status\":\"retrying\",", "\"status\":\"resting\",",
	 "the timeline: channels.attempts"},
};

START_TEST(another_answer_is_refused_with_the_place)
{
	struct timeline *t = read_text(exact_edit(whole, faults[_i].from, faults[_i].to));

	ck_assert_ptr_null(t);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_msg(strncmp(e.text, faults[_i].said, strlen(faults[_i].said)) == 0,
		      "%s", e.text);
}
END_TEST

START_TEST(every_cut_of_an_answer_is_refused)
{
	size_t len = strlen(whole);

	for (size_t cut = 0; cut < len; cut++) {
		char *bytes = exact_copy(whole, cut);

		if (timeline_read(bytes, cut, &e) != NULL)
			ck_abort_msg("%zu bytes were enough", cut);
		free(bytes);
	}
}
END_TEST

Suite *tree_suite(void)
{
	Suite *s = suite_create("tree");
	TCase *c = tcase_create("tree");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, a_timeline_is_a_tree_of_people_channels_devices_and_attempts);
	tcase_add_test(c, colours_change_nothing_but_the_colour);
	tcase_add_test(c, what_is_not_committed_or_published_yet_says_so);
	tcase_add_test(c, one_side_alone_is_paid_from_outside);
	tcase_add_test(c, a_description_cannot_draw_on_the_terminal);
	tcase_add_test(c, open_channels_are_counted);
	tcase_add_test(c, the_answer_to_a_payment_is_a_timeline_without_events);
	tcase_add_loop_test(c, another_answer_is_refused_with_the_place, 0,
			    sizeof(faults) / sizeof(faults[0]));
	tcase_add_test(c, every_cut_of_an_answer_is_refused);
	suite_add_tcase(s, c);
	return s;
}
