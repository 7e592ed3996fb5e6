/* A Socket.IO echo server made of the gateway's own code, for outside conformance suites:
 *
 *	conformance-socketio --port P
 *
 * Path /socket.io/, the main namespace and /custom. On connect it emits "auth" with the
 * handshake's auth; "message" comes back as "message-back" with the same arguments,
 * "message-with-ack" is acknowledged with the same. Ends on SIGTERM or SIGINT. */
#include "gateway/sio.h"
#include "lib/conformance.h"

/* The suite waits two seconds for a client without a namespace to be closed. */
static int64_t patience_ms(struct thread *t)
{
	return 1000;
}

static void let_in(struct thread *t, struct sio_socket *s,
		   const struct socketio_packet *p)
{
	struct slice nsp = sio_namespace(s);

	if (!slice_is(nsp, "/") && !slice_is(nsp, "/custom"))
		sio_refuse(t, s, "Invalid namespace", (struct slice){NULL, 0});
	else if (sio_accept(t, s, NULL))
		sio_emit(t, s, "auth", p->data.len > 0 ? p->data : slice_of("{}"), NULL,
			 0);
}

static void echo(struct thread *t, struct sio_socket *s, const struct socketio_packet *p,
		 const struct slice *attachments)
{
	if (socketio_is_event(p, "message"))
		sio_emit(t, s, "message-back", p->args, attachments, p->attachments);
	else if (socketio_is_event(p, "message-with-ack") && p->id != SOCKETIO_NO_ID)
		sio_ack(t, s, p->id, p->args, attachments, p->attachments);
}

static void gone(struct thread *t, struct sio_socket *s)
{
}

static void opened(struct thread *t, struct eio *e)
{
	static const struct sio_protocol protocol = {
		.max_bytes = 1000000,
		.patience_ms = patience_ms,
		.connect = let_in,
		.event = echo,
		.gone = gone,
	};

	sio_open(t, e, &protocol);
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
		.message = sio_message,
		.gone = sio_gone,
	};
	static const struct route routes[] = {
		{"/socket.io/", &eio_socket_protocol, &protocol}, {NULL, NULL, NULL}};

	return conformance_main("conformance-socketio", routes, argc, argv);
}
