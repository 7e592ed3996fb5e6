#include "app/service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/notify.h"
#include "app/process.h"
#include "app/settings.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

#define INSTANCE_SIZE  65
#define TABLES_MAX     8
#define TEXT_MAX_BYTES (64 * 1024)
#define LINE_MAX_BYTES 1024

enum { EXIT_CLEAN = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* What every service can be told. */
struct service_settings {
	const char *log_level, *admin, *instance;
	int64_t drain_timeout_ms, nice;
};

/* What is no setting. */
struct options {
	bool help, version, check;
	int ready_fd; /* -1: none */
	int argc;     /* what is left for config_load */
	char **argv;
};

struct service_run {
	const struct service *service;
	struct service_settings settings;
	char instance[INSTANCE_SIZE];
	struct loop *loop;
	struct admin *admin;
	void *state;
	struct loop_signal *term, *interrupt;
	struct loop_timer *drain_limit, *watchdog;
	struct buf ready_line;
	int ready_fd; /* -1: none, or closed */
	bool draining;
	int exit_code;
};

/* ---- usage and settings ------------------------------------------------------------ */

static int fail_usage(const struct service *service, const char *text)
{
	fprintf(stderr, "paybell-%s: %s\n", service->name, text);
	return EXIT_USAGE;
}

/* An open descriptor that is not one of the standard three. */
static bool read_fd(const char *text, int *fd)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value < 3 || value > 1 << 20 ||
	    fcntl((int)value, F_GETFD) < 0)
		return false;
	*fd = (int)value;
	return true;
}

/* Takes one option at argv[*i], and its value behind it. False: it is not one. */
static bool take_option(struct options *o, char **argv, int *i, bool *faulty)
{
	static const char ready_fd[] = "--ready-fd";
	const char *arg = argv[*i], *value;

	if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
		o->help = true;
	} else if (strcmp(arg, "--version") == 0) {
		o->version = true;
	} else if (strcmp(arg, "--check") == 0) {
		o->check = true;
	} else if (strncmp(arg, ready_fd, sizeof(ready_fd) - 1) == 0) {
		value = arg + sizeof(ready_fd) - 1;
		if (*value == '\0' && argv[*i + 1] != NULL)
			value = argv[++*i];
		else if (*value == '=')
			value++;
		*faulty |= !read_fd(value, &o->ready_fd);
	} else {
		return false;
	}
	return true;
}

static int take_options(struct options *o, int argc, char **argv)
{
	bool faulty = false;

	o->ready_fd = -1;
	o->argv = mem_array((size_t)argc + 1, sizeof(*o->argv));
	for (int i = 0; i < argc; i++)
		if (i == 0 || !take_option(o, argv, &i, &faulty))
			o->argv[o->argc++] = argv[i];
	return faulty ? -1 : 0;
}

/* The skeleton's table and the service's own behind it; `rows` and `tables` are the
 * caller's storage. False when a name is missing in the suite's list. */
#define OWN_ROWS 6
static bool gather_tables(struct service_run *run, struct setting rows[OWN_ROWS],
			  struct setting_table tables[TABLES_MAX])
{
	const struct setting_table *own = run->service->tables;
	const struct setting common[OWN_ROWS] = {
		{"ADMIN", SETTING_TEXT, offsetof(struct service_settings, admin),
		 run->service->admin, 1, 0, NULL,
		 "Where /healthz, /readyz and /metrics are: off, host:port or "
		 "unix:/path."},
		{"DRAIN_TIMEOUT", SETTING_DURATION,
		 offsetof(struct service_settings, drain_timeout_ms), "20s", 0,
		 600 * 1000, NULL,
		 "How long SIGTERM waits for what was begun to be finished."},
		{"INSTANCE", SETTING_TEXT, offsetof(struct service_settings, instance),
		 "", 0, INSTANCE_SIZE - 1, NULL,
		 "This process's name among others of its kind; empty: "
		 "<host name>-<service>."},
		{"LOG_LEVEL", SETTING_WORD, offsetof(struct service_settings, log_level),
		 "info", 0, 0, "debug|info|warn|error", "The least that is logged."},
		{"NICE", SETTING_INT, offsetof(struct service_settings, nice),
		 run->service->nice == NULL ? "0" : run->service->nice, 0, 19, NULL,
		 "How far this process steps back when processors are short (nice(2)): a "
		 "payment must not "
		 "wait for its messages."},
		SETTING_END,
	};
	const char *missing;
	int count = 0;

	memcpy(rows, common, sizeof(common));
	tables[count++] = (struct setting_table){rows, &run->settings};
	for (; own != NULL && own->rows != NULL && count < TABLES_MAX - 1; own++)
		tables[count++] = *own;
	tables[count] = (struct setting_table){NULL, NULL};
	config_set_foreign(settings_suite());
	if (settings_all_known(tables, &missing))
		return true;
	fprintf(stderr, "paybell-%s: PAYBELL_%s is not in lib/app/settings.c\n",
		run->service->name, missing);
	return false;
}

static void print_help(const struct service *service, const struct setting_table *tables)
{
	struct buf text;

	buf_init(&text, TEXT_MAX_BYTES);
	buf_addf(&text,
		 "Usage: paybell-%s [OPTION | --SETTING VALUE]...\n\n%s\n\n"
		 "Options:\n"
		 "      --check        judge the settings, and end\n"
		 "      --ready-fd N   write a line to descriptor N when up\n"
		 "      --version      print the version, and end\n"
		 "  -h, --help         print this, and end\n\n"
		 "Settings, as flags or in the environment; NAME_FILE reads one from a "
		 "file:\n\n",
		 service->name, service->summary);
	config_help(tables, &text);
	fputs(buf_text(&text), stdout);
	buf_release(&text);
}

static bool name_ok(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"
				      "yz0123456789._-";

	return name[0] != '\0' && name[strspn(name, letters)] == '\0';
}

static int name_instance(struct service_run *run, struct err *e)
{
	char host[256] = "";

	if (run->settings.instance[0] != '\0') {
		mem_copy_text(run->instance, sizeof(run->instance),
			      run->settings.instance);
	} else {
		gethostname(host, sizeof(host) - 1);
		host[strcspn(host, ".")] = '\0';
		snprintf(run->instance, sizeof(run->instance), "%.40s-%s",
			 name_ok(host) ? host : "localhost", run->service->name);
	}
	if (!name_ok(run->instance))
		return err_set(e, ERR_INVALID,
			       "PAYBELL_INSTANCE: only letters, digits, \".\", \"_\" "
			       "and \"-\"");
	return 0;
}

static int load_settings(struct service_run *run, const struct setting_table *tables,
			 const struct options *o)
{
	struct buf faults;
	struct err e = ERR_INIT;
	int rc;

	buf_init(&faults, TEXT_MAX_BYTES);
	rc = config_load(tables, o->argc, o->argv, environ, &faults, &e);
	if (rc < 0)
		fputs(buf_text(&faults), stderr);
	buf_release(&faults);
	if (rc < 0)
		return EXIT_USAGE;
	if (name_instance(run, &e) < 0 ||
	    (run->service->check != NULL &&
	     run->service->check(run->service->context, &e) < 0)) {
		config_release(tables);
		return fail_usage(run->service, e.text);
	}
	return EXIT_CLEAN;
}

/* ---- readiness --------------------------------------------------------------------- */

static void tell_ready_fd(struct service_run *run, const char *line, size_t len)
{
	if (run->ready_fd < 0)
		return;
	/* Whoever waited may have gone: not our trouble. */
	if (write(run->ready_fd, line, len) < 0 && errno != EPIPE)
		log_warn("service.ready_fd", "error=%d", errno);
}

static void close_ready_fd(struct service_run *run)
{
	if (run->ready_fd >= 0)
		close(run->ready_fd);
	run->ready_fd = -1;
}

void service_ready_field(struct service_run *run, const char *name, const char *value)
{
	buf_addf(&run->ready_line, " %s=%s", name, value);
}

static void tell_up(struct service_run *run)
{
	log_info("service.up", "version=%s instance=%s admin=%s", PAYBELL_VERSION,
		 run->instance, admin_address(run->admin));
	buf_add_char(&run->ready_line, '\n');
	tell_ready_fd(run, buf_text(&run->ready_line), run->ready_line.len);
	notify_send("READY=1");
}

static bool is_ready(void *arg, char reason[ADMIN_REASON_SIZE])
{
	struct service_run *run = arg;

	if (run->draining) {
		mem_copy_text(reason, ADMIN_REASON_SIZE, "draining");
		return false;
	}
	return run->service->ready == NULL || run->service->ready(run->state, reason);
}

static void on_ready_changed(void *arg, bool ready, const char *reason)
{
	static const char working[] = "WORKING\n";
	struct service_run *run = arg;
	char status[ADMIN_REASON_SIZE + 32];
	struct log_quote quoted;

	snprintf(status, sizeof(status), "STATUS=%s%s",
		 ready ? "ready" : "not ready: ", reason);
	notify_send(status);
	if (!ready) {
		log_info("service.not_ready", "reason=%s", log_quote(&quoted, reason));
		return;
	}
	log_info("service.ready", "instance=%s", run->instance);
	tell_ready_fd(run, working, sizeof(working) - 1);
	close_ready_fd(run);
}

static bool on_admin_request(void *arg, struct http_request *r)
{
	struct service_run *run = arg;

	return run->service->admin_request != NULL &&
	       run->service->admin_request(run->state, r);
}

static void on_watchdog(void *arg)
{
	(void)arg;
	notify_send("WATCHDOG=1");
}

/* ---- draining ---------------------------------------------------------------------- */

/* Leaves everything as it is: what is on disk and in Redis survives kill -9 as well. */
static _Noreturn void leave_at_once(const char *why)
{
	log_error("service.left", "reason=%s", why);
	_exit(EXIT_FAILED);
}

static void on_drain_limit(void *arg)
{
	(void)arg;
	leave_at_once("drain_timeout");
}

static void begin_drain(struct service_run *run)
{
	run->draining = true;
	log_info("service.drain", "limit_ms=%lld",
		 (long long)run->settings.drain_timeout_ms);
	notify_send("STOPPING=1");
	admin_refresh(run->admin);
	loop_timer_start(run->drain_limit, run->settings.drain_timeout_ms, 0);
	if (run->service->drain != NULL)
		run->service->drain(run->state);
	else
		service_drained(run);
}

static void on_signal(void *arg)
{
	struct service_run *run = arg;

	if (run->draining)
		leave_at_once("second_signal");
	begin_drain(run);
}

void service_drained(struct service_run *run)
{
	if (run->draining)
		loop_stop(run->loop);
}

struct failure {
	struct service_run *run;
	struct err e;
};

static void on_failure(void *arg)
{
	struct failure *f = arg;
	struct service_run *run = f->run;
	struct log_quote quoted;

	log_error("service.failed", "error=%s text=%s", err_code_name(f->e.code),
		  log_quote(&quoted, f->e.text));
	mem_free(f);
	run->exit_code = EXIT_FAILED;
	if (!run->draining)
		begin_drain(run);
}

void service_fail(struct service_run *run, const struct err *e)
{
	struct failure *f = mem_alloc(sizeof(*f));

	f->run = run;
	f->e = *e;
	loop_post(run->loop, on_failure, f);
}

/* ---- one life ---------------------------------------------------------------------- */

static void open_run(struct service_run *run)
{
	int64_t watchdog_ms = notify_watchdog_ms();

	run->loop = loop_new();
	run->term = loop_signal_new(run->loop, SIGTERM, on_signal, run);
	run->interrupt = loop_signal_new(run->loop, SIGINT, on_signal, run);
	run->drain_limit = loop_timer_new(run->loop, on_drain_limit, run);
	run->watchdog = loop_timer_new(run->loop, on_watchdog, run);
	if (watchdog_ms > 0)
		loop_timer_start(run->watchdog, watchdog_ms, watchdog_ms);
	buf_init(&run->ready_line, LINE_MAX_BYTES);
	if (run->ready_fd >= 0)
		fcntl(run->ready_fd, F_SETFD, FD_CLOEXEC);
}

static void close_run(struct service_run *run)
{
	loop_timer_free(run->watchdog);
	loop_timer_free(run->drain_limit);
	loop_signal_free(run->interrupt);
	loop_signal_free(run->term);
	loop_free(run->loop);
	buf_release(&run->ready_line);
	close_ready_fd(run);
}

/* The admin port is opened first, so that `start` can offer it on other servers, and
 * closed last. Nobody is answered on it before the loop runs. */
static int live(struct service_run *run)
{
	const struct admin_hooks hooks = {is_ready, on_ready_changed, on_admin_request,
					  run};
	const struct service *service = run->service;
	struct err e = ERR_INIT;
	struct log_quote quoted;

	if (admin_start(&run->admin, run->loop, run->settings.admin, &hooks, &e) < 0)
		goto failed;
	buf_addf(&run->ready_line, "READY admin=%s", admin_address(run->admin));
	run->state = service->start(run, service->context, &e);
	if (run->state == NULL)
		goto failed;
	tell_up(run);
	loop_run(run->loop);
	service->stop(run->state);
	admin_stop(run->admin);
	log_info("service.end", "code=%d", run->exit_code);
	return run->exit_code;
failed:
	log_error("service.start", "error=%s text=%s", err_code_name(e.code),
		  log_quote(&quoted, e.text));
	admin_stop(run->admin);
	return EXIT_FAILED;
}

int service_main(const struct service *service, int argc, char **argv)
{
	struct service_run run = {.service = service};
	struct setting rows[OWN_ROWS];
	struct setting_table tables[TABLES_MAX];
	struct options options = {0};
	enum log_level level = LOG_INFO;
	int rc = EXIT_CLEAN;

	log_init(service->name, level);
	if (take_options(&options, argc, argv) < 0)
		rc = fail_usage(service, "--ready-fd needs an open descriptor, 3 or up");
	else if (!gather_tables(&run, rows, tables))
		rc = EXIT_USAGE;
	else if (options.help)
		print_help(service, tables);
	else if (options.version)
		printf("paybell-%s %s\n", service->name, PAYBELL_VERSION);
	else
		rc = load_settings(&run, tables, &options);
	mem_free(options.argv);
	if (rc != EXIT_CLEAN || options.help || options.version)
		return rc;
	if (options.check) {
		printf("paybell-%s: the settings are valid\n", service->name);
		config_release(tables);
		return EXIT_CLEAN;
	}
	log_level_parse(run.settings.log_level, &level);
	log_init(service->name, level);
	run.ready_fd = options.ready_fd;
	process_prepare((int)run.settings.nice);
	open_run(&run);
	rc = live(&run);
	close_run(&run);
	config_release(tables);
	return rc;
}

/* ---- for the service --------------------------------------------------------------- */

struct loop *service_loop(const struct service_run *run)
{
	return run->loop;
}

struct admin *service_admin(const struct service_run *run)
{
	return run->admin;
}

const char *service_instance(const struct service_run *run)
{
	return run->instance;
}
