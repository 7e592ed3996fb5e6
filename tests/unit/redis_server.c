#include "redis_server.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPTIONS_MAX = 32 };

void redis_server_init(struct redis_server *s)
{
	*s = (struct redis_server){.folder = "/tmp/paybell-redis-XXXXXX"};
	ck_assert_ptr_nonnull(mkdtemp(s->folder));
	snprintf(s->url, sizeof(s->url), "unix:%s/redis.sock", s->folder);
}

void redis_server_start(struct redis_server *s, const char *const *more)
{
	const char *argv[OPTIONS_MAX] = {
		"redis-server", "--port",    "0",         "--unixsocket",
		"redis.sock",   "--save",    "",          "--loglevel",
		"warning",      "--logfile", "redis.log", "--enable-debug-command",
		"yes"};
	int argc = 13;

	while (more != NULL && *more != NULL && argc < OPTIONS_MAX - 1)
		argv[argc++] = *more++;
	s->pid = fork();
	ck_assert_int_ge(s->pid, 0);
	if (s->pid > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (chdir(s->folder) == 0)
		execvp(argv[0], (char *const *)argv);
	_exit(127);
}

void redis_server_stop(struct redis_server *s, int signum)
{
	if (s->pid == 0)
		return;
	kill(s->pid, signum);
	kill(s->pid, SIGCONT);
	ck_assert_int_eq(waitpid(s->pid, NULL, 0), s->pid);
	s->pid = 0;
}

void redis_server_release(struct redis_server *s)
{
	static const char *const names[] = {"redis.sock", "redis.log", "dump.rdb"};
	char path[128];

	redis_server_stop(s, SIGKILL);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", s->folder, names[i]);
		unlink(path);
	}
	ck_assert_int_eq(rmdir(s->folder), 0);
}

int free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, size), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &size), 0);
	close(fd);
	return ntohs(a.sin_port);
}
