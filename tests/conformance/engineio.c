/* An Engine.IO echo server made of the gateway's own code, for outside conformance
 *suites:
 *
 *	conformance-engineio --port P
 *
 * Path /engine.io/; every message comes back as it is. Ends on SIGTERM or SIGINT. */
#include "gateway/eio.h"
#include "lib/conformance.h"

static bool allow_any(struct thread *t, struct http_text origin)
{
	return true;
}

static int take_any(struct thread *t, const struct http_head *head)
{
	return 0;
}

static void opened(struct thread *t, struct eio *e)
{
}

static void echo(struct thread *t, struct eio *e, bool binary, const uint8_t *bytes,
		 size_t len)
{
	if (binary)
		eio_send_binary(t, e, bytes, len);
	else
		eio_send_text(t, e, (const char *)bytes, len);
}

static void gone(struct thread *t, struct eio *e)
{
}

int main(int argc, char **argv)
{
	static const struct eio_protocol protocol = {
		.ping_interval_ms = 300,
		.ping_timeout_ms = 200,
		.max_payload = 1000000,
		.allows_origin = allow_any,
		.accept = take_any,
		.opened = opened,
		.message = echo,
		.gone = gone,
	};
	static const struct route routes[] = {
		{"/engine.io/", &eio_socket_protocol, &protocol}, {NULL, NULL, NULL}};

	return conformance_main("conformance-engineio", routes, argc, argv);
}
