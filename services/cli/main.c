/* paybell: the operator's command line. Each group of commands is a file; this is the
 * table of them. */
#include "cli/cli.h"

static const struct command COMMANDS[] = {
	{"pay", "FROM TO AMOUNT CURRENCY [DESCRIPTION]", 4, 5, pay_options,
	 "make a payment, once",
	 "\"-\" as FROM or TO is the outside world. The payment has an Idempotency-Key, "
	 "so "
	 "that it is\nmade once however often it has to be asked for. With --wait a "
	 "delivery that failed, or\nhas not ended in time, is exit code 1; the payment "
	 "is "
	 "made all the same.",
	 true, pay_run},
	{"show", "TRANSACTION", 1, 1, show_options,
	 "what became of a transaction, as a tree",
	 "Times are counted from the acceptance. With --wait a delivery that failed, or "
	 "has "
	 "not\nended in time, is exit code 1.",
	 true, show_run},
	{"watch", "", 0, 0, watch_options,
	 "payments and attempts to deliver, as they happen",
	 "Comes from Redis, not from the API; --json gives the events (they have "
	 "\"specversion\")\nand the attempt records as they are.",
	 false, watch_run},
	{"user add", "USER", 1, 1, user_add_options,
	 "add a person, or replace what is known",
	 "USER is 1 to 64 of [A-Za-z0-9._-]. What is not said is not kept, but for "
	 "devices: "
	 "they\nare added.",
	 true, user_add_run},
	{"user show", "USER", 1, 1, NULL, "a person's contact data and devices", NULL,
	 true, user_show_run},
	{"user delete", "USER", 1, 1, NULL, "erase a person's contact data", NULL, true,
	 user_delete_run},
	{"user balance", "USER", 1, 1, NULL, "what a person has, by currency", NULL, true,
	 user_balance_run},
	{"user list-events", "USER", 1, 1, user_events_options,
	 "a person's events, the oldest first", NULL, true, user_events_run},
	{"token", "USER", 1, 1, token_options, "a person's token for the gateway", NULL,
	 true, token_run},
	{"dead list", "", 0, 0, dead_list_options,
	 "deliveries that have failed, the newest first", NULL, true, dead_list_run},
	{"dead show", "EVENT CHANNEL", 2, 2, NULL, "one delivery and all its attempts",
	 NULL, true, dead_show_run},
	{"dead retry", "[EVENT CHANNEL]", 0, 2, dead_retry_options,
	 "try again what has failed: one, or --all",
	 "Attempts count from 1 again. With --all what fails again meanwhile is not "
	 "retried "
	 "a second\ntime; what is not failed any more when its turn comes is counted and "
	 "passed over.",
	 true, dead_retry_run},
	{"backup", "FILE", 1, 1, backup_options,
	 "copy the whole ledger into one file, while all goes on",
	 "Reads PAYBELL_DATABASE, not the API. The copy is checked and has a ledger id "
	 "of "
	 "its own.\nWhat is not finished, Ctrl-C included, leaves no file.",
	 false, backup_run},
	{"doctor", "", 0, 0, NULL,
	 "prove that nothing is lost, and name what is not right",
	 "Reads PAYBELL_DATABASE and PAYBELL_REDIS, not the API, and may run while all "
	 "goes on.\nExit code 0 only when all is well; what could not be looked at is 1 "
	 "as well.",
	 false, doctor_run},
	{"ledger adopt", "", 0, 0, ledger_adopt_options,
	 "let Redis begin again with a restored ledger",
	 "Deletes the cursors of another ledger, or that are ahead of this one, with "
	 "their streams;\nthe backend fills them again from what is open. Reads "
	 "PAYBELL_DATABASE and PAYBELL_REDIS.",
	 false, ledger_adopt_run},
	{NULL, NULL, 0, 0, NULL, NULL, NULL, false, NULL},
};

int main(int argc, char **argv)
{
	cli_main(COMMANDS, argc, argv);
}
