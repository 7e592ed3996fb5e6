/* Runs the unit tests: all suites, or the one that is named. A test forks, so that one
 * that crashes is one failure and leaves nothing behind for the next. */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct suite_row {
	const char *name;
	Suite *(*make)(void);
};

/* suites.h lists them; a new suite is one line there. */
#define SUITE(name) Suite *name##_suite(void);
#include "suites.h"
#undef SUITE

#define SUITE(name) {#name, name##_suite},
static const struct suite_row SUITES[] = {
#include "suites.h"
};
#undef SUITE

#define SUITE_COUNT (sizeof(SUITES) / sizeof(SUITES[0]))

static int list_suites(const char *wanted)
{
	fprintf(stderr, "no suite is named %s; there are:", wanted);
	for (size_t i = 0; i < SUITE_COUNT; i++)
		fprintf(stderr, " %s", SUITES[i].name);
	fputc('\n', stderr);
	return 1;
}

int main(int argc, char **argv)
{
	const char *wanted = argc > 1 ? argv[1] : NULL;
	SRunner *runner = srunner_create(NULL);
	bool found = false;
	int run, failed;

	for (size_t i = 0; i < SUITE_COUNT; i++) {
		if (wanted != NULL && strcmp(wanted, SUITES[i].name) != 0)
			continue;
		srunner_add_suite(runner, SUITES[i].make());
		found = true;
	}
	if (!found) {
		srunner_free(runner);
		return list_suites(wanted);
	}
	srunner_run_all(runner, CK_ENV);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	printf("unit: %d passed, %d failed\n", run - failed, failed);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
