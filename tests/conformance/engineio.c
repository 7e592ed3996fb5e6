/* An Engine.IO echo server made of the gateway's own code, for outside conformance
 *suites:
 *
 *	conformance-engineio --port P
 *
 * Path /engine.io/; every message comes back as it is. Ends on SIGTERM or SIGINT. */
#include "gateway/eio.h"
#include "lib/conformance.h"

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
		.ping_interval_ms = CONFORMANCE_PING_INTERVAL_MS,
		.ping_timeout_ms = CONFORMANCE_PING_TIMEOUT_MS,
		.max_payload = CONFORMANCE_PAYLOAD_MAX,
		.allows_origin = conformance_allow_any,
		.accept = conformance_take_any,
		.opened = opened,
		.message = echo,
		.gone = gone,
	};
	static const struct route routes[] = {
		{"/engine.io/", &eio_socket_protocol, &protocol}, {NULL, NULL, NULL}};

	return conformance_main("conformance-engineio", routes, argc, argv);
}
