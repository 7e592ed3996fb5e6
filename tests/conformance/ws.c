/* An echo server made of the gateway's own code, for outside conformance suites:
 *
 *	conformance-ws --port P
 *
 * Every text or binary message comes back as it is, up to 16 MiB; any path. Ends on
 * SIGTERM or SIGINT. */
#include "gateway/websocket.h"
#include "lib/conformance.h"

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

int main(int argc, char **argv)
{
	static const struct route routes[] = {{"", &protocol, NULL}, {NULL, NULL, NULL}};

	return conformance_main("conformance-ws", routes, argc, argv);
}
