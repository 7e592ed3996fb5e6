#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "base/mem.h"
#include "base/utf8.h"

Suite *config_suite(void);

struct settings {
	const char *name, *token, *mode;
	int64_t queue_max, timeout_ms, body_max;
	bool dry;
};

struct other_settings {
	const char *token_file_name;
};

#define AT(member) offsetof(struct settings, member)

static const struct setting ROWS[] = {
	{"NAME", SETTING_TEXT, AT(name), "bell", 1, 8, NULL, "What it is called."},
	{"TOKEN", SETTING_SECRET, AT(token), "", 0, 0, NULL, "Nobody may see this."},
	{"MODE", SETTING_WORD, AT(mode), "retry", 0, 0, "retry|fail",
	 "What happens then."},
	{"QUEUE_MAX", SETTING_INT, AT(queue_max), "1000", 1, 5000, NULL,
	 "How many wait."},
	{"TIMEOUT", SETTING_DURATION, AT(timeout_ms), "30s", 100, 3600000, NULL,
	 "How long a peer may take."},
	{"BODY_MAX", SETTING_SIZE, AT(body_max), "64K", 1024, 1 << 30, NULL,
	 "The largest body."},
	{"DRY", SETTING_BOOL, AT(dry), "false", 0, 0, NULL,
	 "Only says what it would do."},
	SETTING_END,
};

static struct settings got;
static struct buf faults;
static struct err error;

static void setup(void)
{
	memset(&got, 0, sizeof(got));
	buf_init(&faults, 65536);
}

static void teardown(void)
{
	buf_release(&faults);
	mem_free((void *)got.name);
	mem_free((void *)got.token);
	mem_free((void *)got.mode);
}

#define MOST 16

/* Words are parted by '\n'. The texts stay where they are until the next call. */
static size_t words_of(char *out[MOST], char *line)
{
	size_t count = 0;

	for (char *p = strtok(line, "\n"); p != NULL; p = strtok(NULL, "\n"))
		out[count++] = p;
	out[count] = NULL;
	return count;
}

static int load(const char *flags, const char *variables)
{
	const struct setting_table tables[] = {{ROWS, &got}, {NULL, NULL}};
	char flag_text[4096], variable_text[16384];
	char *argv[MOST], *environment[MOST];
	size_t argc;

	teardown();
	setup();
	error = (struct err)ERR_INIT;
	snprintf(flag_text, sizeof(flag_text), "program\n%s", flags);
	snprintf(variable_text, sizeof(variable_text), "%s", variables);
	argc = words_of(argv, flag_text);
	words_of(environment, variable_text);
	return config_load(tables, (int)argc, argv, environment, &faults, &error);
}

static void expect_fault(const char *flags, const char *variables, const char *fault)
{
	ck_assert_msg(load(flags, variables) == -1, "%s %s was taken", flags, variables);
	ck_assert_int_eq(error.code, ERR_INVALID);
	ck_assert_str_eq(error.text, fault);
	ck_assert_ptr_null(got.name);
}

/* A file of the test's; its path. */
static const char *file_with(const char *bytes, size_t len)
{
	static char path[] = "/tmp/paybell-config-XXXXXX";
	int fd;

	strcpy(path, "/tmp/paybell-config-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
	return path;
}

static char line_text[512];

static const char *line(const char *fmt, const char *value)
{
	snprintf(line_text, sizeof(line_text), "%s%s", fmt, value);
	return line_text;
}

START_TEST(without_flags_and_environment_the_defaults_hold)
{
	ck_assert_msg(load("", "HOME=/root") == 0, "%s", error.text);
	ck_assert_str_eq(got.name, "bell");
	ck_assert_str_eq(got.token, "");
	ck_assert_str_eq(got.mode, "retry");
	ck_assert_int_eq(got.queue_max, 1000);
	ck_assert_int_eq(got.timeout_ms, 30000);
	ck_assert_int_eq(got.body_max, 65536);
	ck_assert(!got.dry);
}
END_TEST

START_TEST(a_flag_takes_its_value_behind_a_blank_or_an_equals_sign)
{
	ck_assert_int_eq(load("--queue-max\n5\n--timeout=250ms", ""), 0);
	ck_assert_int_eq(got.queue_max, 5);
	ck_assert_int_eq(got.timeout_ms, 250);
	ck_assert_int_eq(load("--token=--a=b\n--name\nx", ""), 0);
	ck_assert_str_eq(got.token, "--a=b");
	ck_assert_str_eq(got.name, "x");
	ck_assert_int_eq(load("--token=", "PAYBELL_TOKEN=x"), 0);
	ck_assert_str_eq(got.token, "");
}
END_TEST

START_TEST(a_bool_flag_may_stand_alone)
{
	ck_assert_int_eq(load("--dry", ""), 0);
	ck_assert(got.dry);
	ck_assert_int_eq(load("--dry\n--queue-max\n7", ""), 0);
	ck_assert(got.dry);
	ck_assert_int_eq(got.queue_max, 7);
	ck_assert_int_eq(load("--dry=off", "PAYBELL_DRY=1"), 0);
	ck_assert(!got.dry);
	ck_assert_int_eq(load("--dry\nno", "PAYBELL_DRY=1"), 0);
	ck_assert(!got.dry);
	expect_fault("--dry\nrun", "",
		     "\"run\" is not expected here; flags begin with --");
}
END_TEST

START_TEST(a_flag_wins_over_its_variable)
{
	ck_assert_int_eq(load("", "PAYBELL_QUEUE_MAX=8"), 0);
	ck_assert_int_eq(got.queue_max, 8);
	ck_assert_int_eq(load("--queue-max\n5\n--queue-max\n6", "PAYBELL_QUEUE_MAX=8"),
			 0);
	ck_assert_int_eq(got.queue_max, 6);
	/* Not even a wrong variable matters then. */
	ck_assert_int_eq(load("--queue-max\n5", "PAYBELL_QUEUE_MAX=x"), 0);
}
END_TEST

START_TEST(every_spelling_of_a_bool_is_read)
{
	static const char *const yes[] = {"true", "yes", "1", "on", "TRUE", "On"};
	static const char *const no[] = {"false", "no", "0", "off", "False"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		ck_assert_int_eq(load("", line("PAYBELL_DRY=", yes[i])), 0);
		ck_assert(got.dry);
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		ck_assert_int_eq(load("", line("PAYBELL_DRY=", no[i])), 0);
		ck_assert(!got.dry);
	}
	expect_fault("", "PAYBELL_DRY=maybe",
		     "PAYBELL_DRY=\"maybe\" is not one of: true|false");
	expect_fault("", "PAYBELL_DRY=", "PAYBELL_DRY=\"\" is not one of: true|false");
}
END_TEST

START_TEST(durations_and_sizes_take_their_units)
{
	static const struct {
		const char *text;
		int64_t value;
	} durations[] = {{"100ms", 100}, {"1s", 1000}, {"5m", 300000}, {"1h", 3600000}},
	  sizes[] = {{"1024", 1024}, {"1K", 1024}, {"3M", 3 << 20}, {"1G", 1 << 30}};

	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		ck_assert_int_eq(load("", line("PAYBELL_TIMEOUT=", durations[i].text)),
				 0);
		ck_assert_int_eq(got.timeout_ms, durations[i].value);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ck_assert_int_eq(load("", line("PAYBELL_BODY_MAX=", sizes[i].text)), 0);
		ck_assert_int_eq(got.body_max, sizes[i].value);
	}
}
END_TEST

START_TEST(numbers_of_another_form_are_refused)
{
	static const char *const rows[] = {
		"QUEUE_MAX=",
		"QUEUE_MAX=x",
		"QUEUE_MAX=5x",
		"QUEUE_MAX= 5",
		"QUEUE_MAX=5 ",
		"QUEUE_MAX=+5",
		"QUEUE_MAX=5.0",
		"QUEUE_MAX=0x5",
		"QUEUE_MAX=--5",
		"QUEUE_MAX=5s",
		"QUEUE_MAX=9223372036854775808",
		"QUEUE_MAX=-",
		"TIMEOUT=30",
		"TIMEOUT=30S",
		"TIMEOUT=30 s",
		"TIMEOUT=s",
		"TIMEOUT=1.5s",
		"TIMEOUT=30sec",
		"BODY_MAX=64k",
		"BODY_MAX=64KB",
		"BODY_MAX=1T",
		"TIMEOUT=9223372036854775807h",
		"BODY_MAX=9223372036854775807G",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(load("", line("PAYBELL_", rows[i])) == -1, "%s", rows[i]);
	expect_fault(
		"", "PAYBELL_TIMEOUT=30",
		"PAYBELL_TIMEOUT=\"30\" is not a duration: a number and its unit, ms s "
		"m h or d, like 30s");
	expect_fault("--queue-max\n1e3", "", "--queue-max=\"1e3\" is not a whole number");
}
END_TEST

START_TEST(values_out_of_range_are_refused_with_the_range)
{
	expect_fault("", "PAYBELL_QUEUE_MAX=0",
		     "PAYBELL_QUEUE_MAX=\"0\" is out of range: 1 to 5000");
	expect_fault("", "PAYBELL_QUEUE_MAX=5001",
		     "PAYBELL_QUEUE_MAX=\"5001\" is out of range: 1 to 5000");
	expect_fault("--queue-max\n-1", "",
		     "--queue-max=\"-1\" is out of range: 1 to 5000");
	expect_fault("", "PAYBELL_TIMEOUT=2h",
		     "PAYBELL_TIMEOUT=\"2h\" is out of range: 100ms to 1h");
	expect_fault("", "PAYBELL_TIMEOUT=0",
		     "PAYBELL_TIMEOUT=\"0\" is out of range: 100ms to 1h");
	expect_fault("", "PAYBELL_BODY_MAX=1023",
		     "PAYBELL_BODY_MAX=\"1023\" is out of range: 1K to 1G");
	expect_fault("", "PAYBELL_MODE=drop",
		     "PAYBELL_MODE=\"drop\" is not one of: retry|fail");
	expect_fault("", "PAYBELL_MODE=", "PAYBELL_MODE=\"\" is not one of: retry|fail");
	expect_fault("", "PAYBELL_MODE=retry|fail",
		     "PAYBELL_MODE=\"retry|fail\" is not one of: retry|fail");
}
END_TEST

START_TEST(texts_have_a_length)
{
	ck_assert_int_eq(load("--name\n12345678", ""), 0);
	expect_fault("--name\n123456789", "", "--name has 9 bytes; 1 to 8 are allowed");
	expect_fault("--name=", "", "--name may not be empty: What it is called.");
}
END_TEST

START_TEST(a_secret_never_shows_in_a_fault)
{
	char secret[5000];

	memset(secret, 'S', sizeof(secret));
	memcpy(secret, "PAYBELL_TOKEN=", 14);
	secret[14 + 4096] = '\0';
	ck_assert_int_eq(load("", secret), 0);
	secret[14 + 4096] = 'S';
	secret[14 + 4097] = '\0';
	expect_fault("", secret, "PAYBELL_TOKEN has 4097 bytes; 0 to 4096 are allowed");
	/* Nor does the value of a name that was misspelt. */
	load("--tokem=SSS", "PAYBELL_TOKKEN=SSS");
	ck_assert_ptr_null(strstr(buf_text(&faults), "SSS"));
}
END_TEST

START_TEST(an_unknown_name_is_refused_with_the_nearest)
{
	expect_fault(
		"", "PAYBELL_QUEUEMAX=5",
		"PAYBELL_QUEUEMAX is not a setting; the nearest is PAYBELL_QUEUE_MAX");
	expect_fault("", "PAYBELL_TIMEOUTS=5s",
		     "PAYBELL_TIMEOUTS is not a setting; the nearest is PAYBELL_TIMEOUT");
	expect_fault("--bodi-max\n5", "",
		     "\"--bodi-max\" is not a flag; the nearest is --body-max");
	expect_fault("", "PAYBELL_ZZZZZZZZ=5",
		     "PAYBELL_ZZZZZZZZ is not a setting; --help lists all");
	expect_fault("--zzzzzzzz", "", "\"--zzzzzzzz\" is not a flag; --help lists all");
	expect_fault("--", "", "\"--\" is not a flag; --help lists all");
	expect_fault("--QUEUE-MAX=5", "",
		     "\"--QUEUE-MAX\" is not a flag; --help lists all");
	expect_fault("", "PAYBELL_a\x1b[2J=1",
		     "PAYBELL_a\\x1b[2J is not a setting; --help lists all");
}
END_TEST

START_TEST(very_long_names_are_refused_too)
{
	char name[3000];

	memset(name, 'A', sizeof(name));
	memcpy(name, "PAYBELL_", 8);
	memcpy(name + sizeof(name) - 3, "=5", 3);
	ck_assert_int_eq(load("", name), -1);
	memset(name, 'a', sizeof(name));
	memcpy(name, "--", 2);
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(load(name, ""), -1);
}
END_TEST

START_TEST(left_over_arguments_and_missing_values_are_refused)
{
	expect_fault("run", "", "\"run\" is not expected here; flags begin with --");
	expect_fault("-q", "", "\"-q\" is not expected here; flags begin with --");
	expect_fault("--queue-max", "",
		     "--queue-max needs a value (one that begins with -- is written "
		     "--queue-max=VALUE)");
	expect_fault("--name\n--dry", "",
		     "--name needs a value (one that begins with -- is written "
		     "--name=VALUE)");
}
END_TEST

START_TEST(names_of_other_programs_are_ignored_as_variables_only)
{
	static const char *const foreign[] = {"GATEWAY_PORT", "SMTP_PASSWORD", NULL};

	config_set_foreign(foreign);
	ck_assert_int_eq(load("", "PAYBELL_GATEWAY_PORT=abc"), 0);
	ck_assert_int_eq(load("", "PAYBELL_SMTP_PASSWORD_FILE=/nowhere"), 0);
	expect_fault("", "PAYBELL_GATEWAY_PORTS=1",
		     "PAYBELL_GATEWAY_PORTS is not a setting; the nearest is "
		     "PAYBELL_GATEWAY_PORT");
	expect_fault("--gateway-port\n1", "",
		     "\"--gateway-port\" is not a flag; --help lists all");
	config_set_foreign(NULL);
}
END_TEST

START_TEST(a_file_holds_the_value_without_its_last_newline)
{
	const char *path = file_with("s3cret\n\n", 8);

	ck_assert_msg(load("", line("PAYBELL_TOKEN_FILE=", path)) == 0, "%s", error.text);
	ck_assert_str_eq(got.token, "s3cret\n");
	ck_assert_msg(load(line("--token-file\n", path), "PAYBELL_TOKEN=x") == 0, "%s",
		      error.text);
	ck_assert_str_eq(got.token, "s3cret\n");
	unlink(path);
	path = file_with("250ms\n", 6);
	ck_assert_int_eq(load("", line("PAYBELL_TIMEOUT_FILE=", path)), 0);
	ck_assert_int_eq(got.timeout_ms, 250);
	unlink(path);
	path = file_with("on", 2);
	ck_assert_int_eq(load(line("--dry-file=", path), ""), 0);
	ck_assert(got.dry);
	unlink(path);
	path = file_with("", 0);
	ck_assert_int_eq(load("", line("PAYBELL_TOKEN_FILE=", path)), 0);
	ck_assert_str_eq(got.token, "");
	unlink(path);
}
END_TEST

START_TEST(a_value_and_its_file_exclude_each_other)
{
	expect_fault(
		"", "PAYBELL_TOKEN=a\nPAYBELL_TOKEN_FILE=b",
		"PAYBELL_TOKEN and PAYBELL_TOKEN_FILE are both given; keep one of them");
	expect_fault("--token\na\n--token-file\nb", "",
		     "--token and --token-file are both given; keep one of them");
}
END_TEST

START_TEST(a_file_that_cannot_be_the_value_is_refused)
{
	static char large[65537];
	const char *path;

	expect_fault(
		"", "PAYBELL_TOKEN_FILE=/nowhere/at/all",
		"PAYBELL_TOKEN: cannot read the file \"/nowhere/at/all\": No such file "
		"or directory");
	expect_fault("", "PAYBELL_TOKEN_FILE=/tmp",
		     "PAYBELL_TOKEN: cannot read the file \"/tmp\": Is a directory");
	path = file_with("a\0b", 3);
	ck_assert_int_eq(load("", line("PAYBELL_TOKEN_FILE=", path)), -1);
	ck_assert_ptr_nonnull(strstr(error.text, "NUL"));
	unlink(path);
	memset(large, 'x', sizeof(large));
	path = file_with(large, 65537);
	ck_assert_int_eq(load("", line("PAYBELL_TOKEN_FILE=", path)), -1);
	ck_assert_ptr_nonnull(strstr(error.text, "more than 65536 bytes"));
	unlink(path);
	path = file_with(large, 65536); /* which is read, and then too long as a text */
	ck_assert_int_eq(load("", line("PAYBELL_TOKEN_FILE=", path)), -1);
	ck_assert_ptr_nonnull(strstr(error.text, "65536 bytes; 0 to 4096"));
	unlink(path);
}
END_TEST

START_TEST(all_faults_are_told_and_nothing_is_written)
{
	got.queue_max = 77;
	load("--zzzzzzzz\n--name=",
	     "PAYBELL_QUEUE_MAX=0\nPAYBELL_DRY=x\nPAYBELL_TIMEOUT=1s");
	ck_assert_str_eq(error.text, "\"--zzzzzzzz\" is not a flag; --help lists all");
	ck_assert_str_eq(buf_text(&faults),
			 "\"--zzzzzzzz\" is not a flag; --help lists all\n"
			 "--name may not be empty: What it is called.\n"
			 "PAYBELL_QUEUE_MAX=\"0\" is out of range: 1 to 5000\n"
			 "PAYBELL_DRY=\"x\" is not one of: true|false\n");
	ck_assert_int_eq(got.timeout_ms, 0);
	ck_assert_ptr_null(got.mode);
}
END_TEST

START_TEST(what_has_no_default_is_required)
{
	static const struct setting rows[] = {{"DATABASE", SETTING_TEXT, AT(name), NULL,
					       1, 0, NULL, "Where the truth is."},
					      SETTING_END};
	const struct setting_table tables[] = {{rows, &got}, {NULL, NULL}};
	char *argv[] = {NULL};
	char *none[] = {NULL};
	char given[] = "PAYBELL_DATABASE=x.db";
	char *some[] = {given, NULL};

	ck_assert_int_eq(config_load(tables, 0, argv, none, NULL, &error), -1);
	ck_assert_str_eq(error.text, "PAYBELL_DATABASE is required: Where the truth is.");
	ck_assert_int_eq(config_load(tables, 0, argv, some, NULL, &error), 0);
	ck_assert_str_eq(got.name, "x.db");
}
END_TEST

START_TEST(a_setting_that_ends_in_file_is_itself_and_tables_add_up)
{
	static const struct setting rows[] = {
		{"TOKEN_FILE", SETTING_TEXT,
		 offsetof(struct other_settings, token_file_name), "none", 0, 0, NULL,
		 "A path of its own."},
		SETTING_END};
	struct other_settings other = {NULL};
	const struct setting_table tables[] = {
		{ROWS, &got}, {rows, &other}, {NULL, NULL}};
	char given[] = "PAYBELL_TOKEN_FILE=/nowhere";
	char *environment[] = {given, NULL};
	char *argv[] = {NULL};

	ck_assert_int_eq(config_load(tables, 0, argv, environment, NULL, &error), 0);
	ck_assert_str_eq(other.token_file_name, "/nowhere");
	ck_assert_str_eq(got.token, "");
	mem_free((void *)other.token_file_name);
}
END_TEST

START_TEST(the_help_is_a_table_within_100_columns)
{
	static const struct setting rows[] = {
		{"REDIS_URL_THAT_HAS_A_LONG_NAME", SETTING_TEXT, AT(name),
		 "redis://user@a-host-with-a-long-name.example:6379/and/more/of/it", 0, 0,
		 NULL,
		 "One sentence that is so long that it does not fit in one line of the "
		 "table "
		 "and has to be broken somewhere between two of its w\xc3\xb6rds."},
		{"API_KEY", SETTING_SECRET, AT(token), "hidden", 0, 0, NULL, "Secret."},
		{"PORT", SETTING_INT, AT(queue_max), NULL, 0, INT64_MAX, NULL, "Port."},
		SETTING_END};
	const struct setting_table tables[] = {{rows, &got}, {ROWS, &got}, {NULL, NULL}};
	const char *text;

	config_help(tables, &faults);
	text = buf_text(&faults);
	for (const char *p = text; *p != '\0';) {
		size_t len = strcspn(p, "\n");

		ck_assert_uint_le(utf8_count(p, len), 100);
		ck_assert(len == 0 || p[len - 1] != ' ');
		p += len + 1;
	}
	ck_assert_ptr_nonnull(
		strstr(text, "redis://user@a-host-with-a-long-name.example"));
	ck_assert_ptr_nonnull(strstr(text, "(set)"));
	ck_assert_ptr_null(strstr(text, "hidden"));
	ck_assert_ptr_nonnull(strstr(text, "at least 0"));
	ck_assert_ptr_nonnull(strstr(text, "required"));
}
END_TEST

START_TEST(the_help_of_short_names_stands_in_columns)
{
	const struct setting_table tables[] = {{ROWS, &got}, {NULL, NULL}};

	config_help(tables, &faults);
	ck_assert_str_eq(buf_text(&faults),
			 "  Flag         Variable           Default  Allowed\n"
			 "  --name       PAYBELL_NAME       bell     1 to 8 bytes\n"
			 "      What it is called.\n"
			 "  --token      PAYBELL_TOKEN      -        up to 4096 bytes\n"
			 "      Nobody may see this.\n"
			 "  --mode       PAYBELL_MODE       retry    retry|fail\n"
			 "      What happens then.\n"
			 "  --queue-max  PAYBELL_QUEUE_MAX  1000     1 to 5000\n"
			 "      How many wait.\n"
			 "  --timeout    PAYBELL_TIMEOUT    30s      100ms to 1h\n"
			 "      How long a peer may take.\n"
			 "  --body-max   PAYBELL_BODY_MAX   64K      1K to 1G\n"
			 "      The largest body.\n"
			 "  --dry        PAYBELL_DRY        false    true|false\n"
			 "      Only says what it would do.\n"
			 "A flag wins over its variable.\n"
			 "Each value can also stand in a file: PAYBELL_NAME_FILE or "
			 "--name-file.\n");
}
END_TEST

Suite *config_suite(void)
{
	Suite *s = suite_create("config");
	TCase *t = tcase_create("config");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, without_flags_and_environment_the_defaults_hold);
	tcase_add_test(t, a_flag_takes_its_value_behind_a_blank_or_an_equals_sign);
	tcase_add_test(t, a_bool_flag_may_stand_alone);
	tcase_add_test(t, a_flag_wins_over_its_variable);
	tcase_add_test(t, every_spelling_of_a_bool_is_read);
	tcase_add_test(t, durations_and_sizes_take_their_units);
	tcase_add_test(t, numbers_of_another_form_are_refused);
	tcase_add_test(t, values_out_of_range_are_refused_with_the_range);
	tcase_add_test(t, texts_have_a_length);
	tcase_add_test(t, a_secret_never_shows_in_a_fault);
	tcase_add_test(t, an_unknown_name_is_refused_with_the_nearest);
	tcase_add_test(t, very_long_names_are_refused_too);
	tcase_add_test(t, left_over_arguments_and_missing_values_are_refused);
	tcase_add_test(t, names_of_other_programs_are_ignored_as_variables_only);
	tcase_add_test(t, a_file_holds_the_value_without_its_last_newline);
	tcase_add_test(t, a_value_and_its_file_exclude_each_other);
	tcase_add_test(t, a_file_that_cannot_be_the_value_is_refused);
	tcase_add_test(t, all_faults_are_told_and_nothing_is_written);
	tcase_add_test(t, what_has_no_default_is_required);
	tcase_add_test(t, a_setting_that_ends_in_file_is_itself_and_tables_add_up);
	tcase_add_test(t, the_help_is_a_table_within_100_columns);
	tcase_add_test(t, the_help_of_short_names_stands_in_columns);
	suite_add_tcase(s, t);
	return s;
}
