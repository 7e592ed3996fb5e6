#include <check.h>
#include <string.h>

#include "cli/args.h"

Suite *args_suite(void);

enum { WORDS_MAX = 160 };

static const struct option options[] = {
	{"--wait", NULL, "wait"},
	{"--device", "KIND:TOKEN", "a device"},
	{NULL, NULL, NULL},
};

static const struct command commands[] = {
	{"pay", "FROM TO AMOUNT [TEXT]", 3, 4, options, "pay", NULL, true, NULL},
	{"watch", "", 0, 0, NULL, "watch", NULL, false, NULL},
	{"user add", "USER", 1, 1, options, "add", NULL, true, NULL},
	{"user balance", "USER", 1, 1, NULL, "balance", NULL, true, NULL},
	{NULL, NULL, 0, 0, NULL, NULL, NULL, false, NULL},
};

static const struct setting rows[] = {
	{"API", SETTING_TEXT, 0, "", 0, 0, NULL, "the API"},
	{"API_KEY", SETTING_SECRET, 0, "", 0, 0, NULL, "the key"},
	SETTING_END,
};

static const struct setting_table tables[] = {{rows, NULL}, {NULL, NULL}};

static struct args args;
static struct err e;

/* A line, cut at blanks, behind the program's name. */
static int parse(const char *line)
{
	static char copy[4096];
	static char *argv[WORDS_MAX + 1];
	char *rest = NULL;
	int argc = 1;

	ck_assert_uint_lt(strlen(line), sizeof(copy));
	strcpy(copy, line);
	argv[0] = (char *)"paybell";
	for (char *word = strtok_r(copy, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest)) {
		ck_assert_int_lt(argc, WORDS_MAX);
		argv[argc++] = word;
	}
	argv[argc] = NULL;
	e = (struct err)ERR_INIT;
	return args_parse(&args, commands, tables, argc, argv, &e);
}

START_TEST(operands_and_options_come_in_any_order)
{
	ck_assert_int_eq(parse("pay --wait alice bob --json 15.00 --device=fcm:a=b Lunch "
			       "--device fcm:c"),
			 0);
	ck_assert_str_eq(args.command->name, "pay");
	ck_assert_int_eq(args.operand_count, 4);
	ck_assert_str_eq(args_operand(&args, 0), "alice");
	ck_assert_str_eq(args_operand(&args, 3), "Lunch");
	ck_assert_ptr_null(args_operand(&args, 4));
	ck_assert(args.json && args_has(&args, "--wait"));
	ck_assert_str_eq(args_value(&args, "--device"), "fcm:c");
}
END_TEST

START_TEST(an_option_that_is_given_twice_has_both_values)
{
	int at = 0;

	ck_assert_int_eq(parse("user add u --device fcm:a --wait --device fcm:b"), 0);
	ck_assert_str_eq(args.command->name, "user add");
	ck_assert_str_eq(args_next(&args, "--device", &at), "fcm:a");
	ck_assert_str_eq(args_next(&args, "--device", &at), "fcm:b");
	ck_assert_ptr_null(args_next(&args, "--device", &at));
	ck_assert(!args_has(&args, "--json"));
	ck_assert_ptr_null(args_value(&args, "--name"));
}
END_TEST

START_TEST(a_dash_and_a_negative_number_are_operands)
{
	ck_assert_int_eq(parse("pay - bob -5.00"), 0);
	ck_assert_str_eq(args_operand(&args, 0), "-");
	ck_assert_str_eq(args_operand(&args, 2), "-5.00");
}
END_TEST

START_TEST(two_dashes_end_the_options)
{
	ck_assert_int_eq(parse("pay a b 1 -- --wait"), 0);
	ck_assert_str_eq(args_operand(&args, 3), "--wait");
	ck_assert(!args_has(&args, "--wait"));
}
END_TEST

START_TEST(settings_are_left_for_the_config_with_their_values)
{
	ck_assert_int_eq(parse("user balance --api http://x u --api-key=k --api-key-file "
			       "--wait"),
			 0);
	ck_assert_int_eq(args.operand_count, 1);
	ck_assert_int_eq(args.setting_count, 6);
	ck_assert_str_eq(args.settings[0], "paybell");
	ck_assert_str_eq(args.settings[1], "--api");
	ck_assert_str_eq(args.settings[2], "http://x");
	ck_assert_str_eq(args.settings[3], "--api-key=k");
	ck_assert_str_eq(args.settings[4], "--api-key-file");
	ck_assert_str_eq(args.settings[5], "--wait");
}
END_TEST

START_TEST(help_and_version_need_nothing_else)
{
	ck_assert_int_eq(parse("--help"), 0);
	ck_assert(args.help && args.command == NULL);
	ck_assert_int_eq(parse("--version"), 0);
	ck_assert(args.version && args.command == NULL);
	ck_assert_int_eq(parse("user --help"), 0);
	ck_assert(args.help && args.command == NULL);
	ck_assert_int_eq(parse("pay -h"), 0);
	ck_assert(args.help);
	ck_assert_str_eq(args.command->name, "pay");
}
END_TEST

static const struct {
	const char *line, *said;
} mistakes[] = {
	{"", "say what to do; see paybell --help"},
	{"fly", "\"fly\" is not a command; see paybell --help"},
	{"user", "user needs a second word; see paybell --help"},
	{"user fly", "user has no command \"fly\"; see paybell --help"},
	{"--json pay a b 1", "\"--json\" is not a command; see paybell --help"},
	{"pay a b", "pay needs more: paybell pay FROM TO AMOUNT [TEXT]"},
	{"watch x", "\"x\" is one argument too many for watch: paybell watch "},
	{"pay a b 1 --wiat", "pay has no option \"--wiat\"; see paybell pay --help"},
	{"pay a b 1 -w", "pay has no option \"-w\"; see paybell pay --help"},
	{"watch --wait", "watch has no option \"--wait\"; see paybell watch --help"},
	{"pay a b 1 --wait=1", "--wait takes no value"},
	{"pay a b 1 --device", "--device needs a value: --device KIND:TOKEN"},
	{"pay a b 1 --a\x1b", "pay has no option \"--a\\x1b\"; see paybell pay --help"},
};

START_TEST(a_mistake_is_said_with_its_remedy)
{
	ck_assert_int_eq(parse(mistakes[_i].line), -1);
	ck_assert_int_eq(e.code, ERR_INVALID);
	ck_assert_str_eq(e.text, mistakes[_i].said);
}
END_TEST

START_TEST(more_than_there_is_room_for_is_refused)
{
	char line[4096] = "pay a b 1";

	for (int i = 0; i < ARGS_GIVEN_MAX; i++)
		strcat(line, " --wait");
	ck_assert_int_eq(parse(line), 0);
	strcat(line, " --wait");
	ck_assert_int_eq(parse(line), -1);
	strcpy(line, "pay a b 1");
	for (int i = 0; i < ARGS_GIVEN_MAX; i++)
		strcat(line, " --api x");
	ck_assert_int_eq(parse(line), -1);
}
END_TEST

Suite *args_suite(void)
{
	Suite *s = suite_create("args");
	TCase *c = tcase_create("args");

	tcase_add_test(c, operands_and_options_come_in_any_order);
	tcase_add_test(c, an_option_that_is_given_twice_has_both_values);
	tcase_add_test(c, a_dash_and_a_negative_number_are_operands);
	tcase_add_test(c, two_dashes_end_the_options);
	tcase_add_test(c, settings_are_left_for_the_config_with_their_values);
	tcase_add_test(c, help_and_version_need_nothing_else);
	tcase_add_loop_test(c, a_mistake_is_said_with_its_remedy, 0,
			    sizeof(mistakes) / sizeof(mistakes[0]));
	tcase_add_test(c, more_than_there_is_room_for_is_refused);
	suite_add_tcase(s, c);
	return s;
}
