/* An echo server made of the gateway's own code, for outside conformance suites:
 *
 *	conformance-ws --port P
 *
 * Every text or binary message comes back as it is, up to 16 MiB; any path. Ends on
 * SIGTERM or SIGINT. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/engine.h"
#include "gateway/route.h"
#include "gateway/websocket.h"

#define MESSAGE_MAX_BYTES (16 << 20)

static int take_any(struct thread *t, int fd, const struct http_head *head,
		    const char **subprotocol)
{
	return 0;
}

static void echo(struct thread *t, int fd, bool text, uint8_t *bytes, size_t len)
{
	websocket_send(t, fd, text, bytes, len);
}

static const struct websocket_protocol protocol = {
	.message_max_bytes = MESSAGE_MAX_BYTES,
	.accept = take_any,
	.message = echo,
};

/* False: used wrongly. */
static bool read_port(int argc, char **argv, long *port)
{
	char *end;

	if (argc != 3 || strcmp(argv[1], "--port") != 0)
		return false;
	*port = strtol(argv[2], &end, 10);
	return *end == '\0' && *port >= 0 && *port <= 65535;
}

int main(int argc, char **argv)
{
	static const struct route routes[] = {{"/", &protocol}, {NULL, NULL}};
	struct engine_settings settings = {.threads = 1,
					   .max_connections = 10000,
					   .queue_max_bytes = 64 << 20,
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
		fprintf(stderr, "usage: conformance-ws --port P\n");
		return 2;
	}
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	snprintf(listen, sizeof(listen), "127.0.0.1:%ld", port);
	settings.listen = listen;
	if (engine_start(&engine, &settings, &e) < 0) {
		fprintf(stderr, "conformance-ws: %s\n", e.text);
		return 1;
	}
	printf("%s\n", engine_address(engine));
	fflush(stdout);
	sigwait(&ends, &number);
	engine_stop(engine);
	return 0;
}
