/* A connection that libcurl opens and its owner then reads and writes: name, TCP, TLS,
 * and for SMTP the greeting, EHLO, STARTTLS and AUTH are curl's, what follows is the
 * owner's.
 *
 * For lib/io/mail.c only, because curl waits for the reply to a mail's final dot with the
 * whole thread. The callbacks come from the
 * loop, never inside of a call here; stream_close() may be called in them. Loop thread
 * only. */
#ifndef PAYBELL_IO_STREAM_H
#define PAYBELL_IO_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct curl_door;
struct stream;

struct stream_settings {
	const char *url;
	const char *username, *password; /* NULL none */
	bool starttls_required;
	int connect_timeout_ms; /* for everything up to `opened` */
};

struct stream_opening {
	bool ok;
	int status;       /* the SMTP reply that refused, 0 none */
	const char *text; /* why not; borrowed for the callback */
};

struct stream_calls {
	void (*line)(void *arg, const char *line,
		     size_t len); /* SMTP replies meanwhile */
	void (*opened)(void *arg, const struct stream_opening *opening);
	void (*ready)(void *arg, int events); /* LOOP_READ, LOOP_WRITE */
};

/* calls is borrowed until stream_close(). */
struct stream *stream_open(struct curl_door *t, const struct stream_settings *settings,
			   const struct stream_calls *calls, void *arg);
void stream_close(struct stream *s); /* at once; NULL does nothing */

/* How many bytes; 0: not now; -1: broken, for recv also closed by the peer. What could
 * not be sent is sent again from the same address (TLS wants that). */
ssize_t stream_send(struct stream *s, const void *bytes, size_t len);
ssize_t stream_recv(struct stream *s, void *bytes, size_t size);
void stream_watch(struct stream *s, int events); /* LOOP_READ after `opened` */

#endif
