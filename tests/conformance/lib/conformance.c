#include "conformance.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/engine.h"

bool conformance_allow_any(struct thread *t, struct http_text origin)
{
	return true;
}

int conformance_take_any(struct thread *t, const struct http_head *head)
{
	return 0;
}

/* False: used wrongly. */
static bool read_port(int argc, char **argv, long *port)
{
	char *end;

	if (argc != 3 || strcmp(argv[1], "--port") != 0)
		return false;
	*port = strtol(argv[2], &end, 10);
	return *end == '\0' && *port >= 0 && *port <= 65535;
}

int conformance_main(const char *name, const struct route *routes, int argc, char **argv)
{
	struct engine_settings settings = {.threads = 1,
					   .max_connections = 10000,
					   .queue_max_bytes = 64 << 20,
					   .send_buffer_bytes = 1 << 20,
					   .handshake_s = 10,
					   .head_max_bytes = HTTP_HEAD_MAX_DEFAULT,
					   .routes = routes};
	struct err e = ERR_INIT;
	struct engine *engine;
	char listen[64];
	sigset_t ends;
	long port;
	int number;

	if (!read_port(argc, argv, &port)) {
		fprintf(stderr, "usage: %s --port P\n", name);
		return 2;
	}
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	snprintf(listen, sizeof(listen), "127.0.0.1:%ld", port);
	settings.listen = listen;
	if (engine_start(&engine, &settings, &e) < 0) {
		fprintf(stderr, "%s: %s\n", name, e.text);
		return 1;
	}
	printf("%s\n", engine_address(engine));
	fflush(stdout);
	sigwait(&ends, &number);
	engine_stop(engine);
	return 0;
}
