#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/notify.h"
#include "app/service.h"
#include "app/settings.h"
#include "base/mem.h"

/* Each test runs service_main() in a child of its own, which is what it is made for: the
 * exit code, what it writes, and how it takes signals are all seen from outside. */

Suite *service_suite(void);

/* ---- a small service ---- */

struct toy_settings {
	struct common_settings common;
	int64_t queue_max;
};

static const struct setting toy_rows[] = {
	{"QUEUE_MAX", SETTING_INT, offsetof(struct toy_settings, queue_max), "10", 1, 100,
	 NULL, "How much."},
	SETTING_END,
};

static const struct setting unlisted_rows[] = {
	{"NOBODY_LISTED_THIS", SETTING_INT, offsetof(struct toy_settings, queue_max), "1",
	 1, 9, NULL, "A name that settings.c does not have."},
	SETTING_END,
};

/* How the toy behaves; set before the fork. */
static struct behaviour {
	bool start_fails, never_drained, drains_late, fails_later, without_drain;
	bool unlisted;
	int ready_after; /* askings */
} behaviour;

struct toy {
	struct service_run *run;
	struct loop_timer *timer;
	int asked;
};

static int toy_check(void *context, struct err *e)
{
	struct toy_settings *settings = context;

	if (settings->queue_max == 13)
		return err_set(e, ERR_INVALID, "PAYBELL_QUEUE_MAX: 13 is unlucky");
	return 0;
}

static void toy_tick(void *arg)
{
	struct toy *toy = arg;
	struct err e;

	if (behaviour.fails_later) {
		err_set(&e, ERR_IO, "the disk is gone");
		service_fail(toy->run, &e);
	}
	if (behaviour.drains_late)
		service_drained(toy->run);
}

static void *toy_start(struct service_run *run, void *context, struct err *e)
{
	struct toy *toy;

	if (behaviour.start_fails) {
		err_set(e, ERR_IO, "cannot open the toy");
		return NULL;
	}
	toy = mem_alloc(sizeof(*toy));
	toy->run = run;
	toy->timer = loop_timer_new(service_loop(run), toy_tick, toy);
	if (behaviour.fails_later)
		loop_timer_start(toy->timer, 10, 0);
	service_ready_field(run, "api", "127.0.0.1:1");
	service_ready_field(run, "instance", service_instance(run));
	return toy;
}

static bool toy_ready(void *state, char reason[ADMIN_REASON_SIZE])
{
	struct toy *toy = state;

	mem_copy_text(reason, ADMIN_REASON_SIZE, "still \"warming\" up");
	return ++toy->asked > behaviour.ready_after;
}

static void toy_drain(void *state)
{
	struct toy *toy = state;

	if (behaviour.drains_late)
		loop_timer_start(toy->timer, 50, 0);
	else if (!behaviour.never_drained)
		service_drained(toy->run);
}

static void toy_stop(void *state)
{
	struct toy *toy = state;

	loop_timer_free(toy->timer);
	mem_free(toy);
}

static bool toy_request(void *state, struct http_request *r)
{
	if (strcmp(http_path(r), "/toy") != 0)
		return false;
	http_answer(r,
		    &(struct http_answer){.status = 200, .body = "toy", .body_len = 3});
	return true;
}

static int toy_main(int argc, char **argv)
{
	struct toy_settings settings;
	const struct setting_table tables[] = {
		{behaviour.unlisted ? unlisted_rows : toy_rows, &settings},
		{common_setting_rows, &settings.common},
		{NULL, NULL},
	};

	return service_main(
		&(struct service){.name = "toy",
				  .summary = "Does nothing, well.",
				  .admin = "127.0.0.1:0",
				  .tables = tables,
				  .context = &settings,
				  .check = toy_check,
				  .start = toy_start,
				  .ready = toy_ready,
				  .drain = behaviour.without_drain ? NULL : toy_drain,
				  .stop = toy_stop,
				  .admin_request = toy_request},
		argc, argv);
}

/* ---- from outside ---- */

enum { ARGS_MAX = 8, READY_FD = 9, TEXT_MAX = 65536, WAIT_MS = 10000 };

static struct run {
	pid_t pid;
	int out, ready; /* both of its standard outputs; --ready-fd */
} run;

static int redirect(const int from[2], int to)
{
	ck_assert_int_eq(dup2(from[1], to), to);
	return to;
}

static void spawn(const char *const args[])
{
	char *argv[ARGS_MAX + 2] = {(char *)"paybell-toy"};
	int out[2], ready[2], argc = 1;

	for (; args != NULL && args[argc - 1] != NULL; argc++)
		argv[argc] = (char *)args[argc - 1];
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	fflush(NULL);
	run.pid = fork();
	ck_assert_int_ge(run.pid, 0);
	if (run.pid == 0) {
		redirect(out, 1);
		redirect(out, 2);
		redirect(ready, READY_FD);
		close(out[0]);
		close(ready[0]);
		close(ready[1]);
		argc = toy_main(argc, argv);
		fflush(NULL);
		_exit(argc);
	}
	close(out[1]);
	close(ready[1]);
	run.out = out[0];
	run.ready = ready[0];
}

/* The exit code; -1 for a signal. */
static int reap(void)
{
	int status;

	ck_assert_int_eq(waitpid(run.pid, &status, 0), run.pid);
	close(run.ready);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *output(void)
{
	static char text[TEXT_MAX];
	size_t len = 0;
	ssize_t got;

	while ((got = read(run.out, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)got;
	text[len] = '\0';
	close(run.out);
	return text;
}

static void expect_end(int code, const char *part)
{
	const char *text = output();

	ck_assert_int_eq(reap(), code);
	ck_assert_msg(strstr(text, part) != NULL, "\"%s\" is not in:\n%s", part, text);
}

static const char *ready_line(void)
{
	static char line[512];
	struct pollfd fd = {.fd = run.ready, .events = POLLIN};
	size_t len = 0;

	do {
		ck_assert_int_eq(poll(&fd, 1, WAIT_MS), 1);
		ck_assert_uint_lt(len, sizeof(line) - 1);
		if (read(run.ready, line + len, 1) != 1)
			break;
		len++;
	} while (line[len - 1] != '\n');
	line[len] = '\0';
	return line;
}

/* Up: the admin port. */
static int await_up(void)
{
	const char *line = ready_line();
	const char *colon = strchr(line, ':');

	ck_assert_msg(strncmp(line, "READY admin=127.0.0.1:", 22) == 0, "%s", line);
	return atoi(colon + 1);
}

static void spawn_ready(void)
{
	static const char *const args[] = {"--ready-fd", "9", NULL};

	spawn(args);
}

static const char *get(int port, const char *path)
{
	static char text[TEXT_MAX];
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t len = 0;
	ssize_t got;

	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	dprintf(fd, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
	while ((got = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
		len += (size_t)got;
	text[len] = '\0';
	close(fd);
	return text;
}

static void expect_get(int port, const char *path, int status, const char *part)
{
	const char *text = get(port, path);
	char line[32];

	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	ck_assert_msg(strncmp(text, line, strlen(line)) == 0, "%s", text);
	ck_assert_msg(strstr(text, part) != NULL, "%s", text);
}

/* ---- usage and settings ---- */

START_TEST(help_shows_the_options_and_every_setting_and_ends_with_0)
{
	static const char *const args[] = {"--help", NULL};
	const char *text;

	spawn(args);
	text = output();
	ck_assert_int_eq(reap(), 0);
	ck_assert_ptr_nonnull(strstr(text, "Usage: paybell-toy"));
	ck_assert_ptr_nonnull(strstr(text, "Does nothing, well."));
	ck_assert_ptr_nonnull(strstr(text, "--ready-fd"));
	ck_assert_ptr_nonnull(strstr(text, "PAYBELL_ADMIN"));
	ck_assert_ptr_nonnull(strstr(text, "PAYBELL_QUEUE_MAX"));
	ck_assert_ptr_nonnull(strstr(text, "PAYBELL_DATABASE"));
}
END_TEST

START_TEST(version_names_the_program)
{
	static const char *const args[] = {"--version", NULL};

	spawn(args);
	expect_end(0, "paybell-toy " PAYBELL_VERSION "\n");
}
END_TEST

START_TEST(check_judges_everything_and_starts_nothing)
{
	static const char *const good[] = {"--check", NULL};
	static const char *const bad[] = {"--check", "--queue-max=101", "--admin", "",
					  NULL};
	static const char *const unlucky[] = {"--check", "--queue-max", "13", NULL};

	behaviour.start_fails = true;
	spawn(good);
	expect_end(0, "the settings are valid");
	spawn(bad);
	expect_end(2, "--queue-max=\"101\" is out of range");
	spawn(unlucky);
	expect_end(2, "13 is unlucky");
}
END_TEST

START_TEST(bad_usage_ends_with_2)
{
	static const char *const flag[] = {"--quue-max", "5", NULL};
	static const char *const word[] = {"word", NULL};
	static const char *const fd[] = {"--ready-fd", "77", NULL};
	static const char *const no_fd[] = {"--ready-fd", NULL};
	static const char *const instance[] = {"--instance", "a b", NULL};

	spawn(flag);
	expect_end(2, "queue-max");
	spawn(word);
	expect_end(2, "word");
	spawn(fd);
	expect_end(2, "--ready-fd");
	spawn(no_fd);
	expect_end(2, "--ready-fd");
	spawn(instance);
	expect_end(2, "PAYBELL_INSTANCE");
}
END_TEST

START_TEST(the_suites_other_names_are_passed_over_and_misspelt_ones_refused)
{
	static const char *const check[] = {"--check", NULL};

	setenv("PAYBELL_SMS_AMBIGUOUS", "retry", 1);
	setenv("PAYBELL_QUEUE_MAX", "7", 1);
	spawn(check);
	expect_end(0, "valid");
	setenv("PAYBELL_REDIS_PREFX", "x", 1);
	spawn(check);
	expect_end(2, "PAYBELL_REDIS_PREFIX");
}
END_TEST

START_TEST(a_setting_that_the_suites_list_lacks_is_refused)
{
	static const char *const check[] = {"--check", NULL};

	behaviour.unlisted = true;
	spawn(check);
	expect_end(2, "NOBODY_LISTED_THIS");
}
END_TEST

/* ---- a life ---- */

START_TEST(it_says_when_it_is_up_and_when_it_works_and_ends_clean_at_sigterm)
{
	char wanted[64];
	const char *line;

	setenv("PAYBELL_INSTANCE", "toy-7", 1);
	behaviour.ready_after = 2;
	spawn_ready();
	line = ready_line();
	ck_assert_msg(strncmp(line, "READY admin=127.0.0.1:", 22) == 0, "%s", line);
	snprintf(wanted, sizeof(wanted), " api=127.0.0.1:1 instance=toy-7\n");
	ck_assert_msg(strstr(line, wanted) != NULL, "%s", line);
	ck_assert_str_eq(ready_line(), "WORKING\n");
	ck_assert_str_eq(ready_line(), ""); /* closed */
	kill(run.pid, SIGTERM);
	expect_end(0, "msg=service.end code=0");
}
END_TEST

START_TEST(the_admin_port_tells_health_readiness_and_metrics)
{
	int port;

	behaviour.ready_after = 1000000;
	spawn_ready();
	port = await_up();
	expect_get(port, "/healthz", 200, "{\"status\":\"ok\"}");
	expect_get(port, "/readyz", 503,
		   "{\"ready\":false,\"reason\":\"still \\\"warming\\\" up\"}");
	expect_get(port, "/metrics", 200, "paybell_build_info");
	expect_get(port, "/metrics", 200,
		   "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
	expect_get(port, "/toy", 200, "toy");
	expect_get(port, "/other", 404, "application/problem+json");
	kill(run.pid, SIGINT);
	expect_end(0, "service.end");
	behaviour.ready_after = 0;
	spawn_ready();
	port = await_up();
	expect_get(port, "/readyz", 200, "{\"ready\":true}");
	kill(run.pid, SIGTERM);
	expect_end(0, "service.end");
}
END_TEST

START_TEST(the_admin_port_can_be_off)
{
	static const char *const args[] = {"--ready-fd=9", "--admin=off", NULL};

	spawn(args);
	ck_assert_ptr_nonnull(strstr(ready_line(), "READY admin=off api="));
	ck_assert_str_eq(ready_line(), "WORKING\n"); /* readiness is told all the same */
	kill(run.pid, SIGTERM);
	expect_end(0, "service.end");
}
END_TEST

START_TEST(a_start_that_fails_ends_with_1_and_says_why)
{
	static const char *const taken[] = {"--admin", "127.0.0.1:1x", NULL};

	behaviour.start_fails = true;
	spawn_ready();
	expect_end(1, "cannot open the toy");
	behaviour.start_fails = false;
	spawn(taken);
	expect_end(1, "admin port: ");
}
END_TEST

START_TEST(it_waits_for_the_drain_and_is_not_ready_meanwhile)
{
	int port;

	behaviour.never_drained = true;
	setenv("PAYBELL_DRAIN_TIMEOUT", "1s", 1);
	spawn_ready();
	port = await_up();
	ck_assert_str_eq(ready_line(), "WORKING\n");
	kill(run.pid, SIGTERM);
	for (int i = 0; strstr(get(port, "/readyz"), "draining") == NULL; i++) {
		ck_assert_int_lt(i, 100);
		usleep(1000);
	}
	expect_get(port, "/healthz", 200, "ok");
	expect_end(1, "drain_timeout");
	behaviour.never_drained = false;
	behaviour.drains_late = true;
	spawn_ready();
	await_up();
	kill(run.pid, SIGTERM);
	expect_end(0, "service.end code=0");
}
END_TEST

START_TEST(a_second_signal_leaves_at_once)
{
	struct timespec before, after;

	behaviour.never_drained = true;
	spawn_ready();
	await_up();
	clock_gettime(CLOCK_MONOTONIC, &before);
	kill(run.pid, SIGTERM);
	usleep(50000); /* two signals of one kind at once are one */
	kill(run.pid, SIGTERM);
	expect_end(1, "second_signal");
	clock_gettime(CLOCK_MONOTONIC, &after);
	ck_assert_int_lt(after.tv_sec - before.tv_sec, 5); /* the limit is 20 */
}
END_TEST

START_TEST(a_service_without_a_drain_just_ends)
{
	behaviour.without_drain = true;
	spawn_ready();
	await_up();
	kill(run.pid, SIGTERM);
	expect_end(0, "service.end code=0");
}
END_TEST

START_TEST(a_service_that_fails_later_drains_and_ends_with_1)
{
	behaviour.fails_later = true;
	spawn_ready();
	await_up();
	expect_end(1, "the disk is gone");
}
END_TEST

START_TEST(a_closed_ready_fd_does_no_harm)
{
	behaviour.ready_after = 2;
	spawn_ready();
	await_up();
	close(run.ready);
	run.ready = -1;
	usleep(800000);
	kill(run.pid, SIGTERM);
	expect_end(0, "service.end code=0");
}
END_TEST

/* ---- the supervisor ---- */

static int listen_notify(char path[108], bool abstract)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	socklen_t len;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(path, 108, "%s/tmp/test-notify-%d", abstract ? "@" : "", getpid());
	memcpy(un.sun_path, path, strlen(path));
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (abstract)
		un.sun_path[0] = '\0';
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&un, len), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	return fd;
}

static const char *datagram(int fd)
{
	static char text[512];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t len;

	ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
	len = recv(fd, text, sizeof(text) - 1, 0);
	ck_assert_int_ge(len, 0);
	text[len] = '\0';
	return text;
}

START_TEST(systemd_is_told_ready_status_watchdog_and_stopping)
{
	char path[108];
	int fd = listen_notify(path, _i == 1);
	bool barked = false;

	setenv("WATCHDOG_USEC", "40000", 1);
	unsetenv("WATCHDOG_PID");
	spawn_ready();
	ck_assert_str_eq(datagram(fd), "READY=1");
	await_up();
	for (const char *text = datagram(fd); strcmp(text, "STATUS=ready") != 0;
	     text = datagram(fd))
		ck_assert_str_eq(text, "WATCHDOG=1");
	for (int i = 0; i < 3; i++)
		barked |= strcmp(datagram(fd), "WATCHDOG=1") == 0;
	ck_assert(barked);
	kill(run.pid, SIGTERM);
	for (const char *text = datagram(fd); strcmp(text, "STOPPING=1") != 0;
	     text = datagram(fd))
		ck_assert_str_eq(text, "WATCHDOG=1");
	expect_end(0, "service.end");
	close(fd);
	if (path[0] == '/')
		unlink(path);
}
END_TEST

START_TEST(a_watchdog_for_another_process_is_not_fed)
{
	setenv("WATCHDOG_USEC", "3000000", 1);
	unsetenv("WATCHDOG_PID");
	ck_assert_int_eq(notify_watchdog_ms(), 1500);
	setenv("WATCHDOG_PID", "1", 1);
	ck_assert_int_eq(notify_watchdog_ms(), 0);
	unsetenv("WATCHDOG_USEC");
	ck_assert_int_eq(notify_watchdog_ms(), 0);
	setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
	notify_send("READY=1"); /* nothing happens */
}
END_TEST

Suite *service_suite(void)
{
	Suite *s = suite_create("service");
	TCase *usage = tcase_create("usage");
	TCase *life = tcase_create("life");

	tcase_set_timeout(usage, 60);
	tcase_add_test(usage, help_shows_the_options_and_every_setting_and_ends_with_0);
	tcase_add_test(usage, version_names_the_program);
	tcase_add_test(usage, check_judges_everything_and_starts_nothing);
	tcase_add_test(usage, bad_usage_ends_with_2);
	tcase_add_test(usage,
		       the_suites_other_names_are_passed_over_and_misspelt_ones_refused);
	tcase_add_test(usage, a_setting_that_the_suites_list_lacks_is_refused);
	suite_add_tcase(s, usage);

	tcase_set_timeout(life, 60);
	tcase_add_test(life,
		       it_says_when_it_is_up_and_when_it_works_and_ends_clean_at_sigterm);
	tcase_add_test(life, the_admin_port_tells_health_readiness_and_metrics);
	tcase_add_test(life, the_admin_port_can_be_off);
	tcase_add_test(life, a_start_that_fails_ends_with_1_and_says_why);
	tcase_add_test(life, it_waits_for_the_drain_and_is_not_ready_meanwhile);
	tcase_add_test(life, a_second_signal_leaves_at_once);
	tcase_add_test(life, a_service_without_a_drain_just_ends);
	tcase_add_test(life, a_service_that_fails_later_drains_and_ends_with_1);
	tcase_add_test(life, a_closed_ready_fd_does_no_harm);
	tcase_add_loop_test(life, systemd_is_told_ready_status_watchdog_and_stopping, 0,
			    2);
	tcase_add_test(life, a_watchdog_for_another_process_is_not_fed);
	suite_add_tcase(s, life);
	return s;
}
